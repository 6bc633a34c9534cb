"""The sections of families that translate between two domains."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulacra.config.adversarial import TranslatorLoss
from simulacra.config.base import Weight
from simulacra.config.family import Family, refuse_no_terms
from simulacra.config.networks import AnyTranslator, Patch, ResnetTranslator, Unet

__all__ = ["CycleGAN", "Pix2Pix"]

Channels = Literal[1, 3]


class CycleGAN(Family):
    """Translation between two domains, learned without pairs (Zhu et al. 2017)."""

    family: Literal["cyclegan"] = Field("cyclegan", description="family of the model")
    channels_b: Channels | None = Field(
        None, description="number of channels of domain B's images; default: those of the data"
    )
    loss: TranslatorLoss = Field("least_squares", description="adversarial objective")
    adversarial: Weight = Field(1.0, description="weight of the adversarial loss")
    cycle_a: Weight = Field(10.0, description="weight of the cycle consistency loss A to B to A, in L1")
    cycle_b: Weight = Field(10.0, description="weight of the cycle consistency loss B to A to B, in L1")
    identity: Weight = Field(
        5.0,
        description="weight of the identity loss: L1 change of images already in the target domain (equal channels)",
    )
    zoom: Annotated[float, Field(ge=0, le=4)] = Field(
        1.0, description="ratio of the size of objects in B to that in A; 0: measured on the training images"
    )
    pool: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        50, description="number of earlier translations that are kept to be shown to the critics again"
    )
    generator: AnyTranslator = ResnetTranslator()
    discriminator: Patch = Patch()

    @model_validator(mode="after")
    def _something_is_learned(self) -> Self:
        refuse_no_terms(self, "adversarial", "cycle_a", "cycle_b")
        return self


class Pix2Pix(Family):
    """Translation of images, learned from pairs (Isola et al. 2017)."""

    family: Literal["pix2pix"] = Field("pix2pix", description="family of the model")
    channels_b: Channels | None = Field(
        None, description="number of channels of domain B's images; default: those of the data"
    )
    loss: TranslatorLoss = Field("non_saturating", description="adversarial objective")
    adversarial: Weight = Field(1.0, description="weight of the adversarial loss")
    l1: Weight = Field(100.0, description="weight of the mean absolute error (L1)")
    generator: AnyTranslator = Unet()
    discriminator: Patch = Patch()

    @model_validator(mode="after")
    def _something_is_learned(self) -> Self:
        refuse_no_terms(self, "adversarial", "l1")
        return self
