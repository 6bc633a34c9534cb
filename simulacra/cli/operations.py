"""What the verbs transform and compose share: the options of an operation on pictures, and what became of the files."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import counted, refuse_existing, refuse_picture_name, say, show, tell
from simulacra.cli.parser import Operations, Parser, Verb, add_out
from simulacra.cli.words import count, natural, positive
from simulacra.errors import ConfigError, IncompleteError
from simulacra.operations import Operation, Parameter, Step, operation, understood

if TYPE_CHECKING:
    from simulacra.config.grey import GreyRange
    from simulacra.images.batch import Done
    from simulacra.transforms.folders import Change

PIPELINE = "pipeline"
FORMATS = ("png", "jpg", "webp", "gif", "bmp", "tif")


def add_operations(operations: Operations, table: Mapping[str, Operation], verb: Verb) -> None:
    """Add a parser for each row of a table, with an option for each of its parameters."""
    for name, row in table.items():
        sub = operations.add(name, verb, row.meaning)
        add_paths(sub)
        for key, parameter in row.parameters.items():
            sub.add_argument(f"--{key}", metavar=_metavar(parameter), help=_explained(parameter))
        add_common(sub)


def add_paths(sub: Parser) -> None:
    """Add the pictures to work on."""
    sub.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="pictures, folders or zips of pictures")


def add_limit(sub: Parser) -> None:
    """Add the size beyond which a picture is left out."""
    sub.add_argument(
        "--max-megapixels", type=positive, default=32.0, metavar="N",
        help="limit on the megapixels of a picture; larger ones are left out unread (default: 32)",
    )  # fmt: skip


def add_common(sub: Parser) -> None:
    """Add the options of every operation."""
    add_out(sub, "DIR|FILE", "folder or file for the results (default: the name followed by the operation's)")
    sub.add_argument(
        "--format", choices=FORMATS, metavar="|".join(FORMATS),
        help="file format of the results (default: that of each file)",
    )  # fmt: skip
    sub.add_argument(
        "--frames", choices=("first", "all"), default="first", help="frames of animations to use (default: first)"
    )
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="random seed (default: 0)")
    add_limit(sub)
    sub.add_argument(
        "--range", type=_grey_range, metavar="auto|LOW..HIGH",
        help="values to show as black and as white in grey files with more than 8 bits (default: the full range of "
             "the file's type)",
    )  # fmt: skip
    sub.add_argument(
        "--workers", type=count, metavar="N", help="number of files processed at once (default: one for each core)"
    )
    sub.add_argument(
        "--preview",
        type=Path,
        metavar="FILE.png",
        help="write only a preview: the first pictures before and after, on one sheet",
    )
    sub.add_argument("--report", type=Path, metavar="FILE.json", help="file that lists what became of every picture")


def _grey_range(text: str) -> GreyRange | None:
    from simulacra.config.grey import GreyRange

    return GreyRange.parse(text)


def _metavar(parameter: Parameter) -> str:
    if parameter.choices:
        return "|".join(parameter.choices)
    return {"picture": "FILE|DIR", "switch": "true|false", "whole": "N"}.get(parameter.kind, "N|LOW..HIGH")


def _explained(parameter: Parameter) -> str:
    """The meaning, the numbers allowed, and the default."""
    allowed = "" if parameter.choices or parameter.kind in ("picture", "switch") else f"; {parameter.allowed}"
    default = "required" if parameter.default is None else f"default: {str(parameter.default).lower() or 'none'}"
    return f"{parameter.meaning}{allowed} ({default})".replace("; any", "").replace("%", "%%")


def write(options: argparse.Namespace, work: Callable[..., list[Done]]) -> None:
    """Do the work on every file as the common options say, and tell what became of each."""
    done = work(
        _out(options), beside=beside(options), ending=_ending(options), frames=options.frames, seed=options.seed,
        max_megapixels=options.max_megapixels, grey_range=options.range, workers=options.workers, force=options.force,
        counted=counted,
    )  # fmt: skip
    _finish(options, done)


def preview(options: argparse.Namespace, change: Change, random: bool) -> None:
    """Draw the first pictures, several times if values are drawn."""
    from simulacra import images
    from simulacra.transforms import folders

    reading = folders.Reading(options.max_megapixels, options.frames, options.range)
    draws = folders.DRAWS if random else 1
    sheet, problems = folders.preview(options.paths, change, draws=draws, seed=options.seed, reading=reading)
    for problem in problems:
        tell(f"left out: {problem}")
    say(images.save(sheet, options.preview))


def is_random(step: Step) -> bool:
    """Whether a step draws anything anew for every picture."""
    return bool(step.operation.draws or step.probability < 1 or step.ranges)


def step_of(options: argparse.Namespace) -> Step:
    """Return the operation with its options, refused before anything heavy is loaded if they are wrong."""
    chosen = operation(options.operation)
    given = {key: text for key in chosen.parameters if (text := getattr(options, key)) is not None}
    missing = next((key for key, one in chosen.parameters.items() if _is_needed(one) and key not in given), None)
    if missing is not None:
        raise ConfigError(f"{options.operation} needs --{missing} FILE: {chosen.parameters[missing].meaning}.")
    defaults = {key: parameter.default for key, parameter in chosen.parameters.items()}
    step = Step(options.operation, {**defaults, **understood(options.operation, given)})
    if chosen.one_of and not any(step.values[key] for key in chosen.one_of):
        needed = " or ".join(f"--{key} N" for key in chosen.one_of)
        raise ConfigError(f"{options.operation} needs {needed}, with N at least 1.")
    return step


def _is_needed(parameter: Parameter) -> bool:
    return parameter.kind == "picture" and parameter.default is None


def refuse_wrong_names(options: argparse.Namespace) -> None:
    """Refuse names for the preview and the report that cannot be written. Raises `ConfigError`."""
    if options.preview is not None:
        refuse_picture_name(options.preview, option="--preview")
        refuse_existing(options.preview, options.force)
    if options.report is not None:
        if options.report.suffix != ".json":
            raise ConfigError(f"--report {options.report} must end in .json.")
        refuse_existing(options.report, options.force)


def beside(options: argparse.Namespace) -> dict[str, str]:
    """Return the second pictures that were named, by the parameter."""
    if options.operation == PIPELINE:
        return {}
    parameters = operation(options.operation).parameters
    paths = {key: getattr(options, key) for key, parameter in parameters.items() if parameter.kind == "picture"}
    return {key: path for key, path in paths.items() if path}


def _ending(options: argparse.Namespace) -> str | None:
    return None if options.format is None else f".{options.format}"


def _out(options: argparse.Namespace) -> Path:
    """Where results go: as asked, or beside the working folder's files under the name and the operation's."""
    if options.out is not None:
        return Path(options.out)
    if len(options.paths) > 1:
        raise ConfigError("With several paths, say where the results go: --out DIR")
    path = options.paths[0]
    single = path.is_file() and path.suffix.lower() != ".zip"
    stem = path.resolve().stem if path.is_file() else path.resolve().name
    ending = (_ending(options) or path.suffix) if single else ""
    if single and ending.lower() == ".gif" and options.frames == "first":
        ending = ".png"
    return Path(f"{stem}-{options.operation}{ending}")


def _finish(options: argparse.Namespace, done: Sequence[Done]) -> None:
    """Name the files that were left out, sum the notes up, and raise if not all is well."""
    tell_passed(options)
    if options.report is not None:
        from simulacra.images.batch import reported
        from simulacra.storage import atomic

        with atomic(options.report) as temporary:
            temporary.write_text(json.dumps(reported(done), indent=1), "utf-8")
    problems = [one.problem for one in done if one.problem is not None]
    for problem in problems:
        tell(f"left out: {problem}")
    notes = Counter(note for one in done for note in one.notes)
    for note, number in notes.most_common():
        first = next(one.job.entry.name for one in done if note in one.notes)
        show(f"  {number:,} {'file' if number == 1 else 'files'}: {note} (such as {first})")
    written = len(done) - len(problems)
    say(_out(options), f"{written:,} {'picture' if written == 1 else 'pictures'}")
    if problems:
        raise IncompleteError(f"{len(problems)} of {len(done)} files were left out, as named above.")


def tell_passed(options: argparse.Namespace) -> None:
    """Say how many files are of kinds that are not read."""
    from simulacra.images.batch import find_all

    for line in find_all(options.paths)[1]:
        tell(line)
