"""Conditional GAN: both players are told the class y; G draws an image of it, D asks whether x is a real image of y.

    G: [z | one-hot y] -> x          D(x, y) = psi(phi(x)) + <v_y, phi(x)>

Sources: Conditional Generative Adversarial Nets (2014), equation 2, https://arxiv.org/abs/1411.1784;
cGANs with Projection Discriminator (2018), equation 3, https://arxiv.org/abs/1802.05637
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import OBJECTIVES, Objective
from simulacra.data.dataset import Images, Labelled
from simulacra.distributions import normal
from simulacra.models import labels
from simulacra.models.base import Model, Round
from simulacra.models.codes import Codes
from simulacra.networks import Shape


class Projection(nn.Module):
    """``D(x, y) = psi(phi(x)) + <v_y, phi(x)>``: a trunk phi, a linear psi and a vector ``v_y`` of each class."""

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.psi = nn.Linear(features, 1)
        self.vectors = networks.embedding(classes, features)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Return logits ``(B, 1)`` for images ``(B, C, H, W)`` with labels ``(B,)``."""
        phi = self.trunk(x)
        logits: Tensor = self.psi(phi) + (self.vectors(label) * phi).sum(1, keepdim=True)
        return logits


class CGAN(labels.LabelPrior, Model):
    """The two players of a GAN, both told the class: of fakes it is that of the real images beside them."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        codes: Codes,
        loss: Objective,
        shape: Shape,
        *,
        discriminator_steps: int = 1,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.codes = codes
        self.loss = loss
        self.discriminator_steps = discriminator_steps

    @classmethod
    def build(cls, values: config.CGAN, shape: Shape) -> CGAN:
        """Build the model of a config for images of a shape; its classes must be known."""
        codes = labels.codes(values.latent, values.classes)
        trunk = networks.trunk(values.discriminator, shape, values.features)
        return cls(
            networks.decoder(values.generator, codes.latent, shape, shape.channels),
            Projection(trunk, values.features, codes.width),
            codes,
            OBJECTIVES[values.loss],
            shape,
            discriminator_steps=values.discriminator_steps,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: discriminator and generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator; then, every ``discriminator_steps`` steps, the generator on the same fakes."""
        assert isinstance(batch, Labelled)
        x, y = batch.image, batch.label
        fake = self.decode(self.conditioned(normal(len(x), self.codes.noise, like=x), y))
        on_real, on_fake = self.discriminator(x, y), self.discriminator(fake.detach(), y)
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        yield {"discriminator": self.loss.discriminator(on_real, on_fake)}
        if (step + 1) % self.discriminator_steps == 0:
            yield {"generator": self.loss.generator(self.discriminator(fake, y))}

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``, noise and label."""
        images: Tensor = self.generator(z).tanh()
        return images
