"""Conditional VAE: every distribution is given the class y, so the latent z holds what the class does not say.

    log p(x | y) >= E_q[ log p(x | z, y) ] - KL(q(z | x, y) || p(z)) = ELBO(x, y)          z ~ N(0, I) for every y

Where the class of an image is not known it is the one that explains it best, ``argmax_y ELBO(x, y)``.

Sources: Learning Structured Output Representation using Deep Conditional Generative Models (2015), section 4,
https://papers.nips.cc/paper/5775; with p(z | y) = p(z) as in Semi-Supervised Learning with Deep Generative Models
(2014), equation 6, https://arxiv.org/abs/1406.5298
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.data.dataset import Images, Labelled
from simulacra.distributions import LIKELIHOODS, DiagonalGaussian, Likelihood
from simulacra.images import Shape
from simulacra.models import labels
from simulacra.models.base import Model, Round


class ConditionalEncoder(nn.Module):
    """``(x, y) -> (B, outputs)``: ``head(trunk(x) + v_y)``; the trunk sees an image once, whatever its class."""

    def __init__(self, trunk: nn.Module, features: int, classes: int, outputs: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.vectors = networks.table(classes, features)  # N(0, 1): they vary as much as the features
        self.head = networks.head(features, outputs)

    def forward(self, hidden: Tensor, label: Tensor) -> Tensor:
        """Return outputs ``(B, outputs)`` for the trunk's features ``(B, features)`` of images with labels ``(B,)``."""
        output: Tensor = self.head(hidden + self.vectors(label))
        return output


class CVAE(labels.LabelPrior, Model):
    """Minimises ``-ELBO(x, y)`` in nats per image; latents are [z | one-hot y]."""

    def __init__(
        self,
        encoder: ConditionalEncoder,
        decoder: nn.Module,
        likelihood: Likelihood,
        shape: Shape,
        values: config.CVAE,
    ) -> None:
        super().__init__(shape)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.codes = labels.codes(values.latent, values.classes)

    @classmethod
    def build(cls, values: config.CVAE, shape: Shape) -> CVAE:
        """Build the model of a config for images of a shape; its classes must be known."""
        codes, likelihood = labels.codes(values.latent, values.classes), LIKELIHOODS[values.likelihood]()
        trunk = networks.encoder(values.network, shape, values.features)
        return cls(
            ConditionalEncoder(trunk, values.features, codes.width, 2 * values.latent),
            networks.decoder(values.network, codes.latent, shape, likelihood.channels(shape.channels)),
            likelihood,
            shape,
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """One player: encoder, decoder and the likelihood's own parameters."""
        return {"model": nn.ModuleList([self.encoder, self.decoder, self.likelihood])}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the encoder sees images less it, the decoder's first outputs spread around it."""
        networks.centre(self.encoder.trunk, mean)
        networks.begin_at(self.decoder, mean, self.likelihood.output)

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round: the two terms of the negative bound, with one latent per image."""
        del step
        nll, kl = self.terms(batch)
        yield {"model": {"nll": nll.mean(), "kl": kl.mean()}}

    def terms(self, batch: Images, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return ``-log p(x | z, y)`` of one latent z an image, and the divergence, in nats, ``(B,)``."""
        assert isinstance(batch, Labelled)
        q = self.given(self.encoder.trunk(batch.image), batch.label)
        return self.nll(q.rsample(generator=generator), batch.image, batch.label), q.kl()

    def given(self, hidden: Tensor, label: Tensor) -> DiagonalGaussian:
        """Return q(z | x, y) from the trunk's features ``(B, features)`` of images and labels ``(B,)``."""
        return DiagonalGaussian.from_output(self.encoder(hidden, label))

    def nll(self, z: Tensor, x: Tensor, label: Tensor) -> Tensor:
        """Return ``-log p(x | z, y)`` in nats, ``(B,)``, for ``z`` ``(B, D)``, images and labels ``(B,)``."""
        return self.likelihood.nll(self.output(self.conditioned(z, label)), x)

    def bounds(self, x: Tensor) -> Tensor:
        """Return ``log p(x | m, y) - KL(q || p)`` in nats for every class y, ``(B, K)``, m the mean of q(z | x, y).

        ELBO(x, y) estimated at one point: the same for the same images, but no bound.
        """
        hidden = self.encoder.trunk(x)
        every = [torch.full((x.shape[0],), k, device=x.device) for k in range(self.classes)]
        posteriors = [self.given(hidden, label) for label in every]
        bounds = [-self.nll(q.mean, x, label) - q.kl() for q, label in zip(posteriors, every, strict=True)]
        return torch.stack(bounds, dim=1)

    def infer(self, x: Tensor) -> Tensor:
        """Return the probability of each of K equally probable classes ``(B, K)``: the softmax of `bounds`."""
        return self.bounds(x).softmax(1)

    def encode(self, x: Tensor) -> Tensor:
        """Return latents ``(B, latent)`` of images: the most probable class, and the mean of q(z | x, y) given it."""
        label = self.bounds(x).argmax(1)
        return self.conditioned(self.given(self.encoder.trunk(x), label).mean, label)

    def decode(self, z: Tensor) -> Tensor:
        """Return the expected images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``, [z | one-hot y]."""
        return self.likelihood.mean(self.output(z))

    def output(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters for latents [z | one-hot y].

        The decoder sees ``sqrt(K) y``, which varies about as much as z does: else it learns to read the class off z.
        """
        noise, label = torch.split(z, [self.codes.noise, self.classes], dim=1)
        parameters: Tensor = self.decoder(torch.cat([noise, math.sqrt(self.classes) * label], dim=1))
        return parameters

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the negative bound (one latent per image) and its two terms, given the labels, in nats per image."""
        nll, kl = (term.mean() for term in self.terms(batch, generator))
        return {"negative_elbo": nll + kl, "nll": nll, "kl": kl}
