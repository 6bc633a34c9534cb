"""Images of your own: a folder or a zip, of any sizes and modes; classes are subfolders.

``train/`` and ``test/`` at the top are taken as splits; beside ``train/`` nothing else is read. A file that cannot
be read is named; it stops the loading, or is left out, by the user's choice.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.config import Data
from simulacra.data.dataset import Dataset
from simulacra.errors import DataError
from simulacra.images.batch import PARALLEL
from simulacra.images.files import SPLITS, Entry, find

DEFAULT_SIZE = 64  # pixels, for files of mixed sizes
LARGEST_NATIVE = 256  # pixels: larger equal squares are reduced unless asked for


@dataclass(frozen=True)
class _Decoded:
    entry: Entry
    picture: Image.Image


def load(path: Path, data: Data) -> tuple[Dataset, Dataset | None, tuple[str, ...]]:
    """Read a folder or zip; return the training set, the test set if the source has one, and what was skipped."""
    found = find(path)
    entries = _in_splits(found)
    size = data.size or _common_size(entries)
    decoded, problems = _decode(entries, size, data)
    if problems and data.corrupt == "refuse":
        raise DataError(refusal(problems, "To leave such files out: --data.corrupt skip"))
    if not decoded:
        raise DataError(f"None of the {len(entries)} image files in {path} can be read. First: {problems[0]}")
    channels = data.channels or _common_channels(decoded)
    splits = {name: _dataset(path, decoded, name, channels) for name in SPLITS}
    if splits["train"] is None:
        raise DataError(f"{path} holds test images only; put training images beside them in train/.")
    if len(entries) < len(found):
        problems.append(f"{len(found) - len(entries)} images that are in neither train/ nor test/.")
    return splits["train"], splits["test"], tuple(problems)


def read_all(path: Path, size: int, channels: int, data: Data) -> tuple[list[str], Tensor]:
    """Read every image of a file, folder or zip: the names, and uint8 ``(N, channels, size, size)``.

    Raises `DataError` naming the files that cannot be read; the policies of ``data`` for fit, background and the
    largest file apply.
    """
    decoded, problems = _decode(find(path), size, data)
    if problems:
        raise DataError(refusal(problems, "Remove them and try again."))
    return [str(item.entry.name) for item in decoded], torch.stack(
        [images.to_tensor(item.picture, channels) for item in decoded]
    )


def read_one(entry: Entry, channels: int, data: Data, *, convert: bool = False, size: int | None = None) -> Tensor:
    """Read an image as it is, or with the shorter side of ``size`` pixels: uint8 ``(channels, H, W)``.

    Raises `DataError` for a grey file where colour is needed, and the reverse, unless they shall be converted; and,
    before pixels are decoded, for more megapixels than ``data`` allows, in the file or once it is resized.
    """
    source, name = entry.source(), str(entry.name)
    if size is not None:
        _refuse_huge_result(source, name, size, data.max_megapixels)
    picture = images.read(
        source, name, max_megapixels=data.max_megapixels, background=data.background, remedy="--max-megapixels"
    )
    if not convert and (picture.mode == "L") != (channels == 1):
        have, need = ("grey", "in colour") if picture.mode == "L" else ("in colour", "grey")
        raise DataError(
            f"{entry.name} is {have}, and the images that this model was trained to translate are {need}. "
            "To translate it all the same: --convert"
        )
    if size is not None:
        scale = size / min(picture.size)
        width, height = (max(1, round(scale * side)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return images.to_tensor(picture, channels)


def _refuse_huge_result(source: Path | bytes, name: str, size: int, max_megapixels: float) -> None:
    """Refuse a shorter side that makes a picture too large; what has no readable header is left to `images.read`."""
    sides = images.dimensions(source)
    if sides is None:
        return
    ratio = max(sides) / min(sides)
    if size**2 * ratio > max_megapixels * 1e6:
        raise DataError(
            f"--size {size} would make {name} a picture of {size**2 * ratio / 1e6:,.1f} megapixels; the limit is "
            f"{max_megapixels:g}. Choose --size {math.isqrt(int(max_megapixels * 1e6 / ratio))} or less, or raise the "
            "limit with --max-megapixels."
        )


def _common_size(entries: Sequence[Entry]) -> int:
    """The side of the images where all are equal squares of a moderate size, else the default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = {images.dimensions(source) for source in map(source_of, entries) if source is not None} - {None}
    width, height = sizes.pop() or (0, 0) if len(sizes) == 1 else (0, 0)
    return width if width == height and 8 <= width <= LARGEST_NATIVE else DEFAULT_SIZE


