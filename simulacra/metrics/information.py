"""Mutual information, in nats, of latents ``(N, D)`` and known integer factors ``(N, F)``."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.metrics.common import integers, matrix

__all__ = ["equal_frequency_bins", "mutual_information", "mutual_information_gap"]

BINS = 10  # of a continuous factor


def equal_frequency_bins(values: Tensor, bins: int = BINS) -> Tensor:
    """Return for each of ``(N,)`` real values its bin, 0 to ``bins - 1``, all bins equally full: ``(N,)``.

    Raises `ConfigError` for NaN, fewer than 2 bins or fewer values than bins.
    """
    if bins < 2:
        raise ConfigError(f"bins must be at least 2; got {bins}.")
    values = matrix(values.reshape(-1, 1), "values", at_least=bins).squeeze(1)
    return values.argsort(stable=True).argsort() * bins // len(values)


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """Return the mean over factors of ``(I(z_1; v) - I(z_2; v)) / H(v)``, in [0, 1].

    z_1 and z_2 are the two latents that tell most about the factor v, each cut into bins of equal width.
    Raises `ConfigError` for fewer than 2 latents or a constant factor.
    Source: Isolating Sources of Disentanglement in VAEs (2018), section 4, https://arxiv.org/abs/1802.04942
    """
    codes, factors = codes_and_factors(codes, factors)
    information = mutual_information(codes, factors, bins)
    entropies = torch.stack([_entropy(torch.bincount(factor)) for factor in factors.T])
    first, second = information.topk(2, dim=0).values
    return float(((first - second) / entropies).mean())


def mutual_information(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    """Return the mutual information, in nats, of each latent (in bins of equal width) and each factor, ``(D, F)``.

    ``I(z; v) = H(z) + H(v) - H(z, v)``. Raises `ConfigError` for shapes that do not fit or fewer than 2 bins.
    """
    codes, factors = codes_and_factors(codes, factors)
    if bins < 2:
        raise ConfigError(f"bins must be at least 2; got {bins}.")
    binned = _binned(codes, bins)
    return torch.stack([torch.stack([_information(z, v) for v in factors.T]) for z in binned.T])


def codes_and_factors(codes: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """Codes as float64 and factors as values ``0 .. K - 1`` each, both on the codes' device."""
    codes = matrix(codes, "codes", at_least=2)
    if factors.ndim != 2 or len(factors) != len(codes) or factors.shape[1] == 0:
        raise ConfigError(f"factors must be ({len(codes)}, F), one row a code; got shape {tuple(factors.shape)}.")
    if codes.shape[1] < 2:
        raise ConfigError("codes must have at least 2 latents to compare; got 1.")
    factors = integers(factors, "factors").to(codes.device)
    for column, factor in enumerate(factors.T):
        if int(factor.min()) == int(factor.max()):
            raise ConfigError(f"factor {column} is constant: leave it out.")
    return codes, torch.stack([torch.unique(factor, return_inverse=True)[1] for factor in factors.T], dim=1)


def _binned(codes: Tensor, bins: int) -> Tensor:
    """Each column in ``bins`` intervals of equal width from its smallest to its largest value."""
    low, high = codes.amin(0), codes.amax(0)
    width = torch.where(high > low, high - low, 1.0) / bins
    return ((codes - low) / width).long().clamp(max=bins - 1)


def _information(first: Tensor, second: Tensor) -> Tensor:
    joint = torch.bincount(first * (int(second.max()) + 1) + second)
    information = _entropy(torch.bincount(first)) + _entropy(torch.bincount(second)) - _entropy(joint)
    return information.clamp(min=0.0)


def _entropy(counts: Tensor) -> Tensor:
    shares = counts.double() / counts.sum()
    return -torch.xlogy(shares, shares).sum()
