"""Whether an image is nearer to its own counterpart than to those of the others."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.metrics.common import distance_blocks, matrices
from simulacra.metrics.meanings import IMAGES, declare

__all__ = ["retrieval_top1"]

# fmt: off
RETRIEVAL_TOP1 = declare(
    "retrieval_top1", IMAGES, "share",
    "Share of translations whose nearest true image, pixel by pixel, is their own.", "higher",
)
# fmt: on


def retrieval_top1(images: Tensor, targets: Tensor) -> float:
    """Return the share of rows of images ``(N, D)`` whose nearest row of targets ``(N, D)`` is their own.

    ``1 / N`` is chance; Euclidean distances. Raises `ConfigError` for different numbers of rows.
    """
    images, targets = matrices(images, targets, ("images", "targets"))
    if len(images) != len(targets):
        raise ConfigError(f"images and targets must have equally many rows; got {len(images)} and {len(targets)}.")
    found = torch.cat([distance.argmin(1) for distance in distance_blocks(images, targets)])
    return float((found == torch.arange(len(images), device=found.device)).double().mean())
