"""Sheets of images: a grid, and rows with captions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from simulacra.images.convert import magnified, on_white
from simulacra.images.decode import PAPER
from simulacra.images.write import picture

__all__ = [
    "INK",
    "captioned",
    "grid",
    "labelled_rows",
]

HEAD, HEAD_FONT = 16, 11  # pixels of a line of captions above a row, and of its letters
INK = 32  # grey level of captions
MARGIN = 4  # pixels beside a line below a sheet


def grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Lay images ``(N, C, H, W)`` in [-1, 1] out row by row as one image ``(C, rows H, columns W)``.

    ``columns`` is near the square root of N when absent; ``gap`` white pixels lie between and around, and show through
    images with an opacity.
    """
    images = on_white(images)
    count, channels, height, width = images.shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    canvas = images.new_ones(channels, gap + rows * (height + gap), gap + columns * (width + gap))
    for index, image in enumerate(images):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def labelled_rows(
    rows: Sequence[tuple[str, Tensor]], side: int = 56, columns: Mapping[int, Sequence[str]] | None = None
) -> Image.Image:
    """Draw rows of images, each row ``(N, C, H, W)`` in [-1, 1] with a caption at its left.

    ``columns`` are captions of single images, drawn above the rows of these numbers.
    """
    font = ImageFont.load_default(13)
    margin = 10 + max(round(font.getlength(caption)) for caption, _ in rows)
    strips = [picture(grid(magnified(images, side).cpu(), columns=len(images))) for _, images in rows]
    heads = {row: _head(captions, strips[row].width, len(captions)) for row, captions in (columns or {}).items()}
    height = sum(strip.height for strip in (*strips, *heads.values()))
    canvas = Image.new("RGB", (margin + max(strip.width for strip in strips), height), (PAPER,) * 3)
    draw = ImageDraw.Draw(canvas)
    top = 0
    for row, ((caption, _), strip) in enumerate(zip(rows, strips, strict=True)):
        if row in heads:
            canvas.paste(heads[row], (margin, top))
            top += heads[row].height
        draw.text((6, top + strip.height // 2), caption, fill=(INK,) * 3, font=font, anchor="lm")
        canvas.paste(strip, (margin, top))
        top += strip.height
    return canvas


def captioned(sheet: Tensor | Image.Image, caption: str) -> Image.Image:
    """Return a sheet, ``(C, H, W)`` in [-1, 1] or a picture, with a line of text below it."""
    above = picture(sheet) if isinstance(sheet, Tensor) else sheet
    font = ImageFont.load_default(HEAD_FONT)
    width = max(above.width, 2 * MARGIN + math.ceil(font.getlength(caption)))
    canvas = Image.new("RGB", (width, above.height + HEAD), (PAPER,) * 3)
    canvas.paste(above, (0, 0))
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, above.height + HEAD // 2), caption, fill=(INK,) * 3, font=font, anchor="lm")
    return canvas


def _head(captions: Sequence[str], width: int, cells: int) -> Image.Image:
    """A line of captions, each over the middle of its cell and no wider."""
    font = ImageFont.load_default(HEAD_FONT)
    canvas = Image.new("RGB", (width, HEAD), (PAPER,) * 3)
    draw = ImageDraw.Draw(canvas)
    for cell, caption in enumerate(captions):
        text = caption
        while len(text) > 1 and font.getlength(text) > width / cells - 2:
            text = f"{text.removesuffix('…')[:-1]}…"
        draw.text(((cell + 0.5) * width / cells, HEAD // 2), text, fill=(INK,) * 3, font=font, anchor="mm")
    return canvas
