"""Residual networks without normalisation, as critics under a penalty need them, for images of any side from 8 pixels.

Each stage has one side, ``blocks`` residual blocks of two convolutions, and between stages the side halves by
averaging (``ceil(n / 2)``) or doubles by bilinear interpolation. A block's branch starts small, so that at first
the network is its skip connections and activations keep their variance at any depth.

Sources: Identity Mappings in Deep Residual Networks (2016), https://arxiv.org/abs/1603.05027;
Fixup Initialization (2019), https://arxiv.org/abs/1901.09321; The GAN is dead; long live the GAN! (2024), section 3,
https://arxiv.org/abs/2501.05441
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from simulacra.config import Resnet
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.networks.base import Network, Resize, activation, initialise, normalise
from simulacra.networks.conv import ToImage, ToVector


class Block(nn.Module):
    """``x + c2(f(n(c1(f(n(x))))))`` with convolutions c, activation f and normalisation n."""

    def __init__(self, network: Resnet, width: int) -> None:
        super().__init__()
        count = network.blocks * len(network.widths)
        layers = [_convolution(network, width, width, 3, network.activation) for _ in range(2)]
        with torch.no_grad():
            for parameter in layers[1].parameters():
                parameter.div_(math.sqrt(count))
        self.branch = nn.Sequential(
            *(part for layer in layers for part in (*_norm(network, width), activation(network.activation), layer))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch."""
        change: Tensor = self.branch(x)
        return x + change


def encoder(network: Resnet, shape: Shape, outputs: int) -> Network:
    """``(B, C, H, W) -> (B, outputs)``: a convolution, the stages, the output."""
    sides = _sides(network, shape)
    layers: list[nn.Module] = [_convolution(network, shape.channels, network.widths[0], 3, None)]
    for index, width in enumerate(network.widths):
        if index:
            layers += [Resize(*sides[index]), _convolution(network, network.widths[index - 1], width, 1, None)]
        layers += [Block(network, width) for _ in range(network.blocks)]
    flat = network.widths[-1] * math.prod(sides[-1])
    output = normalise(initialise(nn.Linear(flat, outputs), None), network.norm)
    return Network(*layers, *_norm(network, network.widths[-1]), activation(network.activation), ToVector(), output)


def decoder(network: Resnet, inputs: int, shape: Shape, channels: int) -> Network:
    """``(B, inputs) -> (B, channels, H, W)``: the encoder's mirror image."""
    sides, widths = _sides(network, shape), network.widths
    first = initialise(nn.Linear(inputs, widths[-1] * math.prod(sides[-1])), None)
    layers: list[nn.Module] = [normalise(first, network.norm), ToImage(widths[-1], *sides[-1])]
    for index in reversed(range(len(widths))):
        layers += [Block(network, widths[index]) for _ in range(network.blocks)]
        if index:
            layers += [_convolution(network, widths[index], widths[index - 1], 1, None), Resize(*sides[index - 1])]
    output = _convolution(network, widths[0], channels, 3, None)
    return Network(*layers, *_norm(network, widths[0]), activation(network.activation), output)


def _convolution(network: Resnet, inputs: int, outputs: int, kernel: int, followed_by: str | None) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return normalise(initialise(layer, followed_by), network.norm)


def _norm(network: Resnet, width: int) -> Iterable[nn.Module]:
    if network.norm == "group":
        yield nn.GroupNorm(math.gcd(8, width), width)


def _sides(network: Resnet, shape: Shape) -> list[tuple[int, int]]:
    """Height and width in pixels of each stage."""
    sides = [shape.sides]
    for _ in network.widths[1:]:
        if min(sides[-1]) < 2:
            raise ConfigError(
                f"Images of {shape.size} x {shape.width} cannot be halved {len(network.widths) - 1} times; use at most "
                f"{math.ceil(math.log2(min(shape.sides))) + 1} stages (network widths), or a larger --data.size."
            )
        height, width = sides[-1]
        sides.append(((height + 1) // 2, (width + 1) // 2))
    return sides
