"""BiGAN: generator and encoder learn to be each other's inverse by fooling a discriminator of pairs (x, z).

    min_{G, E} max_D  E_x[ log sigmoid(D(x, E(x))) ] + E_z[ log sigmoid(-D(G(z), z)) ]

At the optimum both kinds of pairs have one joint distribution, and E = G^-1 almost everywhere.

Sources: Adversarial Feature Learning (2017), equation 2 and section 3, https://arxiv.org/abs/1605.09782;
Adversarially Learned Inference (2017), section 2, https://arxiv.org/abs/1606.00704 (the stochastic encoder);
Efficient GAN-Based Anomaly Detection (2018), section 3, https://arxiv.org/abs/1802.06222 (the anomaly score)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import OBJECTIVES, lazy
from simulacra.data.dataset import Images, Labelled
from simulacra.distributions import DiagonalGaussian, before_tanh
from simulacra.errors import ConfigError
from simulacra.images import Shape, to_unit
from simulacra.models.base import Model, Round, StandardNormalPrior
from simulacra.networks.base import activation


class JointDiscriminator(nn.Module):
    """Logits of pairs: the image through a network, joined by the latent, through two hidden layers of ``width``.

    ``h = f(W f(network(x) + V z))`` with f the leaky ReLU, logit ``w . h``.
    """

    def __init__(self, network: nn.Module, latent: int, width: int, norm: str = "none") -> None:
        super().__init__()
        self.network = network  # (B, C, H, W) -> (B, width)
        self.latent = networks.dense(latent, width, "leaky_relu", norm, bias=False)
        self.hidden = nn.Sequential(
            activation("leaky_relu"), networks.dense(width, width, "leaky_relu", norm), activation("leaky_relu")
        )
        self.head = networks.dense(width, 1, None, norm)

    def features(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the last hidden layer ``(B, width)`` of images ``(B, C, H, W)`` and latents ``(B, D)``."""
        hidden: Tensor = self.hidden(self.network(x) + self.latent(z))
        return hidden.float()

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the logits ``(B, 1)``."""
        logits: Tensor = self.head(self.features(x, z))
        return logits.float()


class BiGAN(StandardNormalPrior, Model):
    """Two players in alternating rounds: the discriminator of pairs, and generator and encoder together."""

    outputs_per_latent: ClassVar[int] = 1  # of the encoder

    def __init__(
        self,
        generator: nn.Module,
        encoder: nn.Module,
        discriminator: JointDiscriminator,
        shape: Shape,
        values: config.BiGAN,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.encoder = encoder
        self.discriminator = discriminator
        self.loss = OBJECTIVES[values.loss]
        self.penalty = lazy(values.penalty)
        self.latent = values.latent

    @classmethod
    def build(cls, values: config.BiGAN, shape: Shape) -> Self:
        """Build the model of a config for images of a shape."""
        seen = networks.encoder(values.discriminator, shape, values.joint)
        return cls(
            networks.decoder(values.network, values.latent, shape, shape.channels),
            networks.encoder(values.network, shape, cls.outputs_per_latent * values.latent),
            JointDiscriminator(seen, values.latent, values.joint, values.discriminator.norm),
            shape,
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: the discriminator; generator and encoder together."""
        return {"discriminator": self.discriminator, "generator": nn.ModuleList([self.generator, self.encoder])}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the encoder sees images less it, the first generated ones spread around it."""
        networks.centre(self.encoder, mean)
        networks.begin_at(self.generator, mean, before_tanh)

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the discriminator moves, then generator and encoder, on the same pairs with the roles exchanged.

        The encoder's adversarial loss on (x, E(x)) is the objective of the negated logits, compared with the negated
        logits of (G(z), z): each kind of pair plays the real one for the other.
        """
        x, z = batch.image, self.prior(len(batch))
        fake, inferred = self.decode(z), self.paired(x)
        on_encoded = self.discriminator(x, inferred.detach())
        on_generated = self.discriminator(fake.detach(), z)
        self.watch("discriminator/accuracy", self.loss.accuracy(on_encoded, on_generated))
        pairs = joined(x, inferred.detach()), joined(fake.detach(), z)
        penalty = self.penalty(self.logits, *pairs, step)
        yield {"discriminator": self.loss.discriminator(on_encoded, on_generated) | penalty}
        on_encoded, on_generated = self.discriminator(x, inferred), self.discriminator(fake, z)
        (generated,) = self.loss.generator(on_generated, on_encoded.detach).values()
        (encoded,) = self.loss.generator(-on_encoded, (-on_generated).detach).values()
        yield {"generator": {"generated": generated, "encoded": encoded}}

    def logits(self, pairs: Tensor) -> Tensor:
        """Return the logits ``(B, 1)`` of `joined` pairs, whose slope is that in image and latent together."""
        x, z = torch.split(pairs.flatten(1), [self.shape.pixels, self.latent], dim=1)
        logits: Tensor = self.discriminator(x.reshape(-1, self.shape.channels, *self.shape.sides), z)
        return logits

    def paired(self, x: Tensor) -> Tensor:
        """Return the latents ``(B, latent)`` that the discriminator sees beside images ``(B, C, H, W)``: E(x)."""
        z: Tensor = self.encoder(x)
        return z

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents ``(B, latent)`` of images ``(B, C, H, W)`` in [-1, 1]."""
        return self.paired(x)

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return torch.tanh(self.generator(z))

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return how far E is from the inverse of G, and how badly its latents tell classes apart.

        ``squared_error`` of reconstructions, summed over pixels on the [0, 1] scale; where there are classes,
        ``neighbour_error``, the share of images whose nearest latent within the batch has another class.
        """
        del generator
        z = self.encode(batch.image)
        error = (to_unit(self.decode(z)) - to_unit(batch.image)).square().flatten(1).sum(1).mean()
        if not isinstance(batch, Labelled) or len(batch) < 2:
            return {"squared_error": error}
        return {"squared_error": error, "neighbour_error": neighbour_error(z, batch.label)}

    @torch.no_grad()
    def anomaly(self, x: Tensor, *, weight: float = 0.1) -> Tensor:
        """Return how unlike the training images each of ``(B, C, H, W)`` is, ``(B,)``; higher is stranger.

        ``(1 - w) |x - G(E(x))|_1 + w |h(x, E(x)) - h(G(E(x)), E(x))|_1`` with h the discriminator's last hidden
        layer; sums over pixels in [-1, 1] and over features. Use it in eval mode; only the order means something.
        Raises `ConfigError` for a weight outside [0, 1].
        Source: Efficient GAN-Based Anomaly Detection (2018), section 3, https://arxiv.org/abs/1802.06222
        """
        if not 0 <= weight <= 1:
            raise ConfigError(f"weight must lie in [0, 1]; got {weight}.")
        z = self.encode(x)
        returned = self.decode(z)
        seen = self.discriminator.features(x, z) - self.discriminator.features(returned, z)
        return (1 - weight) * (x - returned).abs().flatten(1).sum(1) + weight * seen.abs().sum(1)


class ALI(BiGAN):
    """Adversarially learned inference: the encoder is a diagonal Gaussian q(z | x), and z is drawn from it."""

    outputs_per_latent = 2  # mean and log variance

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) for images ``(B, C, H, W)`` in [-1, 1]."""
        return DiagonalGaussian.from_output(self.encoder(x))

    def paired(self, x: Tensor) -> Tensor:
        """Return a draw ``(B, latent)`` from q(z | x)."""
        return self.posterior(x).rsample()

    def encode(self, x: Tensor) -> Tensor:
        """Return the means ``(B, latent)`` of q(z | x)."""
        return self.posterior(x).mean


def joined(x: Tensor, z: Tensor) -> Tensor:
    """Lay images ``(B, C, H, W)`` and latents ``(B, D)`` behind each other, ``(B, C H W + D, 1, 1)``."""
    return torch.cat([x.flatten(1), z], dim=1)[..., None, None]


def neighbour_error(z: Tensor, label: Tensor) -> Tensor:
    """Return the share of rows of ``(B, D)``, B at least 2, whose nearest other row has another label ``(B,)``."""
    distance = torch.cdist(z, z).fill_diagonal_(torch.inf)
    return (label[distance.argmin(1)] != label).float().mean()
