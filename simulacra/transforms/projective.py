"""Projective movements of images: matrices that are applied exactly where they move whole pixels, else by sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.images import to_bytes
from simulacra.transforms.common import clamped, in_chunks, refuse_beyond_memory
from simulacra.transforms.moving import LEVELS, Interpolation, Outside, Size, for_masks, looked_up, middles, sides

ROWS = 1 << 22  # pixels of the result that are looked up at once


@dataclass(frozen=True)
class Projective:
    """A projective movement from ``before`` to ``after`` (height, width): ``matrix`` ``(B, 3, 3)`` moves (x, y, 1).

    Movements that only mirror, turn by quarters and shift by whole pixels are applied exactly; others sample.
    """

    matrix: Tensor
    before: Size
    after: Size
    outside: Outside = "black"
    interpolation: Interpolation = "bilinear"

    def image(self, x: Tensor) -> Tensor:
        """Move images ``(B, C, H, W)``; see `Geometry`."""
        self._check(x)
        refuse_beyond_memory(x, *self.after)
        if not x.numel():
            return x.new_full((len(x), x.shape[1], *self.after), LEVELS.get(self.outside, 0.0))
        exact = self.exactly(x)
        if exact is not None:
            return exact
        return in_chunks(self._sampled, x, self._back().to(x).expand(len(x), 3, 3))

    def places(self, like: Tensor, top: int, bottom: int) -> Tensor:
        """Return where rows of the result come from; see `Sampling`."""
        return _places(self._back().to(like), self.after, top, bottom)

    def _sampled(self, x: Tensor, matrix: Tensor) -> Tensor:
        level = LEVELS.get(self.outside, 0.0)
        height, width = self.after
        rows = max(1, ROWS // max(1, len(x) * width))
        source = x - level if level else x
        if rows >= height:
            moved = looked_up(self, source, _places(matrix, self.after, 0, height))
        else:
            moved = x.new_empty(*x.shape[:2], height, width)
            for top in range(0, height, rows):
                moved[:, :, top : top + rows] = looked_up(self, source, _places(matrix, self.after, top, top + rows))
        moved = moved.add_(level) if level else moved
        return clamped(moved) if self.interpolation == "bicubic" else moved

    def mask(self, mask: Tensor) -> Tensor:
        """Move masks ``(B, 1, H, W)``; see `Geometry`."""
        return (
            replace(self, outside=for_masks(self.outside), interpolation="nearest").image(mask.float()).to(mask.dtype)
        )

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)``; see `Geometry`."""
        homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ self.matrix.to(points).mT
        return homogeneous[..., :2] / homogeneous[..., 2:]

    def inverse(self) -> Projective:
        """The movement back, from the new size to the old one."""
        return replace(self, matrix=torch.linalg.inv(self.matrix), before=self.after, after=self.before)

    def then(self, other: Projective) -> Projective:
        """One movement that does this and then the other, sampling once. Raises `ConfigError` if sizes differ."""
        if self.after != other.before:
            raise ConfigError(
                f"Movements do not fit: the first ends at {self.after}, the second begins at {other.before}."
            )
        return replace(other, matrix=other.matrix @ self.matrix, before=self.before)

    def _check(self, x: Tensor) -> None:
        if tuple(x.shape[-2:]) != self.before:
            raise ConfigError(f"This movement is of {sides(self.before)} images, not of {sides(tuple(x.shape[-2:]))}.")

    def _back(self) -> Tensor:
        """From pixels of the result to pixels of the image, both as `grid_sample` counts them, from -1 to 1."""
        back: Tensor = _unit(self.before) @ torch.linalg.inv(self.matrix) @ torch.linalg.inv(_unit(self.after))
        return back

    def exactly(self, x: Tensor) -> Tensor | None:
        """Return the result where one movement of whole pixels serves all images, else None; ``x`` may be in bytes."""
        first = self.matrix[0] if len(self.matrix) else torch.eye(3, dtype=torch.float64)
        whole = first.round()
        lengths = whole[:2, :2].abs()
        permutes = bool(
            (lengths.sum(0) == 1).all()
            and (lengths.sum(1) == 1).all()
            and (whole[2] == whole.new_tensor([0, 0, 1])).all()
        )
        if not permutes or not torch.allclose(self.matrix, whole, rtol=0, atol=1e-6):
            return None
        if lengths[0, 1]:
            x = x.mT
        columns, rows = whole[0, :2].sum(), whole[1, :2].sum()
        left, top = int(whole[0, 2]), int(whole[1, 2])
        if columns < 0:
            x, left = x.flip(-1), left - x.shape[-1] + 1
        if rows < 0:
            x, top = x.flip(-2), top - x.shape[-2] + 1
        return _placed(x, top, left, self.after, self.outside)


def _unit(size: Size) -> Tensor:
    """From pixels to -1 at the outer side of the first and 1 at that of the last."""
    height, width = size
    rows = [[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]]
    return torch.tensor(rows, dtype=torch.float64)


def _places(matrix: Tensor, size: Size, first: int, last: int) -> Tensor:
    """Where each pixel of some rows of the result comes from, ``(B, rows, W, 2)``: a sum over rows and columns."""
    down, right = (middles(side, matrix).view(1, -1, 1) for side in size)
    down = down[:, first:last]
    affine = bool((matrix[:, 2, :2].abs() < 1e-12).all())
    across, along, start = (matrix[:, None, : 2 if affine else 3, column] for column in range(3))
    places = (down * along + start).unsqueeze(2) + (right * across).unsqueeze(1)
    return places if affine else places[..., :2] / places[..., 2:]


def _placed(x: Tensor, top: int, left: int, size: Size, outside: Outside) -> Tensor:
    """The image on a canvas of ``size``, its first pixel at (top, left), cut where it sticks out."""
    height, width = x.shape[-2:]
    around = (left, size[1] - width - left, top, size[0] - height - top)
    if outside in LEVELS:
        level = LEVELS[outside]
        return F.pad(x, around, value=int(to_bytes(torch.tensor(level))) if x.dtype == torch.uint8 else level)
    rows, columns = (
        _source(size_, start, count, outside, x.device)
        for size_, start, count in ((size[0], top, height), (size[1], left, width))
    )
    return x.index_select(-2, rows).index_select(-1, columns)


def _source(size: int, start: int, count: int, outside: Outside, device: torch.device) -> Tensor:
    place = torch.arange(size, device=device) - start
    if outside == "edge":
        return place.clamp(0, count - 1)
    inside = place % (2 * count)
    return torch.where(inside < count, inside, 2 * count - 1 - inside)
