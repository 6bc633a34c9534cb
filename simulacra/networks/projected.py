"""A discriminator that sees an image twice: its pixels, and what a fixed network sees of it at three scales.

The fixed network is that of `networks.pictures`; it tells edges, textures and colours apart from the first step on, so
a generator follows these heads after few steps. The network that sees the pixels learns what the fixed one misses.
Source: Projected GANs Converge Faster (2021), section 3, https://arxiv.org/abs/2111.01007 (there with random mixing of
channels and scales, and without pixels)
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from simulacra import config
from simulacra.images import Shape
from simulacra.networks.base import activation, initialise
from simulacra.networks.conv import ToImage, ToVector
from simulacra.networks.pictures import SIDES, STRIDES, WIDTHS, on
from simulacra.networks.roles import encoder

__all__ = ["Projected", "projections"]

JUDGED = (0, 2, 4)  # convolutions of the fixed network whose activations are judged
TYPICAL = (0.77, 0.54, 0.76)  # root mean squares of these activations over photographs, by which they are divided
SMALLEST = 4  # pixels: the side to which a head reduces its activations


class Projected(nn.Module):
    """Logits ``(B, 4)`` of images ``(B, C, H, W)``: of the pixels, and of three heads on `projections`."""

    def __init__(self, network: config.Network, width: int, shape: Shape) -> None:
        super().__init__()
        self.pixels = encoder(network, shape, 1)
        self.sides = _sides(max(shape.sides))
        self.heads = nn.ModuleList(
            _head(WIDTHS[layer + 1], width, side) for layer, side in zip(JUDGED, self.sides, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Judge images."""
        return torch.cat([self.pixels(x), self.judge(projections(x))], 1)

    def judge(self, features: Tensor) -> Tensor:
        """Return the logits ``(B, 3)`` of the heads for `projections`; float32."""
        sizes = [WIDTHS[layer + 1] * side**2 for layer, side in zip(JUDGED, self.sides, strict=True)]
        parts = torch.split(features, sizes, 1)
        return torch.cat([head(part) for head, part in zip(self.heads, parts, strict=True)], 1).float()


def projections(x: Tensor) -> Tensor:
    """Return what the fixed network sees of images ``(B, 1 or 3, H, W)`` in [-1, 1], in one row each: ``(B, D)``.

    The activations of the first, the third and the fifth convolution, each about 1 in size. Differentiable.
    """
    seen = [activations for layer, activations in enumerate(on(x.device).activations(x)) if layer in JUDGED]
    return torch.cat([ToVector()(part) / typical for part, typical in zip(seen, TYPICAL, strict=True)], 1)


def _head(channels: int, width: int, side: int) -> nn.Sequential:
    layers: list[nn.Module] = [ToImage(channels, side, side)]
    while side > SMALLEST:
        layers += [initialise(nn.Conv2d(channels, width, 4, 2, 1), "leaky_relu"), activation("leaky_relu")]
        channels, side = width, side // 2
    layers += [initialise(nn.Conv2d(channels, width, 3, 1, 1), "leaky_relu"), activation("leaky_relu"), ToVector()]
    return nn.Sequential(*layers, initialise(nn.Linear(width * side**2, 1), None))


def _sides(size: int) -> list[int]:
    """The side in pixels of the activations that are judged, for images whose longer side that is."""
    first = min(max(size, SIDES[0]), SIDES[1])
    sides = list(accumulate(STRIDES, lambda side, stride: -(-side // stride), initial=first))
    return [sides[layer + 1] for layer in JUDGED]
