"""Images between files, bytes and tensors. Everywhere else an image is float32 ``(B, C, H, W)`` in [-1, 1].

Only this module converts: bytes are uint8 in [0, 255], ``x = byte / 127.5 - 1``.
"""

from __future__ import annotations

import base64
import io
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError, DataError, StorageError

Fit = Literal["crop", "pad", "stretch"]
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R 601
INK = 32  # grey level of captions
PAPER = 255  # grey level between pictures


# ---------------------------------------------------------------------------------------------- conversions


def from_bytes(pixels: Tensor) -> Tensor:
    """Convert uint8 pixels in [0, 255] of any shape to float32 in [-1, 1]."""
    return pixels.to(torch.float32).div_(127.5).sub_(1.0)


def to_bytes(image: Tensor) -> Tensor:
    """Convert float images of any shape in [-1, 1] to uint8 in [0, 255], rounded and clamped."""
    return image.detach().float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def to_unit(image: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1]."""
    return image.add(1.0).mul(0.5)


def from_unit(image: Tensor) -> Tensor:
    """Map [0, 1] to [-1, 1]."""
    return image.mul(2.0).sub(1.0)


def resize(pixels: Tensor, size: int) -> Tensor:
    """Resize uint8 pixels ``(N, C, H, W)`` to ``(N, C, size, size)``, bicubic and antialiased."""
    if tuple(pixels.shape[-2:]) == (size, size):
        return pixels
    parts = [
        F.interpolate(part.float(), size=(size, size), mode="bicubic", antialias=True, align_corners=False)
        .round()
        .clamp(0, 255)
        .to(torch.uint8)
        for part in torch.split(pixels, 4096)
    ]
    return torch.cat(parts)


def with_channels(pixels: Tensor, channels: int) -> Tensor:
    """Convert uint8 pixels ``(N, C, H, W)`` to 1 or 3 channels (grey is ITU-R 601 luma)."""
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1).contiguous()
    weights = torch.tensor(LUMA).view(1, 3, 1, 1)
    parts = [
        (part.float() * weights).sum(1, keepdim=True).round().to(torch.uint8) for part in torch.split(pixels, 4096)
    ]
    return torch.cat(parts)


# ------------------------------------------------------------------------------------------------- reading


def read(
    source: Path | bytes,
    name: str,
    *,
    max_megapixels: float = 32.0,
    draft: int | None = None,
    background: int = PAPER,
    remedy: str = "--data.max_megapixels",
) -> Image.Image:
    """Decode one image file to mode "L" or "RGB": first frame, upright, transparency over a background, 8 bits.

    ``source`` is a path or the file's bytes; ``name`` is used in errors. ``draft`` lets JPEG decode at a
    reduced size not below that many pixels. Raises `DataError` if the file is no image, is damaged, or has
    more than ``max_megapixels``, which ``remedy`` is the option to raise (known before the pixels are decoded).
    """
    with opened(source, name, max_megapixels=max_megapixels, remedy=remedy) as picture:
        if draft is not None and picture.format == "JPEG":
            picture.draft(None, (draft, draft))
        picture.load()
        return _eight_bits(managed(upright(picture)), background)


@contextmanager
def opened(
    source: Path | bytes, name: str, *, max_megapixels: float, remedy: str = "--data.max_megapixels"
) -> Iterator[Image.Image]:
    """Open an image file to decode it in the block; whatever goes wrong there is a `DataError` that names the file.

    ``remedy`` is the option that raises the limit.
    """
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as picture:
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


def refuse_huge(pixels: int, name: str, max_megapixels: float, remedy: str) -> None:
    """Raise `DataError` for more pixels than allowed."""
    if pixels > max_megapixels * 1e6:
        raise DataError(
            f"{name} has {pixels / 1e6:.1f} megapixels; the limit is {max_megapixels:g}. "
            f"Raise it with {remedy} {math.ceil(pixels / 1e6)}, or shrink the file."
        )


def upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says."""
    return ImageOps.exif_transpose(picture)


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
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as picture:
            return picture.size
    except Exception:  # as in `read`, which names the file and the reason
        return None


def _eight_bits(picture: Image.Image, background: int) -> Image.Image:
    """Grey files become "L", all others "RGB": what the file stores decides, not what its pixels happen to be."""
    kind = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    if picture.mode.startswith("I") or picture.mode == "F":
        return _scaled(picture)
    if "transparency" in picture.info or picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        paper = Image.new("RGBA", picture.size, (background, background, background, 255))
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return picture.convert(kind)


def _scaled(picture: Image.Image) -> Image.Image:
    """16-bit pixels by their full range, floating point by [0, 1]."""
    return Image.fromarray((255.0 * deep(picture)).round().astype(np.uint8))


def deep(picture: Image.Image) -> npt.NDArray[np.float64]:
    """The pixels ``(H, W)`` of a grey picture of 16 bits or of floating point, in [0, 1]."""
    values = np.asarray(picture).astype(np.float64)
    scaled = values if picture.mode == "F" else values / 65535.0
    return np.nan_to_num(scaled).clip(0, 1)


def square(picture: Image.Image, size: int, fit: Fit = "crop", background: int = PAPER) -> Image.Image:
    """Bring a picture to ``size`` x ``size``: the centre square, the whole padded, or the whole stretched."""
    filter_ = Image.Resampling.LANCZOS
    if fit == "crop":
        return ImageOps.fit(picture, (size, size), filter_)
    if fit == "pad":
        scale = size / max(picture.size)
        inner = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), filter_)
        canvas = Image.new(picture.mode, (size, size), (background,) * 3 if picture.mode == "RGB" else background)
        canvas.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
        return canvas
    return picture.resize((size, size), filter_)


