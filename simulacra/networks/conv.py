"""Convolutional stacks for images of any side from 8 pixels: a layer of stride 2 halves, its mirror doubles.

With kernel 4 a side n becomes floor(n / 2), with kernel 3 it becomes ceil(n / 2); the mirror image restores n
exactly through the output padding, so odd sides need no cropping.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn

from simulacra.config import Conv
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.networks.base import Network, Resize, activation, initialise, normalise

Sides = tuple[int, int]  # height and width in pixels


class ToVector(nn.Module):
    """``(B, C, H, W) -> (B, H W C)``: channels innermost, as they lie in channels-last memory, so nothing is copied."""

    def forward(self, x: Tensor) -> Tensor:
        """Flatten."""
        return x.permute(0, 2, 3, 1).flatten(1)


class ToImage(nn.Module):
    """``(B, H W C) -> (B, C, H, W)``: the inverse of `ToVector`."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.channels, self.height, self.width = channels, height, width

    def forward(self, x: Tensor) -> Tensor:
        """Unflatten."""
        return x.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)


def encoder(network: Conv, shape: Shape, outputs: int) -> Network:
    """``(B, C, H, W) -> (B, outputs)``: convolutions, perhaps a dense layer, the output."""
    sides = _sides(network, shape)
    channels = (shape.channels, *network.widths)
    layers: list[nn.Module] = []
    for index, (width, stride) in enumerate(zip(network.widths, network.stride_of_each(), strict=True)):
        layer = nn.Conv2d(channels[index], width, _kernel(network, stride), stride, padding=1)
        layers += [_ready(network, layer), *_after(network, width, first=index == 0)]
    flat = network.widths[-1] * math.prod(sides[-1])
    return Network(*layers, ToVector(), *_dense(network, flat, outputs))


def decoder(network: Conv, inputs: int, shape: Shape, channels: int) -> Network:
    """``(B, inputs) -> (B, channels, H, W)``: the encoder's mirror image."""
    sides = _sides(network, shape)
    flat = network.widths[-1] * math.prod(sides[-1])
    layers: list[nn.Module] = []
    if network.dense is not None:
        layers += [_ready(network, nn.Linear(inputs, network.dense)), activation(network.activation)]
    layers += [
        _ready(network, nn.Linear(network.dense or inputs, flat)),
        ToImage(network.widths[-1], *sides[-1]),
        *_after(network, network.widths[-1], first=False),
    ]
    targets = (channels, *network.widths)
    for index in reversed(range(len(network.widths))):
        last = index == 0
        layers += [Resize(*sides[index])] if _interpolates(network, index) else []
        layers.append(_ready(network, _mirror(network, index, targets[index], sides), last=last))
        layers += () if last else _after(network, targets[index], first=False)
    return Network(*layers)


def _mirror(network: Conv, index: int, outputs: int, sides: list[Sides]) -> nn.Module:
    """The layer that undoes the shape of encoder layer ``index``."""
    inputs, stride = network.widths[index], network.stride_of_each()[index]
    kernel = _kernel(network, stride)
    if stride == 1 or _interpolates(network, index):
        return nn.Conv2d(inputs, outputs, 3, padding=1)
    down, across = (
        wanted - ((have - 1) * stride - 2 + kernel) for have, wanted in zip(sides[index + 1], sides[index], strict=True)
    )
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding=1, output_padding=(down, across))


def _interpolates(network: Conv, index: int) -> bool:
    """Whether the decoder enlarges by interpolation what encoder layer ``index`` has made smaller."""
    return network.upsampling == "bilinear" and network.stride_of_each()[index] == 2


def _kernel(network: Conv, stride: int) -> int:
    return 3 if stride == 1 else network.kernel


def _sides(network: Conv, shape: Shape) -> list[Sides]:
    """Height and width in pixels before the first layer and after each."""
    return list(zip(*(_lengths(network, shape, side) for side in shape.sides), strict=True))


def _lengths(network: Conv, shape: Shape, side: int) -> list[int]:
    """One side in pixels before the first layer and after each."""
    sides = [side]
    for stride in network.stride_of_each():
        sides.append(sides[-1] if stride == 1 else (sides[-1] + 4 - network.kernel) // 2)
    if sides[-1] < 1:
        most = int(math.log2(min(shape.sides)))
        raise ConfigError(
            f"Images of {shape.size} x {shape.width} cannot be halved {network.stride_of_each().count(2)} times; "
            f"use at most {most} layers of stride 2 (network widths and strides), or a larger --data.size."
        )
    return sides


def _after(network: Conv, width: int, first: bool) -> Iterable[nn.Module]:
    """Normalisation and activation after a layer; the layer that sees the image itself is not normalised."""
    if network.norm == "batch" and not first:
        yield nn.BatchNorm2d(width, momentum=network.norm_momentum)
    if network.norm == "group" and not first:
        yield nn.GroupNorm(math.gcd(8, width), width)
    yield activation(network.activation)


def _dense(network: Conv, inputs: int, outputs: int) -> Iterable[nn.Module]:
    if network.dense is not None:
        yield _ready(network, nn.Linear(inputs, network.dense))
        yield activation(network.activation)
    yield _ready(network, nn.Linear(network.dense or inputs, outputs), last=True)


def _ready(network: Conv, layer: nn.Module, *, last: bool = False) -> nn.Module:
    return normalise(initialise(layer, None if last else network.activation), network.norm)
