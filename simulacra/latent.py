"""Geometry of latent space: straight and spherical paths, grids through a Gaussian, one dimension at a time."""

from __future__ import annotations

import torch
from torch import Tensor

MANIFOLD_RANGE = (0.05, 0.95)  # quantiles of N(0, 1) between which the manifold is shown


def lerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return ``steps`` points on the straight line from ``start`` to ``end``, each ``(D,)``: ``(steps, D)``."""
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).unsqueeze(1)
    return start + t * (end - start)


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return ``steps`` points on the great arc from ``start`` to ``end``, each ``(D,)``: ``(steps, D)``.

    ``(sin((1 - t) w) a + sin(t w) b) / sin(w)`` with w the angle between them; the straight line where they are
    nearly parallel. Keeps the length typical of a Gaussian in many dimensions.
    Source: Sampling Generative Networks (2016), section 2.1, https://arxiv.org/abs/1609.04468
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=0).clamp(-1, 1)
    angle = torch.acos(cosine)
    if float(angle.sin()) < 1e-4:
        return lerp(start, end, steps)
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).unsqueeze(1)
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)


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
