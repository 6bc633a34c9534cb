"""Geometry of latent space: straight and spherical paths, grids through a Gaussian, one dimension at a time."""

from __future__ import annotations

import torch
from torch import Tensor

MANIFOLD_RANGE = (0.05, 0.95)  # quantiles of N(0, 1) between which the manifold is shown
PARALLEL = 1e-4  # sine of an angle, below which a great arc is taken for a straight line


def lerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return ``steps`` points on the straight line from ``start`` to ``end``, each ``(D,)``: ``(steps, D)``."""
    return along_line(start, end, _times(start, steps))


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return ``steps`` points on the great arc from ``start`` to ``end``, each ``(D,)``: ``(steps, D)``."""
    return along_arc(start, end, _times(start, steps))


def along_line(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return the points at ``t`` ``(n,)`` on straight lines from ``start`` to ``end``, ``(n, D)`` or ``(D,)``.

    ``a + t (b - a)``, ``(n, D)``.
    """
    return start + t.unsqueeze(1) * (end - start)


def along_arc(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return the points at ``t`` ``(n,)`` on great arcs from ``start`` to ``end``, ``(n, D)`` or ``(D,)``.

    ``(sin((1 - t) w) a + sin(t w) b) / sin(w)`` with w the angle between them, ``(n, D)``; the straight line where
    they are nearly parallel. Keeps the length typical of a Gaussian in many dimensions.
    Source: Sampling Generative Networks (2016), section 2.1, https://arxiv.org/abs/1609.04468
    """
    angle = torch.acos(torch.nn.functional.cosine_similarity(start, end, dim=-1).clamp(-1, 1)).unsqueeze(-1)
    at = t.unsqueeze(1)
    arc = (torch.sin((1 - at) * angle) * start + torch.sin(at * angle) * end) / torch.sin(angle)
    return torch.where(angle.sin() < PARALLEL, along_line(start, end, t), arc)


def _times(like: Tensor, steps: int) -> Tensor:
    return torch.linspace(0, 1, steps, dtype=like.dtype, device=like.device)


def normal_quantiles(steps: int, low: float = MANIFOLD_RANGE[0], high: float = MANIFOLD_RANGE[1]) -> Tensor:
    """Return N(0, 1) at evenly spaced quantiles from ``low`` to ``high``: the inverse normal CDF, ``(steps,)``."""
    quantiles: Tensor = torch.special.ndtri(torch.linspace(low, high, steps, dtype=torch.float64))
    return quantiles.float()


def plane(side: int) -> Tensor:
    """Return the ``side`` x ``side`` grid of 2-D latents through the normal quantiles, ``(side^2, 2)``, row by row.

    The first coordinate grows to the right, the second upwards.
    """
    z = normal_quantiles(side)
    second, first = torch.meshgrid(z.flip(0), z, indexing="ij")
    return torch.stack([first.flatten(), second.flatten()], dim=1)


def along(origin: Tensor, dimension: int, values: Tensor) -> Tensor:
    """Return copies ``(steps, D)`` of ``origin`` ``(D,)`` with one dimension set to each of ``values`` ``(steps,)``."""
    z = origin.repeat(len(values), 1)
    z[:, dimension] = values
    return z
