"""The conformance suite with what only our own tests need: every objective with every penalty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from simulacra import config, models
from simulacra.adversarial import OBJECTIVES, PENALTIES
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.testing.clauses import *  # noqa: F403
from simulacra.testing.small import *  # noqa: F403
from simulacra.testing.small import is_network, section_of

SMALLEST = {"kind": "conv", "widths": [8]}


def gans() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every objective with every penalty, and what else a GAN can be told, by name."""
    for loss in OBJECTIVES:
        for kind in PENALTIES:
            if (loss, kind) != ("wasserstein", "none"):
                yield f"{loss}-{kind}", {"loss": loss, "penalty": {"kind": kind}}
    everything = {"penalty": {"kind": "r1_r2", "every": 2}, "augment": ["colour", "translation", "cutout"]}
    yield "lazy-augmented", everything
    yield "packed", {"packing": 2, "penalty": {"kind": "gradient_penalty"}}
    yield "packed-relativistic-augmented", {"packing": 4, "loss": "relativistic", **everything}
    yield "two-discriminator-steps", {"discriminator_steps": 2, "loss": "wasserstein", "penalty": {"kind": "r1"}}
    for kind in ("mlp", "conv", "resnet"):
        spectral = {"kind": kind, "norm": "spectral"}
        yield f"spectral-{kind}", {"loss": "wasserstein", "generator": spectral, "discriminator": spectral}
    told = {"family": "cgan", "classes": ["even", "odd"]}
    for kind in PENALTIES:
        yield f"conditional-{kind}", {**told, "loss": "relativistic", "penalty": {"kind": kind}}
    yield "conditional-everything", {**told, "loss": "hinge", "discriminator_steps": 2, **everything}
    for kind in PENALTIES:
        yield f"bidirectional-{kind}", {"family": "bigan", "loss": "relativistic", "penalty": {"kind": kind}}
    for loss in ("non_saturating", "least_squares", "hinge"):
        yield f"bidirectional-{loss}", {"family": "ali", "loss": loss, "penalty": {"kind": "r1_r2", "every": 2}}


def build_gan(given: dict[str, Any], seed: int = 0) -> Model:
    """A small GAN of 8 x 8 pixels with these values."""
    family = given.get("family", "gan")
    players = [name for name, field in section_of(family).model_fields.items() if is_network(field.default)]
    small = {"family": family, "latent": 4, **dict.fromkeys(players, SMALLEST)}
    torch.manual_seed(seed)
    return models.build(config.parse(config.merge({"model": small}, {"model": given})).model, Shape(1, 8))
