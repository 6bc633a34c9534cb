"""Grey pictures of more than 8 bits: which of their values are black and white.

Unsigned integers fill the range of their type, 0 to 2^bits - 1, and floating point [0, 1]. Where the values found do
not fit that, nobody can know what was meant: the picture is refused with the range found, unless a range is given.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from simulacra.config.grey import GreyRange
from simulacra.errors import DataError

__all__ = ["GreyRange", "deep", "is_deep", "kind_of_depth"]

Kind = Literal["unsigned", "signed", "floating point"]
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
KINDS: dict[int, Kind] = {1: "unsigned", 2: "signed", 3: "floating point"}
FAINT = 1 / 16  # of the full range of 16 bits: what reaches no further holds 12 bits or fewer
TOLERANCE = 1e-3  # by which floating point may leave [0, 1], as resampling makes it


def is_deep(picture: Image.Image) -> bool:
    """Whether a picture is grey with more than 8 bits."""
    return picture.mode.startswith("I") or picture.mode == "F"


def kind_of_depth(picture: Image.Image) -> tuple[Kind, int, bool]:
    """Return how a deep picture's values are stored: their kind, their bits, and whether 0 is white."""
    tags = getattr(picture, "tag_v2", None)
    if tags is None:  # a PNG
        return ("floating point", 32, False) if picture.mode == "F" else ("unsigned", 16, False)
    kind = KINDS.get(int(max(np.atleast_1d(tags.get(SAMPLE_FORMAT, 1)))), "unsigned")
    return kind, int(max(np.atleast_1d(tags.get(BITS, 16)))), tags.get(PHOTOMETRIC) == 0


def deep(
    picture: Image.Image,
    stored: tuple[Kind, int, bool],
    name: str,
    wanted: GreyRange | None = None,
    remedy: str = "--data.range",
) -> npt.NDArray[np.float32]:
    """Return the pixels ``(H, W)`` of a deep picture in [0, 1], black to white; NaN is black.

    ``stored`` is `kind_of_depth` of the opened file. Raises `DataError` for values whose range is unknown.
    """
    kind, bits, white_is_zero = stored
    values: npt.NDArray[Any] = np.asarray(picture)
    if values.dtype == np.int32 and kind == "unsigned":
        values = values.view(np.uint32)
    low, high = _range(values, kind, bits, name, wanted, remedy)
    span = (high - low) or 1.0
    exact = "f8" if values.dtype.itemsize == 4 and kind != "floating point" else "f4"
    found = np.nan_to_num((values.astype(exact) - low) / span, posinf=1.0, neginf=0.0).clip(0, 1).astype(np.float32)
    return 1 - found if white_is_zero else found


def _range(
    values: npt.NDArray[np.generic], kind: Kind, bits: int, name: str, wanted: GreyRange | None, remedy: str
) -> tuple[float, float]:
    """The values that are black and white."""
    if wanted is not None and wanted.low is not None and wanted.high is not None:
        return wanted.low, wanted.high
    finite = values[np.isfinite(values)] if kind == "floating point" else values
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if wanted is not None:
        return least, most
    if kind == "floating point" and least >= -TOLERANCE and most <= 1 + TOLERANCE:
        return 0.0, 1.0
    if kind == "unsigned" and bits <= 16 and (most == 0 or bits < 16 or most > FAINT * (2**bits - 1)):
        return 0.0, 2.0**bits - 1
    usual = {"floating point": "0 to 1"}.get(kind, f"0 to {2**bits - 1:,}" if kind == "unsigned" else "unknown")
    raise DataError(
        f"{name} holds {kind} {bits}-bit grey values from {_shown(least)} to {_shown(most)}, and the range from black "
        f"to white is {usual if usual == 'unknown' else f'usually {usual}'}. Say which values are black and white: "
        f"{remedy} {_plain(least)}..{_plain(most)}, or for the least and the greatest of each picture: {remedy} auto"
    )


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6g}"


def _shown(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:.6g}"
