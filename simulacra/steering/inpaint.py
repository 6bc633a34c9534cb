"""Inpainting and repair by a trained model, which completes an image from the pixels that are known.

    z* = argmin_z  || k (x - G(z)) ||^2 - c log p(z),      y = k x + (1 - k) G(z*)

k is 1 where a pixel is known. If pixels are known up to Gaussian noise of variance c / 2, z* is the most probable
latent. Repair first finds the pixels that do not fit the model, by its anomaly map.
Source: Semantic Image Inpainting with Deep Generative Models (2017), https://arxiv.org/abs/1607.07539
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.images import to_unit
from simulacra.models import Model
from simulacra.priors import Prior
from simulacra.steering import invert

STEPS = 200
PRIOR_WEIGHT = 0.2  # c, chosen on training images of MNIST; see docs/repair.md
WINDOW = 3  # side in pixels of the square over which the anomaly map is a mean
GROWN = 1  # pixels by which an anomaly is widened before it is replaced
ROUNDS = 2  # times that the anomaly map is computed
RARE = 0.999  # quantile of the anomaly of sound images above which a pixel is anomalous


def inpaint(
    model: Model, x: Tensor, known: Tensor, *, steps: int = STEPS, seed: int = 0, prior: Prior | None = None,
    prior_weight: float = PRIOR_WEIGHT,
) -> Tensor:  # fmt: skip
    """Return images ``(n, C, H, W)`` in [-1, 1] whose unknown pixels a model with a decoder has filled in.

    ``known`` is bool, ``(n, 1, H, W)`` or ``(1, 1, H, W)``; known pixels are returned unchanged. An encoder, where
    there is one, first sees the mean of the known pixels in place of the unknown ones.
    Raises `CapabilityError`, `ConfigError`.
    """
    known = masks(x, known)
    return torch.where(known, x, explained(model, x, known, steps, seed, prior, prior_weight))


def explained(
    model: Model,
    x: Tensor,
    known: Tensor,
    steps: int,
    seed: int,
    prior: Prior | None,
    prior_weight: float = PRIOR_WEIGHT,
) -> Tensor:
    """The model's image ``(n, C, H, W)`` of the most probable latent, given the known pixels."""
    count = known.sum((1, 2, 3), keepdim=True).clamp(min=1) * x.shape[1]
    seen = torch.where(known, x, (x * known).sum((1, 2, 3), keepdim=True) / count)
    found = invert.invert(model, seen, steps=steps, seed=seed, prior=prior, prior_weight=prior_weight, known=known)
    return found.images


def masks(x: Tensor, known: Tensor) -> Tensor:
    """Return ``known`` as ``(n, 1, H, W)``, one for each of ``x`` ``(n, C, H, W)``. Raises `ConfigError`."""
    n, _, height, width = x.shape
    if known.dtype != torch.bool or known.shape not in ((n, 1, height, width), (1, 1, height, width)):
        raise ConfigError(
            f"The known pixels must be bool ({n}, 1, {height}, {width}); got {known.dtype} {tuple(known.shape)}."
        )
    return known.expand(n, 1, height, width)


def masked_error(x: Tensor, y: Tensor, known: Tensor) -> Tensor:
    """Return the mean squared error over unknown pixels on the [0, 1] scale, ``(n,)``; 0 where all are known."""
    unknown = ~masks(x, known)
    squares = (to_unit(x) - to_unit(y)).square().mean(1, keepdim=True) * unknown
    return squares.sum((1, 2, 3)) / unknown.sum((1, 2, 3)).clamp(min=1)


def anomaly_map(x: Tensor, y: Tensor) -> Tensor:
    """Return how far each pixel of images is from its reconstruction ``(n, C, H, W)``: ``(n, 1, H, W)``.

    ``sqrt(mean (x - y)^2)`` over channels and a square of 3 x 3 pixels, on the [0, 1] scale.
    """
    squares = (to_unit(x) - to_unit(y)).square().mean(1, keepdim=True)
    return F.avg_pool2d(squares, WINDOW, 1, WINDOW // 2, count_include_pad=False).sqrt()


@dataclass(frozen=True)
class Repair:
    """Images ``(n, C, H, W)`` in [-1, 1] repaired; their anomaly maps and the pixels kept ``(n, 1, H, W)``."""

    images: Tensor
    anomaly: Tensor
    known: Tensor


def threshold(
    model: Model, sound: Tensor, *, steps: int = STEPS, seed: int = 0, prior: Prior | None = None
) -> float:  # fmt: skip
    """Return the anomaly that one in 1,000 pixels of sound images ``(n, C, H, W)`` exceeds."""
    anomaly = anomaly_map(sound, explained(model, sound, _all(sound), steps, seed, prior))
    return float(anomaly.double().quantile(RARE))


def repair(
    model: Model, x: Tensor, anomalous: float, *, steps: int = STEPS, seed: int = 0, prior: Prior | None = None
) -> Repair:
    """Replace what a model cannot explain: map the anomaly, remove what exceeds ``anomalous``, and inpaint.

    ``anomalous`` comes from `threshold`. The map is computed twice, since an artefact distorts the first
    reconstruction; the second one uses only the pixels that were kept. Raises `CapabilityError`, `ConfigError`.
    Source: Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide Marker Discovery (2017),
    https://arxiv.org/abs/1703.05921
    """
    known = _all(x)
    for _ in range(ROUNDS):
        y = explained(model, x, known, steps, seed, prior)
        anomaly = anomaly_map(x, y)
        known = F.max_pool2d((anomaly > anomalous).float(), 2 * GROWN + 1, 1, GROWN) == 0
    return Repair(torch.where(known, x, y), anomaly, known)


def _all(x: Tensor) -> Tensor:
    return torch.ones_like(x[:, :1], dtype=torch.bool)
