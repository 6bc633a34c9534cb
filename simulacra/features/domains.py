"""A classifier that tells the two domains of a set for translation apart, by their style rather than their content.

It averages what it sees in small overlapping windows, so that it has few weights, does not depend on positions, and can
judge pictures of things that it has never seen. Beside the colours it is shown the differences of neighbouring pixels,
magnified until the edges saturate: whether a surface is flat or shaded is a matter of a few grey levels. Its features
see how the domains differ.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import cast

import torch
from safetensors.torch import load as deserialise
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import images
from simulacra.data import Dataset, Splits, derived_seed
from simulacra.features import cache, fitting
from simulacra.features.base import CHUNK, coloured, resized

WIDTHS = (32, 64, 64)
MAX_SIDE = 64  # pixels that it sees
EDGE_GAIN = 20.0  # the slope of small differences; those of 13 grey levels reach three quarters of their range
LEARNING_RATE = 5e-3
IMAGES_SEEN, SIDE_SEEN = 72_000, 32  # images seen in its training, and their side; as many pixels of any other side
BATCH = 50
SEED = 0
VERSION = 3  # of this file: other code must not find the classifiers of today in the cache


class PatchClassifier(nn.Module):
    """Convolutions that see 18 x 18 pixels, averaged over the image, and the logits of the two domains."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.convolutions = nn.Sequential(
            nn.Conv2d(3 * channels, a, 4, stride=2, padding=1), nn.BatchNorm2d(a), nn.SiLU(),
            nn.Conv2d(a, b, 4, stride=2, padding=1), nn.BatchNorm2d(b), nn.SiLU(),
            nn.Conv2d(b, c, 3, padding=1), nn.BatchNorm2d(c), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Linear(c, 2)

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 64)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        return cast(Tensor, self.convolutions(magnified(x))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(N, 2)``; in training, of features half of which are dropped."""
        logits: Tensor = self.head(F.dropout(self.features(x), 0.5, self.training))
        return logits


def magnified(x: Tensor) -> Tensor:
    """Return images ``(N, 3 C, H, W)``: ``x``, and ``tanh(20 (x - its neighbour))`` to the left and above."""
    padded = F.pad(x, (1, 0, 1, 0), mode="replicate")
    neighbours = torch.cat([padded[:, :, 1:, :-1], padded[:, :, :-1, 1:]], 1)
    return torch.cat([x, torch.tanh(EDGE_GAIN * (x.repeat(1, 2, 1, 1) - neighbours))], 1)


class DomainClassifier:
    """Probabilities of the domains A and B, and features of root mean square 1; ``facts`` hold the test accuracy."""

    name = "domains"
    dimensions = WIDTHS[-1]

    def __init__(self, content: bytes) -> None:
        self.facts = fitting.facts(content)
        self.digest = hashlib.sha256(content).hexdigest()
        self.network = PatchClassifier(self.facts["channels"])
        self.network.load_state_dict(deserialise(content))
        self.network.requires_grad_(False).eval()

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 64)`` of images ``(N, C, H, W)`` in [-1, 1], of any size, grey or colour."""
        scale: float = self.facts["feature_rms"]
        return torch.cat([self.network.features(self._seen(part)) for part in torch.split(x.cpu(), CHUNK)]) / scale

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """Return the probabilities ``(N, 2)`` of the domains A and B of images ``(N, C, H, W)`` in [-1, 1]."""
        return torch.cat([_logits(self.network, self._seen(part)).softmax(1) for part in torch.split(x.cpu(), CHUNK)])

    def _seen(self, x: Tensor) -> Tensor:
        return resized(coloured(x, self.facts["channels"]), self.facts["side"])


def domain_classifier(splits: Splits, tell: Callable[[str], None] | None = None) -> DomainClassifier:
    """Return the classifier of real training images of both domains; trained once, then kept in the user cache.

    ``tell`` is called with a sentence before a training of a minute or two.
    """

    def train() -> bytes:
        if tell is not None:
            tell(
                f"Training a classifier that tells the two domains of {splits.train.name} apart. "
                "This takes a minute or two and is done only once."
            )
        with fitting.one_thread():
            return _fit(splits)

    key = cache.key("domains", VERSION, splits.digest(), tuple(splits.train.images.shape))
    return DomainClassifier(cache.remembered(key, train))


def as_classes(dataset: Dataset) -> Dataset:
    """Both domains as one data set of two classes, in the channels of the richer one."""
    a, b = dataset.domains.values()
    channels = max(a.shape.channels, b.shape.channels)
    pixels = torch.cat([images.with_channels(part.images, channels) for part in (a, b)])
    pixels = images.resize(pixels, min(MAX_SIDE, dataset.shape.size))
    labels = torch.arange(2).repeat_interleave(torch.tensor([len(a), len(b)]))
    return Dataset(dataset.name, pixels, labels, ("A", "B"))


def _fit(splits: Splits) -> bytes:
    """Train the network; the global generator is left as it was."""
    train, test = as_classes(splits.train), as_classes(splits.test)
    steps = max(1, IMAGES_SEEN * SIDE_SEEN**2 // (BATCH * train.shape.size**2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = PatchClassifier(train.shape.channels)
        batches = itertools.islice(_batches(train), steps)
        fitting.fit_classifier(network, batches, steps=steps, learning_rate=LEARNING_RATE)
    facts = {
        "channels": train.shape.channels,
        "side": train.shape.size,
        "test_accuracy": round(fitting.accuracy(lambda x: _logits(network, x), test), 4),
        "feature_rms": round(fitting.feature_rms(network.features, train), 4),
    }
    return fitting.packed(network.state_dict(), facts)


def _batches(dataset: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches without end: images ``(N, C, H, W)`` and the shares ``(N, 2)`` of the domains in them."""
    assert dataset.labels is not None
    generator = torch.Generator().manual_seed(derived_seed(SEED, "domains"))
    batch = min(BATCH, len(dataset))
    while True:
        order = torch.randperm(len(dataset), generator=generator)
        for indices in torch.split(order[: len(order) // batch * batch], batch):
            x = images.from_bytes(dataset.images[indices])
            for mirrored in (x.flip(-1), x.flip(-2), x.transpose(-1, -2)):
                chosen = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
                x = torch.where(chosen, mirrored, x)
            yield _joined(x, F.one_hot(dataset.labels[indices], 2).float(), generator)


def _joined(x: Tensor, shares: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Continue each image by another from a random column on, so that windows are judged rather than pictures known.

    Source: CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (2019),
    https://arxiv.org/abs/1905.04899
    """
    count, side = len(x), x.shape[-1]
    column = torch.randint(0, side + 1, (count, 1), generator=generator)
    other = torch.randperm(count, generator=generator)
    kept = (torch.arange(side) < column).view(count, 1, 1, side)
    return torch.where(kept, x, x[other]), torch.lerp(shares[other], shares, column / side)


def _logits(network: PatchClassifier, x: Tensor) -> Tensor:
    """The logits ``(N, 2)``, as a mean over the image and its mirror images, which the training shows too."""
    views = (x, x.flip(-1), x.flip(-2), x.transpose(-1, -2))
    return torch.stack([cast(Tensor, network(view)) for view in views]).mean(0)
