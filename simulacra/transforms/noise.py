"""Noise, drawn from a generator on the CPU so that a seed gives the same on every device."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra import parallel
from simulacra.errors import ConfigError
from simulacra.transforms.common import Amount, clamped, per_image
from simulacra.transforms.compose import rectangles


def noise(x: Tensor, deviation: Amount = 0.1, *, generator: torch.Generator | None = None) -> Tensor:
    """Add Gaussian noise; ``deviation`` is its standard deviation, where 1 is the way from black to white."""
    amount = per_image(deviation, x)
    if (amount < 0).any():
        raise ConfigError("noise: deviation must be 0 or more.")
    drawn = parallel.drawn(lambda n: torch.randn(n, *x.shape[1:], generator=generator, dtype=torch.float32), len(x))
    return clamped(x + 2 * amount * drawn.to(x))


def salt_and_pepper(x: Tensor, share: Amount = 0.05, *, generator: torch.Generator | None = None) -> Tensor:
    """Make a ``share`` of the pixels black or white, all channels of a pixel alike."""
    amount = per_image(share, x)
    if ((amount < 0) | (amount > 1)).any():
        raise ConfigError("salt_and_pepper: share must be between 0 and 1.")
    drawn = parallel.drawn(lambda n: torch.rand(n, 1, *x.shape[2:], generator=generator), len(x)).to(x)
    return torch.where(drawn < amount / 2, -1.0, torch.where(drawn > 1 - amount / 2, 1.0, x))


def erase(x: Tensor, share: Amount = 0.1, *, generator: torch.Generator | None = None) -> Tensor:
    """Cover a rectangle of each image, of its proportions and of a ``share`` of its area, with grey.

    Source: Random Erasing Data Augmentation (2017), https://arxiv.org/abs/1708.04896
    """
    hidden = rectangles(x, share, generator=generator if generator is not None else torch.default_generator)
    return torch.where(hidden, 0.0, x)
