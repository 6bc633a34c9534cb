"""One picture file to pixels: upright, in sRGB, square, in one, three or four channels; with its faults named."""

from __future__ import annotations

import ctypes
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from simulacra.errors import DataError
from simulacra.images.depth import GreyRange, deep, is_deep, kind_of_depth

__all__ = [
    "PAPER",
    "Fit",
    "bands",
    "dimensions",
    "fitted",
    "foreign_profile",
    "is_sound",
    "managed",
    "opened",
    "read",
    "refuse_huge",
    "square",
    "stored_bits",
    "to_tensor",
    "upright",
]

Fit = Literal["crop", "pad", "stretch"]
PAPER = 255  # grey level between pictures
ORIENTATION = 0x0112  # the tag of EXIF
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's names of pictures with so many channels
BAND = 1 << 21  # pixels that are copied at once between Pillow and PyTorch
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # all that is ever decoded, whatever a name says


# ------------------------------------------------------------------------------------------------- reading


def read(
    source: Path | bytes,
    name: str,
    *,
    max_megapixels: float = 32.0,
    draft: int | None = None,
    background: int = PAPER,
    grey_range: GreyRange | None = None,
    transparent: bool = False,
    remedy: str = "--data.max_megapixels",
    range_remedy: str = "--data.range",
) -> Image.Image:
    """Decode one image file to mode "L" or "RGB": first frame, upright, transparency over a background, 8 bits.

    ``source`` is a path or the file's bytes; ``name`` is used in errors. ``draft`` lets JPEG decode at a
    reduced size not below that many pixels. ``grey_range`` says which values of grey of more than 8 bits are black and
    white; with ``transparent`` pictures keep their opacity, in mode "RGBA". Raises `DataError` if the file is not an
    image, is damaged, has more than ``max_megapixels`` (known before the pixels are decoded) or grey values of unknown
    range; ``remedy`` and ``range_remedy`` are the options that help.
    """
    with opened(source, name, max_megapixels=max_megapixels, remedy=remedy) as picture:
        stored = kind_of_depth(picture)
        if draft is not None and picture.format in ("JPEG", "MPO"):
            picture.draft(None, (draft, draft))
        picture.load()
        ready = managed(upright(picture))
        if is_deep(ready):
            return Image.fromarray((255 * deep(ready, stored, name, grey_range, range_remedy)).round().astype(np.uint8))
        return ready.convert("RGBA") if transparent else _eight_bits(ready, background)


@contextmanager
def opened(
    source: Path | bytes, name: str, *, max_megapixels: float, remedy: str = "--data.max_megapixels"
) -> Iterator[Image.Image]:
    """Open an image file to decode it in the block; whatever goes wrong there is a `DataError` that names the file.

    ``remedy`` is the option that raises the limit. Only here are image files opened.
    """
    if isinstance(source, Path) and source.exists() and not source.is_file():
        raise DataError(f"{name} is not a regular file, so it is not read.")
    try:
        with _opened(source) as picture:
            refuse_huge(picture.width * picture.height, name, max_megapixels, remedy)
            yield picture
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{name} is not an image file that can be read (PNG, JPEG, WebP, GIF, BMP, TIFF).") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more megapixels than can be read at all. Shrink the file.") from None
    except MemoryError:
        raise
    except Exception as error:  # damaged files make decoders raise errors of every kind, such as struct.error
        raise DataError(f"{name} is damaged or cannot be read: {error}.") from None


def _opened(source: Path | bytes) -> Image.Image:
    """Open a file by its content, with the decoders that this package names: others start programs."""
    _quieten_libtiff()
    return Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS)


@cache
def _quieten_libtiff() -> None:
    """Keep what libtiff says of damaged files off the terminal: the error that names the file says it."""
    home = Path(Image.__file__).parent
    for library in (*home.parent.glob("pillow.libs/libtiff*"), *home.glob(".dylibs/libtiff*")):
        with suppress(OSError, AttributeError):
            loaded = ctypes.CDLL(str(library))
            loaded.TIFFSetErrorHandler(None)
            loaded.TIFFSetWarningHandler(None)


def refuse_huge(pixels: int, name: str, max_megapixels: float, remedy: str) -> None:
    """Raise `DataError` for more pixels than allowed."""
    if pixels > max_megapixels * 1e6:
        raise DataError(
            f"{name} has {pixels / 1e6:.1f} megapixels; the limit is {max_megapixels:g}. "
            f"Raise it with {remedy} {math.ceil(pixels / 1e6)}, or shrink the file."
        )


def upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says."""
    picture.load()  # first, as looking for EXIF decodes a PNG and closes it
    return picture if picture.getexif().get(ORIENTATION, 1) in (0, 1) else ImageOps.exif_transpose(picture)


def foreign_profile(picture: Image.Image) -> bytes | None:
    """The profile of a colour picture, where it has one other than sRGB."""
    profile: bytes = picture.info.get("icc_profile") or b""
    return profile if profile and picture.mode in ("RGB", "RGBA", "CMYK") and b"sRGB" not in profile[:4096] else None


def managed(picture: Image.Image) -> Image.Image:
    """Convert the colours of an embedded profile to sRGB; a picture without one, or with a broken one, stays."""
    profile = foreign_profile(picture)
    if profile is None or not is_sound(profile):
        return picture
    mode = "RGB" if picture.mode == "CMYK" else picture.mode
    try:
        theirs, ours = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, theirs, ours, outputMode=mode) or picture
    except ImageCms.PyCMSError:  # a profile of other channels than the picture's
        return picture


def is_sound(profile: bytes) -> bool:
    """Whether a colour profile can be read."""
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def stored_bits(picture: Image.Image) -> int:
    """Bits of a channel in the file, which decoding to 8 bits may have reduced."""
    if picture.format == "TIFF":
        return int(max(getattr(picture, "tag_v2", {}).get(258, (8,))))
    file = getattr(picture, "fp", None)
    if picture.format == "PNG" and file is not None:
        place = file.tell()
        file.seek(24)  # the depth in the header chunk, which is always the first
        depth = file.read(1)
        file.seek(place)
        return depth[0] if depth else 8
    return 8


def dimensions(source: Path | bytes) -> tuple[int, int] | None:
    """Return the width and height in a file's header, or None where there is none to read."""
    try:
        if isinstance(source, Path) and not source.is_file():
            return None
        with _opened(source) as picture:
            return picture.size
    except Exception:  # as in `read`, which names the file and the reason
        return None


def _eight_bits(picture: Image.Image, background: int) -> Image.Image:
    """Grey files become "L", all others "RGB": what the file stores decides, not what its pixels happen to be."""
    kind = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    if "transparency" in picture.info or picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        paper = Image.new("RGBA", picture.size, (background, background, background, 255))
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return picture if picture.mode == kind else picture.convert(kind)


def square(picture: Image.Image, size: int, fit: Fit = "crop", background: int = PAPER) -> Image.Image:
    """Bring a picture to ``size`` x ``size``: the centre square, the whole padded, or the whole stretched."""
    return fitted(picture, size, size, fit, background)


def fitted(picture: Image.Image, height: int, width: int, fit: Fit = "crop", background: int = PAPER) -> Image.Image:
    """Bring a picture to a size: the largest part of its proportions, the whole padded, or the whole stretched."""
    filter_ = Image.Resampling.LANCZOS
    if fit == "crop":
        return ImageOps.fit(picture, (width, height), filter_)
    if fit == "pad":
        scale = min(width / picture.width, height / picture.height)
        inner = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), filter_)
        canvas = Image.new(picture.mode, (width, height), _paper(picture.mode, background))
        canvas.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
        return canvas
    return picture.resize((width, height), filter_)


def _paper(mode: str, level: int) -> int | tuple[int, ...]:
    """A grey level as the colour of padding; that of pictures with an opacity cannot be seen."""
    return {"RGB": (level,) * 3, "RGBA": (PAPER, PAPER, PAPER, 0)}.get(mode, level)


def to_tensor(picture: Image.Image, channels: int) -> Tensor:
    """Return a picture's pixels as uint8 ``(channels, H, W)``; of four channels the last is the opacity.

    The first three are then the colours on white, see `on_white`.
    """
    mode = MODES[channels]
    picture = picture if picture.mode == mode else picture.convert(mode)
    width, height = picture.size
    pixels = torch.empty(channels, height, width, dtype=torch.uint8)
    for top, bottom in bands(height, width):
        part = picture if bottom - top == height else picture.crop((0, top, width, bottom))
        pixels[:, top:bottom] = torch.from_numpy(np.array(part).reshape(-1, width, channels)).permute(2, 0, 1)
    if channels == 4:
        opacity = pixels[3].float() / 255
        pixels[:3] = (opacity * pixels[:3] + (1 - opacity) * 255).round().to(torch.uint8)
    return pixels


def bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    """The first row and the one after the last of parts of a picture: with large ones a whole copy less is held."""
    rows = max(1, BAND // max(1, width))
    return ((top, min(height, top + rows)) for top in range(0, height, rows))
