"""Curves through points at equal distances, in blocks of pixels: most points have no say in most pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

SHARPNESS = -0.75  # of a bicubic curve, as PyTorch interpolates


@dataclass(frozen=True)
class Curve:
    """The middle of a bicubic curve through points ``spacing`` pixels apart, at the ``side`` pixels of an axis.

    Source: Cubic Convolution Interpolation for Digital Image Processing (1981),
    https://doi.org/10.1109/TASSP.1981.1163711
    """

    side: int
    spacing: float
    block: int

    @property
    def knots(self) -> int:
        """The number of points."""
        return math.ceil(self.side / self.spacing) + 3

    @cached_property
    def blocks(self) -> list[tuple[slice, Tensor]]:
        """For each block of pixels the points that decide it, and their weights ``(pixels, points)``."""
        return [self._block(first, min(first + self.block, self.side)) for first in range(0, self.side, self.block)]

    def _block(self, first: int, last: int) -> tuple[slice, Tensor]:
        cover = math.ceil(self.knots * self.spacing)
        pixels = torch.arange(first, last, dtype=torch.float64) + (cover - self.side) // 2
        places = (pixels + 0.5) * (self.knots / cover) - 0.5
        before = places.floor()
        t = places - before
        weights = torch.stack([_far(1 + t), _near(t), _near(1 - t), _far(2 - t)], -1)
        knots = (before.long().unsqueeze(-1) + torch.arange(-1, 3)).clamp(0, self.knots - 1)
        start, stop = int(knots.min()), int(knots.max()) + 1
        dense = torch.zeros(last - first, stop - start, dtype=torch.float64)
        return slice(start, stop), dense.scatter_add_(1, knots - start, weights).float()


def _near(t: Tensor) -> Tensor:
    """The weight of a point at most one spacing away."""
    return ((SHARPNESS + 2) * t - (SHARPNESS + 3)) * t * t + 1


def _far(t: Tensor) -> Tensor:
    """The weight of a point one to two spacings away."""
    return ((SHARPNESS * t - 5 * SHARPNESS) * t + 8 * SHARPNESS) * t - 4 * SHARPNESS
