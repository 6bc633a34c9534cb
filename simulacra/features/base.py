"""What an extractor is, and what all of them do to images first."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.nn import functional as F

from simulacra.images import luma, on_white

CHUNK = 1000  # images at a time


@runtime_checkable
class Extractor(Protocol):
    """Features with a name, and a SHA-256 of what defines them."""

    name: str
    digest: str
    dimensions: int

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, dimensions)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        ...


@runtime_checkable
class Classifying(Extractor, Protocol):
    """An extractor that also knows classes."""

    def probabilities(self, x: Tensor) -> Tensor:
        """Return the class probabilities ``(N, K)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        ...


def resized(x: Tensor, side: int) -> Tensor:
    """Resize float images ``(N, C, H, W)`` to ``(N, C, side, side)``, bilinear and antialiased."""
    if tuple(x.shape[-2:]) == (side, side):
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def coloured(x: Tensor, channels: int) -> Tensor:
    """Give float images ``(N, C, H, W)`` one channel (luma) or three (repeated)."""
    x = on_white(x)
    return luma(x) if channels == 1 else x.expand(-1, channels, -1, -1)
