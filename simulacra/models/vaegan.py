"""VAE-GAN: a VAE that compares images by a discriminator's features, with a decoder that is also its adversary.

D_l(x) is the output of the discriminator's l-th hidden layer; x~ = Dec(z) with z ~ q(z | x), x_p with z ~ p(z).

    L_prior = KL(q(z | x) || p(z))
    L_llike = -E_q[ log N(D_l(x); D_l(x~), I) ], features divided by their root mean square
    L_GAN   = the discriminator's loss on x as real, x~ and x_p as generated

    encoder: L_prior + L_llike        decoder: gamma L_llike - L_GAN        discriminator: L_GAN + penalty

Any objective and any penalty on the discriminator's gradient may replace the paper's: see `simulacra.adversarial`.

Source: Autoencoding beyond pixels using a learned similarity metric (2016), algorithm 1,
https://arxiv.org/abs/1512.09300
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from simulacra import config, networks, parallel
from simulacra.adversarial import OBJECTIVES, lazy
from simulacra.data.dataset import Images
from simulacra.distributions import DiagonalGaussian, before_tanh
from simulacra.images import Shape
from simulacra.models.base import Model, Round, StandardNormalPrior


class VAEGAN(StandardNormalPrior, Model):
    """Three players that move simultaneously; where the paper has -L_GAN, the decoder's loss is the objective's."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        similarity: nn.Module,
        head: nn.Module,
        shape: Shape,
        values: config.VAEGAN,
    ) -> None:
        super().__init__(shape)
        self.encoder = encoder
        self.decoder = decoder
        self.similarity = similarity  # the discriminator up to its l-th hidden layer
        self.head = head  # the discriminator from there
        self.loss = OBJECTIVES[values.loss]
        self.penalty = lazy(values.penalty)
        self.values = values
        self.latent = values.latent

    @classmethod
    def build(cls, values: config.VAEGAN, shape: Shape) -> VAEGAN:
        """Build the model of a config for images of a shape; raises `ConfigError` for a layer that does not exist."""
        similarity, head = networks.split(networks.encoder(values.discriminator, shape, 1), values.layer)
        return cls(
            networks.encoder(values.network, shape, 2 * values.latent),
            networks.decoder(values.network, values.latent, shape, shape.channels),
            similarity,
            head,
            shape,
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """Three players: encoder, decoder and discriminator."""
        discriminator = nn.ModuleList([self.similarity, self.head])
        return {"encoder": self.encoder, "decoder": self.decoder, "discriminator": discriminator}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the encoder sees images less it, the first generated ones spread around it."""
        networks.centre(self.encoder, mean)
        networks.begin_at(self.decoder, mean, before_tanh)

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round. The KL term is summed over latents, the feature error over features, both in nats per image.

        Nothing is detached: a player's loss moves only that player's parameters, so the decoder's adversarial loss does
        not reach the encoder, nor the feature error the discriminator. Reconstructions and samples are decoded as one
        batch, so that batch normalisation sees both. A relativistic objective compares x with both of its images.
        """
        x, q = batch.image, self.posterior(batch.image)
        fake = self.decode(torch.cat([q.rsample(), self.prior(len(batch))]))  # reconstructions, then samples
        seen, imagined = self.similarity(x), self.similarity(fake)
        nll = feature_nll(seen, imagined[: len(x)]).mean()
        on_real, on_fake = self.head(seen).repeat(2, 1), self.head(imagined)
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        penalty = self.penalty(self.logits, torch.cat([x, x]), fake, step)
        yield {
            "encoder": {"kl": q.kl().mean(), "feature_nll": nll},
            "decoder": {"feature_nll": self.values.gamma * nll, **self.loss.generator(on_fake, lambda: on_real)},
            "discriminator": self.loss.discriminator(on_real, on_fake) | penalty,
        }

    def logits(self, x: Tensor) -> Tensor:
        """Return the discriminator's logits ``(B, 1)`` of images ``(B, C, H, W)``."""
        logits: Tensor = self.head(self.similarity(x))
        return logits

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) for images ``(B, C, H, W)`` in [-1, 1]."""
        return DiagonalGaussian.from_output(self.encoder(x))

    def encode(self, x: Tensor) -> Tensor:
        """Return the means ``(B, latent)`` of q(z | x)."""
        return self.posterior(x).mean

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``."""
        return torch.tanh(self.decoder(z))


def feature_nll(features: Tensor, mean: Tensor) -> Tensor:
    """Return ``-log N(f; m, I)`` in nats, less its constant, of features divided by their root mean square.

    ``1/2 |f - m|^2 / E f^2``, summed over all features of an image, ``(B, ...) -> (B,)``; the mean square is that of
    the whole batch. So the scale of a layer, which nothing holds fast where it is not normalised, says nothing about
    how much the encoder has to tell.
    """
    return 0.5 * (features - mean).square().flatten(1).sum(1) / parallel.mean(features.square().mean())
