"""Fidelity and variety apart, by balls around points of features that reach to their k-th nearest neighbour.

Sources: Improved Precision and Recall Metric for Assessing Generative Models (2019), https://arxiv.org/abs/1904.06991;
Reliable Fidelity and Diversity Metrics for Generative Models (2020), https://arxiv.org/abs/2002.09797
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.metrics.common import distance_blocks, matrices, matrix, positive
from simulacra.metrics.meanings import SAMPLES, declare

__all__ = ["PRDC", "prdc"]

# fmt: off
PRECISION = declare(
    "precision", SAMPLES, "share",
    "Share of samples that lie among the test images: fidelity.", "higher",
)
RECALL = declare("recall", SAMPLES, "share", "Share of test images that lie among the samples: variety.", "higher")
DENSITY = declare("density", SAMPLES, "ratio", "Fidelity, less sensitive to outliers; it can exceed 1.", "higher")
COVERAGE = declare("coverage", SAMPLES, "share", "Variety, less sensitive to outliers.", "higher")
# fmt: on


@dataclass(frozen=True)
class PRDC:
    """Precision, recall and coverage lie in [0, 1]; density has the expectation 1 for equal distributions."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """Return precision, recall, density and coverage of features ``(N, D)`` and ``(M, D)``.

    With the ball ``B(p)`` around p reaching to its k-th nearest neighbour in its own sample:
    precision: the share of fake in the ball of any real; recall: the share of real in the ball of any fake;
    density: ``1 / (k M) sum_{fake, real} [fake in B(real)]``; coverage: the share of real with a fake in its ball.
    The papers have k = 3 (precision, recall) and k = 5 (density, coverage); values depend on k, N and M.
    Raises `ConfigError` for k rows or fewer a side.
    """
    positive(k, "k")
    real, fake = matrices(real, fake, ("real", "fake"), at_least=k + 1)
    real_radius, fake_radius = radii(real, k), radii(fake, k)
    precise, balls, start = 0, 0, 0
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    covered = recalled.clone()
    for distance in distance_blocks(fake, real):
        in_real = distance <= real_radius
        precise += int(in_real.any(1).sum())
        balls += int(in_real.sum())
        covered |= in_real.any(0)
        recalled |= (distance <= fake_radius[start : start + len(distance), None]).any(0)
        start += len(distance)
    return PRDC(
        precision=precise / len(fake),
        recall=float(recalled.double().mean()),
        density=balls / (k * len(fake)),
        coverage=float(covered.double().mean()),
    )


def radii(points: Tensor, k: int) -> Tensor:
    """Return the distance of each of ``(N, D)`` to its k-th nearest neighbour, itself not counted, ``(N,)``.

    Raises `ConfigError` for k rows or fewer.
    """
    positive(k, "k")
    points = matrix(points, "points", at_least=k + 1)
    found, start = [], 0
    for distance in distance_blocks(points, points):
        rows = torch.arange(len(distance), device=distance.device)
        distance[rows, start + rows] = torch.inf
        found.append(distance.topk(k, dim=1, largest=False).values[:, -1])
        start += len(distance)
    return torch.cat(found)
