"""pix2pix: a translator that learns from pairs, against a critic that sees input and output together.

    min_G max_D  L(G, D; a)  +  lambda E |G(a) - b|

Source: Image-to-Image Translation with Conditional Adversarial Networks (2017), equations 1 to 4,
https://arxiv.org/abs/1611.07004
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import OBJECTIVES
from simulacra.data.dataset import Images, Pairs
from simulacra.images import Shape
from simulacra.models.base import Model, Round
from simulacra.models.translation import Redrawing


class Pix2Pix(Redrawing, Model):
    """First the critic moves, then the translator on the same translations. Dropout is the translator's only noise."""

    batch = Pairs
    directions = ("B",)

    def __init__(
        self,
        translator: nn.Module,
        critic: nn.Module,
        domains: Mapping[str, Shape],
        values: config.Pix2Pix,
    ) -> None:
        super().__init__(domains["A"])
        self.domains = dict(domains)
        self.translator = translator
        self.critic = critic
        self.loss = OBJECTIVES[values.loss]
        self.values = values

    @classmethod
    def build(cls, values: config.Pix2Pix, shape: Shape) -> Pix2Pix:
        """Build the model of a config for images of A's shape; raises `ConfigError` for sides that do not fit."""
        target = shape.with_channels(values.channels_b or shape.channels)
        both = shape.with_channels(shape.channels + target.channels)
        return cls(
            networks.translator(values.generator, shape, target),
            networks.critic(values.discriminator, both),
            {"A": shape, "B": target},
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: critic and translator."""
        return {"critic": self.critic, "translator": self.translator}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the critic, then the translator; without an adversarial term the critic stays as it is."""
        del step
        assert isinstance(batch, Pairs)
        a, b = batch.image, batch.other
        fake = self.translate(a, "B")
        terms = {"l1": self.values.l1 * (fake - b).abs().mean()}
        if self.values.adversarial:
            on_real, on_fake = self.logits(torch.cat([a, a]), torch.cat([b, fake.detach()])).chunk(2)
            self.watch("critic/accuracy", self.loss.accuracy(on_real, on_fake))
            yield {"critic": self.loss.discriminator(on_real, on_fake)}
            adversarial = self.loss.generator(self.logits(a, fake))
            terms = {name: self.values.adversarial * term for name, term in adversarial.items()} | terms
        yield {"translator": terms}

    def logits(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the critic's logits ``(B, 1, H', W')`` of pairs of images, each ``(B, C, H, W)`` in [-1, 1]."""
        logits: Tensor = self.critic(torch.cat([a, b], 1))
        return logits

    def redraw(self, x: Tensor, to: str) -> Tensor:
        """Return images of domain B for images ``(B, C, H, W)`` in [-1, 1] of domain A."""
        assert to == "B"
        images: Tensor = self.translator(x)
        return images

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the mean absolute error on the [0, 1] scale."""
        del generator
        assert isinstance(batch, Pairs)
        return {"l1": (self.translate(batch.image, "B") - batch.other).abs().mean() / 2}
