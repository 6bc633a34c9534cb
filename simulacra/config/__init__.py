"""Every hyper-parameter of the project, typed, with its meaning beside it; config <-> TOML <-> command line.

This package imports no torch, so that help and mistakes are answered at once. Models are built from these
values in `simulacra.models`, networks in `simulacra.networks`.
"""

from __future__ import annotations

from simulacra.config.base import Section
from simulacra.config.data import Data
from simulacra.config.models import (
    ALI,
    CGAN,
    CVAE,
    GAN,
    IWAE,
    VAE,
    VAEGAN,
    Autoencoder,
    BiGAN,
    CycleGAN,
    InfoGAN,
    ModelConfig,
    Penalty,
    Pix2Pix,
)  # fmt: skip
from simulacra.config.networks import (
    NETWORKS,
    TRANSLATORS,
    Conv,
    Mlp,
    Network,
    Patch,
    Resnet,
    ResnetTranslator,
    Translator,
    Unet,
)
from simulacra.config.recipes import Recipe, recipe, recipe_names
from simulacra.config.tables import Option, dumps, loads, merge, options, override
from simulacra.config.training import Optimizer, OptimizerChange, Schedule, Train
from simulacra.config.whole import Config, model_sections, parse

__all__ = [
    "ALI",
    "CGAN",
    "CVAE",
    "GAN",
    "IWAE",
    "NETWORKS",
    "TRANSLATORS",
    "VAE",
    "VAEGAN",
    "Autoencoder",
    "BiGAN",
    "Config",
    "Conv",
    "CycleGAN",
    "Data",
    "InfoGAN",
    "Mlp",
    "ModelConfig",
    "Network",
    "Optimizer",
    "OptimizerChange",
    "Option",
    "Patch",
    "Penalty",
    "Pix2Pix",
    "Recipe",
    "Resnet",
    "ResnetTranslator",
    "Schedule",
    "Section",
    "Train",
    "Translator",
    "Unet",
    "dumps",
    "loads",
    "merge",
    "model_sections",
    "options",
    "override",
    "parse",
    "recipe",
    "recipe_names",
]
