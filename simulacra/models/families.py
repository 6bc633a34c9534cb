"""The families, by name. Adding one: a file here, a section in `simulacra.config`, a line below, a recipe.

A family from outside the package is added by `register`.
"""

from __future__ import annotations

from simulacra import config
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models.autoencoder import Autoencoder
from simulacra.models.base import Model
from simulacra.models.bigan import ALI, BiGAN
from simulacra.models.cgan import CGAN
from simulacra.models.cvae import CVAE
from simulacra.models.cyclegan import CycleGAN
from simulacra.models.deepsim import DeePSiM
from simulacra.models.dfcvae import DFCVAE
from simulacra.models.gan import GAN
from simulacra.models.infogan import InfoGAN
from simulacra.models.pix2pix import Pix2Pix
from simulacra.models.vae import IWAE, VAE
from simulacra.models.vaegan import VAEGAN

__all__ = ["FAMILIES", "build", "register"]

REQUIRED = ("build", "players", "rounds")  # of a family
FAMILIES: dict[str, type[Model]] = {
    "autoencoder": Autoencoder,
    "vae": VAE,
    "dfcvae": DFCVAE,
    "deepsim": DeePSiM,
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
    return FAMILIES[values.family].build(values, shape)


def register(family: type[Model]) -> type[Model]:
    """Add a family from outside the package, under the name that its ``section`` gives it; usable as a decorator.

    Raises `ConfigError` for a class without a section or without what `Model` asks for, and for a name in use.
    """
    section = getattr(family, "section", None)
    if not (isinstance(section, type) and issubclass(section, config.Family)):
        raise ConfigError(f"{family.__name__} needs a section of options: section = MyConfig, a config.Family.")
    own = {name for ancestor in family.__mro__ if ancestor not in Model.__mro__ for name in vars(ancestor)}
    missing = [name for name in REQUIRED if name not in own]
    if missing:
        raise ConfigError(f"{family.__name__} must define {', '.join(missing)} to be a family.")
    FAMILIES[config.add_family(section)] = family
    return family
