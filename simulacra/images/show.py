"""Tensors as pictures for notebooks and scripts: what these return is a Pillow picture, which a notebook displays."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from simulacra.errors import DataError
from simulacra.images.convert import magnified
from simulacra.images.sheets import grid as laid_out
from simulacra.images.sheets import labelled_rows
from simulacra.images.write import picture

__all__ = ["grid", "show"]


def show(images: Tensor) -> Image.Image:
    """Return one image ``(C, H, W)``, or a grid of images ``(N, C, H, W)``, in [-1, 1] as a picture.

    Small images are magnified, so that each pixel becomes a square. Raises `DataError` for another shape.
    """
    images = _checked(images)
    return picture(magnified(images)[0]) if len(images) == 1 else grid(images)


def grid(images: Tensor | Sequence[Tensor], columns: int | None = None, captions: Sequence[str] = ()) -> Image.Image:
    """Return a sample grid of images ``(N, C, H, W)`` in [-1, 1], row by row, as a picture.

    ``columns`` is near the square root of N when absent. With ``captions``, ``images`` is a sequence of rows
    ``(N, C, H, W)``, each drawn to the right of its caption. Raises `DataError` for another shape, or where rows and
    captions differ in number.
    """
    if not captions:
        joined = images if isinstance(images, Tensor) else _joined(images)
        return picture(laid_out(magnified(_checked(joined)), columns))
    rows = [_checked(row) for row in images]
    if len(rows) != len(captions):
        raise DataError(f"There are {len(captions)} captions for {len(rows)} rows of images.")
    return labelled_rows(list(zip(captions, rows, strict=True)))


def _joined(rows: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.cat([_checked(row) for row in rows])


def _checked(images: Tensor) -> Tensor:
    """Images as a batch on the CPU."""
    batch = images.detach().unsqueeze(0) if images.ndim == 3 else images.detach()
    if batch.ndim != 4 or batch.shape[1] not in (1, 3, 4) or not len(batch):
        raise DataError(f"Images are (N, C, H, W) or (C, H, W) with 1, 3 or 4 channels, not {tuple(images.shape)}.")
    return batch.float().cpu()
