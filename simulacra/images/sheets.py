"""Sheets of images: a grid, and rows with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from simulacra.images.convert import magnified
from simulacra.images.decode import PAPER
from simulacra.images.write import picture

__all__ = [
    "INK",
    "grid",
    "labelled_rows",
]

INK = 32  # grey level of captions


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
    strips = [picture(grid(magnified(images, side).cpu(), columns=len(images))) for _, images in rows]
    canvas = Image.new("RGB", (margin + max(strip.width for strip in strips), sum(strip.height for strip in strips)))
    canvas.paste((PAPER,) * 3, (0, 0, *canvas.size))
    draw = ImageDraw.Draw(canvas)
    top = 0
    for (caption, _), strip in zip(rows, strips, strict=True):
        draw.text((6, top + strip.height // 2), caption, fill=(INK,) * 3, font=font, anchor="lm")
        canvas.paste(strip, (margin, top))
        top += strip.height
    return canvas
