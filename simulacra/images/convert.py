"""Conversions of whole batches: between ranges, sizes and numbers of channels.

Bytes are uint8 in [0, 255]; an image is float32 ``(B, C, H, W)`` in [-1, 1], ``x = byte / 127.5 - 1``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError

__all__ = [
    "Shape",
    "from_bytes",
    "from_unit",
    "luma",
    "magnified",
    "on_black",
    "on_white",
    "resize",
    "to_bytes",
    "to_unit",
    "with_channels",
]

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue: ITU-R 601


@dataclass(frozen=True)
class Shape:
    """Images ``(C, H, W)``: ``channels`` is 1, 3, or 4 with an opacity, in packs a multiple of it.

    ``size`` is the height in pixels, and the width where no other ``width`` is given.
    """

    channels: int
    size: int
    width: int = 0

    def __post_init__(self) -> None:
        """Take the height for the width where that is not given."""
        object.__setattr__(self, "width", self.width or self.size)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.size, self.width

    @property
    def square(self) -> bool:
        """Whether images are as wide as high."""
        return self.size == self.width

    @property
    def pixels(self) -> int:
        """Values per image."""
        return self.channels * self.size * self.width

    def with_channels(self, channels: int) -> Shape:
        """The shape of images of this size with other channels."""
        return Shape(channels, *self.sides)

    def __str__(self) -> str:
        return f"{self.channels} x {self.size} x {self.width}"


def from_bytes(pixels: Tensor) -> Tensor:
    """Convert uint8 pixels in [0, 255] of any shape to float32 in [-1, 1]."""
    return pixels.to(torch.float32).div_(127.5).sub_(1.0)


def to_bytes(image: Tensor) -> Tensor:
    """Convert float images of any shape in [-1, 1] to uint8 in [0, 255], rounded and clamped."""
    return image.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def to_unit(image: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1]."""
    return image.add(1.0).mul(0.5)


def from_unit(image: Tensor) -> Tensor:
    """Map [0, 1] to [-1, 1]."""
    return image.mul(2.0).sub(1.0)


def resize(pixels: Tensor, size: int, width: int | None = None) -> Tensor:
    """Resize uint8 pixels ``(N, C, H, W)`` to ``(N, C, size, width or size)``, bicubic and antialiased."""
    sides = (size, width or size)
    if tuple(pixels.shape[-2:]) == sides:
        return pixels
    parts = [
        F.interpolate(part.float(), size=sides, mode="bicubic", antialias=True, align_corners=False)
        .round()
        .clamp(0, 255)
        .to(torch.uint8)
        for part in torch.split(pixels, 4096)
    ]
    return torch.cat(parts)


def with_channels(pixels: Tensor, channels: int) -> Tensor:
    """Convert uint8 pixels ``(N, C, H, W)`` to 1, 3 or 4 channels (grey is ITU-R 601 luma, the fourth is opaque)."""
    if pixels.shape[1] == channels:
        return pixels
    if channels == 4:
        return torch.cat([with_channels(pixels, 3), torch.full_like(pixels[:, :1], 255)], 1)
    pixels = on_white(pixels)
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1).contiguous()
    return torch.cat([luma(part.float()).round().to(torch.uint8) for part in torch.split(pixels, 4096)])


def on_white(x: Tensor) -> Tensor:
    """Return images ``(..., C, H, W)`` as they look on a white ground: of four channels the first three.

    A fourth channel is the opacity a, and the first three are the colour c on white, ``a c + (1 - a)`` on [0, 1]. So
    what cannot be seen is white whatever colour a file gives it, and all four channels can be averaged and resized.
    Source: Compositing Digital Images (1984), https://doi.org/10.1145/800031.808606
    """
    return x[..., :3, :, :] if x.shape[-3] == 4 else x


def on_black(x: Tensor) -> Tensor:
    """Return images ``(..., 4, H, W)`` in [-1, 1] as they look on a black ground, ``a c``: ``(..., 3, H, W)``."""
    return x[..., :3, :, :] + x[..., 3:, :, :] - 1.0


def luma(x: Tensor) -> Tensor:
    """Return the grey image ``(..., 1, H, W)`` of a grey or RGB one ``(..., C, H, W)`` in any range: ITU-R 601 luma.

    Raises `ConfigError` for other numbers of channels.
    """
    channels = x.shape[-3]
    if channels == 1:
        return x
    if channels != 3:
        raise ConfigError(f"Colour operations need 1 or 3 channels, not {channels}.")
    return (x * x.new_tensor(LUMA).view(3, 1, 1)).sum(-3, keepdim=True)


def magnified(images: Tensor, side: int = 56) -> Tensor:
    """Repeat the pixels of small images ``(..., H, W)`` a whole number of times until they are ``side`` wide."""
    times = max(1, math.ceil(side / images.shape[-1]))
    return images.repeat_interleave(times, -1).repeat_interleave(times, -2)
