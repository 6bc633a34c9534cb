"""What an encoder's latents carry: which are in use, and what their KL divergence is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.metrics.common import BLOCK_ELEMENTS, matrices, matrix
from simulacra.metrics.meanings import LATENTS, declare

__all__ = ["KLDecomposition", "active_units", "kl_decomposition"]

LOG_2PI = math.log(2 * math.pi)

# fmt: off
ACTIVE_UNITS = declare(
    "active_units", LATENTS, "latents",
    "Latents whose posterior mean varies over the images (variance above 0.01); the others carry nothing.",
)
KL_MUTUAL_INFORMATION = declare(
    "kl_mutual_information", LATENTS, "nats",
    "Part of the KL divergence by which the code tells images apart; at most log n.",
)
KL_TOTAL_CORRELATION = declare(
    "kl_total_correlation", LATENTS, "nats",
    "Part of the KL divergence that comes from latents depending on each other.",
)
KL_DIMENSION_WISE = declare(
    "kl_dimension_wise", LATENTS, "nats",
    "Part of the KL divergence that comes from single latents differing from N(0, 1).",
)
# fmt: on


def active_units(means: Tensor, threshold: float = 0.01) -> int:
    """Return how many latents have posterior means ``(N, D)`` that vary over the images.

    A latent is active if ``Var_x E[z | x] > threshold``.
    Raises `ConfigError` for fewer than 2 rows.
    Source: Importance Weighted Autoencoders (2016), section 5.2, https://arxiv.org/abs/1509.00519
    """
    return int((matrix(means, "means", at_least=2).var(0) > threshold).sum())


@dataclass(frozen=True)
class KLDecomposition:
    """The parts of the mean KL divergence from the prior, in nats; they sum to ``total``."""

    mutual_information: float
    total_correlation: float
    dimension_wise_kl: float

    @property
    def total(self) -> float:
        """The estimate of ``E_x KL(q(z | x) || p(z))`` from the same draws."""
        return self.mutual_information + self.total_correlation + self.dimension_wise_kl


def kl_decomposition(z: Tensor, mean: Tensor, log_variance: Tensor) -> KLDecomposition:
    """Split the KL divergence of Gaussian posteriors from N(0, I); z holds one draw of each, all ``(N, D)``.

    ``E KL(q(z | x) || p(z)) = I(z; x) + KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d))``, where
    ``q(z) = 1/N sum_n q(z | x_n)`` is the mixture of all N posteriors: no minibatch weights are needed, and the
    mutual information is at most log N. Time grows with ``N^2 D``.
    Raises `ConfigError` for different shapes or fewer than 2 rows.
    Source: Isolating Sources of Disentanglement in VAEs (2018), equation 2, https://arxiv.org/abs/1802.04942
    """
    z, mean = matrices(z, mean, ("z", "mean"), at_least=2)
    log_variance = matrix(log_variance, "log_variance")
    if not z.shape == mean.shape == log_variance.shape:
        raise ConfigError(
            "z, mean and log_variance must have one shape; "
            f"got {tuple(z.shape)}, {tuple(mean.shape)} and {tuple(log_variance.shape)}."
        )
    joint, marginals = _aggregate_log_densities(z, mean, log_variance)
    posterior = _log_normal(z, mean, log_variance).sum(1)
    prior = _log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
    return KLDecomposition(
        mutual_information=float((posterior - joint).mean()),
        total_correlation=float((joint - marginals.sum(1)).mean()),
        dimension_wise_kl=float((marginals - prior).sum(1).mean()),
    )


def _aggregate_log_densities(z: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """``log q(z)`` ``(N,)`` and ``log q(z_d)`` ``(N, D)`` of each row under the mixture of all posteriors."""
    joint, marginals = [], []
    for part in torch.split(z, max(1, BLOCK_ELEMENTS // z.numel())):
        each = _log_normal(part.unsqueeze(1), mean, log_variance)  # (rows, N, D)
        joint.append(torch.logsumexp(each.sum(2), dim=1))
        marginals.append(torch.logsumexp(each, dim=1))
    return torch.cat(joint) - math.log(len(z)), torch.cat(marginals) - math.log(len(z))


def _log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    return -0.5 * ((z - mean).square() * torch.exp(-log_variance) + log_variance + LOG_2PI)
