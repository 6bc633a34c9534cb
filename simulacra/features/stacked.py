"""Features for `stacked-mnist`: a digit in each colour channel."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from simulacra.features.classifier import DENSE, Classifier


class StackedDigits:
    """For `stacked-mnist`: what the classifier of MNIST says of each colour channel."""

    name = "stacked-mnist"
    dimensions = 3 * DENSE

    def __init__(self) -> None:
        self.digit = Classifier.load("mnist")
        self.digest = hashlib.sha256(f"a digit a channel: {self.digit.digest}".encode()).hexdigest()

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 192)`` of images ``(N, 3, H, W)`` in [-1, 1], channel by channel."""
        return torch.cat([self.digit.features(channel) for channel in torch.split(x, 1, dim=1)], dim=1)

    def probabilities(self, x: Tensor) -> Tensor:
        """Return the probabilities ``(N, 1000)`` of the modes ``100 a + 10 b + c``: products of those of the digits."""
        a, b, c = (self.digit.probabilities(channel) for channel in torch.split(x, 1, dim=1))
        return torch.einsum("na,nb,nc->nabc", a, b, c).flatten(1)
