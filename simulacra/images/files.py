"""One picture file as a whole: read with its transparency, depth and frames, and written in the format of its name.

``notes`` of a `Picture` say what the file was and what could not be kept.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from simulacra import images
from simulacra.errors import DataError
from simulacra.images.find import ENDINGS, SPLITS, Entry, find
from simulacra.storage import atomic

__all__ = [
    "ENDINGS", "FORMATS", "SPLITS", "Entry", "Frames", "Picture", "find", "over_white", "read", "write",
]  # fmt: skip

Frames = Literal["first", "all"]
FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".webp": "WEBP", ".gif": "GIF",
    ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip
OPAQUE = frozenset({"JPEG", "BMP"})
MOVING = frozenset({"PNG", "WEBP", "GIF", "TIFF"})
SAMPLED = 3  # pixels from one to the next that is looked at for black and white
LOSSY = frozenset({"JPEG", "WEBP"})
DEEP = frozenset({"PNG", "TIFF"})  # hold 16-bit grey
QUALITY = 95  # of JPEG and WebP
FRAME_SECONDS = 0.1  # where an animation does not say
LONGEST_FRAME = 65.535  # seconds of one frame that every format can hold
MOST_TIFF_FRAMES = 1_000


# ------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Picture:
    """One decoded file: ``pixels`` ``(N, C, H, W)``, a frame each, grey or RGB in sRGB.

    They are float32 in [-1, 1], or uint8 as a file of 8 bits has them; ``image`` is float32 in both cases.

    ``alpha`` is ``(N, 1, H, W)`` in [0, 1] where the file has transparency; colours are not multiplied by it. ``bits``
    is 8 or 16, the depth to write; ``seconds`` of each frame; ``notes`` say what the file was and what is not kept.
    """

    name: PurePosixPath
    pixels: Tensor
    alpha: Tensor | None = None
    bits: int = 8
    seconds: tuple[float, ...] = (0.0,)
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> Tensor:
        """The pixels as float32 in [-1, 1]: a copy four times as large where they are kept in 8 bits."""
        return images.from_bytes(self.pixels) if self.pixels.dtype == torch.uint8 else self.pixels

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[-2], self.pixels.shape[-1]


def read(
    entry: Entry, *, max_megapixels: float = 32.0, frames: Frames = "first", grey_range: images.GreyRange | None = None
) -> Picture:
    """Decode one file: upright, grey or sRGB, with its alpha, 16-bit grey at its full depth, first or all frames.

    ``grey_range`` says which values of grey of more than 8 bits are black and white. Raises `DataError` if the file is
    not an image, is damaged, has more than ``max_megapixels`` in all frames read, or grey values of unknown range.
    """
    name = str(entry.name)
    with images.opened(entry.source(), name, max_megapixels=max_megapixels, remedy="--max-megapixels") as opened:
        count = getattr(opened, "n_frames", 1) if opened.format != "MPO" else 1
        kept = "all are kept" if frames == "all" else "the first is taken"
        notes = [] if count == 1 else [f"{count} frames: {kept}"]
        count = count if frames == "all" else 1
        images.refuse_huge(opened.width * opened.height * count, name, max_megapixels, "--max-megapixels")
        stored = images.kind_of_depth(opened)
        notes += _peculiarities(opened, stored, grey_range)
        decoded, seconds = [], []
        for frame in [opened] if count == 1 else ImageSequence.Iterator(opened):
            decoded.append(_pixels(frame, lambda deep: images.deep(deep, stored, name, grey_range, "--range")))
            seconds.append(frame.info.get("duration", 1000 * FRAME_SECONDS) / 1000 if count > 1 else 0.0)
    if len({image.shape[1:] for image, _, _ in decoded}) > 1:
        raise DataError(f"{name} has frames of different sizes. Take the first with --frames first.")
    colours = max(image.shape[0] for image, _, _ in decoded)
    frames_ = [image.expand(colours, -1, -1) for image, _, _ in decoded]
    pixels = frames_[0].unsqueeze(0) if len(frames_) == 1 else torch.stack(frames_)
    alphas = [alpha for _, alpha, _ in decoded]
    bits = max(bits for _, _, bits in decoded)
    alpha = None
    if any(one is not None for one in alphas):
        opaque = torch.ones(1, *pixels.shape[-2:])
        alpha = torch.stack([opaque if one is None else one for one in alphas])
    return Picture(entry.name, pixels, alpha, bits, tuple(seconds), tuple(notes))


def _peculiarities(
    picture: Image.Image, stored: tuple[str, int, bool], grey_range: images.GreyRange | None
) -> list[str]:
    """What a file is that the pixels alone do not say."""
    notes = []
    bits = images.stored_bits(picture)  # first, as looking for EXIF decodes a PNG and closes it
    if picture.getexif().get(0x0112, 1) not in (0, 1):
        notes.append("turned upright")
    if picture.mode == "P":
        notes.append("palette resolved")
    if picture.mode == "CMYK":
        notes.append("CMYK converted to sRGB")
    elif profile := images.foreign_profile(picture):
        usable = images.is_sound(profile)
        notes.append("colour profile converted to sRGB" if usable else "broken colour profile ignored")
    if images.is_deep(picture):
        kind, depth, _ = stored
        scale = "" if grey_range is None and kind != "floating point" else f" read as {_scale(grey_range)}"
        notes.append(f"{depth} bits{scale}" if kind == "unsigned" else f"{kind}, {depth} bits{scale}")
    elif bits > 8:
        notes.append(f"{bits}-bit colour read as 8 bits")
    return notes


def _scale(wanted: images.GreyRange | None) -> str:
    """The range of grey values that was read, in words."""
    if wanted is None:
        return "[0, 1]"
    return "[least, greatest]" if wanted.low is None else f"[{wanted.low:g}, {wanted.high:g}]"


def _pixels(
    frame: Image.Image, unit: Callable[[Image.Image], npt.NDArray[np.float32]]
) -> tuple[Tensor, Tensor | None, int]:
    """Pixels ``(C, H, W)``, alpha ``(1, H, W)`` or None, and bits; ``unit`` brings deep grey to [0, 1]."""
    upright = images.managed(images.upright(frame))
    if images.is_deep(upright):
        return images.from_unit(torch.from_numpy(unit(upright))[None]), None, 16
    transparent = "transparency" in upright.info or upright.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    grey = upright.mode in ("1", "L", "LA", "La")
    if not transparent:
        return images.to_tensor(upright, 1 if grey else 3), None, 8
    pixels = np.array(upright.convert("RGBA")).transpose(2, 0, 1)
    colour = torch.from_numpy(pixels[: 1 if grey else 3].copy())
    return colour, torch.from_numpy(pixels[3:].copy()).float() / 255, 8


# ------------------------------------------------------------------------------------------------- writing


def write(picture: Picture, path: Path) -> tuple[str, ...]:
    """Write a picture in the format of the name's ending; return notes on what that format cannot hold.

    Raises `DataError` for an unknown ending, `StorageError` when the disk refuses.
    """
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise DataError(f"Cannot write '{path.name}': pictures end in {', '.join(FORMATS)}.")
    picture, notes = _fitting(picture, format_)
    images.refuse_long_sides(path.name, format_, *picture.size)
    options: dict[str, Any] = {"quality": QUALITY} if format_ in ("JPEG", "WEBP") else {}
    if len(picture.pixels) > 1:
        content = _animation(picture, format_, path.name, options)
        with atomic(path) as temporary:
            temporary.write_bytes(content)
        return notes
    with atomic(path) as temporary:
        _frame(picture, 0).save(temporary, format_, **options)
    return notes


def _animation(picture: Picture, format_: str, name: str, options: dict[str, Any]) -> bytes:
    """The bytes of a file of several frames. Raises `DataError` for more than the format can hold."""
    if format_ == "TIFF" and len(picture.pixels) > MOST_TIFF_FRAMES:  # each further one takes longer to write
        raise DataError(
            f"'{name}' has {len(picture.pixels):,} frames; a TIFF is written with at most {MOST_TIFF_FRAMES:,}. "
            "Write another format, such as --format gif, or take the first frame: --frames first."
        )
    first, *rest = [_frame(picture, index) for index in range(len(picture.pixels))]
    options = {**options, "save_all": True, "append_images": rest, "loop": 0}
    if format_ != "TIFF":
        options["duration"] = [round(1000 * min(seconds, LONGEST_FRAME)) for seconds in picture.seconds]
    if format_ == "GIF" and picture.alpha is not None:
        options["disposal"] = 2
    buffer = io.BytesIO()
    try:
        first.save(buffer, format_, **options)
    except (ValueError, OverflowError, struct.error) as error:  # such as equal frames that last for hours together
        raise DataError(f"'{name}' cannot be written as {format_}: {error}. Take the first: --frames first.") from None
    return buffer.getvalue()


def _fitting(picture: Picture, format_: str) -> tuple[Picture, tuple[str, ...]]:
    """A picture without what a format cannot hold, and notes that say so."""
    notes = []
    if len(picture.pixels) > 1 and format_ not in MOVING:
        alpha = None if picture.alpha is None else picture.alpha[:1]
        picture = replace(picture, pixels=picture.pixels[:1], alpha=alpha, seconds=picture.seconds[:1])
        notes.append(f"{format_} holds the first frame only")
    if picture.alpha is not None and format_ in OPAQUE:
        picture = replace(picture, pixels=over_white(picture), alpha=None)
        notes.append(f"transparency laid over white, as {format_} has none")
    deep = format_ in DEEP and picture.pixels.shape[1] == 1 and picture.alpha is None and len(picture.pixels) == 1
    if picture.bits == 16 and not deep:
        picture = replace(picture, bits=8)
        notes.append("16 bits reduced to 8")
    if format_ in LOSSY and _is_black_and_white(picture.pixels):
        notes.append(f"black and white blurred by {format_}; --format png keeps them")
    if format_ == "GIF":
        notes.append("reduced to 256 colours")
    if len(picture.pixels) > 1 and max(picture.seconds) > LONGEST_FRAME:
        notes.append(f"frames of more than {LONGEST_FRAME:.0f} seconds shortened")
    return picture, tuple(notes)


def _is_black_and_white(pixels: Tensor) -> bool:
    values = pixels if pixels.dtype == torch.uint8 else images.to_bytes(pixels)
    counts = torch.bincount(values[:1, :, ::SAMPLED, ::SAMPLED].flatten(), minlength=256)
    return bool(counts[0] and counts[255] and not counts[1:255].any())


def over_white(picture: Picture, level: float = 1.0) -> Tensor:
    """The image ``(N, C, H, W)`` in [-1, 1] laid over white, or another ``level``, where it is transparent."""
    if picture.alpha is None:
        return picture.image
    return torch.lerp(torch.tensor(level), picture.image, picture.alpha)


def _frame(picture: Picture, index: int) -> Image.Image:
    image = picture.pixels[index]
    if picture.bits == 16:
        deep = images.to_unit(image[0].detach().float()).mul(65535).round().clamp(0, 65535)
        return Image.fromarray(deep.numpy().astype(np.uint16))
    visible = images.picture(image)
    if picture.alpha is not None:
        visible.putalpha(Image.fromarray(picture.alpha[index, 0].mul(255).round().clamp(0, 255).byte().numpy()))
    return visible
