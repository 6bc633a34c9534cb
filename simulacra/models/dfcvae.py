"""Deep feature consistent VAE: reconstructions need not repeat every pixel, they must look the same.

    L = w_1 |x - G(z)|_1 + w_2 d(x, G(z)) + beta KL(q(z | x) || N(0, I)),      z ~ q(z | x)

d compares the activations of a fixed network that has seen photographs, so that edges and textures count and small
shifts do not: squared error alone answers with blur. A small beta keeps latents near each other without filling
N(0, I); the prior is therefore that of the training images' latents, followed as they move: their Gaussian, or with a
smoothing h below 1 a Gaussian kernel around each of the newest ones, drawn together so that the variance is kept:

    z = m + sqrt(1 - h^2) (z_k - m) + h e,      e ~ N(0, S)       m, S: mean and covariance of the latents

Sources: Deep Feature Consistent Variational Autoencoder (2017), section 3, https://arxiv.org/abs/1610.00291;
From Variational to Deterministic Autoencoders (2020), section 4, https://arxiv.org/abs/1903.12436; The bootstrap:
To smooth or not to smooth? (1987), section 2, https://doi.org/10.1093/biomet/74.3.469
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor, nn

from simulacra import config, networks, parallel
from simulacra.data.dataset import Images
from simulacra.distributions import DiagonalGaussian, normal
from simulacra.images import Shape
from simulacra.models.base import Model, Round
from simulacra.networks.pictures import perceptual_distance

FOLLOWED = 0.01  # weight of a batch in the moments of the latents: they remember about 100 batches
KEPT = 1_024  # latents of the newest training images that kernels stand around
RIDGE = 1e-6  # added to each variance, so that the covariance has a Cholesky factor


class Perceptual(Model):
    """What families share whose reconstructions are compared by how they look: networks, errors, followed prior."""

    mean: Tensor
    covariance: Tensor
    bank: Tensor
    banked: Tensor

    def __init__(self, shape: Shape, values: config.Perceptual) -> None:
        super().__init__(shape)
        self.encoder = networks.encoder(values.network, shape, 2 * values.latent)
        self.decoder = networks.decoder(values.network, values.latent, shape, shape.channels)
        self.values = values
        self.latent = values.latent
        self.register_buffer("mean", torch.zeros(values.latent))
        self.register_buffer("covariance", torch.eye(values.latent))
        if values.smoothing < 1:
            self.register_buffer("bank", torch.zeros(KEPT, values.latent))
            self.register_buffer("banked", torch.zeros((), dtype=torch.int64))

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the encoder sees images less it, the decoder's first outputs spread around it."""
        networks.centre(self.encoder, mean)
        networks.begin_at(self.decoder, mean, lambda image: image)

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) for images ``(B, C, H, W)`` in [-1, 1]."""
        return DiagonalGaussian.from_output(self.encoder(x))

    def encode(self, x: Tensor) -> Tensor:
        """Return the means ``(B, latent)`` of q(z | x)."""
        return self.posterior(x).mean

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        image: Tensor = self.decoder(z)
        return image.clamp(-1, 1)

    def prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, latent)`` from the Gaussian of the training images' latents, or from its kernels."""
        centres, factor = self.kernels()
        noise = normal(n, self.latent, like=self.mean, generator=generator) @ factor.T
        if len(centres) == 1:
            return centres + noise
        chosen = parallel.drawn(lambda rows: torch.randint(len(centres), (rows,), generator=generator), n)
        return centres[chosen.to(centres.device)] + noise

    def kernels(self) -> tuple[Tensor, Tensor]:
        """Return the centres ``(K, latent)`` of the prior's kernels and their factor L: ``z = c_k + L N(0, I)``."""
        ridge = RIDGE * torch.eye(self.latent, device=self.mean.device)
        factor: Tensor = torch.linalg.cholesky(self.covariance.float() + ridge)
        h = self.values.smoothing
        known = min(int(self.banked), KEPT) if h < 1 else 0
        if known < 2:
            return self.mean[None], factor
        return self.mean + math.sqrt(1 - h**2) * (self.bank[:known] - self.mean), h * factor

    def errors(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the two weighted errors of reconstructions y, ``(B, C, H, W)`` like x, each a mean over the batch."""
        return {
            "pixels": self.values.pixels * (x - y).abs().mean(),
            "features": self.values.features * perceptual_distance(x, y).mean(),
        }

    @torch.no_grad()
    def follow(self, z: Tensor) -> None:
        """Let mean ``(D,)`` and covariance ``(D, D)`` move towards those of latents ``(B, D)``, and keep these."""
        if self.training:
            z = z.float()
            centred = z - self.mean
            self.mean.lerp_(parallel.mean(z.mean(0)), FOLLOWED)
            self.covariance.lerp_(parallel.mean(centred.T @ centred / len(z)), FOLLOWED)
            if self.values.smoothing < 1:
                self._keep(parallel.gather(z))

    def _keep(self, z: Tensor) -> None:
        """Keep latents in place of the oldest ones."""
        places = (self.banked + torch.arange(len(z), device=z.device)) % KEPT
        self.bank[places] = z.to(self.bank)
        self.banked += len(z)


class DFCVAE(Perceptual):
    """One player minimises pixel error, perceptual distance and the KL divergence of its posterior."""

    @classmethod
    def build(cls, values: config.DFCVAE, shape: Shape) -> Self:
        """Build the model of a config for images of a shape."""
        return cls(shape, values)

    def players(self) -> dict[str, nn.Module]:
        """One player: encoder and decoder."""
        return {"model": nn.ModuleList([self.encoder, self.decoder])}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round: the three terms, each a mean over the batch."""
        del step
        q = self.posterior(batch.image)
        z = q.rsample()
        self.follow(z.detach())
        kl = self.values.beta * q.kl().mean()
        yield {"model": self.errors(batch.image, self.decoder(z)) | {"kl": kl}}

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the weighted error of held-out images, then its two terms, with the mean latent of each."""
        del generator
        errors = self.errors(batch.image, self.decoder(self.encode(batch.image)))
        return {"error": torch.stack(list(errors.values())).sum(), **errors}
