"""The pixels themselves as features: they serve any data."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from simulacra.features.base import CHUNK, resized
from simulacra.images import Shape

MAX_FEATURES = 1024  # features: the Frechet distance takes time with the cube of them


class Pixels:
    """The pixels themselves; pictures of more than 1,024 values are first averaged down to that many."""

    name = "pixels"

    def __init__(self, shape: Shape) -> None:
        self.side = min(*shape.sides, int((MAX_FEATURES / shape.channels) ** 0.5))
        self.dimensions = shape.channels * self.side**2
        definition = f"pixels in [-1, 1], {shape.channels} x {self.side} x {self.side}, bilinear antialiased"
        self.digest = hashlib.sha256(definition.encode()).hexdigest()

    def features(self, x: Tensor) -> Tensor:
        """Return the pixels ``(N, dimensions)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        return torch.cat([resized(part, self.side).flatten(1) for part in torch.split(x, CHUNK)])
