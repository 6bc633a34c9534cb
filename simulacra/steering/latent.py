"""Geometry of latent space: paths, grids through a Gaussian, one dimension at a time, directions between classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from simulacra.errors import ConfigError

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


def along_direction(z: Tensor, direction: Tensor, t: Tensor) -> Tensor:
    """Return latents ``(n, D)`` moved along a direction ``(D,)`` by each of ``t`` ``(steps,)``: ``(n, steps, D)``.

    ``z + t direction``.
    """
    return z.unsqueeze(1) + t.unsqueeze(1) * direction


def truncated_normal(n: int, dimensions: int, threshold: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw from N(0, I) with every value beyond ``[-threshold, threshold]`` drawn again: ``(n, dimensions)``, float32.

    A smaller threshold gives samples that are more typical and less varied. By the inverse distribution function,
    ``z = sqrt(2) erfinv(u erf(threshold / sqrt(2)))`` with u uniform in [-1, 1]. Raises `ConfigError`.
    Source: Large Scale GAN Training for High Fidelity Natural Image Synthesis (2019), section 3.1,
    https://arxiv.org/abs/1809.11096
    """
    if not (threshold > 0 and math.isfinite(threshold)):
        raise ConfigError(f"A truncation must be a positive number, such as 0.7; got {threshold}.")
    uniform = 2.0 * torch.rand(n, dimensions, dtype=torch.float64, generator=generator) - 1.0
    z = math.sqrt(2) * torch.erfinv(uniform * math.erf(threshold / math.sqrt(2)))
    return z.clamp(-threshold, threshold).float()
