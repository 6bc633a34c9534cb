"""Generative adversarial network: G turns noise into images, D tells them from real ones.

Source: Generative Adversarial Networks (2014), algorithm 1, https://arxiv.org/abs/1406.2661
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import OBJECTIVES, Objective, accuracy
from simulacra.data.dataset import Images
from simulacra.models.base import Model, Round, StandardNormalPrior
from simulacra.networks import Shape


class GAN(StandardNormalPrior, Model):
    """Two players in alternating rounds; the objective says what each minimises."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Objective,
        shape: Shape,
        latent: int,
        *,
        discriminator_steps: int = 1,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.latent = latent
        self.discriminator_steps = discriminator_steps

    @classmethod
    def build(cls, values: config.GAN, shape: Shape) -> GAN:
        """Build the model of a config for images of a shape."""
        return cls(
            networks.decoder(values.generator, values.latent, shape, shape.channels),
            networks.encoder(values.discriminator, shape, 1),
            OBJECTIVES[values.loss],
            shape,
            values.latent,
            discriminator_steps=values.discriminator_steps,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: discriminator and generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator; then, every ``discriminator_steps`` steps, the generator on the same fakes."""
        fake = self.decode(self.prior(len(batch)))
        on_real, on_fake = self.discriminator(batch.image), self.discriminator(fake.detach())
        self.watch("discriminator/accuracy", accuracy(on_real, on_fake))
        yield {"discriminator": self.loss.discriminator(on_real, on_fake)}
        if (step + 1) % self.discriminator_steps == 0:
            yield {"generator": self.loss.generator(self.discriminator(fake))}

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return torch.tanh(self.generator(z))
