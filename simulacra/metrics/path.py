"""How fast images change along paths through latent space: small where latents move what is seen smoothly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra import machine
from simulacra.errors import ConfigError
from simulacra.metrics.common import matrices, matrix, positive
from simulacra.metrics.meanings import SAMPLES, declare

__all__ = ["PathLength", "perceptual_path_length"]

Path = Callable[[Tensor, Tensor, Tensor], Tensor]

# fmt: off
PERCEPTUAL_PATH_LENGTH = declare(
    "perceptual_path_length", SAMPLES, "distance^2",
    "How fast samples change along paths through latent space; compare it at equal Frechet distance.", "lower",
)
# fmt: on


@dataclass(frozen=True)
class PathLength:
    """Mean over the paths and its standard error, in squared feature distance per squared unit of t."""

    mean: float
    standard_error: float


def perceptual_path_length(
    decode: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], Tensor],
    starts: Tensor,
    ends: Tensor,
    path: Path,
    epsilon: float = 1e-4,
    generator: torch.Generator | None = None,
) -> PathLength:
    """Return ``E |f(G(path(z1, z2, t + epsilon))) - f(G(path(z1, z2, t)))|^2 / epsilon^2``, t uniform in [0, 1).

    G is ``decode``, f ``features``, z1 and z2 the rows of ``starts`` and ``ends`` ``(n, D)``; ``path`` takes both
    and t ``(n,)``, such as `latent.along_arc`. On a GPU float32 is multiplied in full, not as TF32. The paper measures
    distances by weighted VGG features and its code leaves the lowest and the highest hundredth of the paths out; here
    the mean is over all of them.
    Raises `ConfigError` for different shapes, fewer than 2 paths or an epsilon that is not positive.
    Source: A Style-Based Generator Architecture for Generative Adversarial Networks (2019), section 4.1,
    https://arxiv.org/abs/1812.04948
    """
    positive(epsilon, "epsilon")
    matrices(starts, ends, ("starts", "ends"), at_least=2)
    if len(starts) != len(ends):
        raise ConfigError(f"starts and ends must have as many rows; got {len(starts)} and {len(ends)}.")
    t = torch.rand(len(starts), generator=generator, dtype=starts.dtype).to(starts.device)
    there = t + epsilon
    with machine.full_precision():  # the difference is of two images that are almost one
        here, beyond = (matrix(features(decode(path(starts, ends, at))), "features") for at in (t, there))
    steps = (there - t).to(here)  # rounding makes them differ from epsilon
    lengths = ((beyond - here) / steps.unsqueeze(1)).square().sum(1)
    return PathLength(float(lengths.mean()), float(lengths.std()) / math.sqrt(len(lengths)))
