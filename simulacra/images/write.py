"""Tensors to pictures, files and films."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from simulacra.errors import ConfigError, DataError, StorageError
from simulacra.images.convert import magnified, on_white, to_bytes
from simulacra.images.decode import MODES, bands
from simulacra.storage import atomic

__all__ = [
    "data_url",
    "picture",
    "refuse_long_sides",
    "save",
    "save_animation",
    "save_video",
]


CLEAR = ("PNG", "WEBP")  # formats that hold an opacity
LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535}  # pixels that a format can hold


def refuse_long_sides(name: str, format_: str, height: int, width: int) -> None:
    """Raise `DataError` for a picture that a format cannot hold."""
    longest = LONGEST_SIDE.get(format_)
    if longest is not None and max(height, width) > longest:
        raise DataError(
            f"'{name}' cannot be written: {format_} holds sides of at most {longest:,} pixels, not {width:,} x "
            f"{height:,}. Choose a name that ends in .png."
        )


def picture(image: Tensor) -> Image.Image:
    """Convert one image ``(C, H, W)`` in [-1, 1], or in bytes, with 1, 3 or 4 channels to a Pillow picture."""
    pixels = (image if image.dtype == torch.uint8 else to_bytes(image)).cpu()
    channels, height, width = pixels.shape
    pixels = _uncovered(pixels) if channels == 4 else pixels
    canvas = Image.new(MODES[channels], (width, height))
    for top, bottom in bands(height, width):
        part = pixels[:, top:bottom]
        array = part[0].numpy() if channels == 1 else part.permute(1, 2, 0).numpy()
        canvas.paste(Image.fromarray(np.ascontiguousarray(array)), (0, top))
    return canvas


def _uncovered(pixels: Tensor) -> Tensor:
    """Return the bytes of an image on white with its opacity, ``(4, H, W)``, with the colours that files store."""
    opacity = pixels[3:].float() / 255
    colour = (pixels[:3] - 255 * (1 - opacity)) / opacity
    colour = torch.where(opacity > 0, colour, 255.0).round().clamp(0, 255).to(torch.uint8)
    return torch.cat([colour, pixels[3:]])


def save(image: Tensor | Image.Image, path: Path) -> Path:
    """Write one image ``(C, H, W)`` in [-1, 1], or a picture, as PNG, JPEG or WebP by the name's ending."""
    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}
    format_ = formats.get(path.suffix.lower())
    if format_ is None:
        raise DataError(f"Cannot write '{path.name}': pictures end in {', '.join(formats)}.")
    ready = picture(image if format_ in CLEAR else on_white(image)) if isinstance(image, Tensor) else image
    refuse_long_sides(path.name, format_, ready.height, ready.width)
    with atomic(path) as temporary:
        ready.save(temporary, format=format_)
    return path


def save_animation(frames: Tensor, path: Path, seconds: float = 0.1) -> Path:
    """Write frames ``(N, C, H, W)`` in [-1, 1] as a GIF that goes there and back for ever."""
    there = [picture(frame) for frame in magnified(on_white(frames), 224)]
    first, *rest = [*there, *there[-2:0:-1]]
    refuse_long_sides(path.name, "GIF", first.height, first.width)
    with atomic(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=rest, duration=int(1000 * seconds), loop=0)
    return path


def save_video(frames: Tensor, path: Path, seconds: float = 0.1) -> Path:
    """Write frames ``(N, C, H, W)`` in [-1, 1] as an MP4 (H.264) that goes there and back.

    Needs ffmpeg, on the path or from the extra ``video``. Raises `ConfigError` where there is none, `StorageError`.
    """
    program = _ffmpeg()
    there = [np.asarray(picture(frame).convert("RGB")) for frame in magnified(on_white(frames), 224)]
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
