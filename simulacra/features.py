"""What images are compared by: extractors turn ``(N, C, H, W)`` in [-1, 1] into features ``(N, D)``.

`Pixels` serves any data. `Classifier` is a small convolutional network for one known data set, shipped with the
package (``weights/NAME.safetensors``, made by ``scripts/train_classifiers.py``): its features tell apart what differs
in kind, not in pixels. No features are universal, so every value computed from them carries their name and digest.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from typing import Any, Protocol, Self, cast, runtime_checkable

import torch
from safetensors.torch import load as deserialise
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra.errors import ConfigError, nearest
from simulacra.images import LUMA
from simulacra.networks import Shape

CHUNK = 1000  # images at a time
LARGEST = 1024  # features of `Pixels`: the Frechet distance takes time with the cube of them
CLASSIFIERS = {"digits": 16, "mnist": 28, "fashion-mnist": 28}  # data set: side that the network sees
WIDTHS, DENSE, CLASSES = (32, 64), 64, 10


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


class Pixels:
    """The pixels themselves; pictures of more than 1,024 values are first averaged down to that many."""

    name = "pixels"

    def __init__(self, shape: Shape) -> None:
        self.side = min(shape.size, int((LARGEST / shape.channels) ** 0.5))
        self.dimensions = shape.channels * self.side**2
        definition = f"pixels in [-1, 1], {shape.channels} x {self.side} x {self.side}, bilinear antialiased"
        self.digest = hashlib.sha256(definition.encode()).hexdigest()

    def features(self, x: Tensor) -> Tensor:
        """Return the pixels ``(N, dimensions)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        return torch.cat([resized(part, self.side).flatten(1) for part in torch.split(x, CHUNK)])


class Network(nn.Module):
    """Two strided convolutions, 64 dense features, the logits of the classes; the image is made grey and resized."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        cells = (side // 4) ** 2
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, WIDTHS[0], 5, stride=2, padding=2), nn.SiLU(),
            nn.Conv2d(WIDTHS[0], WIDTHS[1], 3, stride=2, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.dense = nn.Linear(WIDTHS[1] * cells, DENSE)
        self.head = nn.Linear(DENSE, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 64)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        hidden = self.convolutions(resized(grey(x), self.side))
        return F.silu(self.dense(hidden.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(N, 10)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        logits: Tensor = self.head(self.features(x))
        return logits


class Classifier:
    """A shipped classifier of one data set: features before its last layer, and class probabilities.

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
        """Load the classifier of a data set. Raises `ConfigError` where there is none."""
        if name not in CLASSIFIERS:
            raise ConfigError(
                f"There is no classifier for '{name}'.{nearest(name, CLASSIFIERS)} "
                f"There are: {', '.join(CLASSIFIERS)}; any other data is compared by features.Pixels."
            )
        content = (resources.files("simulacra") / "weights" / f"{name}.safetensors").read_bytes()
        with torch.device("meta"):  # no random weights, so no random numbers drawn
            network = Network(CLASSIFIERS[name])
        network.load_state_dict({key: tensor.float() for key, tensor in deserialise(content).items()}, assign=True)
        return cls(name, network, hashlib.sha256(content).hexdigest(), _facts(content))

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
        """Return the class probabilities ``(N, 10)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        return torch.cat([self.network(part).softmax(1) for part in torch.split(x.cpu(), CHUNK)])


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


def extractor(data: str, shape: Shape) -> Extractor:
    """Return the extractor for a data set: its classifier where one is shipped, else the pixels."""
    if data == StackedDigits.name and shape.channels == 3:
        return StackedDigits()
    return Classifier.load(data) if data in CLASSIFIERS else Pixels(shape)


def resized(x: Tensor, side: int) -> Tensor:
    """Resize float images ``(N, C, H, W)`` to ``(N, C, side, side)``, bilinear and antialiased."""
    if tuple(x.shape[-2:]) == (side, side):
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def grey(x: Tensor) -> Tensor:
    """Turn float images ``(N, C, H, W)`` into grey ones ``(N, 1, H, W)``, by ITU-R 601 luma."""
    return x if x.shape[1] == 1 else (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _facts(content: bytes) -> dict[str, Any]:
    """The record in the header: one entry of JSON, so that equal trainings give equal bytes."""
    length = int.from_bytes(content[:8], "little")
    return cast(dict[str, Any], json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["classifier"]))