def source_of(entry: Entry) -> Path | bytes | None:
    """Return a file's path or bytes, or None where it cannot be unpacked."""
    try:
        return entry.source()
    except (DataError, OSError):
        return None


def _decode(entries: Sequence[Entry], size: int, data: Data) -> tuple[list[_Decoded], list[str]]:
    """Read every file; return squares of a size, and one line for each file that cannot be read."""
    read, problems = pictures(entries, data, size)
    return [_Decoded(entry, picture) for entry, picture in zip(entries, read, strict=True) if picture], problems


def pictures(
    entries: Sequence[Entry], data: Data, size: int, *, halves: bool = False
) -> tuple[list[Image.Image | None], list[str]]:
    """Read every file on a few threads, as squares of a size, or with ``halves`` as two of them side by side.

    Returns a picture for each entry, or None, and one line for each file that cannot be read.
    """

    def one(entry: Entry) -> Image.Image | str:
        try:
            picture = images.read(
                entry.source(),
                str(entry.name),
                max_megapixels=data.max_megapixels,
                draft=2 * size,
                background=data.background,
            )
            return _halves(picture, size, data) if halves else images.square(picture, size, data.fit, data.background)
        except (DataError, OSError) as error:
            return str(error)

    with warnings.catch_warnings(), ThreadPoolExecutor(PARALLEL) as pool:
        warnings.simplefilter("ignore")  # here, not in the threads, whose restoring of the filters would race
        results = list(pool.map(one, entries))
    return [r if isinstance(r, Image.Image) else None for r in results], [r for r in results if isinstance(r, str)]


def _halves(picture: Image.Image, size: int, data: Data) -> Image.Image:
    """The left and the right half, each a square of a size."""
    middle, height = picture.width // 2, picture.height
    both = Image.new(picture.mode, (2 * size, size))
    for index, left in enumerate((0, picture.width - middle)):
        half = picture.crop((left, 0, left + middle, height))
        both.paste(images.square(half, size, data.fit, data.background), (index * size, 0))
    return both


def refusal(problems: Sequence[str], remedy: str) -> str:
    """One line that names the first files that cannot be read, counts the others, and says what to do."""
    shown = " ".join(problems[:3])
    more = f" (and {len(problems) - 3} more files)" if len(problems) > 3 else ""
    return f"{shown}{more} {remedy}"


def _common_channels(decoded: Sequence[_Decoded]) -> int:
    modes = Counter(item.picture.mode for item in decoded)
    if len(modes) == 1:
        return 1 if "L" in modes else 3
    grey = next(item.entry.name for item in decoded if item.picture.mode == "L")
    raise DataError(
        f"{modes['RGB']} images are in colour and {modes['L']} are grey (such as {grey}). "
        "Say which is meant: --data.channels 3 or --data.channels 1"
    )


def _dataset(path: Path, decoded: Sequence[_Decoded], split: str, channels: int) -> Dataset | None:
    """The images of one split; without a train/ folder at the top every image not in test/ is for training."""
    chosen = [(item, name) for item in decoded for in_split, name in [_split_of(item.entry.name)] if in_split == split]
    if not chosen:
        return None
    pixels = torch.stack([images.to_tensor(item.picture, channels) for item, _ in chosen])
    classes = tuple(sorted({_class_of(_split_of(item.entry.name)[1]) for item in decoded}))
    labels: Tensor | None = None
    if len(classes) > 1:
        labels = torch.tensor([classes.index(_class_of(name)) for _, name in chosen])
    names = tuple(str(item.entry.name) for item, _ in chosen)
    return Dataset(path.stem, pixels, labels, classes if len(classes) > 1 else (), names)


def _in_splits(entries: list[Entry]) -> list[Entry]:
    """Keep only train/ and test/ where there is a train/ folder: a val/ beside it is not for training, nor a class."""
    placed = [entry for entry in entries if _split_of(entry.name)[1] != entry.name]
    return placed if any(_split_of(entry.name)[0] == "train" for entry in placed) else entries


def _split_of(name: PurePosixPath) -> tuple[str, PurePosixPath]:
    if len(name.parts) > 1 and name.parts[0].lower() in SPLITS:
        return name.parts[0].lower(), PurePosixPath(*name.parts[1:])
    return "train", name


def _class_of(name: PurePosixPath) -> str:
    return name.parts[0] if len(name.parts) > 1 else ""
