"""Operations on many files: pictures, folders and zips, each file changed from a seed of its own.

What a file becomes depends on the seed and its name only, whatever else is read and however many are worked on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import torch
from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.config.grey import GreyRange
from simulacra.config.seeds import derived_seed
from simulacra.errors import ConfigError, DataError, UserError
from simulacra.images import batch, files
from simulacra.images.batch import Counted, Done
from simulacra.images.files import Entry, Frames, Picture
from simulacra.images.masks import read_mask
from simulacra.operations import COMPOSITIONS, Step, steps
from simulacra.transforms import layers, pictures
from simulacra.transforms.compose import collage

Change = Callable[[Picture, int], Picture]
Paths = str | Path | Sequence[str | Path]
PREVIEWED = 8  # pictures on a preview
DRAWS = 4  # rows of a preview where values are drawn
CELL = 128  # pixels of a picture on a preview


@dataclass(frozen=True)
class Reading:
    """How files are read: the largest, the frames of animations, and which values of deep grey are black and white."""

    max_megapixels: float = 32.0
    frames: Frames = "first"
    grey_range: GreyRange | None = None


def transform_files(
    paths: Paths,
    chosen: str | Sequence[Step],
    out: str | Path,
    *,
    beside: Mapping[str, str | Path] | None = None,
    ending: str | None = None,
    frames: Frames = "first",
    seed: int = 0,
    max_megapixels: float = 32.0,
    grey_range: str | GreyRange | None = None,
    workers: int | None = None,
    force: bool = False,
    counted: Counted | None = None,
) -> list[Done]:
    """Change every picture of some files, folders and zips, and write the results below ``out`` under their names.

    ``chosen`` are steps, or their text such as ``"flip, rotate degrees=-15..15"``. ``beside`` names the second picture
    of a parameter (``mask`` or ``reference``): one for all, or a folder or zip of equal names. ``ending`` (".png")
    changes the format, ``frames`` "all" keeps animations, ``grey_range`` is "auto" or "LOW..HIGH". ``counted`` may show
    how far the work is. Returns what became of each file, in order: a file that cannot be used is left out with the
    reason. Raises `ConfigError`, `DataError` where no file can be used, `StorageError`.
    """
    change = transforming(chosen, beside or {}, max_megapixels)
    reading = Reading(max_megapixels, frames, _parsed(grey_range))
    return _converted(paths, change, Path(out), reading, ending, seed, workers, force, counted)


def compose_files(
    paths: Paths,
    step: Step,
    out: str | Path,
    *,
    beside: Mapping[str, str | Path],
    ending: str | None = None,
    frames: Frames = "first",
    seed: int = 0,
    max_megapixels: float = 32.0,
    grey_range: str | GreyRange | None = None,
    workers: int | None = None,
    force: bool = False,
    counted: Counted | None = None,
) -> list[Done]:
    """Compose every picture with another by a step such as ``Step("mixup", {"weight": 0.5})``; see `transform_files`.

    ``beside`` names the other picture as ``with``, and perhaps a ``mask``.
    """
    change = composing(step, beside, max_megapixels)
    reading = Reading(max_megapixels, frames, _parsed(grey_range))
    return _converted(paths, change, Path(out), reading, ending, seed, workers, force, counted)


def _parsed(grey_range: str | GreyRange | None) -> GreyRange | None:
    return GreyRange.parse(grey_range) if isinstance(grey_range, str) else grey_range


def _listed(paths: Paths) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _converted(
    paths: Paths, change: Change, out: Path, reading: Reading, ending: str | None, seed: int, workers: int | None,
    force: bool, counted: Counted | None,
) -> list[Done]:  # fmt: skip
    entries, _ = batch.find_all(_listed(paths))
    jobs = batch.plan(entries, out, ending=ending, frames=reading.frames, force=force)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # files side by side use the cores better than one at a time
    try:
        stream = batch.convert(
            jobs, partial(seeded, change, seed), max_megapixels=reading.max_megapixels, frames=reading.frames,
            grey_range=reading.grey_range, workers=workers,
        )  # fmt: skip
        with closing(stream):  # waits for the files that are being written
            done = list(stream if counted is None else counted(stream, len(jobs), "pictures"))
    finally:
        torch.set_num_threads(threads)
    batch.refuse_all_failed(done)
    return done


def seeded(change: Change, seed: int, picture: Picture, draw: int = 0) -> Picture:
    """Change a picture from a seed that its name decides; ``draw`` counts the draws of a preview."""
    return change(picture, derived_seed(seed, str(picture.name), draw))


# ---------------------------------------------------------------------------------------- second pictures


@dataclass(frozen=True)
class Second:
    """The second picture of an operation: one for all, or the one of the same name in a folder or zip."""

    path: Path
    entries: Mapping[PurePosixPath, Entry]
    max_megapixels: float

    @classmethod
    def find(cls, path: str | Path, max_megapixels: float) -> Second:
        """List what there is. Raises `DataError`."""
        found = {entry.name.with_suffix(""): entry for entry in files.find(Path(path))}
        return cls(Path(path), found, max_megapixels)

    def entry(self, name: PurePosixPath) -> Entry:
        """Return the file that goes with a name. Raises `DataError` where there is none."""
        entry = self.entries.get(name.with_suffix(""))
        if self.path.is_file() and len(self.entries) == 1:
            entry = next(iter(self.entries.values()))
        if entry is None:
            raise DataError(f"{name}: there is no picture of this name in {self.path}.")
        return entry

    def picture(self, name: PurePosixPath) -> Picture:
        """Read the picture that goes with a name. Raises `DataError`."""
        return files.read(self.entry(name), max_megapixels=self.max_megapixels)

    def mask(self, name: PurePosixPath, like: Picture) -> Tensor:
        """Read the mask that goes with a name: ``(1, 1, H, W)`` of 0 and 1, of the size of a picture.

        Raises `DataError` for a mask of another size, and as `images.masks.marked` does.
        """
        entry = self.entry(name)
        found = read_mask(entry, self.max_megapixels).float()
        (height, width), (rows, columns) = found.shape[-2:], like.size
        if (height, width) != (rows, columns):
            raise DataError(
                f"{name}: the mask {entry.name} has {width} x {height} pixels and the picture {like.name} "
                f"{columns} x {rows}. Make their sizes equal."
            )
        return found


def transforming(
    chosen: str | Sequence[Step], beside: Mapping[str, str | Path], max_megapixels: float = 32.0
) -> Change:
    """Return the change that steps make, with second pictures read when they are needed. Raises `ConfigError`."""
    taken = steps(chosen) if isinstance(chosen, str) else tuple(chosen)
    second = {key: Second.find(path, max_megapixels) for key, path in beside.items()}
    _refuse_missing(taken, second)

    def change(picture: Picture, seed: int) -> Picture:
        given = {
            key: one.mask(picture.name, picture) if key == "mask" else pictures.visible(one.picture(picture.name))
            for key, one in second.items()
        }
        return pictures.changed(picture, taken, seed, given)

    return change


def composing(step: Step, beside: Mapping[str, str | Path], max_megapixels: float = 32.0) -> Change:
    """Return the change that a composition makes. Raises `ConfigError`."""
    if step.name not in COMPOSITIONS:
        raise ConfigError(f"{step.name} is not a composition. Compositions: {', '.join(COMPOSITIONS)}.")
    second = {key: Second.find(path, max_megapixels) for key, path in beside.items()}
    _refuse_missing([step], second)

    def change(picture: Picture, seed: int) -> Picture:
        other = second["with"].picture(picture.name)
        mask = second["mask"].mask(picture.name, other) if "mask" in second else None
        return layers.composed(picture, other, mask, step, seed)

    return change


def _refuse_missing(chosen: Sequence[Step], second: Mapping[str, Second]) -> None:
    for step in chosen:
        for key, parameter in step.operation.parameters.items():
            if parameter.kind == "picture" and parameter.default is None and key not in second:
                raise ConfigError(f"{step.name} needs a picture for '{key}': {parameter.meaning}.")


# ------------------------------------------------------------------------------------- previews, collages


def preview(
    paths: Paths, change: Change, *, draws: int = 1, seed: int = 0, reading: Reading | None = None
) -> tuple[Image.Image, list[str]]:
    """Draw the first pictures before and after ``draws`` draws of a change; also say which could not be used, and why.

    Raises `DataError` where none can be used.
    """
    reading = reading or Reading()
    columns: list[list[Tensor]] = []
    problems = []
    for entry in batch.find_all(_listed(paths))[0]:
        try:
            picture = files.read(entry, max_megapixels=reading.max_megapixels, grey_range=reading.grey_range)
            after = [seeded(change, seed, picture, draw) for draw in range(draws)]
            columns.append([_cell(one) for one in (picture, *after)])
        except UserError as error:
            problems.append(str(error))
        if len(columns) == PREVIEWED:
            break
    if not columns:
        raise DataError(f"None of the files can be used. First: {problems[0]}")
    rows = [torch.stack(list(row)) for row in zip(*columns, strict=True)]
    captions = ["before", *("after" if draws == 1 else f"draw {number}" for number in range(1, len(rows)))]
    return images.labelled_rows(list(zip(captions, rows, strict=True))), problems


def _cell(picture: Picture) -> Tensor:
    """One picture on white, in a square."""
    visible = images.picture(files.over_white(picture)[0])
    times = max(
        1, CELL // max(visible.size)
    )  # pixels of small pictures are repeated: enlarged smoothly they would blur
    enlarged = visible.resize((times * visible.width, times * visible.height), Image.Resampling.NEAREST)
    return images.from_bytes(images.to_tensor(images.square(enlarged, CELL, "pad"), 3))


def collage_files(
    paths: Paths,
    *,
    width: int = 1200,
    rows: int = 0,
    gap: int = 4,
    max_megapixels: float = 32.0,
    counted: Counted | None = None,
) -> tuple[Tensor, list[str], int]:
    """Lay the pictures of files, folders and zips out on one sheet ``(3, H, width)`` in [-1, 1]; see `compose.collage`.

    Also returns which files could not be used, and why, and how many could. Raises `DataError` where none could.
    """
    entries, _ = batch.find_all(_listed(paths))
    tallest = max(1, 2 * width // max(1, round(len(entries) ** 0.5)))
    done = batch.each(entries, partial(_read_cell, tallest, width, max_megapixels), None, _cell_weight)
    cells: list[Tensor] = []
    problems: list[str] = []
    for one in done if counted is None else counted(done, len(entries), "collage"):
        problems.append(one) if isinstance(one, str) else cells.append(one)
    if not cells:
        raise DataError(f"None of the {len(entries):,} files could be used; nothing was written. First: {problems[0]}")
    return collage(cells, width, rows, gap), problems, len(cells)


def _cell_weight(entry: Entry) -> int:
    return batch.weight(entry, batch.DECODING)


def _read_cell(tallest: int, width: int, max_megapixels: float, entry: Entry) -> Tensor | str:
    """One picture in colour on white, no larger than it will be shown; or why it cannot be used."""
    try:
        picture = images.read(
            entry.source(), str(entry.name), max_megapixels=max_megapixels, draft=2 * max(tallest, width),
            remedy="--max-megapixels",
        )  # fmt: skip
    except UserError as error:
        return str(error)
    scale = min(1.0, tallest / picture.height, width / picture.width)
    if scale < 1:
        size = max(1, round(scale * picture.width)), max(1, round(scale * picture.height))
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return images.from_bytes(images.to_tensor(picture, 3))
