"""Critics of overlapping patches: one logit for each, from convolutions alone.

Source: Image-to-Image Translation with Conditional Adversarial Networks (2017), section 3.2.2,
https://arxiv.org/abs/1611.07004
"""

from __future__ import annotations

import itertools

from torch import nn

from simulacra.config import Patch
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.networks.base import SLOPE, Network, initialise, normalise

__all__ = ["critic"]

GROWTH = 8  # the first layer's channels, at most so many times


def critic(network: Patch, shape: Shape) -> Network:
    """Build a critic ``(B, C, H, W) -> (B, 1, H', W')`` of logits, one per patch; its output is float32.

    ``downsamplings`` layers of kernel 4 and stride 2, two of stride 1; without downsamplings three of kernel 1, which
    see a pixel each. Raises `ConfigError` for a side below the least.
    """
    _check(network, shape.size)
    if network.downsamplings == 0:
        widths = [shape.channels, network.width, 2 * network.width]
        layers = [(a, b, 1, 1) for a, b in itertools.pairwise(widths)]
    else:
        widths = [
            shape.channels,
            *(network.width * min(GROWTH, 2**index) for index in range(network.downsamplings + 1)),
        ]
        strides = [2] * network.downsamplings + [1]
        layers = [(a, b, 4, s) for a, b, s in zip(widths, widths[1:], strides, strict=False)]
    parts: list[nn.Module] = []
    for index, (inputs, outputs, kernel, stride) in enumerate(layers):
        bias = index == 0 or network.norm in ("none", "spectral")
        layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 4, bias=bias)
        parts += [
            _ready(network, layer, "leaky_relu"),
            *(_norm(network, outputs) if index else ()),
            nn.LeakyReLU(SLOPE),
        ]
    kernel = layers[-1][2]
    return Network(*parts, _ready(network, nn.Conv2d(layers[-1][1], 1, kernel, padding=kernel // 4), None))


def field_of_view(network: Patch) -> int:
    """Return the side in pixels of what one logit sees: 70 after three downsamplings."""
    view = 1 if network.downsamplings == 0 else 7
    for _ in range(network.downsamplings):
        view = 2 * view + 2
    return view


def _check(network: Patch, size: int) -> None:
    """The last map needs a pixel: of a side n, ``n / 2^downsamplings - 2`` are left."""
    least = _least(network.downsamplings)
    if size < least:
        fewer = max(count for count in range(network.downsamplings) if _least(count) <= size)
        view = field_of_view(network)
        raise ConfigError(
            f"Images of {size} x {size} are too small for a critic of {view} x {view} patches, which needs {least} "
            f"pixels. Choose --data.size {least} or more, or smaller patches: "
            f"--model.discriminator.downsamplings {fewer}"
        )


def _least(count: int) -> int:
    return 3 * 2**count if count else 1


def _norm(network: Patch, width: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(width)] if network.norm == "instance" else []


def _ready(network: Patch, layer: nn.Module, followed_by: str | None) -> nn.Module:
    return normalise(initialise(layer, followed_by), network.norm)
