"""What every movement of pixels shares: its interface, borders, and how places are counted."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

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


class Sampling(Protocol):
    """A movement that looks every pixel of the result up at one place of the image."""

    @property
    def outside(self) -> Outside:
        """What comes in from beyond the border."""

    @property
    def interpolation(self) -> Interpolation:
        """How pixels between others are found."""

    @property
    def after(self) -> Size:
        """The height and width of the result."""

    def places(self, like: Tensor, top: int, bottom: int) -> Tensor:
        """Return where rows of the result come from, ``(B, rows, W, 2)``, from -1 to 1, of the type of ``like``."""


def looked_up(movement: Sampling, x: Tensor, places: Tensor) -> Tensor:
    """Return images ``(B, C, h, w)`` that are looked up in ``x``, whose level outside was taken off: 0 is outside."""
    border = BORDERS.get(movement.outside, "zeros")
    return F.grid_sample(x, places, movement.interpolation, border, align_corners=False)


def middles(side: int, like: Tensor) -> Tensor:
    """The middles of so many pixels, as `grid_sample` counts them, from -1 to 1."""
    return torch.linspace(1 / side - 1, 1 - 1 / side, side, dtype=like.dtype, device=like.device)


def for_masks(outside: Outside) -> Outside:
    """Grey is 0 in [-1, 1], and what lies outside of a mask."""
    return "grey" if outside in LEVELS else outside


def sides(size: tuple[int, ...]) -> str:
    """A size in pixels as it is written in messages: 28 x 32."""
    return " x ".join(map(str, size))
