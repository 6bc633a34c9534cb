"""A small convolutional classifier whose features tell apart what differs in kind, not in pixels.

Those of known data sets are shipped with the package (``weights/NAME.safetensors``, made by
``scripts/train_classifiers.py``); for other labelled data `simulacra.features.learning` trains one.
"""

from __future__ import annotations

import hashlib
import math
from importlib import resources
from typing import Any, Self

import torch
from safetensors.torch import load as deserialise
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra.errors import ConfigError, nearest
from simulacra.features.base import CHUNK, coloured, resized
from simulacra.features.fitting import facts

CLASSIFIERS = ("digits", "mnist", "fashion-mnist")  # data sets whose classifier is shipped
WIDTHS, DENSE = (32, 64), 64


class Network(nn.Module):
    """Two strided convolutions, 64 dense features, the logits of the classes.

    Images are made ``side`` pixels wide, a multiple of 4, and given ``channels``, 1 (grey) or 3.
    """

    def __init__(self, side: int, channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.side, self.channels = side, channels
        cells = (side // 4) ** 2
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, WIDTHS[0], 5, stride=2, padding=2), nn.SiLU(),
            nn.Conv2d(WIDTHS[0], WIDTHS[1], 3, stride=2, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.dense = nn.Linear(WIDTHS[1] * cells, DENSE)
        self.head = nn.Linear(DENSE, classes)

    @classmethod
    def holding(cls, tensors: dict[str, Tensor]) -> Self:
        """Build the network that these weights belong to, and give it them: their shapes say how large it is."""
        cells = tensors["dense.weight"].shape[1] // WIDTHS[1]
        channels, classes = tensors["convolutions.0.weight"].shape[1], len(tensors["head.bias"])
        with torch.device("meta"):  # no random weights, so no random numbers drawn
            network = cls(4 * math.isqrt(cells), channels, classes)
        network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, assign=True)
        return network

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 64)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        hidden = self.convolutions(resized(coloured(x, self.channels), self.side))
        return F.silu(self.dense(hidden.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(N, K)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        logits: Tensor = self.head(self.features(x))
        return logits


class Classifier:
    """A classifier of one data set: features before its last layer, and class probabilities.

    ``facts`` are what its training recorded: test accuracy, classes, seed, digest of the data, scale of the features.
    """

    dimensions = DENSE

    def __init__(self, name: str, network: Network, digest: str, facts: dict[str, Any]) -> None:
        self.name = name
        self.network = network.requires_grad_(False).eval()
        self.digest = digest
        self.facts = facts

    @classmethod
    def load(cls, name: str) -> Self:
        """Load the shipped classifier of a data set. Raises `ConfigError` where there is none."""
        if name not in CLASSIFIERS:
            raise ConfigError(
                f"There is no classifier for '{name}'.{nearest(name, CLASSIFIERS)} "
                f"Classifiers: {', '.join(CLASSIFIERS)}. Any other data is compared by features.Pixels."
            )
        return cls.read(name, (resources.files("simulacra") / "weights" / f"{name}.safetensors").read_bytes())

    @classmethod
    def read(cls, name: str, content: bytes) -> Self:
        """Read a classifier from the bytes that `learning.fit` returns; its digest is their SHA-256."""
        return cls(name, Network.holding(deserialise(content)), hashlib.sha256(content).hexdigest(), facts(content))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.facts["classes"])

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 64)`` of images ``(N, C, H, W)`` in [-1, 1], of any size, grey or colour.

        Their root mean square over the training images is 1: distances have the same scale for all classifiers.
        """
        scale: float = self.facts["feature_rms"]
        return torch.cat([self.network.features(part) for part in torch.split(x.cpu(), CHUNK)]) / scale

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """Return the class probabilities ``(N, K)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        return torch.cat([self.network(part).softmax(1) for part in torch.split(x.cpu(), CHUNK)])
