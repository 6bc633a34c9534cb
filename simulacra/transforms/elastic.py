"""Elastic movements: every pixel of the result comes from a place of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import parallel
from simulacra.errors import ConfigError
from simulacra.transforms.common import Amount, clamped, in_chunks, per_image
from simulacra.transforms.curve import Curve
from simulacra.transforms.moving import (
    LEVELS,
    Geometry,
    Interpolation,
    Outside,
    Size,
    for_masks,
    looked_up,
    middles,
    sides,
)

LINES = 256  # rows or columns whose displacements are found at once
BLOCK = 1 << 18  # pixels whose displacements are found at once
BICUBIC = 0.86  # root mean square of a bicubic surface through independent normal knots


@dataclass(frozen=True)
class Displacement:
    """Every pixel p of the result comes from p + ``field``, ``(B, 2, H, W)`` pixels to the right and down.

    The field is ``down @ knots @ right^T``: displacements ``(B, 2, k, m)`` of points, and the weights ``(H, k)`` and
    ``(W, m)`` of the curves that join them, block by block.
    """

    down: Curve
    knots: Tensor
    right: Curve
    outside: Outside = "mirror"
    interpolation: Interpolation = "bilinear"

    @property
    def field(self) -> Tensor:
        """The displacements of all pixels."""
        return self._field(0, self.down.side)

    @property
    def after(self) -> Size:
        """The height and width of the images."""
        return self.down.side, self.right.side

    def _field(self, top: int, bottom: int) -> Tensor:
        """The displacements of some rows: always from the same products, so that parts equal the whole."""
        size = self.down.block
        first = top // size
        blocks = [self._block(*block) for block in self.down.blocks[first : (bottom - 1) // size + 1]]
        return torch.cat(blocks, -2)[..., top - first * size : bottom - first * size, :]

    def _block(self, chosen: slice, weights: Tensor) -> Tensor:
        lines = weights.to(self.knots) @ self.knots[:, :, chosen]
        return torch.cat([lines[..., own] @ right.to(lines).mT for own, right in self.right.blocks], -1)

    def image(self, x: Tensor) -> Tensor:
        """Move images ``(B, C, H, W)``; see `Geometry`."""
        if tuple(x.shape[-2:]) != self.after:
            raise ConfigError(f"This movement is of {sides(self.after)} images, not of {sides(tuple(x.shape[-2:]))}.")
        return in_chunks(self._sampled, x, self.field.to(x).expand(len(x), -1, -1, -1)) if x.numel() else x

    def places(self, like: Tensor, top: int, bottom: int) -> Tensor:
        """Return where rows of the result come from; see `Sampling`."""
        return self._places(self._field(top, bottom).to(like), top, bottom)

    def _places(self, field: Tensor, top: int, bottom: int) -> Tensor:
        height, width = self.after
        across = torch.add(middles(width, field), field[:, 0], alpha=2 / width)
        along = torch.add(middles(height, field)[top:bottom].unsqueeze(1), field[:, 1], alpha=2 / height)
        return torch.stack([across, along], -1)

    def _sampled(self, x: Tensor, field: Tensor) -> Tensor:
        level = LEVELS.get(self.outside, 0.0)
        moved = looked_up(self, x - level if level else x, self._places(field, 0, self.down.side))
        return clamped(moved + level if level else moved)

    def mask(self, mask: Tensor) -> Tensor:
        """Move masks ``(B, 1, H, W)``; see `Geometry`."""
        return (
            replace(self, outside=for_masks(self.outside), interpolation="nearest").image(mask.float()).to(mask.dtype)
        )

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)`` by solving q + field(q) = p with fixed-point steps; see `Geometry`."""
        height, width = self.after
        size = torch.tensor([width, height], dtype=points.dtype, device=points.device)
        found, field = points, self.field.to(points)
        for _ in range(50):
            places = ((2 * found + 1) / size - 1).unsqueeze(1)
            moved = F.grid_sample(field, places, "bilinear", "border", align_corners=False)
            found = points - moved.squeeze(2).mT
        return found

    def inverse(self) -> Geometry:
        """Refused: a displacement has no inverse in closed form, and none at all where it folds."""
        raise ConfigError("elastic has no inverse: where the image folds, pixels are lost. Keep the original.")


def elastic_movement(
    x: Tensor,
    strength: Amount = 1.0,
    smoothness: float = 8.0,
    *,
    outside: Outside = "mirror",
    interpolation: Interpolation = "bilinear",
    generator: torch.Generator | None = None,
) -> Displacement:
    """Displace pixels at random by ``strength`` pixels (root mean square along each axis), smoothly.

    Independent normal displacements of points ``smoothness`` pixels apart, joined by a bicubic surface. Up to a
    ``strength`` of an eighth of that hardly a pixel folds; at a quarter 3 % do, at a half 23 %.
    Source of the idea: Best Practices for Convolutional Neural Networks (2003),
    https://doi.org/10.1109/ICDAR.2003.1227801
    """
    if smoothness < 1:
        raise ConfigError("elastic: smoothness must be at least 1 pixel.")
    height, width = x.shape[-2:]
    down = Curve(height, smoothness, max(1, min(LINES, BLOCK // max(1, width))))
    right = Curve(width, smoothness, LINES)
    grid = (down.knots, right.knots)
    knots = parallel.drawn(lambda rows: torch.randn(rows, 2, *grid, generator=generator), len(x)).to(x)
    return Displacement(down, knots.mul_(per_image(strength, x) / BICUBIC), right, outside, interpolation)
