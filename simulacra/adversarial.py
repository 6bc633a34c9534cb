"""Adversarial objectives as values: what the discriminator and the generator each minimise.

Every objective works on the discriminator's logits ``(B, 1)`` of real and of generated images, and returns named
terms, scalar tensors, whose sum is the player's loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

Terms = dict[str, Tensor]


class Objective(Protocol):
    """A pair of losses for a two-player game over images."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the discriminator's terms from its logits ``(B, 1)``."""
        ...

    def generator(self, fake: Tensor) -> Terms:
        """Return the generator's terms from the discriminator's logits ``(B, 1)``."""
        ...


@dataclass(frozen=True)
class NonSaturating:
    """Cross-entropy for the discriminator; for the generator ``-log D(G(z))``, which does not saturate.

    ``L_D = -E log sigmoid(D(x)) - E log sigmoid(-D(G(z)))``, ``L_G = -E log sigmoid(D(G(z)))``, in nats
    Source: Generative Adversarial Networks (2014), algorithm 1 and section 3, https://arxiv.org/abs/1406.2661
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms ``real`` and ``fake``, each log 2 at chance."""
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def generator(self, fake: Tensor) -> Terms:
        """Return the term ``adversarial``, log 2 at chance."""
        return {"adversarial": F.softplus(-fake).mean()}


def accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share, in [0, 1], of logits ``(B, 1)`` with the right sign: how often the discriminator is right."""
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2


OBJECTIVES: dict[str, Objective] = {"non_saturating": NonSaturating()}
