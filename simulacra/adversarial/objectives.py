"""What the discriminator and the generator each minimise, given the discriminator's logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import functional as F

from simulacra import config

__all__ = [
    "OBJECTIVES",
    "Hinge",
    "LeastSquares",
    "NonSaturating",
    "Objective",
    "RelativisticPairing",
    "Saturating",
    "Terms",
    "Wasserstein",
    "accuracy",
    "register",
]

Terms = dict[str, Tensor]
Logits = Callable[[], Tensor]


def unavailable() -> Tensor:
    """Replace the logits of real images where a game has none for the generator."""
    raise TypeError("This objective compares with real images: call generator(fake, lambda: logits_of_real).")


@runtime_checkable
class Objective(Protocol):
    """A pair of losses for a two-player game over images."""

    name: ClassVar[str]  # by which `loss` asks for it

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the discriminator's terms from its logits ``(B, 1)``."""
        ...

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the generator's terms from the discriminator's logits ``(B, 1)``.

        ``real`` computes the logits of the real images; only objectives that compare call it.
        """
        ...

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return how often the discriminator is right, in [0, 1]."""
        ...


class Absolute:
    """Logits are verdicts: positive for real, negative for generated."""

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of logits with the right sign."""
        return accuracy(real, fake)


class Relative:
    """Only differences of logits mean something."""

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of pairs in which the real image has the higher logit."""
        return (real > fake).float().mean()


@dataclass(frozen=True)
class NonSaturating(Absolute):
    """Cross-entropy for the discriminator; for the generator ``-log D(G(z))``, which does not saturate.

    ``L_D = -E log sigmoid(D(x)) - E log sigmoid(-D(G(z)))``, ``L_G = -E log sigmoid(D(G(z)))``, in nats
    Source: Generative Adversarial Networks (2014), algorithm 1 and section 3, https://arxiv.org/abs/1406.2661
    """

    name: ClassVar[str] = "non_saturating"

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms ``real`` and ``fake``, each log 2 at chance."""
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the term ``adversarial``, log 2 at chance."""
        return {"adversarial": F.softplus(-fake).mean()}


@dataclass(frozen=True)
class Saturating(NonSaturating):
    """The game of zero sum: the generator minimises ``E log sigmoid(-D(G(z)))``, flat where the discriminator is sure.

    Source: Generative Adversarial Networks (2014), equation 1, https://arxiv.org/abs/1406.2661
    """

    name: ClassVar[str] = "saturating"

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the term ``adversarial``, -log 2 at chance."""
        return {"adversarial": -F.softplus(fake).mean()}


@dataclass(frozen=True)
class LeastSquares(Absolute):
    """Squared distance of the verdict from 1 for real and 0 for generated.

    ``L_D = E (v(x) - 1)^2 + E v(G(z))^2``, ``L_G = E (v(G(z)) - 1)^2``; the verdict ``v = (1 + D) / 2`` is one half
    at logit 0, where other objectives are undecided too.
    Source: Least Squares Generative Adversarial Networks (2017), equation 9 twice, https://arxiv.org/abs/1611.04076
    """

    name: ClassVar[str] = "least_squares"

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms ``real`` and ``fake``, each 1/4 at chance."""
        return {"real": (1 - real).square().mean() / 4, "fake": (1 + fake).square().mean() / 4}

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the term ``adversarial``, 1/4 at chance."""
        return {"adversarial": (1 - fake).square().mean() / 4}


@dataclass(frozen=True)
class Hinge(Absolute):
    """The discriminator asks for a margin of 1 on its side and no more; the generator for a high logit.

    ``L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))``, ``L_G = -E D(G(z))``
    Sources: Geometric GAN (2017), section 3, https://arxiv.org/abs/1705.02894;
    Spectral Normalization for Generative Adversarial Networks (2018), equations 16 and 17,
    https://arxiv.org/abs/1802.05957
    """

    name: ClassVar[str] = "hinge"

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms ``real`` and ``fake``, each 1 at chance."""
        return {"real": F.relu(1 - real).mean(), "fake": F.relu(1 + fake).mean()}

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the term ``adversarial``, 0 at chance."""
        return {"adversarial": -fake.mean()}


@dataclass(frozen=True)
class Wasserstein(Relative):
    """The critic's estimate of the earth mover's distance, for critics whose slope is at most 1.

    ``W = E D(x) - E D(G(z))``, ``L_D = -W``, ``L_G = -E D(G(z))``
    Source: Wasserstein GAN (2017), equations 2 and 3, https://arxiv.org/abs/1701.07875
    """

    name: ClassVar[str] = "wasserstein"

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms ``real`` and ``fake``, whose sum is minus the distance."""
        return {"real": -real.mean(), "fake": fake.mean()}

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the term ``adversarial``."""
        return {"adversarial": -fake.mean()}


@dataclass(frozen=True)
class RelativisticPairing(Relative):
    """Each generated image is judged against one real image, so no mode may be left out.

    ``L_D = E softplus(D(G(z)) - D(x))``, ``L_G = E softplus(D(x) - D(G(z)))``, in nats
    Sources: The Relativistic Discriminator (2019), the losses of RSGAN, https://arxiv.org/abs/1807.00734;
    The GAN is dead; long live the GAN! (2024), section 2, https://arxiv.org/abs/2501.05441
    """

    name: ClassVar[str] = "relativistic"

    def discriminator(self, real: Tensor, fake: Tensor) -> Terms:
        """Return the term ``pairs``, log 2 at chance."""
        return {"pairs": F.softplus(fake - real).mean()}

    def generator(self, fake: Tensor, real: Logits = unavailable) -> Terms:
        """Return the term ``adversarial``, log 2 at chance."""
        return {"adversarial": F.softplus(real() - fake).mean()}


def accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share, in [0, 1], of logits ``(B, 1)`` with the right sign: how often the discriminator is right."""
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Saturating(),
        NonSaturating(),
        LeastSquares(),
        Hinge(),
        Wasserstein(),
        RelativisticPairing(),
    )
}


def register(objective: Objective) -> Objective:
    """Add an objective from outside the package to all adversarial families. Raises `ConfigError` for a name in use."""
    config.add_objective(objective.name)
    OBJECTIVES[objective.name] = objective
    return objective
