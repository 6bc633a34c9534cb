"""Variational autoencoder: a latent z ~ N(0, I), a likelihood p(x | z), an encoder q(z | x) ~ p(z | x).

    log p(x) >= E_q[ log p(x | z) ] - KL(q(z | x) || p(z))          the evidence lower bound, ELBO

Sources: Auto-Encoding Variational Bayes (2014), equation 10 and appendix B, https://arxiv.org/abs/1312.6114;
beta-VAE (2017), equation 4, https://openreview.net/forum?id=Sy2fzU9gl;
Importance Weighted Autoencoders (2016), equations 8 and 14, https://arxiv.org/abs/1509.00519
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.data.dataset import Images
from simulacra.distributions import LIKELIHOODS, DiagonalGaussian, Likelihood, standard_normal_log_density
from simulacra.images import Shape
from simulacra.models.base import Model, Round, StandardNormalPrior


class VAE(StandardNormalPrior, Model):
    """Minimises ``E_q[-log p(x | z)] + beta KL(q || p)`` in nats per image; beta rises from 0 over ``warmup`` steps."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        shape: Shape,
        values: config.VAE,
    ) -> None:
        super().__init__(shape)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.values = values
        self.latent = values.latent

    @classmethod
    def build(cls, values: config.VAE, shape: Shape) -> Self:
        """Build the model of a config for images of a shape."""
        likelihood = LIKELIHOODS[values.likelihood]()
        outputs = likelihood.channels(shape.channels)
        return cls(
            networks.encoder(values.network, shape, 2 * values.latent),
            networks.decoder(values.network, values.latent, shape, outputs),
            likelihood,
            shape,
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """One player: encoder, decoder and the likelihood's own parameters."""
        return {"model": nn.ModuleList([self.encoder, self.decoder, self.likelihood])}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the encoder sees images less it, the decoder's first outputs spread around it."""
        networks.centre(self.encoder, mean)
        networks.begin_at(self.decoder, mean, self.likelihood.output)

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round: the two terms of the negative ELBO, averaged over ``samples`` latents per image."""
        q = self.posterior(batch.image)
        nll = self.nll(q.rsample(self.values.samples), batch.image)
        yield {"model": {"nll": nll.mean(), "kl": self.beta(step) * q.kl().mean()}}

    def beta(self, step: int) -> float:
        """The weight of the KL term at a step."""
        beta, warmup = self.values.beta, self.values.warmup
        return beta * min(1.0, (step + 1) / warmup) if warmup else beta

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) for images ``(B, C, H, W)`` in [-1, 1]."""
        return DiagonalGaussian.from_output(self.encoder(x))

    def nll(self, z: Tensor, x: Tensor) -> Tensor:
        """Return ``-log p(x | z)`` in nats for latents ``(k, B, D)`` of images ``(B, C, H, W)``: ``(k, B)``."""
        output = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return self.likelihood.nll(output, x)

    def log_weights(self, x: Tensor, q: DiagonalGaussian, z: Tensor) -> Tensor:
        """Return ``log p(x | z) + log p(z) - log q(z | x)`` in nats for latents ``(k, B, D)``: ``(k, B)``."""
        return standard_normal_log_density(z) - self.nll(z, x) - q.log_density(z)

    @torch.no_grad()
    def log_likelihood(
        self, x: Tensor, samples: int, *, chunk: int = 50, generator: torch.Generator | None = None
    ) -> Tensor:
        """Estimate ``log p(x)`` in nats, ``(B,)``, from below, by importance sampling from the encoder.

        ``log (1/k) sum_i p(x | z_i) p(z_i) / q(z_i | x)`` with k = ``samples``, at most ``chunk`` at a time; the
        encoder runs once. The estimate rises with k towards ``log p(x)`` (Burda et al. 2016, theorem 1).
        """
        q = self.posterior(x)
        total = torch.full((len(x),), -math.inf, device=x.device)
        for start in range(0, samples, chunk):
            z = q.rsample(min(chunk, samples - start), generator)
            total = torch.logaddexp(total, self.log_weights(x, q, z).logsumexp(0))
        return total - math.log(samples)

    def encode(self, x: Tensor) -> Tensor:
        """Return the means ``(B, latent)`` of q(z | x)."""
        return self.posterior(x).mean

    def decode(self, z: Tensor) -> Tensor:
        """Return the expected images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return self.likelihood.mean(self.decoder(z))

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the negative ELBO (beta = 1, one latent per image) and its two terms, in nats per image."""
        q = self.posterior(batch.image)
        nll, kl = self.nll(q.rsample(1, generator), batch.image).mean(), q.kl().mean()
        return {"negative_elbo": nll + kl, "nll": nll, "kl": kl}


class IWAE(VAE):
    """Minimises ``-log (1/k) sum_i p(x | z_i) p(z_i) / q(z_i | x)``, a bound that tightens with k = ``samples``."""

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round: the negative importance-weighted bound."""
        del step
        q = self.posterior(batch.image)
        log_weights = self.log_weights(batch.image, q, q.rsample(self.values.samples))
        yield {"model": {"negative_bound": self._negative_bound(log_weights)}}

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the negative bound of ``samples`` latents, then the terms of the negative ELBO, in nats per image."""
        q = self.posterior(batch.image)
        log_weights = self.log_weights(batch.image, q, q.rsample(self.values.samples, generator))
        return {"negative_bound": self._negative_bound(log_weights), **super().score(batch, generator)}

    def _negative_bound(self, log_weights: Tensor) -> Tensor:
        return math.log(self.values.samples) - log_weights.logsumexp(0).mean()
