"""Generative adversarial network: G turns noise into images, D tells them from real ones.

Source: Generative Adversarial Networks (2014), algorithm 1, https://arxiv.org/abs/1406.2661
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import AUGMENTATIONS, OBJECTIVES, Augmentation, Lazy, Objective, lazy
from simulacra.data.dataset import Images
from simulacra.images import Shape
from simulacra.models.base import Model, Round, StandardNormalPrior


class Duel(Model):
    """Two players in alternating rounds; objective, penalty and augmentations say what each minimises."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Objective,
        shape: Shape,
        *,
        penalty: Lazy | None = None,
        augmentations: Sequence[Augmentation] = (),
        discriminator_steps: int = 1,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.penalty = penalty
        self.augmentations = tuple(augmentations)
        self.discriminator_steps = discriminator_steps

    def players(self) -> dict[str, nn.Module]:
        """Two players: discriminator and generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def duel(self, x: Tensor, z: Tensor, judge: Callable[[Tensor], Tensor], step: int) -> Iterator[Round]:
        """First the discriminator; then, every ``discriminator_steps`` steps, the generator on the same fakes.

        ``judge`` returns the discriminator's logits of images like ``x`` ``(B, C, H, W)``, made of latents ``z``.
        """
        generators_turn = (step + 1) % self.discriminator_steps == 0
        with torch.set_grad_enabled(generators_turn and torch.is_grad_enabled()):
            fake = self.decode(z)
        on_real, on_fake = judge(x), judge(fake.detach())
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        penalty = self.penalty(judge, x, fake.detach(), step) if self.penalty else {}
        yield {"discriminator": self.loss.discriminator(on_real, on_fake) | penalty}
        if generators_turn:
            # of real images the moved discriminator's logits, which the generator cannot change
            yield {"generator": self.loss.generator(judge(fake), lambda: torch.no_grad()(judge)(x))}

    def augmented(self, x: Tensor) -> Tensor:
        """Return images as the discriminator sees them."""
        for augmentation in self.augmentations:
            x = augmentation(x, None)
        return x

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return torch.tanh(self.generator(z))


class GAN(StandardNormalPrior, Duel):
    """The game of noise and images; with packing, the discriminator sees several images at once."""

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
        super().__init__(
            generator,
            discriminator,
            loss,
            shape,
            penalty=penalty,
            augmentations=augmentations,
            discriminator_steps=discriminator_steps,
        )
        self.latent = latent
        self.packing = packing

    @classmethod
    def build(cls, values: config.GAN, shape: Shape) -> GAN:
        """Build the model of a config for images of a shape."""
        return cls(
            networks.decoder(values.generator, values.latent, shape, shape.channels),
            networks.encoder(values.discriminator, Shape(values.packing * shape.channels, shape.size), 1),
            OBJECTIVES[values.loss],
            shape,
            values.latent,
            penalty=lazy(values.penalty, values.packing),
            packing=values.packing,
            augmentations=[AUGMENTATIONS[name] for name in values.augment],
            discriminator_steps=values.discriminator_steps,
        )

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator, then the generator."""
        yield from self.duel(batch.image, self.prior(len(batch)), self.judge, step)

    def judge(self, x: Tensor) -> Tensor:
        """Return the discriminator's logits ``(B / packing, 1)`` of images ``(B, C, H, W)``, augmented and packed."""
        logits: Tensor = self.discriminator(pack(self.augmented(x), self.packing))
        return logits


def pack(x: Tensor, count: int) -> Tensor:
    """Lay ``count`` images at a time on each other's channels, ``(B, C, H, W) -> (B / count, count C, H, W)``.

    A discriminator of packs sees when a generator repeats itself.
    Source: PacGAN: The power of two samples in generative adversarial networks (2018), section 3,
    https://arxiv.org/abs/1712.04086
    """
    return x if count == 1 else x.reshape(len(x) // count, -1, *x.shape[2:])
