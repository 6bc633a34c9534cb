"""Image files to pixels of one size: several at a time, with every file that cannot be read named."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from simulacra import images, machine
from simulacra.config import Data
from simulacra.config.grey import GreyRange
from simulacra.errors import DataError
from simulacra.images import Shape
from simulacra.images.batch import DECODING, PARALLEL, each, weight
from simulacra.images.files import Entry, find

DEFAULT_SIZE = 64  # pixels, for files of mixed sizes
LARGEST_NATIVE = 256  # pixels: larger equal squares are reduced unless asked for
MUCH_CUT = 0.1  # share of the pixels that cropping may cut without a remark
ALIKE, MOST = (
    0.03,
    0.9,
)  # relative difference of proportions that counts as none; share of the files that must share them
STEP, LONGEST = 8, 1024  # pixels: the longer side of images in a set's own proportions is a multiple, and not above
COLOUR_SHARE = 0.98  # of the files: from here on a mixture of grey and colour counts as colour

Sides = tuple[int, int]  # height and width
Pixels = npt.NDArray[np.uint8]  # (H, W) grey or (H, W, 3) in colour


def read_all(path: Path, shape: Shape, data: Data) -> tuple[list[str], Tensor]:
    """Read every image of a file, folder or zip: the names, and uint8 ``(N, C, H, W)`` of a shape.

    The options of ``data`` for fit, background and the largest file apply. Raises `DataError` that names the files
    that cannot be read.
    """
    entries, strict = find(path), data.model_copy(update={"corrupt": "skip"})
    read = sized(entries, strict, shape.sides)
    if read.problems:
        raise DataError(_refusal(read.problems, "Remove them and try again."))
    pixels = [values for values in read.pixels if values is not None]
    return [str(entry.name) for entry in entries], stack(pixels, shape.channels)


def common_size(entries: Sequence[Entry], data: Data) -> Sides:
    """Return height and width for files: what is asked for, or the size that all have, or the proportions of most.

    Where only one of the two is given it stands for both. Files that are to be padded or stretched become square.
    """
    if data.size is not None or data.width is not None:
        height = data.size or data.width or DEFAULT_SIZE
        return height, data.width or height
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [size for entry in entries for size in [dimensions(entry)] if size is not None]
    if data.fit != "crop" or (len(set(found)) == 1 and found[0][0] == found[0][1]):
        side = default_size(*found[0]) if len(set(found)) == 1 else DEFAULT_SIZE
        return side, side
    ratios = [width / height for width, height in found]
    middle = median(ratios) if ratios else 1.0
    alike = sum(abs(ratio / middle - 1) < ALIKE for ratio in ratios) / max(1, len(ratios))
    return by_proportions(middle, alike, DEFAULT_SIZE)


def common_side(entries: Sequence[Entry], *, halves: bool = False) -> int:
    """Return the side where all files, or all their halves, are equal squares of a moderate size; else the default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = {size for entry in entries for size in [dimensions(entry)] if size is not None}
    width, height = sizes.pop() if len(sizes) == 1 else (0, 0)
    return default_size(width // 2 if halves and width % 2 == 0 else width, height)


def by_proportions(ratio: float, alike: float, side: int) -> Sides:
    """Return height and width with a shorter side of ``side``, in a ``ratio`` of width to height.

    ``alike`` is the share of the files that have it: square where these are fewer than nine in ten, and where a square
    cuts off less than a tenth.
    """
    if alike < MOST or min(ratio, 1 / ratio) > 1 - MUCH_CUT:
        return side, side
    longer = min(LONGEST, round(side * max(ratio, 1 / ratio) / STEP) * STEP)
    return (side, longer) if ratio > 1 else (longer, side)


def refuse_beyond_memory(count: int, channels: int, sides: Sides) -> None:
    """Raise `ConfigError` before images are made that this machine's memory cannot hold twice, as dividing does."""
    height, width = sides
    machine.refuse_more_than_memory(
        2 * count * channels * height * width,
        f"{count:,} images of {height} x {width} pixels",
        "Choose a smaller --data.size, take fewer images, or pack them: simulacra pack PATH --out FILE.simpack",
    )


def default_size(width: int, height: int) -> int:
    """Return the side to use for pictures of one size where none is asked for."""
    return width if width == height and 8 <= width <= LARGEST_NATIVE else DEFAULT_SIZE


def dimensions(entry: Entry) -> tuple[int, int] | None:
    """Return width and height as a file's header has them; None where it cannot be unpacked or has no header."""
    try:
        return images.dimensions(entry.source())
    except (DataError, OSError):
        return None


def common_channels(pixels: Sequence[Pixels], names: Sequence[str], *, of: str = "", option: str = "channels") -> int:
    """Return 1 for grey files and 3 for colour, also where at most 2 % are grey. Raises `DataError` for a mixture.

    ``of`` follows the word "images" in the message, ``option`` is the key of the section data that decides.
    """
    grey = [name for name, values in zip(names, pixels, strict=True) if values.ndim == 2]
    colours = len(pixels) - len(grey)
    if colours >= COLOUR_SHARE * len(pixels) or not colours:
        return 3 if colours else 1
    raise DataError(
        f"{colours:,} images{of} are in colour and {len(grey):,} are grey (such as {grey[0]}). "
        f"Choose one: --data.{option} 3 or --data.{option} 1"
    )


def stack(pixels: Sequence[Pixels], channels: int) -> Tensor:
    """Return pictures of one size as one tensor, uint8 ``(N, channels, H, W)``."""
    height, width = pixels[0].shape[:2]
    whole = torch.empty(len(pixels), channels, height, width, dtype=torch.uint8)
    for row, values in zip(whole, pixels, strict=True):
        row.copy_(images.to_tensor(Image.fromarray(values), channels))
    return whole


@dataclass(frozen=True)
class Read:
    """Files that were read: pixels or None for each, a line for each that cannot be read, and the share that was cut.

    ``cut`` is the mean over the files of the share of their pixels that lie outside of the largest middle part.
    """

    pixels: list[Pixels | None]
    problems: list[str]
    cut: float


def sized(entries: Sequence[Entry], data: Data, sides: Sides, *, halves: bool = False) -> Read:
    """Read files as pictures of a size, or with ``halves`` as two squares side by side.

    Raises `DataError` that names the files that cannot be read, unless ``data.corrupt`` allows to skip them.
    """
    refuse_beyond_memory(len(entries), (2 if halves else 1) * max(3, data.channels or 3), sides)
    grey_range = GreyRange.parse(data.range)

    def one(entry: Entry) -> tuple[Pixels, float] | str:
        try:
            picture = images.read(
                entry.source(),
                str(entry.name),
                max_megapixels=data.max_megapixels,
                draft=2 * max(sides),
                background=data.background,
                grey_range=grey_range,
                transparent=data.channels == 4,
            )
            width, height = picture.width / (2 if halves else 1), picture.height
            fitted = _halves(picture, sides[0], data) if halves else _fitted(picture, sides, data)
            wide, asked = width / height, sides[1] / sides[0]
            return np.array(fitted), 1 - min(wide, asked) / max(wide, asked)
        except (DataError, OSError) as error:
            return str(error)

    results = list(each(entries, one, PARALLEL, lambda entry: weight(entry, DECODING)))
    problems = [result for result in results if isinstance(result, str)]
    if problems and data.corrupt == "refuse":
        raise DataError(_refusal(problems, "To leave such files out: --data.corrupt skip"))
    cuts = [result[1] for result in results if not isinstance(result, str)]
    return Read(
        [None if isinstance(result, str) else result[0] for result in results],
        problems,
        sum(cuts) / max(1, len(cuts)) if data.fit == "crop" else 0.0,
    )


def remarks(read: Read, channels: int, data: Data) -> list[str]:
    """Return lines on what reading did to the pictures that a person might not expect."""
    lines = []
    if read.cut > MUCH_CUT:
        shape = "squares" if _is_square(read) else "common proportions"
        lines.append(
            f"the pictures are cut to {shape} and lose {read.cut:.0%} of their pixels (to keep all: --data.fit pad)"
        )
    grey = sum(pixels.ndim == 2 for pixels in read.pixels if pixels is not None)
    if channels == 3 and grey and data.channels is None:
        lines.append(f"{grey:,} of {len(read.pixels):,} pictures are grey, and are treated as colour")
    return lines


def _is_square(read: Read) -> bool:
    return all(pixels.shape[0] == pixels.shape[1] for pixels in read.pixels if pixels is not None)


def _fitted(picture: Image.Image, sides: Sides, data: Data) -> Image.Image:
    return images.fitted(picture, *sides, data.fit, data.background)


def _halves(picture: Image.Image, size: int, data: Data) -> Image.Image:
    """The left and the right half, each a square of a size."""
    middle, height = picture.width // 2, picture.height
    both = Image.new(picture.mode, (2 * size, size))
    for index, left in enumerate((0, picture.width - middle)):
        both.paste(_fitted(picture.crop((left, 0, left + middle, height)), (size, size), data), (index * size, 0))
    return both


def _refusal(problems: Sequence[str], remedy: str) -> str:
    """One line that names the first files that cannot be read, counts the others, and says what to do."""
    shown = " ".join(problems[:3])
    more = f" (and {len(problems) - 3} more files)" if len(problems) > 3 else ""
    return f"{shown}{more} {remedy}"
