"""The game: players own disjoint parameters, each minimises its own loss, a step is a sequence of rounds.

A model yields its rounds in the order of its paper's algorithm. A round names, for each player that moves in
it, the terms whose sum is that player's loss; players of one round move simultaneously, between rounds the
weights have changed. `simulacra.training.Trainer` plays any such game and knows no family.

What else a model can do follows from the methods it has: `Generative` models turn noise into images,
`Inferential` ones turn images into latents, `Coded` ones have named codes in their latents, `Conditional` ones are told
classes, `Recognising` ones infer the codes of images, `Translating` ones turn images of one domain into another,
`Scored` ones measure themselves on held-out images, `Variational` ones also estimate log p(x).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from simulacra.config import Family, ModelConfig
from simulacra.data.dataset import Dataset, Images
from simulacra.distributions import DiagonalGaussian, normal
from simulacra.images import Shape
from simulacra.models.codes import Codes

__all__ = [
    "Coded",
    "Conditional",
    "Generative",
    "HasPosterior",
    "Inferential",
    "Model",
    "Posterior",
    "Recognising",
    "Round",
    "Scored",
    "Terms",
    "Translating",
    "Variational",
    "mean_score",
]

Terms = dict[str, Tensor]
Round = dict[str, Terms]


class Model(nn.Module):
    """A game over images of one shape."""

    batch: ClassVar[type[Images]] = Images  # what the loader must yield
    section: ClassVar[type[Family]]  # its options; a family from outside the package names them here

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.watched: Terms = {}
        self.left_out: frozenset[str] = frozenset()  # weights that its file does not hold, which only training needs

    @classmethod
    def build(cls, values: Any, shape: Shape) -> Model:
        """Build the untrained model of a config section for images of a shape."""
        raise NotImplementedError

    @classmethod
    def completed(cls, values: ModelConfig, dataset: Dataset) -> ModelConfig:
        """Return the config with what the training images decide, such as the classes.

        Raises `DataError` for images that the family cannot learn from, `ConfigError` for values that contradict them.
        """
        del dataset
        return values

    def players(self) -> dict[str, nn.Module]:
        """Return the players, a partition of all trainable parameters."""
        raise NotImplementedError

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """Yield the rounds of one step: for each player that moves, its terms, scalar tensors to minimise."""
        raise NotImplementedError

    def begin(self, mean: Tensor) -> None:
        """Set new weights by the mean ``(C, H, W)``, in [-1, 1], of the training images, before the first step.

        Families that gain nothing from it leave their weights as they are.
        """
        del mean

    def hold_out(self, dataset: Dataset) -> None:
        """Take the validation images of a training, which is never trained on them, before its first step.

        Families that measure themselves by them while they train keep them; they are not saved with the model.
        """
        del dataset

    def watch(self, name: str, value: Tensor) -> None:
        """Log a scalar that no player minimises, such as an accuracy."""
        self.watched[name] = value.detach()

    def remarks(self) -> list[str]:
        """Return what a person should know about this model before it is trained, one sentence each."""
        return []

    def remarks_on(self, steps: int) -> list[str]:
        """Return what a person should know about a training of so many steps of this model, one sentence each."""
        del steps
        return []

    def diagnose(self, means: Mapping[str, float]) -> list[str]:
        """Return what is going wrong, one sentence for each fault, judged by the means of the logged values."""
        del means
        return []


@runtime_checkable
class Generative(Protocol):
    """A model with a prior over latents and a decoder: it can sample."""

    latent: int

    def prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, latent)``."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Turn latents ``(n, latent)`` into images ``(n, C, H, W)`` in [-1, 1]."""
        ...


@runtime_checkable
class Inferential(Protocol):
    """A model with an encoder and a decoder: it can reconstruct."""

    latent: int

    def encode(self, x: Tensor) -> Tensor:
        """Turn images ``(n, C, H, W)`` in [-1, 1] into latents ``(n, latent)``."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Turn latents ``(n, latent)`` into images ``(n, C, H, W)`` in [-1, 1]."""
        ...


@runtime_checkable
class Coded(Protocol):
    """A model whose latents hold named codes."""

    codes: Codes


@runtime_checkable
class Conditional(Coded, Protocol):
    """A model that is told the class of each training image, and has the class as the code ``label``."""

    def conditioned(self, z: Tensor, label: Tensor) -> Tensor:
        """Put labels ``(B,)`` behind noise ``(*, B, D)``: latents ``(*, B, latent)``."""
        ...


@runtime_checkable
class Recognising(Coded, Protocol):
    """A model that can infer its named codes from images, though not always the noise beside them."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the codes ``(n, codes.width)`` of images ``(n, C, H, W)``: probabilities of categories, and means."""
        ...


@runtime_checkable
class Translating(Protocol):
    """A model that turns images of one domain into images of another; domains are A and B."""

    domains: dict[str, Shape]  # the shape of each domain's images
    directions: tuple[str, ...]  # the domains that it translates to

    def arrange(self, x: Tensor, to: str) -> Tensor:
        """Bring the objects in whole pictures to the place and size that they have in domain ``to``."""
        ...

    def redraw(self, x: Tensor, to: str) -> Tensor:
        """Draw images ``(n, C, H, W)`` in [-1, 1], arranged for domain ``to``, as images ``(n, C', H, W)`` of it."""
        ...

    def translate(self, x: Tensor, to: str) -> Tensor:
        """Turn images ``(n, C, H, W)`` in [-1, 1] of one domain into images ``(n, C', H, W)`` of ``to``."""
        ...


@runtime_checkable
class Scored(Protocol):
    """A model that defines a score for held-out images; lower is better."""

    def score(self, batch: Images, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return named means over the batch, the decisive one first."""
        ...


@torch.no_grad()
def mean_score(model: Scored, batches: Iterable[Images], generator: torch.Generator) -> dict[str, float]:
    """Return the means of a model's score over all images of the batches."""
    totals: dict[str, float] = {}
    count = 0
    for batch in batches:
        count += len(batch)
        for name, value in model.score(batch, generator).items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(batch)
    return {name: total / count for name, total in totals.items()}


@runtime_checkable
class HasPosterior(Protocol):
    """A model whose encoder is a distribution q(z | x)."""

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z | x) for images ``(B, C, H, W)`` in [-1, 1]."""
        ...


Posterior = HasPosterior  # its name until 0.1.0


@runtime_checkable
class Variational(Scored, HasPosterior, Protocol):
    """A model with a likelihood and a posterior; its score holds "negative_elbo", "nll" and "kl"."""

    def log_likelihood(
        self, x: Tensor, samples: int, *, chunk: int = 50, generator: torch.Generator | None = None
    ) -> Tensor:
        """Estimate ``log p(x)`` in nats, ``(B,)``, from below."""
        ...


class CodePrior:
    """Latents ``[noise | codes]``: noise from N(0, I), categories and numbers from their own distributions."""

    codes: Codes

    @property
    def latent(self) -> int:
        """How many numbers a latent has."""
        return self.codes.latent

    def prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, latent)``, on the model's device."""
        assert isinstance(self, nn.Module)
        return self.codes.prior(n, next(self.parameters()), generator)


class StandardNormalPrior:
    """Latents from N(0, I)."""

    latent: int

    def prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, latent)`` from N(0, I), on the model's device."""
        assert isinstance(self, nn.Module)
        return normal(n, self.latent, like=next(self.parameters()), generator=generator)
