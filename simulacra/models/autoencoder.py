"""Autoencoder: x -> z = e(x) -> d(z), trained to return x, or to return it from a corrupted copy.

Sources: Reducing the Dimensionality of Data with Neural Networks (2006), https://doi.org/10.1126/science.1127647;
Extracting and Composing Robust Features with Denoising Autoencoders (2008), https://doi.org/10.1145/1390156.1390294
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.data.dataset import Images
from simulacra.distributions import before_tanh, normal
from simulacra.images import Shape, to_unit
from simulacra.models.base import Model, Round


class Autoencoder(Model):
    """Minimises ``|| x - d(e(x + noise)) ||^2``, summed over pixels on the [0, 1] scale, averaged over the batch."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, shape: Shape, values: config.Autoencoder) -> None:
        super().__init__(shape)
        self.encoder = encoder
        self.decoder = decoder
        self.values = values
        self.latent = values.latent

    @classmethod
    def build(cls, values: config.Autoencoder, shape: Shape) -> Autoencoder:
        """Build the model of a config for images of a shape."""
        return cls(
            networks.encoder(values.network, shape, values.latent),
            networks.decoder(values.network, values.latent, shape, shape.channels),
            shape,
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """One player: encoder and decoder."""
        return {"model": nn.ModuleList([self.encoder, self.decoder])}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the encoder sees images less it, the decoder's first outputs spread around it."""
        networks.centre(self.encoder, mean)
        networks.begin_at(self.decoder, mean, before_tanh)

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round: the squared error of the reconstruction."""
        del step
        x = batch.image
        noise = self.values.corruption
        noisy = x + noise * normal(*x.shape, like=x) if noise else x
        yield {"model": {"squared_error": self._squared_error(x, self.decode(self.encoder(noisy))).mean()}}

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes ``(B, latent)`` of images ``(B, C, H, W)`` in [-1, 1]."""
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of codes ``(B, latent)``."""
        return torch.tanh(self.decoder(z))

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the squared error of clean images, summed over pixels on the [0, 1] scale."""
        del generator
        return {"squared_error": self._squared_error(batch.image, self.decode(self.encode(batch.image))).mean()}

    @staticmethod
    def _squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
        return (to_unit(x) - to_unit(reconstruction)).square().flatten(1).sum(1)
