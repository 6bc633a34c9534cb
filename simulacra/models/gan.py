"""Generative adversarial network: G turns noise into images, D tells them from real ones.

Source: Generative Adversarial Networks (2014), algorithm 1, https://arxiv.org/abs/1406.2661
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import AUGMENTATIONS, OBJECTIVES, Augmentation, Lazy, Objective, lazy
from simulacra.data.dataset import Images
from simulacra.models.base import Model, Round, StandardNormalPrior
from simulacra.networks import Shape


class GAN(StandardNormalPrior, Model):
    """Two players in alternating rounds; objective, penalty, packing and augmentations say what each minimises."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Objective,
        shape: Shape,
        latent: int,
        *,
        penalty: Lazy | None = None,
        packing: int = 1,
        augmentations: Sequence[Augmentation] = (),
        discriminator_steps: int = 1,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.latent = latent
        self.penalty = penalty
        self.packing = packing
        self.augmentations = tuple(augmentations)
        self.discriminator_steps = discriminator_steps

    @classmethod
    def build(cls, values: config.GAN, shape: Shape) -> GAN:
        """Build the model of a config for images of a shape."""
        return cls(
            networks.decoder(values.generator, values.latent, shape, shape.channels),
            networks.encoder(values.discriminator, Shape(values.packing * shape.channels, shape.size), 1),
            OBJECTIVES[values.loss],
            shape,
            values.latent,
            penalty=lazy(values.penalty),
            packing=values.packing,
            augmentations=[AUGMENTATIONS[name] for name in values.augment],
            discriminator_steps=values.discriminator_steps,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: discriminator and generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator; then, every ``discriminator_steps`` steps, the generator on the same fakes."""
        x, generators_turn = batch.image, (step + 1) % self.discriminator_steps == 0
        with torch.set_grad_enabled(generators_turn and torch.is_grad_enabled()):
            fake = self.decode(self.prior(len(batch)))
        on_real, on_fake = self.judge(x), self.judge(fake.detach())
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        penalty = self.penalty(self.judge, x, fake.detach(), step) if self.penalty else {}
        yield {"discriminator": self.loss.discriminator(on_real, on_fake) | penalty}
        if generators_turn:
            yield {"generator": self.loss.generator(self.judge(fake), lambda: self._judge_again(x))}

    def judge(self, x: Tensor) -> Tensor:
        """Return the discriminator's logits ``(B / packing, 1)`` of images ``(B, C, H, W)``, augmented and packed."""
        for augmentation in self.augmentations:
            x = augmentation(x, None)
        logits: Tensor = self.discriminator(pack(x, self.packing))
        return logits

    @torch.no_grad()
    def _judge_again(self, x: Tensor) -> Tensor:
        """The moved discriminator's logits of real images, which the generator cannot change."""
        return self.judge(x)

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return torch.tanh(self.generator(z))


def pack(x: Tensor, count: int) -> Tensor:
    """Lay ``count`` images at a time on each other's channels, ``(B, C, H, W) -> (B / count, count C, H, W)``.

    A discriminator of packs sees when a generator repeats itself.
    Source: PacGAN: The power of two samples in generative adversarial networks (2018), section 3,
    https://arxiv.org/abs/1712.04086
    """
    return x if count == 1 else x.reshape(len(x) // count, -1, *x.shape[2:])
