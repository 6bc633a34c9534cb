"""Nearest neighbours, and whether a generator repeats its training images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.metrics.common import distance_blocks, matrices, positive
from simulacra.metrics.meanings import SAMPLES, declare

__all__ = ["Memorisation", "copy_ratio", "memorisation", "nearest"]

# fmt: off
MEMORISATION = declare(
    "memorisation", SAMPLES, "share",
    "Share of samples nearer to a training image than the median test image is: 0.5 without copying, 1 "
    "for copies only, lower if samples are far from all images.",
)
COPY_RATIO = declare(
    "copy_ratio", SAMPLES, "ratio",
    "Distance of samples to their nearest training image, relative to that of test images, both medians: 1 without "
    "copying, near 0 for copies.",
)
# fmt: on


def nearest(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Return the Euclidean distance of each query ``(N, D)`` to its nearest reference ``(M, D)``, and its index.

    Both ``(N,)``; the distance, float64, is taken from the difference, so that of an exact copy is exactly 0.
    Raises `ConfigError` for empty input or different dimensions.
    """
    queries, references = matrices(queries, references, ("queries", "references"))
    index = torch.cat([distance.argmin(1) for distance in distance_blocks(queries, references)])
    distance: Tensor = torch.linalg.vector_norm(queries - references[index], dim=1)
    return distance, index


def nearest_few(queries: Tensor, references: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the distances of each query ``(N, D)`` to its k nearest references ``(M, D)``, and their indices.

    Both ``(N, min(k, M))``, the nearest first; distances as in `nearest`.
    Raises `ConfigError` for empty input, different dimensions, k below 1.
    """
    positive(k, "k")
    queries, references = matrices(queries, references, ("queries", "references"))
    few = min(k, len(references))
    index = torch.cat([distance.topk(few, largest=False).indices for distance in distance_blocks(queries, references)])
    distance: Tensor = torch.linalg.vector_norm(queries[:, None] - references[index], dim=2)
    order = distance.argsort(dim=1, stable=True)
    return distance.gather(1, order), index.gather(1, order)


def copy_ratio(fake: Tensor, train: Tensor, test: Tensor) -> float:
    """Return how far generated ``(N, D)`` are from the training images, relative to test images ``(M, D)``.

    ``median d(fake, train) / median d(test, train)``, d being the distance to the nearest training image.
    Raises `ConfigError` for empty input or different dimensions.
    """
    generated, held_out = (nearest(part, train)[0].median() for part in (fake, test))
    return float(generated / held_out.clamp(min=1e-12))


@dataclass(frozen=True)
class Memorisation:
    """How much nearer generated images are to the training images than unseen real ones are.

    ``share`` of the generated images are nearer than the median test image: 0.5 without copying, 1 with copies
    only, less than 0.5 when samples are far from all real images. ``z`` is the statistic of the data-copying test,
    standard normal without copying, below -5 for a copying model.
    """

    share: float
    z: float


def memorisation(fake: Tensor, train: Tensor, test: Tensor) -> Memorisation:
    """Compare the distances to the nearest training image of generated ``(N, D)`` and of test images ``(M, D)``.

    ``share = mean [d(fake) < median d(test)]``; ``z = (U - N M / 2) / sqrt(N M (N + M + 1) / 12)`` with U the
    number of pairs in which the generated image is farther than the test image, ties counting half.
    It asks about all images at once: copies of a part hide behind poor samples elsewhere, which also raise U.
    Raises `ConfigError` for empty input or different dimensions.
    Source: A Non-Parametric Test to Detect Data-Copying in Generative Models (2020), section 4,
    https://arxiv.org/abs/2004.05675 (there in cells of the space; here the whole space is one)
    """
    fake_distance, test_distance = nearest(fake, train)[0], nearest(test, train)[0].sort().values
    n, m = len(fake_distance), len(test_distance)
    farther = 0.5 * (
        torch.searchsorted(test_distance, fake_distance, right=False).sum()
        + torch.searchsorted(test_distance, fake_distance, right=True).sum()
    )
    return Memorisation(
        share=float((fake_distance < test_distance.quantile(0.5)).double().mean()),
        z=(float(farther) - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12),
    )
