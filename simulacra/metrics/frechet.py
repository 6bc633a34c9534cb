"""The Frechet distance between two samples of features, each seen as a Gaussian.

``d^2 = |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr (S1^1/2 S2 S1^1/2)^1/2``. With the features of a classifier this is
the "FID". It is biased: it falls as the samples grow, so only values from equal sample counts compare.
Source: GANs Trained by a Two Time-Scale Update Rule (2017), equation 6, https://arxiv.org/abs/1706.08500
"""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.metrics.common import matrices, matrix
from simulacra.metrics.meanings import SAMPLES, declare

__all__ = ["frechet_distance", "frechet_from_moments", "moments"]

NAMES = ("real", "fake")

# fmt: off
FRECHET_DISTANCE = declare(
    "frechet_distance", SAMPLES, "distance^2",
    "Distance between Gaussians fitted to the features of test images and of samples; read it beside its "
    "floor.", "lower",
)
FRECHET_DISTANCE_FLOOR = declare(
    "frechet_distance_floor", SAMPLES, "distance^2",
    "The same distance between test images and training images: what a perfect generator would get.",
)
# fmt: on


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Return the squared Frechet distance between features ``(N, D)`` and ``(M, D)``; 0 when moments agree.

    With a sample smaller than D the last trace is the nuclear norm of ``A1 A2^T`` for any factors ``S = A^T A``,
    of which the centred sample is one: nothing of size ``D^3`` is left to do for it.
    Raises `ConfigError` for fewer than 2 rows per side or different dimensions.
    """
    real, fake = matrices(real, fake, NAMES, at_least=2)
    if min(len(real), len(fake)) >= real.shape[1]:
        return frechet_from_moments(*moments(real), *moments(fake))
    first, second = _factor(real), _factor(fake)
    overlap = torch.linalg.svdvals(first @ second.T).sum()
    return _distance(real.mean(0) - fake.mean(0), first.square().sum() + second.square().sum(), overlap)


def frechet_from_moments(mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """Return the squared Frechet distance between two Gaussians, means ``(D,)`` and covariances ``(D, D)``.

    ``tr (S1^1/2 S2 S1^1/2)^1/2`` is the sum of the square roots of the eigenvalues, which are real and, but for
    rounding, not negative. Raises `ConfigError` for shapes that do not fit.
    """
    covariance1, covariance2 = matrices(covariance1, covariance2, ("covariance1", "covariance2"))
    _check_moments(mean1, covariance1, "1")
    _check_moments(mean2, covariance2, "2")
    root = _root(covariance1)
    overlap = torch.linalg.eigvalsh(root @ covariance2 @ root).clamp(min=0.0).sqrt().sum()
    return _distance(mean1.double() - mean2.double(), covariance1.trace() + covariance2.trace(), overlap)


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean ``(D,)`` and the unbiased covariance ``(D, D)`` of features ``(N, D)``, float64.

    Raises `ConfigError` for fewer than 2 rows.
    """
    features = matrix(features, "features", at_least=2)
    centred = _centred(features)
    return features.mean(0), centred.T @ centred


def _distance(shift: Tensor, traces: Tensor, overlap: Tensor) -> float:
    return max(0.0, float(shift.square().sum() + traces - 2.0 * overlap))


def _centred(features: Tensor) -> Tensor:
    """The factor A of the covariance ``A^T A`` that the sample itself is, ``(N, D)``."""
    centred: Tensor = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    return centred


def _factor(features: Tensor) -> Tensor:
    """A factor of the covariance with as few rows as possible, ``(min(N, D), D)``."""
    centred = _centred(features)
    return centred if len(features) <= features.shape[1] else _root(centred.T @ centred)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0.0).sqrt()) @ vectors.T
    return root


def _check_moments(mean: Tensor, covariance: Tensor, number: str) -> None:
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise ConfigError(
            f"mean{number} must be (D,) and covariance{number} (D, D); "
            f"got {tuple(mean.shape)} and {tuple(covariance.shape)}."
        )
