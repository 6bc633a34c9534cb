"""Penalties on the gradient of a critic with respect to its input, which make the game converge.

A critic is anything callable, images ``(B, C, H, W)`` in, logits ``(N, 1)`` out. Where it sees packs of m images,
N = B / m, and the slope is that of a pack. Slopes are computed in float32, also under autocast: their own gradient
is a difference of small numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from simulacra import config, parallel
from simulacra.adversarial.objectives import Terms

__all__ = [
    "DRAGAN",
    "PENALTIES",
    "R1",
    "R2",
    "Critic",
    "GradientPenalty",
    "Lazy",
    "NoPenalty",
    "Penalty",
    "R1AndR2",
    "lazy",
]

Critic = Callable[[Tensor], Tensor]
NEIGHBOURHOOD = 0.5  # of DRAGAN: the noise's standard deviation in units of that of the images


class Penalty(Protocol):
    """A term of the discriminator's loss."""

    names: ClassVar[tuple[str, ...]]  # the names of its terms

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms for real and generated images, each ``(B, C, H, W)``."""
        ...


def slopes(critic: Critic, x: Tensor) -> Tensor:
    """Return ``grad_x D(x)`` of each logit, ``(N, D)``, itself differentiable in the critic's weights."""
    x = x.detach().float().requires_grad_(True)
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        logits: Tensor = critic(x)
        gradient: Tensor = torch.autograd.grad(logits.sum(), x, create_graph=True)[0]
    return gradient.reshape(len(logits), -1)


def zero_centred(critic: Critic, x: Tensor) -> Tensor:
    """Return ``1/2 E |grad_x D(x)|^2``, a scalar."""
    return slopes(critic, x).square().sum(1).mean() / 2


def one_centred(critic: Critic, x: Tensor) -> Tensor:
    """Return ``E (|grad_x D(x)| - 1)^2``, a scalar."""
    norms: Tensor = torch.linalg.vector_norm(slopes(critic, x), dim=1)
    return (norms - 1).square().mean()


def between(real: Tensor, fake: Tensor, packing: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """Draw a point on the line from each real to its generated image, ``(B, C, H, W)``, or from pack to pack."""
    share = parallel.drawn(lambda packs: torch.rand(packs, 1, 1, 1, generator=generator), len(real) // packing)
    share = share.repeat_interleave(packing, 0).to(real)
    return torch.lerp(real, fake, share)


def around(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw a neighbour of each image: Gaussian noise of half the images' own standard deviation is added."""
    noise = parallel.drawn(lambda rows: torch.randn(rows, *x.shape[1:], generator=generator), len(x)).to(x)
    return x + NEIGHBOURHOOD * parallel.std(x) * noise


@dataclass(frozen=True)
class NoPenalty:
    """No term at all: the discriminator minimises the objective alone."""

    names: ClassVar[tuple[str, ...]] = ()
    weight: float = 0.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return no term."""
        return {}


@dataclass(frozen=True)
class GradientPenalty:
    """``w E (|grad D| - 1)^2`` between real and generated images: a critic of slope 1, as Wasserstein's has to be.

    Source: Improved Training of Wasserstein GANs (2017), equation 3, https://arxiv.org/abs/1704.00028
    """

    names: ClassVar[tuple[str, ...]] = ("gradient_penalty",)
    weight: float = 10.0
    packing: int = 1  # images that the critic sees at once

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return the term ``gradient_penalty``."""
        return {"gradient_penalty": self.weight * one_centred(critic, between(real, fake, self.packing))}


@dataclass(frozen=True)
class DRAGAN:
    """``w E (|grad D| - 1)^2`` around real images.

    Source: On Convergence and Stability of GANs (2017), section 2, https://arxiv.org/abs/1705.07215
    """

    names: ClassVar[tuple[str, ...]] = ("dragan",)
    weight: float = 10.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return the term ``dragan``."""
        return {"dragan": self.weight * one_centred(critic, around(real))}


@dataclass(frozen=True)
class R1:
    """``w/2 E |grad D(x)|^2`` at real images: near them the discriminator becomes flat, and the game converges.

    Source: Which Training Methods for GANs do actually Converge? (2018), equation 9, https://arxiv.org/abs/1801.04406
    """

    names: ClassVar[tuple[str, ...]] = ("r1",)
    weight: float = 10.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return the term ``r1``."""
        return {"r1": self.weight * zero_centred(critic, real)}


@dataclass(frozen=True)
class R2:
    """``w/2 E |grad D(G(z))|^2`` at generated images.

    Source: Which Training Methods for GANs do actually Converge? (2018), equation 10,
    https://arxiv.org/abs/1801.04406; after Stabilizing Training of Generative Adversarial Networks through
    Regularization (2017), https://arxiv.org/abs/1705.09367
    """

    names: ClassVar[tuple[str, ...]] = ("r2",)
    weight: float = 10.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return the term ``r2``."""
        return {"r2": self.weight * zero_centred(critic, fake)}


@dataclass(frozen=True)
class R1AndR2:
    """Both, as relativistic pairing needs them.

    Source: The GAN is dead; long live the GAN! (2024), section 2, https://arxiv.org/abs/2501.05441
    """

    names: ClassVar[tuple[str, ...]] = ("r1", "r2")
    weight: float = 10.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Terms:
        """Return the terms ``r1`` and ``r2``."""
        return R1(self.weight)(critic, real, fake) | R2(self.weight)(critic, real, fake)


@dataclass(frozen=True)
class Lazy:
    """A penalty at every k-th step, k times as heavy: on average the same, at a fraction of the cost.

    At the other steps its terms are zero, so that their mean in the log is the penalty.
    Source: Analyzing and Improving the Image Quality of StyleGAN (2020), section 3.1, https://arxiv.org/abs/1912.04958
    """

    penalty: Penalty
    every: int = 1

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, step: int) -> Terms:
        """Return the penalty's terms at this step."""
        if step % self.every:
            return {name: torch.zeros((), device=real.device) for name in self.penalty.names}
        return {name: self.every * term for name, term in self.penalty(critic, real, fake).items()}


def lazy(values: config.Penalty, packing: int = 1) -> Lazy:
    """Return the penalty of a config, for a critic that sees ``packing`` images at once."""
    penalty = PENALTIES[values.kind](values.weight)
    return Lazy(replace(penalty, packing=packing) if isinstance(penalty, GradientPenalty) else penalty, values.every)


PENALTIES: dict[str, Callable[[float], Penalty]] = {
    "none": NoPenalty,
    "gradient_penalty": GradientPenalty,
    "dragan": DRAGAN,
    "r1": R1,
    "r2": R2,
    "r1_r2": R1AndR2,
}
