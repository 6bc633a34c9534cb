"""Mixtures of Gaussians: one, many found by expectation-maximisation, or those of known classes.

    p(z) = sum_k w_k N(z; mu_k, L_k L_k^T)                 L_k lower triangular

Drawing and density need only PyTorch; finding the components needs scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from simulacra.distributions import LOG_2PI
from simulacra.errors import ConfigError
from simulacra.machine import extra
from simulacra.metrics.common import labels_of
from simulacra.priors.base import Prior, standardised

__all__ = ["Mixture", "fit_mixture", "fit_normal", "fit_per_class"]

RIDGE = 1e-6  # added to each variance of standardised codes, so that no component collapses
MAX_ITERATIONS = 300  # of expectation-maximisation


class Mixture(Prior):
    """A mixture of K Gaussians in D dimensions, float64; ``classes`` ``(K,)`` says whose each is, -1 for nobody's.

    ``weights`` ``(K,)`` sum to 1, ``means`` are ``(K, D)``, ``factors`` ``(K, D, D)`` the lower Cholesky factors of
    the covariances.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor
    classes: Tensor

    def __init__(
        self, name: str, weights: Tensor, means: Tensor, factors: Tensor, classes: Tensor | None = None
    ) -> None:
        super().__init__(name, means.shape[1])
        self.register_buffer("weights", weights.double())
        self.register_buffer("means", means.double())
        self.register_buffer("factors", factors.double())
        self.register_buffer("classes", torch.full((len(weights),), -1) if classes is None else classes.long())

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, D)``, float32: a component by its weight, then ``mu_k + L_k noise``."""
        noise = torch.randn(n, 1 + self.dimensions, dtype=torch.float64, generator=generator)
        uniform = torch.special.ndtr(noise[:, 0])
        component = torch.searchsorted(self.weights.cumsum(0), uniform).clamp(max=len(self.weights) - 1)
        z = self.means[component]
        for k in sorted(set(component.tolist())):
            z[component == k] += noise[component == k, 1:] @ self.factors[k].T
        return z.float()

    def log_density(self, z: Tensor) -> Tensor:
        """Return ``log sum_k w_k N(z; mu_k, L_k L_k^T)`` in nats, ``(n, D) -> (n,)``."""
        return self.component_log_densities(z).logsumexp(1).to(z)

    def component_log_densities(self, z: Tensor) -> Tensor:
        """Return ``log w_k N(z; mu_k, L_k L_k^T)`` for each component, ``(n, D) -> (n, K)``, float64."""
        z = z.double().to(self.means.device)
        columns = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            white = torch.linalg.solve_triangular(factor, (z - mean).T, upper=False)
            log_volume = factor.diagonal().log().sum()
            columns.append(weight.log() - 0.5 * (white.square() + LOG_2PI).sum(0) - log_volume)
        return torch.stack(columns, dim=1)

    def of_class(self, label: int) -> Mixture:
        """Return p(z | class): the components of one class. Raises `ConfigError` for a class it does not know."""
        chosen = self.classes == label
        if label < 0 or not chosen.any():
            known = sorted({int(k) for k in self.classes if k >= 0})
            raise ConfigError(f"The prior {self.name} has no class {label}. Classes: {known or 'none'}.")
        weights = self.weights[chosen] / self.weights[chosen].sum()
        return Mixture(self.name, weights, self.means[chosen], self.factors[chosen], self.classes[chosen])


def fit_normal(codes: Tensor) -> Mixture:
    """Fit one Gaussian N(mu, S) to latents ``(n, D)``: their mean and covariance."""
    x, mean, scale = standardised(codes)
    covariance = x.T @ x / len(x)
    return _scaled("normal", torch.ones(1), torch.zeros_like(mean)[None], covariance[None], mean, scale)


def fit_mixture(codes: Tensor, components: int = 10, *, seed: int = 0) -> Mixture:
    """Fit a mixture of Gaussians with full covariances to latents ``(n, D)``, by expectation-maximisation.

    It starts from k-means++ centres drawn by ``seed``. Raises `ConfigError` for fewer latents than components.
    Source: Maximum Likelihood from Incomplete Data via the EM Algorithm (1977),
    https://doi.org/10.1111/j.2517-6161.1977.tb01600.x
    """
    x, mean, scale = standardised(codes)
    if not 1 <= components <= len(x):
        raise ConfigError(f"A mixture of {components} components needs at least as many latents; there are {len(x)}.")
    found = _expectation_maximisation(x, components, seed)
    weights, means = torch.from_numpy(found.weights_), torch.from_numpy(found.means_)
    return _scaled(f"gmm-{components}", weights, means, torch.from_numpy(found.covariances_), mean, scale)


def fit_per_class(codes: Tensor, labels: Tensor, components: int = 1, *, seed: int = 0) -> Mixture:
    """Fit p(z | class) to the latents of each class by itself: ``components`` Gaussians each.

    Drawing takes a class by its frequency among the latents ``(n, D)``; `Mixture.of_class` draws from one.
    Raises `ConfigError` where a class has too few latents.
    """
    labels = labels_of(codes, labels, "labels").cpu()
    parts: list[Mixture] = []
    kinds = sorted(set(labels.tolist()))
    for label in kinds:
        own = codes[labels == label]
        if len(own) < max(2, components):
            raise ConfigError(f"Class {label} has {len(own)} latents; its prior needs at least {max(2, components)}.")
        parts.append(fit_normal(own) if components == 1 else fit_mixture(own, components, seed=seed))
    shares = torch.stack([(labels == label).double().mean() for label in kinds])
    return _joined(parts, shares, torch.tensor(kinds), "per-class" + (f"-{components}" if components > 1 else ""))


def _expectation_maximisation(x: Tensor, components: int, seed: int) -> Any:
    mixture = extra("sklearn.mixture", "fitting a Gaussian mixture", "priors").GaussianMixture
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mixture that has not settled after so many iterations still serves
        return mixture(
            components, covariance_type="full", reg_covar=RIDGE, max_iter=MAX_ITERATIONS, init_params="k-means++",
            random_state=seed % 2**32,
        ).fit(x.numpy())  # fmt: skip


def _scaled(name: str, weights: Tensor, means: Tensor, covariances: Tensor, centre: Tensor, scale: Tensor) -> Mixture:
    """The mixture of codes ``centre + scale * x``, from that of standardised x."""
    ridge = RIDGE * torch.eye(len(centre), dtype=torch.float64)
    factors = scale[:, None] * torch.linalg.cholesky(covariances + ridge)
    return Mixture(name, weights, centre + scale * means, factors)


def _joined(parts: Sequence[Mixture], shares: Tensor, labels: Tensor, name: str) -> Mixture:
    weights = torch.cat([share * part.weights for share, part in zip(shares, parts, strict=True)])
    classes = labels.repeat_interleave(torch.tensor([len(part.weights) for part in parts]))
    means = torch.cat([part.means for part in parts])
    factors = torch.cat([part.factors for part in parts])
    return Mixture(name, weights, means, factors, classes)
