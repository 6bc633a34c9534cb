"""The families, by name. Adding one: a file here, a section in `simulacra.config`, a line below, a recipe."""

from __future__ import annotations

from typing import Any, cast

from simulacra import config
from simulacra.images import Shape
from simulacra.models.autoencoder import Autoencoder
from simulacra.models.base import Model
from simulacra.models.bigan import ALI, BiGAN
from simulacra.models.cgan import CGAN
from simulacra.models.cvae import CVAE
from simulacra.models.cyclegan import CycleGAN
from simulacra.models.gan import GAN
from simulacra.models.infogan import InfoGAN
from simulacra.models.pix2pix import Pix2Pix
from simulacra.models.vae import IWAE, VAE
from simulacra.models.vaegan import VAEGAN

__all__ = ["FAMILIES", "build"]

FAMILIES: dict[str, type[Model]] = {
    "autoencoder": Autoencoder,
    "vae": VAE,
    "iwae": IWAE,
    "gan": GAN,
    "vaegan": VAEGAN,
    "bigan": BiGAN,
    "ali": ALI,
    "infogan": InfoGAN,
    "cgan": CGAN,
    "cvae": CVAE,
    "cyclegan": CycleGAN,
    "pix2pix": Pix2Pix,
}


def build(values: config.ModelConfig, shape: Shape) -> Model:
    """Build the untrained model of a config for images of a shape; weights come from torch's global generator."""
    family = cast(Any, FAMILIES[values.family])
    return cast(Model, family.build(values, shape))
