"""What a folder or zip of pictures is like: a quick look before a training is planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
from PIL import Image

from simulacra import images
from simulacra.data import layout
from simulacra.errors import DataError
from simulacra.images.batch import PARALLEL, each
from simulacra.images.find import Entry, find_with_others

LOOKED_AT = 4_000  # pictures, evenly spread over larger sets
THUMBNAIL = 16  # pixels per side, by which pictures are compared
TWIN = 8.0  # root mean square difference of thumbnails, of 255, up to which two pictures show the same
CORNER = 3  # pixels of 64, the side of the four corners by which a background is judged
EVEN = 8  # grey levels from their median by which pixels of a flat background may lie
FLAT = 0.95  # share of the corners' pixels that lie so near, where the background is flat
SAME_PROPORTIONS = 0.03  # relative difference of width by height that counts as none
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height

Thumbnail = npt.NDArray[np.float32]  # (16, 16, 3)


@dataclass(frozen=True)
class Survey:
    """What was found; shares are of the pictures that were looked at and can be read."""

    count: int  # picture files in the splits
    looked_at: int
    splits: dict[str, int]
    classes: dict[str, int]  # training pictures of each, empty where there are none
    smallest: int  # shorter side in pixels
    typical: int  # median of the shorter side
    largest: int
    proportions: float  # median of width / height
    alike: float  # share with these proportions
    colour: float  # share of files in colour
    transparent: float  # share with pixels that can be seen through
    flat: float  # share whose corners are of one colour, or transparent
    twins: int  # pictures that show the same as an earlier one
    twin: tuple[str, str] | None  # two that show the same
    damaged: tuple[str, ...]  # a line for each file that cannot be read
    left_out: tuple[str, ...]  # lines on files that are not in a split or not of a kind that is read

    def describe(self) -> list[str]:
        """Return the findings as lines for a person."""
        looked = "" if self.looked_at == self.count else f" ({self.looked_at:,} of them were looked at)"
        splits = ", ".join(f"{count:,} for {name}" for name, count in self.splits.items())
        lines = [f"{self.count:,} pictures{looked}: {splits}"]
        if self.classes:
            low, high = min(self.classes.values()), max(self.classes.values())
            lines.append(f"{len(self.classes)} classes of {low:,} to {high:,} training pictures")
        lines.append(
            f"shorter side {self.smallest} to {self.largest} pixels, typically {self.typical}; width / height "
            f"{self.proportions:.2f} in {self.alike:.0%}"
        )
        lines.append(
            f"in colour {self.colour:.0%}, with transparency {self.transparent:.0%}, on a flat background "
            f"{self.flat:.0%}"
        )
        if self.twin is not None:
            lines.append(f"{self.twins:,} show the same as another picture, such as {self.twin[1]} and {self.twin[0]}")
        if self.damaged:
            lines.append(f"{len(self.damaged):,} cannot be read, such as: {self.damaged[0]}")
        return [*lines, *self.left_out]


@dataclass(frozen=True)
class _Look:
    name: str
    width: int
    height: int
    colour: bool
    transparent: bool
    flat: bool
    thumbnail: Thumbnail


def survey(path: Path, *, max_megapixels: float = 32.0) -> Survey:
    """Look at the pictures of a folder or zip, in large sets at 4,000 that are spread evenly over it.

    Raises `DataError` where there are no training pictures, or none that can be read.
    """
    files, others = find_with_others(path)
    found = layout.of(files, path)
    entries = [item.entry for item in found.placed]
    step = -(-len(entries) // LOOKED_AT)
    results = list(each(entries[::step], lambda entry: _look(entry, max_megapixels), PARALLEL))
    looks = [result for result in results if isinstance(result, _Look)]
    damaged = tuple(result for result in results if isinstance(result, str))
    if not looks:
        raise DataError(f"None of the pictures in {path} can be read. First: {damaged[0]}")
    sides = sorted(min(look.width, look.height) for look in looks)
    proportions = median(look.width / look.height for look in looks)
    pairs = _twins([look.thumbnail for look in looks])
    training = [item.label for item in found.placed if item.split == "train" and item.label is not None]
    return Survey(
        count=len(entries),
        looked_at=len(results),
        splits=dict(Counter(item.split for item in found.placed)),
        classes=dict(sorted(Counter(training).items())),
        smallest=sides[0],
        typical=int(median(sides)),
        largest=sides[-1],
        proportions=proportions,
        alike=_share(abs(look.width / look.height / proportions - 1) < SAME_PROPORTIONS for look in looks),
        colour=_share(look.colour for look in looks),
        transparent=_share(look.transparent for look in looks),
        flat=_share(look.flat for look in looks),
        twins=len(pairs),
        twin=(looks[pairs[0][0]].name, looks[pairs[0][1]].name) if pairs else None,
        damaged=damaged,
        left_out=(*found.left_out, *([str(others)] if others.counts else [])),
    )


def _share(values: Iterable[bool]) -> float:
    return float(np.mean([float(value) for value in values]))


def _look(entry: Entry, max_megapixels: float) -> _Look | str:
    """Decode a picture as small as its format allows; return one line where it cannot be read."""
    try:
        with images.opened(entry.source(), str(entry.name), max_megapixels=max_megapixels) as picture:
            width, height = picture.size
            if picture.getexif().get(0x0112, 1) in TURNED:
                width, height = height, width
            picture.draft(None, (4 * THUMBNAIL, 4 * THUMBNAIL))
            colour = picture.mode not in ("1", "L", "LA", "La", "F") and not picture.mode.startswith("I")
            seen, alpha = _seen(picture)
    except (DataError, OSError) as error:
        return str(error)
    ends = np.r_[:CORNER, -CORNER:0]
    corners = seen[np.ix_(ends, ends)].reshape(-1, 3)
    even = (np.abs(corners - np.median(corners, axis=0)) <= EVEN).all(1).mean() >= FLAT
    thumbnail = np.asarray(Image.fromarray(seen).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float32)
    return _Look(str(entry.name), width, height, colour, alpha, bool(even), thumbnail)


def _seen(picture: Image.Image) -> tuple[npt.NDArray[np.uint8], bool]:
    """The pixels ``(64, 64, 3)`` over white, and whether any can be seen through."""
    side = 4 * THUMBNAIL
    if picture.mode == "F" or picture.mode.startswith("I"):
        values = np.nan_to_num(np.asarray(picture.resize((side, side), Image.Resampling.NEAREST), np.float64))
        scaled = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
        return np.repeat((255 * scaled).astype(np.uint8)[..., None], 3, -1), False
    if "transparency" not in picture.info and picture.mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
        return np.asarray(images.upright(picture).convert("RGB").resize((side, side), Image.Resampling.BOX)), False
    clear = picture.convert("RGBA")
    seen = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return np.asarray(seen.resize((side, side), Image.Resampling.BOX)), clear.getchannel("A").getextrema()[0] != 255


def _twins(thumbnails: Sequence[Thumbnail]) -> list[tuple[int, int]]:
    """Each picture that shows the same as an earlier one, behind the first such one."""
    flat = np.stack(thumbnails).reshape(len(thumbnails), -1) / 255 - 0.5
    squares = (flat**2).sum(1)
    limit = (TWIN / 255) ** 2 * flat.shape[1]
    pairs = []
    for start in range(0, len(flat), 512):
        block = slice(start, start + 512)
        distance = squares[block, None] + squares[None] - 2 * flat[block] @ flat.T
        for row, near in enumerate(distance <= limit, start):
            first = int(near.argmax())
            pairs += [(first, row)] if first < row else []
    return pairs
