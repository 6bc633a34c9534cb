"""Adversarial objectives as values: what the discriminator and the generator each minimise.

Every objective takes the discriminator D (images to logits ``(B, 1)``), real and generated images, and
returns named terms, scalar tensors in nats, whose sum is the player's loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional as F

Terms = dict[str, Tensor]


class Objective(Protocol):
    """A pair of losses for a two-player game over images."""

    def discriminator(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> tuple[Terms, Tensor]:
        """Return the discriminator's terms, and its accuracy on this batch for the log."""
        ...

    def generator(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Terms:
        """Return the generator's terms."""
        ...


@dataclass(frozen=True)
class NonSaturating:
    """Cross-entropy for the discriminator; for the generator ``-log D(G(z))``, which does not saturate.

    ``L_D = -E log sigmoid(D(x)) - E log sigmoid(-D(G(z)))``, ``L_G = -E log sigmoid(D(G(z)))``
    Source: Generative Adversarial Networks (2014), algorithm 1 and section 3, https://arxiv.org/abs/1406.2661
    """

    def discriminator(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms ``real`` and ``fake``, each log 2 at chance, and the accuracy in [0, 1]."""
        on_real, on_fake = discriminator(real), discriminator(fake)
        accuracy = ((on_real > 0).float().mean() + (on_fake < 0).float().mean()) / 2
        return {"real": F.softplus(-on_real).mean(), "fake": F.softplus(on_fake).mean()}, accuracy

    def generator(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Terms:
        """Return the term ``adversarial``, log 2 at chance; ``real`` is not used by this objective."""
        del real
        return {"adversarial": F.softplus(-discriminator(fake)).mean()}


OBJECTIVES: dict[str, Objective] = {"non_saturating": NonSaturating()}
