"""Conditional GAN: both players are told the class y; G draws an image of it, D asks whether x is a real image of y.

    G: [z | one-hot y] -> x          D(x, y) = psi(phi(x)) + <v_y, phi(x)>

Sources: Conditional Generative Adversarial Nets (2014), equation 2, https://arxiv.org/abs/1411.1784;
cGANs with Projection Discriminator (2018), equation 3, https://arxiv.org/abs/1802.05637
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from simulacra import config, networks
from simulacra.data.dataset import Images, Labelled
from simulacra.distributions import normal
from simulacra.images import Shape
from simulacra.models import labels
from simulacra.models.base import Round
from simulacra.models.gan import AlternatingGame


class Projection(nn.Module):
    """``D(x, y) = psi(phi(x)) + <v_y, phi(x)>``: a trunk phi, a linear psi and a vector ``v_y`` of each class."""

    def __init__(self, trunk: nn.Module, features: int, classes: int, norm: str = "none") -> None:
        super().__init__()
        self.trunk = trunk
        self.psi = networks.dense(features, 1, None, norm)
        self.vectors = networks.embedding(classes, features, norm)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Return logits ``(B, 1)`` for images ``(B, C, H, W)`` with labels ``(B,)``."""
        phi = self.trunk(x)
        logits: Tensor = self.psi(phi) + (self.vectors(label) * phi).sum(1, keepdim=True)
        return logits


class CGAN(labels.LabelPrior, AlternatingGame):
    """The two players of a GAN, both told the class: of fakes it is that of the real images beside them."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, shape: Shape, values: config.CGAN) -> None:
        super().__init__(generator, discriminator, shape, values)
        self.codes = labels.codes(values.latent, values.classes)

    @classmethod
    def build(cls, values: config.CGAN, shape: Shape) -> CGAN:
        """Build the model of a config for images of a shape; its classes must be known."""
        codes = labels.codes(values.latent, values.classes)
        trunk = networks.trunk(values.discriminator, shape, values.features)
        return cls(
            networks.decoder(values.generator, codes.latent, shape, shape.channels),
            Projection(trunk, values.features, codes.width, values.discriminator.norm),
            shape,
            values,
        )

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator, then the generator."""
        assert isinstance(batch, Labelled)
        z = self.conditioned(normal(len(batch), self.codes.noise, like=batch.image), batch.label)

        def logits(x: Tensor) -> Tensor:
            return self.logits(x, batch.label.repeat(len(x) // len(batch.label)))

        yield from self.alternate(batch.image, z, logits, step)

    def logits(self, x: Tensor, label: Tensor) -> Tensor:
        """Return the discriminator's logits ``(B, 1)`` of images ``(B, C, H, W)`` with labels, augmented."""
        logits: Tensor = self.discriminator(self.augmented(x), label)
        return logits
