"""A classifier that tells the two domains of a set for translation apart, and whose features see how these differ."""

from __future__ import annotations

from collections.abc import Callable

import torch

from simulacra import images
from simulacra.data import Dataset, Splits
from simulacra.features.classifier import Classifier
from simulacra.features.learning import learned


def domain_classifier(splits: Splits, tell: Callable[[str], None] | None = None) -> Classifier:
    """Return the classifier of real training images of both domains, 0 for A, 1 for B; kept in the user cache."""
    return learned(Splits(as_classes(splits.train), as_classes(splits.test)), tell)


def as_classes(dataset: Dataset) -> Dataset:
    """Both domains as one data set of two classes, in the channels of the richer one."""
    a, b = dataset.domains.values()
    channels = max(a.shape.channels, b.shape.channels)
    pixels = torch.cat([images.with_channels(part.images, channels) for part in (a, b)])
    labels = torch.arange(2).repeat_interleave(torch.tensor([len(a), len(b)]))
    return Dataset(f"{dataset.name}: A and B", pixels, labels, ("A", "B"))
