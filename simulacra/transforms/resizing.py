"""Another size, antialiased, as a movement of images, masks and points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.transforms.common import clamped, refuse_beyond_memory
from simulacra.transforms.moving import Interpolation, Size


@dataclass(frozen=True)
class Resizing:
    """Another size, antialiased; the inverse is the old size, with the detail that is left."""

    before: Size
    after: Size
    interpolation: Interpolation = "bicubic"

    def image(self, x: Tensor) -> Tensor:
        """Resize images ``(B, C, H, W)``, in [-1, 1] or in bytes; see `Geometry`."""
        if self.before == self.after or not len(x):
            return x if self.before == self.after else x.new_empty(0, x.shape[1], *self.after)
        refuse_beyond_memory(x, *self.after)
        if self.interpolation == "nearest":
            return F.interpolate(x, size=self.after, mode="nearest-exact")
        resized = F.interpolate(x, size=self.after, mode=self.interpolation, antialias=True, align_corners=False)
        return resized if x.dtype == torch.uint8 else clamped(resized)

    def mask(self, mask: Tensor) -> Tensor:
        """Resize masks ``(B, 1, H, W)``; see `Geometry`."""
        return replace(self, interpolation="nearest").image(mask.float()).to(mask.dtype)

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)``; see `Geometry`."""
        scale = points.new_tensor([self.after[1] / self.before[1], self.after[0] / self.before[0]])
        moved: Tensor = (points + 0.5) * scale - 0.5
        return moved

    def inverse(self) -> Resizing:
        """Back to the old size."""
        return replace(self, before=self.after, after=self.before)


def resizing(x: Tensor, height: int = 0, width: int = 0, interpolation: Interpolation = "bicubic") -> Resizing:
    """Another size; a side of 0 follows the other in proportion. Raises `ConfigError` where both are 0."""
    old_height, old_width = x.shape[-2:]
    if min(height, width) < 0 or height == width == 0:
        raise ConfigError("resize: give a height or a width of at least 1 pixel.")
    if not min(old_height, old_width):
        raise ConfigError(f"resize: an image of {old_height} x {old_width} pixels has nothing to resize.")
    height = height or max(1, round(width * old_height / old_width))
    width = width or max(1, round(height * old_width / old_height))
    return Resizing((old_height, old_width), (height, width), interpolation)


def resize(x: Tensor, height: int = 0, width: int = 0, interpolation: Interpolation = "bicubic") -> Tensor:
    """Bring images to another size; see `resizing`."""
    return resizing(x, height, width, interpolation).image(x)
