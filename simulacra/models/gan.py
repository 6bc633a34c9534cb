"""Generative adversarial network: G turns noise into images, D tells them from real ones.

Source: Generative Adversarial Networks (2014), algorithm 1, https://arxiv.org/abs/1406.2661
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra import config, networks
from simulacra.adversarial import AUGMENTATIONS, OBJECTIVES, Critic, lazy
from simulacra.data.dataset import Images
from simulacra.distributions import before_tanh
from simulacra.images import Shape
from simulacra.models.base import Model, Round, StandardNormalPrior


class AlternatingGame(Model):
    """Two players in alternating rounds; objective, penalty and augmentations say what each minimises."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        shape: Shape,
        values: config.Adversarial,
        packing: int = 1,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = OBJECTIVES[values.loss]
        self.penalty = lazy(values.penalty, packing)
        self.augmentations = [AUGMENTATIONS[name] for name in values.augment]
        self.discriminator_steps = values.discriminator_steps
        self.mixes_images = any(isinstance(module, _BatchNorm) for module in discriminator.modules())

    def players(self) -> dict[str, nn.Module]:
        """Two players: discriminator and generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the first generated images spread around it."""
        networks.begin_at(self.generator, mean, before_tanh)

    def alternate(self, x: Tensor, z: Tensor, logits: Critic, step: int) -> Iterator[Round]:
        """First the discriminator moves; then, every ``discriminator_steps`` steps, the generator on the same fakes.

        ``logits`` is the discriminator as a function of images ``(B, C, H, W)``; fakes are decoded from latents ``z``.
        """
        generators_turn = (step + 1) % self.discriminator_steps == 0
        with torch.set_grad_enabled(generators_turn and torch.is_grad_enabled()):
            fake = self.decode(z)
        on_real, on_fake = self._verdicts(logits, x, fake.detach())
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        penalty = self.penalty(logits, x, fake.detach(), step)
        yield {"discriminator": self.loss.discriminator(on_real, on_fake) | penalty}
        if generators_turn:
            # the logits of real images are those of the moved discriminator; the generator cannot change them
            yield {"generator": self.loss.generator(logits(fake), lambda: torch.no_grad()(logits)(x))}

    def _verdicts(self, logits: Critic, x: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of real and generated images: in one pass where images do not depend on their batch."""
        if self.mixes_images:
            return logits(x), logits(fake)
        on_real, on_fake = logits(torch.cat([x, fake])).chunk(2)
        return on_real, on_fake

    def augmented(self, x: Tensor) -> Tensor:
        """Return images as the discriminator sees them."""
        for augmentation in self.augmentations:
            x = augmentation(x, None)
        return x

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return torch.tanh(self.generator(z))


class GAN(StandardNormalPrior, AlternatingGame):
    """The game of noise and images; with packing, the discriminator sees several images at once."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, shape: Shape, values: config.GAN) -> None:
        super().__init__(generator, discriminator, shape, values, values.packing)
        self.values = values
        self.latent = values.latent

    @classmethod
    def build(cls, values: config.GAN, shape: Shape) -> GAN:
        """Build the model of a config for images of a shape."""
        return cls(
            networks.decoder(values.generator, values.latent, shape, shape.channels),
            networks.encoder(values.discriminator, shape.with_channels(values.packing * shape.channels), 1),
            shape,
            values,
        )

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator, then the generator."""
        yield from self.alternate(batch.image, self.prior(len(batch)), self.logits, step)

    def logits(self, x: Tensor) -> Tensor:
        """Return the discriminator's logits ``(B / packing, 1)`` of images ``(B, C, H, W)``, augmented and packed."""
        logits: Tensor = self.discriminator(pack(self.augmented(x), self.values.packing))
        return logits


def pack(x: Tensor, count: int) -> Tensor:
    """Lay ``count`` images at a time on each other's channels, ``(B, C, H, W) -> (B / count, count C, H, W)``.

    A discriminator of packs sees when a generator repeats itself.
    Source: PacGAN: The power of two samples in generative adversarial networks (2018), section 3,
    https://arxiv.org/abs/1712.04086
    """
    return x if count == 1 else x.reshape(len(x) // count, -1, *x.shape[2:])
