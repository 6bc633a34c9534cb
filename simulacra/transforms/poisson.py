"""Laplace's equation on part of an image: conjugate gradients, each step made ready by a cycle over coarser grids.

A pixel's equation is sum over its neighbours q of (e_p - e_q) = push_p; at the border of the image there are fewer
neighbours, so that nothing is prescribed there. Source: A Multigrid Tutorial (2000), https://doi.org/10.1137/1.9780898719505
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

TOLERANCE = 5e-4  # of a pixel, as far as a cycle can tell: a sixteenth of one of 256 levels
LARGEST_STEPS = 500
SMALLEST = 4  # pixels of a side below which a grid is not halved
DAMPING = 0.8  # of Jacobi's smoothing
SMOOTHINGS = 2  # before and after the coarser grid


def solve(known: Tensor, unknown: Tensor, push: Tensor) -> Tensor:
    """Return e ``(B, C, H, W)``: as ``known`` where not ``unknown`` ``(B, 1, H, W)``, elsewhere by the equation.

    An image of which nothing is known gets 0.
    """
    free = unknown.to(known.dtype)
    grid = Grid(free.float())
    fixed = torch.where(unknown, 0.0, known)
    some = (~unknown).flatten(1).any(1).view(-1, 1, 1, 1)
    residual = torch.where(some, free * (push - outflow(fixed)), 0.0)
    x, ready = torch.zeros_like(residual), grid.cycle(residual.float()).to(residual)
    direction, length = ready, dot(residual, ready)
    for _ in range(LARGEST_STEPS):
        if not ready.numel() or float(ready.abs().max()) < TOLERANCE:
            break
        flow = free * outflow(direction)
        step = length / dot(direction, flow).clamp(min=1e-300)
        x, residual = x + step * direction, residual - step * flow
        ready = grid.cycle(residual.float()).to(residual)
        shorter = dot(residual, ready)
        direction, length = ready + shorter / length.clamp(min=1e-300) * direction, shorter
    return fixed + x


def outflow(e: Tensor) -> Tensor:
    """The sum of differences to the two to four neighbours."""
    total = torch.zeros_like(e)
    down, right = e[..., 1:, :] - e[..., :-1, :], e[..., 1:] - e[..., :-1]
    total[..., :-1, :] -= down
    total[..., 1:, :] += down
    total[..., :-1] -= right
    total[..., 1:] += right
    return total


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The sum of products over the pixels, ``(B, C, 1, 1)``."""
    return (a * b).sum((2, 3), keepdim=True)


@dataclass(frozen=True)
class Grid:
    """The unknown pixels of one size, ``free`` ``(B, 1, H, W)`` being 1 there, and of half that size."""

    free: Tensor

    @cached_property
    def scale(self) -> Tensor:
        """Jacobi's step: what a pixel's own equation says, damped."""
        neighbours = torch.full_like(self.free, 4.0)
        neighbours[..., 0, :] -= 1
        neighbours[..., -1, :] -= 1
        neighbours[..., 0] -= 1
        neighbours[..., -1] -= 1
        return DAMPING * self.free / neighbours.clamp(min=1)

    @cached_property
    def coarser(self) -> Grid | None:
        """The grid of half the size: a pixel is free where all of its four are, so nothing leaks into known ones."""
        if min(self.free.shape[-2:]) < SMALLEST:
            return None
        return Grid(-F.max_pool2d(-self.free, 2, ceil_mode=True))

    def cycle(self, residual: Tensor) -> Tensor:
        """An approximate solution for a residual: smooth, correct by the coarser grid, smooth."""
        e = self.scale * residual
        for _ in range(SMOOTHINGS - 1 if self.coarser else 40):
            e = e + self.scale * (residual - outflow(e))
        if self.coarser is None:
            return e
        left = self.free * (residual - outflow(e))
        height, width = left.shape[-2:]
        summed = 4 * F.avg_pool2d(F.pad(left, (0, width % 2, 0, height % 2)), 2)
        wide = self.coarser.cycle(summed).repeat_interleave(2, -2).repeat_interleave(2, -1)
        e = e + self.free * wide[..., :height, :width]
        for _ in range(SMOOTHINGS):
            e = e + self.scale * (residual - outflow(e))
        return e
