"""What the sections of adversarial families share: objectives, the penalty, the game of two players."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulacra.config.base import NameOf, PositiveInt, Section, Weight, Width
from simulacra.config.family import Family
from simulacra.config.networks import AnyNetwork, Conv, Network
from simulacra.errors import ConfigError

__all__ = ["Adversarial", "Penalty", "add_objective"]

SHIPPED = ("saturating", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic")
OBJECTIVES: dict[str, None] = {}  # adversarial objectives from outside the package, which every loss may name
EveryLoss = Annotated[
    str,
    NameOf(SHIPPED, OBJECTIVES),
]
PairLoss = Annotated[str, NameOf(("non_saturating", "least_squares", "hinge", "relativistic"), OBJECTIVES)]
TranslatorLoss = Annotated[str, NameOf(("least_squares", "non_saturating", "hinge"), OBJECTIVES)]


class Penalty(Section):
    """A penalty on the gradient of the discriminator; without one (none) the game may fail to converge."""

    kind: Literal["none", "gradient_penalty", "dragan", "r1", "r2", "r1_r2"] = Field(
        "none", description="penalty on the discriminator's gradient with respect to images"
    )
    weight: Weight = Field(10.0, description="penalty weight gamma; r1 and r2 use gamma / 2")
    every: PositiveInt = Field(
        1, description="steps between evaluations of the penalty, whose weight is multiplied by this number"
    )


def refuse_mixed_images(penalty: Penalty, discriminator: Network) -> None:
    """Refuse a penalty on a discriminator whose output for one image depends on the others of the batch."""
    if penalty.kind != "none" and discriminator.norm == "batch":
        raise ValueError(
            "a penalty needs the gradient at each image, and batch normalisation mixes images: "
            'set discriminator.norm to "none", "group" or "spectral", or penalty.kind to "none"'
        )


class Adversarial(Family):
    """A generator against a discriminator: what `gan` and `cgan` have in common."""

    family: str
    latent: Width = Field(100, description="dimensions of the noise")
    loss: EveryLoss = Field("non_saturating", description="adversarial objective")
    penalty: Penalty = Penalty()
    augment: tuple[Literal["colour", "translation", "cutout"], ...] = Field(
        (), description="differentiable augmentations of all images that the discriminator sees"
    )
    discriminator_steps: PositiveInt = Field(1, description="discriminator steps for each generator step")
    generator: AnyNetwork = Conv(norm="batch")
    discriminator: AnyNetwork = Conv(activation="leaky_relu")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> Self:
        refuse_mixed_images(self.penalty, self.discriminator)
        return self

    @model_validator(mode="after")
    def _wasserstein_needs_bounded_slopes(self) -> Self:
        free = self.penalty.kind == "none" or self.penalty.weight == 0
        if self.loss == "wasserstein" and free and self.discriminator.norm != "spectral":
            raise ValueError(
                "the Wasserstein distance needs a critic with a bounded gradient: "
                'set penalty.kind to "gradient_penalty", or discriminator.norm to "spectral"'
            )
        return self


def add_objective(name: str) -> None:
    """Add the name of an objective from outside the package to those that every adversarial family may use.

    Raises `ConfigError` for a name that is not one, or that is in use.
    """
    if not name.isidentifier():
        raise ConfigError(f"'{name}' cannot name an objective: use letters, digits and underscores.")
    if name in SHIPPED:
        raise ConfigError(f"The objective '{name}' exists already; choose another name.")
    OBJECTIVES[name] = None
