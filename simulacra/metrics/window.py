"""The Parzen window estimate of a log-likelihood: how generators without a density were compared before 2017.

Historical: in many dimensions it is neither close to the likelihood nor does it rank models as their samples do
(A Note on the Evaluation of Generative Models, 2016, https://arxiv.org/abs/1511.01844).
Source: Generative Adversarial Networks (2014), section 5, https://arxiv.org/abs/1406.2661
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.metrics.common import distance_blocks, matrices, positive

__all__ = ["Parzen", "parzen", "parzen_log_density"]

SIGMAS = tuple(10 ** (-1 + step / 9) for step in range(10))  # 0.1 to 1, for pixels in [0, 1]


@dataclass(frozen=True)
class Parzen:
    """Mean log-likelihood of the test points in nats, its standard error, and the width that was chosen."""

    mean: float
    standard_error: float
    sigma: float


def parzen_log_density(samples: Tensor, points: Tensor, sigma: float) -> Tensor:
    """Return the log-density, in nats, of points ``(M, D)`` under Gaussians around samples ``(N, D)``: ``(M,)``.

    ``log 1/N sum_n N(x; s_n, sigma^2 I)``. Raises `ConfigError` for empty input, different dimensions, sigma <= 0.
    """
    return _log_densities(samples, points, (sigma,))[0]


def parzen(samples: Tensor, validation: Tensor, test: Tensor, sigmas: Sequence[float] = SIGMAS) -> Parzen:
    """Choose the width under which the validation points ``(V, D)`` are likeliest; return the test points' value.

    Samples ``(N, D)``, test ``(M, D)``; sigmas are in the unit of the points.
    Raises `ConfigError` for empty input, fewer than 2 test points or different dimensions.
    """
    matrices(samples, test, ("samples", "test"))
    if not sigmas or len(test) < 2:
        raise ConfigError(f"parzen needs a sigma and at least 2 test points; got {len(sigmas)} and {len(test)}.")
    best = int(_log_densities(samples, validation, sigmas).mean(1).argmax())
    values = parzen_log_density(samples, test, sigmas[best])
    return Parzen(float(values.mean()), float(values.std()) / math.sqrt(len(values)), float(sigmas[best]))


def _log_densities(samples: Tensor, points: Tensor, sigmas: Sequence[float]) -> Tensor:
    """One row for each sigma, ``(sigmas, M)``."""
    for sigma in sigmas:
        positive(sigma, "sigma")
    samples, points = matrices(samples, points, ("samples", "points"))
    columns = []
    for distance in distance_blocks(points, samples):
        squared = distance.square_()
        columns.append(torch.stack([torch.logsumexp(-squared / (2 * sigma**2), dim=1) for sigma in sigmas]))
    count, dimension = samples.shape
    normaliser = [math.log(count) + dimension * math.log(sigma * math.sqrt(2 * math.pi)) for sigma in sigmas]
    return torch.cat(columns, dim=1) - torch.tensor(normaliser, dtype=torch.float64, device=points.device).unsqueeze(1)
