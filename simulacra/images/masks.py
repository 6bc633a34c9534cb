"""What a mask marks: one reading for every verb.

A mask is drawn in two values, and what is not black is marked, whatever its colour or brightness. Soft borders between
the two are cut in the middle. Where a mask has transparent and opaque pixels, an opaque shape of one colour is what is
marked; holes in a picture are marked where they are transparent.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from simulacra.config.grey import GreyRange
from simulacra.errors import DataError
from simulacra.images.convert import to_bytes
from simulacra.images.decode import Fit, fitted
from simulacra.images.files import Picture, find, read
from simulacra.images.find import Entry

ONE_COLOUR = 16  # levels by which the pixels of one shape may differ
SOFT = 0.1  # share of pixels between black and the brightest that a soft border may have
REMEDY = "Draw what is marked in white on black."


def read_mask(entry: Entry, max_megapixels: float = 32.0) -> Tensor:
    """Return what a mask file marks: bool ``(1, 1, H, W)``. Raises `DataError` where that is unclear, or not a part."""
    return marked(read(entry, max_megapixels=max_megapixels, grey_range=GreyRange()))


def marked(picture: Picture) -> Tensor:
    """Return what a mask marks: bool ``(1, 1, H, W)``.

    Raises `DataError` for a mask with many values, and for one that marks nothing or everything.
    """
    name = str(picture.name)
    brightness = _bytes(picture).amax(1, keepdim=True)
    opaque = None if picture.alpha is None else picture.alpha[:1] >= 0.5
    if opaque is not None and opaque.any() and not opaque.all():
        return _of_transparency(picture, opaque, name)
    found = _of_brightness(brightness, name)
    if not found.any():
        raise DataError(f"The mask {name} is black everywhere, so it marks nothing. {REMEDY}")
    if found.all():
        raise DataError(f"The mask {name} is not black anywhere, so it marks everything. {REMEDY}")
    return found


def _bytes(picture: Picture) -> Tensor:
    """The first frame, ``(1, C, H, W)`` uint8."""
    first = picture.pixels[:1]
    return first if first.dtype == torch.uint8 else to_bytes(first)


def _of_transparency(picture: Picture, opaque: Tensor, name: str) -> Tensor:
    """An opaque shape of one colour, or transparent holes in a picture."""
    colours = _bytes(picture)[0][:, opaque[0, 0]]
    if int((colours.amax(1).int() - colours.amin(1).int()).max()) <= ONE_COLOUR:
        return opaque
    values = torch.unique(colours.amax(0))
    if len(values) == 2 and int(values[0]) == 0:
        raise DataError(
            f"The mask {name} has black, bright and transparent pixels, so it is unclear what it marks. {REMEDY}"
        )
    return ~opaque


def _of_brightness(brightness: Tensor, name: str) -> Tensor:
    """Every value but black, where there are two; halfway to the brightest where borders are soft."""
    values = torch.unique(brightness)
    if len(values) <= 2 and int(values[0]) == 0:
        return brightness > 0
    least, most = int(values[0]), int(values[-1])
    between = (brightness > 0.1 * most) & (brightness < 0.9 * most)
    if len(values) > 1 and (
        least > 0.1 * most or int(between.sum()) > max(SOFT * brightness.numel(), 4 * brightness.numel() ** 0.5)
    ):
        raise DataError(
            f"The mask {name} has {len(values)} levels of brightness from {least} to {most}, so it is unclear what it "
            f"marks. {REMEDY}"
        )
    return brightness > most / 2


class Masks:
    """The masks of several pictures: one file for all, or a folder or zip with equal names."""

    def __init__(self, path: Path, max_megapixels: float = 32.0) -> None:
        self.path = path
        self.max_megapixels = max_megapixels
        self.entries = find(path)
        self._alone = self.entries[0] if len(self.entries) == 1 else None

    def of(self, name: str, sides: tuple[int, int], fit: Fit) -> Tensor:
        """Return the mask of a picture's name at the size of a model: bool ``(1, 1, H, W)``.

        Raises `DataError` where there is none, and for a mask that marks nothing or everything at this size.
        """
        stem = Path(name).with_suffix("").as_posix()
        entry = self._alone or next((one for one in self.entries if one.name.with_suffix("").as_posix() == stem), None)
        if entry is None:
            raise DataError(f"{name}: there is no mask of this name in {self.path}.")
        whole = read_mask(entry, self.max_megapixels)[0, 0]
        drawn = fitted(Image.fromarray(whole.numpy().astype(np.uint8) * 255), *sides, fit, 0)
        found = torch.from_numpy(np.asarray(drawn) > 127)[None, None]
        if bool(found.all()) or not bool(found.any()):
            share = "everything" if found.any() else "nothing"
            raise DataError(
                f"The mask {entry.name} marks {share} once it is resized to {sides[0]} x {sides[1]} pixels."
            )
        return found
