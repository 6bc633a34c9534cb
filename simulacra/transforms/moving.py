"""What every movement of pixels shares: its interface, borders, and how places are counted."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

Outside = Literal["black", "grey", "white", "edge", "mirror"]
Interpolation = Literal["nearest", "bilinear", "bicubic"]
LEVELS = {"black": -1.0, "grey": 0.0, "white": 1.0}
BORDERS = {"edge": "border", "mirror": "reflection"}
Size = tuple[int, int]  # height and width in pixels


class Geometry(Protocol):
    """A movement of pixels: images, masks and points alike."""

    def image(self, x: Tensor) -> Tensor:
        """Move images ``(B, C, H, W)`` in [-1, 1]."""

    def mask(self, mask: Tensor) -> Tensor:
        """Move masks ``(B, 1, H, W)`` of any numbers without mixing them; 0 comes in from outside."""

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)``: where a point of the image is afterwards."""

    def inverse(self) -> Geometry:
        """The movement back. Raises `ConfigError` where there is none."""


def middles(side: int, like: Tensor) -> Tensor:
    """The middles of so many pixels, as `grid_sample` counts them, from -1 to 1."""
    return torch.linspace(1 / side - 1, 1 - 1 / side, side, dtype=like.dtype, device=like.device)


def for_masks(outside: Outside) -> Outside:
    """Grey is 0 in [-1, 1], and what lies outside of a mask."""
    return "grey" if outside in LEVELS else outside


def sides(size: tuple[int, ...]) -> str:
    """A size in pixels as it is written in messages: 28 x 32."""
    return " x ".join(map(str, size))
