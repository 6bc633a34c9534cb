"""The kernel distance between two samples of features: the squared maximum mean discrepancy, without bias.

With the features of a classifier and the cubic kernel this is the "KID". Unlike the Frechet distance its
expectation does not depend on the sample count, and it can be slightly negative.
Source: Demystifying MMD GANs (2018), section 4, https://arxiv.org/abs/1801.01401
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.metrics.common import matrices
from simulacra.metrics.meanings import SAMPLES, declare

__all__ = ["KernelDistance", "kernel_distance", "squared_discrepancy"]

NORMAL_95 = 1.959964  # a standard normal lies within this of 0 with probability 0.95

# fmt: off
KERNEL_DISTANCE = declare(
    "kernel_distance", SAMPLES, "distance^2",
    "Squared maximum mean discrepancy of the features; it does not depend on the number of images, near 0 "
    "is perfect.", "lower",
)
# fmt: on


@dataclass(frozen=True)
class KernelDistance:
    """The mean over the subsets, and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def kernel_distance(
    real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, generator: torch.Generator | None = None
) -> KernelDistance:
    """Return the kernel distance between features ``(N, D)`` and ``(M, D)``: the mean over random subsets.

    The mean has the variance ``V m/n + V (1 - m/n) / subsets``, n being the smaller sample, m the subset and V the
    variance of one independent subset; subsets of one sample overlap and show only ``s^2 = V (1 - m/n)`` of it.
    So the interval, for images drawn anew, is ``mean +- 1.96 s sqrt(m / (n - m) + 1 / subsets)``.
    In simulations with 200 to 1,000 rows per side it covers the truth in 91 to 93 % of trials, in more at distance 0.
    Raises `ConfigError` for fewer than 2 subsets, subsets of fewer than 2, or samples smaller than two subsets.
    """
    real, fake = matrices(real, fake, ("real", "fake"))
    size = min(len(real), len(fake))
    if subsets < 2 or subset_size < 2:
        raise ConfigError(f"subsets and subset_size must be at least 2; got {subsets} and {subset_size}.")
    if size < 2 * subset_size:
        raise ConfigError(
            f"real and fake need 2 * subset_size = {2 * subset_size} rows each for an interval; "
            f"got {len(real)} and {len(fake)}: pass subset_size = {max(size // 2, 2)} or fewer."
        )
    values = torch.tensor(
        [
            squared_discrepancy(_subset(real, subset_size, generator), _subset(fake, subset_size, generator))
            for _ in range(subsets)
        ],
        dtype=torch.float64,
    )
    mean = float(values.mean())
    half = NORMAL_95 * float(values.std()) * math.sqrt(subset_size / (size - subset_size) + 1 / subsets)
    return KernelDistance(mean, mean - half, mean + half)


def squared_discrepancy(first: Tensor, second: Tensor) -> float:
    """Return the unbiased squared discrepancy of ``(N, D)`` and ``(M, D)`` for the kernel ``(x . y / D + 1)^3``.

    ``mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)``
    Raises `ConfigError` for fewer than 2 rows per side.
    """
    first, second = matrices(first, second, ("first", "second"), at_least=2)
    across = cubic_kernel(first, second).mean()
    return float(_mean_off_diagonal(first) + _mean_off_diagonal(second) - 2.0 * across)


def cubic_kernel(first: Tensor, second: Tensor) -> Tensor:
    """Return ``(x . y / D + 1)^3`` for rows of ``(N, D)`` and ``(M, D)``: ``(N, M)``."""
    return (first @ second.T / first.shape[1] + 1.0) ** 3


def _mean_off_diagonal(points: Tensor) -> Tensor:
    kernel = cubic_kernel(points, points)
    return (kernel.sum() - kernel.trace()) / (len(points) * (len(points) - 1))


def _subset(points: Tensor, size: int, generator: torch.Generator | None) -> Tensor:
    device = points.device if generator is None else generator.device
    return points[torch.randperm(len(points), generator=generator, device=device)[:size].to(points.device)]