def to_tensor(picture: Image.Image, channels: int) -> Tensor:
    """Return a picture's pixels as uint8 ``(channels, H, W)``."""
    array = np.array(picture.convert("L" if channels == 1 else "RGB"), dtype=np.uint8)
    return torch.from_numpy(array[None] if channels == 1 else array.transpose(2, 0, 1).copy())


# ------------------------------------------------------------------------------------------------- writing


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Write to a temporary name beside ``path`` and rename it when the block ends: a file is whole or absent.

    Raises `StorageError` when the disk refuses; what was at ``path`` before is then untouched.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{path} could not be written: {reason}. Free some space or choose another --out.") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def picture(image: Tensor) -> Image.Image:
    """Convert one image ``(C, H, W)`` in [-1, 1] with 1 or 3 channels to a Pillow picture."""
    pixels = to_bytes(image).cpu()
    array = pixels[0].numpy() if pixels.shape[0] == 1 else pixels.permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(array))


def save(image: Tensor | Image.Image, path: Path) -> Path:
    """Write one image ``(C, H, W)`` in [-1, 1], or a picture, as PNG, JPEG or WebP by the name's ending."""
    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}
    format_ = formats.get(path.suffix.lower())
    if format_ is None:
        raise DataError(f"Cannot write '{path.name}': pictures end in {', '.join(formats)}.")
    with atomic(path) as temporary:
        (picture(image) if isinstance(image, Tensor) else image).save(temporary, format=format_)
    return path


def save_animation(frames: Tensor, path: Path, seconds: float = 0.1) -> Path:
    """Write frames ``(N, C, H, W)`` in [-1, 1] as a GIF that goes there and back for ever."""
    there = [picture(frame) for frame in enlarge(frames, 224)]
    first, *rest = [*there, *there[-2:0:-1]]
    with atomic(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=rest, duration=int(1000 * seconds), loop=0)
    return path


def save_video(frames: Tensor, path: Path, seconds: float = 0.1) -> Path:
    """Write frames ``(N, C, H, W)`` in [-1, 1] as an MP4 (H.264) that goes there and back.

    Needs ffmpeg, on the path or from the extra ``video``. Raises `ConfigError` where there is none, `StorageError`.
    """
    program = _ffmpeg()
    there = [np.asarray(picture(frame).convert("RGB")) for frame in enlarge(frames, 224)]
    size = f"{there[0].shape[1]}x{there[0].shape[0]}"
    with atomic(path) as temporary:
        command = [
            program, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size,
            "-r", f"{1 / seconds:g}", "-i", "-", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264",
            "-pix_fmt", "yuv420p", "-f", "mp4", str(temporary),
        ]  # fmt: skip
        pixels = b"".join(frame.tobytes() for frame in [*there, *there[-2:0:-1]])
        done = subprocess.run(command, input=pixels, capture_output=True, check=False)
        if done.returncode:
            raise StorageError(
                f"{path} could not be written: ffmpeg says {done.stderr.decode(errors='replace')[-200:]}"
            )
    return path


def _ffmpeg() -> str:
    """The program on the path, or the one that the extra brings."""
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        program: str = import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except ImportError:
        raise ConfigError("MP4 needs ffmpeg: pip install 'simulacra[video]', or end --out in .gif") from None
    return program


def data_url(image: Tensor | Image.Image) -> str:
    """Return an image as a ``data:`` address of a PNG, for pages that need no other file."""
    buffer = io.BytesIO()
    (picture(image) if isinstance(image, Tensor) else image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


# -------------------------------------------------------------------------------------------------- sheets


def enlarge(images: Tensor, side: int = 56) -> Tensor:
    """Repeat the pixels of small images ``(..., H, W)`` a whole number of times, until they are ``side`` wide."""
    times = max(1, math.ceil(side / images.shape[-1]))
    return images.repeat_interleave(times, -1).repeat_interleave(times, -2)


def grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Lay images ``(N, C, H, W)`` in [-1, 1] out row by row as one image ``(C, rows H, columns W)``.

    ``columns`` is near the square root of N when absent; ``gap`` white pixels lie between and around.
    """
    count, channels, height, width = images.shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    canvas = images.new_ones(channels, gap + rows * (height + gap), gap + columns * (width + gap))
    for index, image in enumerate(images):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def labelled_rows(rows: Sequence[tuple[str, Tensor]], side: int = 56) -> Image.Image:
    """Draw rows of images, each row ``(N, C, H, W)`` in [-1, 1] with a caption at its left."""
    font = ImageFont.load_default(13)
    margin = 10 + max(round(font.getlength(caption)) for caption, _ in rows)
    strips = [picture(grid(enlarge(images, side).cpu(), columns=len(images))) for _, images in rows]
    canvas = Image.new("RGB", (margin + max(strip.width for strip in strips), sum(strip.height for strip in strips)))
    canvas.paste((PAPER,) * 3, (0, 0, *canvas.size))
    draw = ImageDraw.Draw(canvas)
    top = 0
    for (caption, _), strip in zip(rows, strips, strict=True):
        draw.text((6, top + strip.height // 2), caption, fill=(INK,) * 3, font=font, anchor="lm")
        canvas.paste(strip, (margin, top))
        top += strip.height
    return canvas
