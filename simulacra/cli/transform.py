"""Verbs that work on pictures in files, folders and zips: transform, compose."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from simulacra.cli.output import counted, refuse_existing, refuse_picture_name, say, show, tell
from simulacra.cli.parser import Operations, Parser, Verb, Verbs, add_out, count, natural, positive
from simulacra.config.grey import GreyRange
from simulacra.config.operations import (
    COMPOSITIONS,
    OPERATIONS,
    Operation,
    Parameter,
    Step,
    operation,
    steps,
    understood,
)
from simulacra.errors import ConfigError, DataError, IncompleteError

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.images.batch import Done, Job
    from simulacra.images.files import Entry, Picture

Change = Callable[["Picture"], "Picture"]
PIPELINE = "pipeline"
FORMATS = ("png", "jpg", "webp", "gif", "bmp", "tif")
PREVIEWED = 8  # pictures on a preview
DRAWS = 4  # rows of a preview where values are drawn
CELL = 128  # pixels of a picture on a preview


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    verb = verbs.add("transform", _transform, "Change pictures, one operation at a time or a random pipeline of them.")
    operations = Operations(verb)
    _add_operations(operations, OPERATIONS, _transform)
    sub = operations.add(PIPELINE, _transform, "Several operations with values drawn anew for every picture.")
    _add_pictures(sub)
    sub.add_argument(
        "--steps", required=True, metavar="STEPS", help="such as 'flip, rotate degrees=-15..15, noise probability=0.5'"
    )
    _add_common(sub)

    verb = verbs.add("compose", _compose, "Make one picture of several: overlays, seams, seamless cloning, collages.")
    operations = Operations(verb)
    _add_operations(operations, COMPOSITIONS, _compose)
    sub = operations.add("collage", _collage, "Lay pictures out in rows, each uncut, on one sheet.")
    _add_pictures(sub)
    sub.add_argument("--width", type=count, default=1200, metavar="N", help="of the sheet in pixels (1200)")
    sub.add_argument("--rows", type=natural, default=0, metavar="N", help="of pictures; 0: near square (0)")
    sub.add_argument("--gap", type=natural, default=4, metavar="N", help="white pixels between (4)")
    add_out(sub, "FILE.png", required=True)
    sub.add_argument(
        "--max-megapixels", type=positive, default=32.0, metavar="N", help="larger files are left out (32)"
    )


def _add_operations(operations: Operations, table: Mapping[str, Operation], verb: Verb) -> None:
    """A parser for each row of a table, an option for each of its parameters."""
    for name, row in table.items():
        sub = operations.add(name, verb, row.meaning)
        _add_pictures(sub)
        for key, parameter in row.parameters.items():
            sub.add_argument(f"--{key}", metavar=_metavar(parameter), help=_explained(parameter))
        _add_common(sub)


def _add_pictures(sub: Parser) -> None:
    sub.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="pictures, folders or zips of pictures")


def _add_common(sub: Parser) -> None:
    add_out(sub, "DIR|FILE", "where to (the name with the operation's behind it)")
    sub.add_argument("--format", choices=FORMATS, metavar="|".join(FORMATS), help="of the results (that of each file)")
    sub.add_argument("--frames", choices=("first", "all"), default="first", help="of animations (first)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="of what is drawn (0)")
    sub.add_argument(
        "--max-megapixels", type=positive, default=32.0, metavar="N", help="larger files are left out unread (32)"
    )
    sub.add_argument(
        "--range", type=GreyRange.parse, metavar="auto|LOW..HIGH",
        help="values that are black and white in grey files of more than 8 bits (those of the file's type)",
    )  # fmt: skip
    sub.add_argument("--workers", type=count, metavar="N", help="files worked on at once (one for each core)")
    sub.add_argument("--preview", type=Path, metavar="FILE.png", help="only draw the first few, before and after")
    sub.add_argument("--report", type=Path, metavar="FILE.json", help="what became of every file")


def _metavar(parameter: Parameter) -> str:
    if parameter.choices:
        return "|".join(parameter.choices)
    return {"picture": "FILE|DIR", "switch": "true|false", "whole": "N"}.get(parameter.kind, "N|LOW..HIGH")


def _explained(parameter: Parameter) -> str:
    """The meaning, the numbers allowed, and the default."""
    allowed = "" if parameter.choices or parameter.kind in ("picture", "switch") else f"; {parameter.allowed}"
    default = str(parameter.default).lower() if parameter.default is not None else "needed"
    return f"{parameter.meaning}{allowed} ({default})".replace("; any", "").replace("%", "%%")


# ----------------------------------------------------------------------------------------------- transform


def _transform(options: argparse.Namespace) -> None:
    chosen = _pipeline(options) if options.operation == PIPELINE else (_step(options),)
    _refuse_shadows(options)
    from simulacra.transforms import pictures

    second = _second_pictures(options)

    def change(picture: Picture, seed: int) -> Picture:
        given = {key: one.beside(picture, mask=key == "mask") for key, one in second.items()}
        return pictures.changed(picture, chosen, seed, given)

    _convert_or_preview(options, change, any(_is_random(step) for step in chosen))


def _is_random(step: Step) -> bool:
    return bool(operation(step.name).draws or step.probability < 1 or step.ranges)


def _pipeline(options: argparse.Namespace) -> tuple[Step, ...]:
    """The steps that were asked for, refused before anything heavy is loaded if they are wrong."""
    chosen = steps(options.steps)
    if not chosen:
        raise ConfigError("--steps names no operation. See: simulacra transform --help")
    return chosen


def _step(options: argparse.Namespace) -> Step:
    """The operation with its options, refused before anything heavy is loaded if they are wrong."""
    parameters = operation(options.operation).parameters
    given = {key: text for key in parameters if (text := getattr(options, key)) is not None}
    missing = next((key for key, one in parameters.items() if _is_needed(one) and key not in given), None)
    if missing is not None:
        raise ConfigError(f"{options.operation} needs --{missing} FILE: {parameters[missing].meaning}.")
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    step = Step(options.operation, {**defaults, **understood(options.operation, given)})
    needed = operation(options.operation).one_of
    if needed and not any(step.values[key] for key in needed):
        raise ConfigError(f"{options.operation} needs {' or '.join(f'--{key} N' for key in needed)}, at least 1.")
    return step


def _is_needed(parameter: Parameter) -> bool:
    return parameter.kind == "picture" and parameter.default is None


def _refuse_shadows(options: argparse.Namespace) -> None:
    """Refuse names of pages that cannot be written."""
    if options.preview is not None:
        refuse_picture_name(options.preview, option="--preview")
        refuse_existing(options.preview, options.force)
    if options.report is not None:
        if options.report.suffix != ".json":
            raise ConfigError(f"--report {options.report} must end in .json.")
        refuse_existing(options.report, options.force)


@dataclass(frozen=True)
class Second:
    """The second picture of an operation: one for all, or the one of the same name in a folder or zip."""

    path: Path
    entries: Mapping[PurePosixPath, Entry]
    max_megapixels: float

    @classmethod
    def find(cls, path: Path, max_megapixels: float) -> Second:
        """List what there is. Raises `DataError`."""
        from simulacra.images import files

        return cls(path, {entry.name.with_suffix(""): entry for entry in files.find(path)}, max_megapixels)

    def read(self, name: PurePosixPath) -> Picture:
        """The picture that goes with a name. Raises `DataError` where there is none."""
        from simulacra.images import files

        entry = self.entries.get(name.with_suffix(""))
        if self.path.is_file() and len(self.entries) == 1:
            entry = next(iter(self.entries.values()))
        if entry is None:
            raise DataError(f"{name}: there is no picture of this name in {self.path}.")
        return files.read(entry, max_megapixels=self.max_megapixels)

    def beside(self, picture: Picture, *, mask: bool) -> Tensor:
        """What goes with a picture, as ``(1, C, H, W)`` in [-1, 1], or as a mask of 0 and 1."""
        from simulacra.images import files, luma
        from simulacra.transforms.pictures import visible

        own = self.read(picture.name)
        return (luma(files.over_white(own)) > 0).float() if mask else visible(own)


def _second_pictures(options: argparse.Namespace) -> dict[str, Second]:
    if options.operation == PIPELINE:
        return {}
    parameters = operation(options.operation).parameters
    paths = {key: getattr(options, key) for key, parameter in parameters.items() if parameter.kind == "picture"}
    return {key: Second.find(Path(path), options.max_megapixels) for key, path in paths.items() if path}


# ------------------------------------------------------------------------------------------------- compose


def _compose(options: argparse.Namespace) -> None:
    step = _step(options)
    _refuse_shadows(options)
    from simulacra.transforms import pictures

    second = _second_pictures(options)
    masks = second.get("mask")

    def change(picture: Picture, seed: int) -> Picture:
        mask = None if masks is None else masks.beside(picture, mask=True)
        return pictures.composed(picture, second["with"].read(picture.name), mask, step, seed)

    _convert_or_preview(options, change, _is_random(step))


def _collage(options: argparse.Namespace) -> None:
    refuse_picture_name(options.out)
    refuse_existing(options.out, options.force)
    from simulacra import images
    from simulacra.images import batch, files
    from simulacra.transforms import compose

    entries = batch.find_all(options.paths)
    cells: list[Tensor] = []
    problems = 0
    tallest = max(1, 2 * options.width // max(1, round(len(entries) ** 0.5)))
    for entry in counted(entries, len(entries), "collage"):
        try:
            cells.append(_reduced(files.read(entry, max_megapixels=options.max_megapixels), tallest))
        except DataError as error:
            problems += 1
            tell(f"left out: {error}")
    if not cells:
        raise DataError(f"None of the {len(entries)} files could be used; nothing was written.")
    sheet = compose.collage(cells, options.width, options.rows, options.gap)
    say(images.save(sheet, options.out), f"{len(cells):,} pictures")
    if problems:
        raise IncompleteError(f"{problems} of {len(entries)} files were left out, as named above.")


def _reduced(picture: Picture, tallest: int) -> Tensor:
    """One picture in colour on white, no higher than it will be shown."""
    from simulacra.images import files
    from simulacra.transforms.geometry import resize

    image = files.over_white(picture)[:1].expand(-1, 3, -1, -1)
    return (resize(image, tallest, 0) if image.shape[-2] > tallest else image)[0]


# ----------------------------------------------------------------------------------------------- many files


def _convert_or_preview(options: argparse.Namespace, change: Callable[[Picture, int], Picture], random: bool) -> None:
    """Change every file from a seed of its own, or only draw the first few: several times if values are drawn."""
    from simulacra import images
    from simulacra.data import derived_seed

    def seeded(draw: int) -> Change:
        return lambda picture: change(picture, derived_seed(options.seed, str(picture.name), draw))

    if options.preview is None:
        _convert(options, seeded(0))
    else:
        draws = [seeded(draw) for draw in range(DRAWS if random else 1)]
        say(images.save(_sheet(options, draws), options.preview))


def _convert(options: argparse.Namespace, change: Change) -> None:
    """Change every file, and say what became of them."""
    import torch

    from simulacra.images import batch

    entries = batch.find_all(options.paths)
    out = options.out or _default_out(options, entries)
    ending = None if options.format is None else f".{options.format}"
    jobs = batch.plan(entries, out, ending=ending, frames=options.frames, force=options.force)
    torch.set_num_threads(1)  # files side by side use the cores better than one at a time
    stream = batch.convert(
        jobs,
        change,
        max_megapixels=options.max_megapixels,
        frames=options.frames,
        grey_range=options.range,
        workers=options.workers,
    )
    done = list(counted(stream, len(jobs), options.operation))
    if options.report is not None:
        from simulacra.storage import atomic

        with atomic(options.report) as temporary:
            temporary.write_text(json.dumps([_reported(one) for one in done], indent=1), "utf-8")
    _tell(done, jobs, out)


def _default_out(options: argparse.Namespace, entries: Sequence[Entry]) -> Path:
    if len(options.paths) > 1:
        raise ConfigError("With several paths, say where to: --out DIR")
    path = options.paths[0]
    single = path.is_file() and len(entries) == 1 and path.suffix.lower() != ".zip"
    stem = path.resolve().stem if path.is_file() else path.resolve().name
    ending = (f".{options.format}" if options.format else path.suffix) if single else ""
    if single and ending.lower() == ".gif" and options.frames == "first":
        ending = ".png"
    return Path(f"{stem}-{options.operation}{ending}")


def _reported(done: Done) -> dict[str, Any]:
    name = str(done.job.entry.name)
    if done.problem is not None:
        return {"file": name, "problem": done.problem}
    return {"file": name, "out": str(done.job.out), "notes": list(done.notes)}


def _tell(done: Sequence[Done], jobs: Sequence[Job], out: Path) -> None:
    """Name the files that were left out, sum the notes up, and raise if not all is well."""
    problems = [one for one in done if one.problem is not None]
    reasons = {one.reason for one in problems}
    if len(problems) == len(jobs) > 1 and len(reasons) == 1:
        raise DataError(f"{reasons.pop()} So it is with all {len(jobs)} files; nothing was written.")
    for one in problems:
        tell(f"left out: {one.problem}")
    notes = Counter(note for one in done for note in one.notes)
    for note, number in notes.most_common():
        first = next(one.job.entry.name for one in done if note in one.notes)
        show(f"  {number:,} {'file' if number == 1 else 'files'}: {note} (such as {first})")
    if len(problems) == len(jobs):
        raise DataError(f"None of the {len(jobs)} files could be used; nothing was written.")
    written = len(jobs) - len(problems)
    say(out, f"{written:,} {'picture' if written == 1 else 'pictures'}")
    if problems:
        raise IncompleteError(f"{len(problems)} of {len(jobs)} files were left out, as named above.")


def _sheet(options: argparse.Namespace, changes: Sequence[Change]) -> Any:
    """The first pictures, before and after."""
    from simulacra.images import batch, files

    columns: list[list[Tensor]] = []
    for entry in batch.find_all(options.paths):
        try:
            picture = files.read(entry, max_megapixels=options.max_megapixels, grey_range=options.range)
            columns.append([_cell(one) for one in (picture, *(change(picture) for change in changes))])
        except (ConfigError, DataError) as error:
            tell(f"left out: {error}")
        if len(columns) == PREVIEWED:
            break
    if not columns:
        raise DataError("None of the files can be used.")
    return _labelled(columns)


def _labelled(columns: Sequence[Sequence[Tensor]]) -> Any:
    import torch

    from simulacra import images

    rows = [torch.stack(list(row)) for row in zip(*columns, strict=True)]
    captions = ["before", *("after" if len(rows) == 2 else f"draw {number}" for number in range(1, len(rows)))]
    return images.labelled_rows(list(zip(captions, rows, strict=True)))


def _cell(picture: Picture) -> Tensor:
    """One picture on white, in a square."""
    from simulacra import images
    from simulacra.images import files

    visible = images.picture(files.over_white(picture)[0])
    return images.from_bytes(images.to_tensor(images.square(visible, CELL, "pad"), 3))
