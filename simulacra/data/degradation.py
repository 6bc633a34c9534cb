"""Pairs made from single pictures: domain B holds the pictures, domain A the same ones after operations of our own.

A translator that learns from such pairs undoes the operations: it enlarges, removes noise, adds colour or fills holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from simulacra.config import Data
from simulacra.config.seeds import derived_seed
from simulacra.data.dataset import Dataset, Splits
from simulacra.errors import ConfigError
from simulacra.images import from_bytes, luma, to_bytes
from simulacra.operations import steps
from simulacra.transforms import Pipeline
from simulacra.transforms.resizing import resize

GREY = ("grey", "canny")  # operations after which an image has one channel
CHUNK = 256  # images degraded at once


class Degradation:
    """Operations that turn images of domain B into images of domain A, of the same size.

    An image whose size a step changes is brought back to its size by bicubic interpolation, so that the translator
    gets what a person would start from. Results are rounded to bytes, as they would be in a file.
    """

    def __init__(self, text: Sequence[str]) -> None:
        self.text = tuple(text)
        self.pipeline = Pipeline(steps(text))
        self.is_grey = any(step.name in GREY for step in self.pipeline.steps)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return images of domain A ``(B, C, H, W)`` in [-1, 1] for images of domain B ``(B, C', H, W)``."""
        changed = self.pipeline(x, generator)
        changed = luma(changed) if self.is_grey else changed
        if changed.shape[2:] != x.shape[2:]:
            changed = resize(changed, x.shape[2], x.shape[3])
        return from_bytes(to_bytes(changed))

    def small(self, x: Tensor) -> Tensor:
        """Return images of domain A before they are brought back to their size; only where nothing is drawn."""
        return self.pipeline(x, torch.Generator().manual_seed(0))

    @property
    def draws(self) -> bool:
        """Whether anything about it is random, so that it gives another result each time."""
        steps = self.pipeline.steps
        return any(step.operation.draws or step.ranges or step.probability < 1 for step in steps)

    def has(self, name: str) -> bool:
        """Whether an operation is among the steps."""
        return any(step.name == name for step in self.pipeline.steps)

    def reduction(self, size: int) -> float:
        """By how much the steps reduce the side of images of ``size`` pixels; 1 where they keep it."""
        return size / self.small(torch.zeros(1, 3, size, size)).shape[-1]


def of(data: Data) -> Degradation | None:
    """Return the degradation that ``data.pairs`` describes; None where pairs are the source's own."""
    return Degradation(data.pairs) if data.pairs else None


def single(data: Data) -> Data:
    """Return the options by which the pictures of domain B are read: those of a set with one domain.

    Raises `ConfigError` for an exchange of the domains, which a source of one domain does not have.
    """
    if data.swap:
        raise ConfigError("data.swap exchanges the two domains of a source; with data.pairs there is only one.")
    return data.model_copy(update={"pairs": (), "channels": data.channels_b or data.channels, "channels_b": None})


def paired(splits: Splits, degradation: Degradation) -> Splits:
    """Make each split one of pairs, always by the same draws. Raises `ConfigError`."""
    train, test, validation = (
        None if part is None else _paired(part, degradation, purpose)
        for part, purpose in ((splits.train, "train"), (splits.test, "test"), (splits.validation, "validation"))
    )
    assert train is not None
    assert test is not None
    told = (*splits.remarks, f"pairs: each picture (B), and the same one after {', '.join(degradation.text)} (A)")
    return replace(splits, train=train, test=test, validation=validation, remarks=told, degraded=True)


def _paired(dataset: Dataset, degradation: Degradation, purpose: str) -> Dataset:
    generator = torch.Generator().manual_seed(derived_seed("pairs", purpose))
    parts = [to_bytes(degradation(from_bytes(part), generator)) for part in torch.split(dataset.images, CHUNK)]
    names = dataset.names or tuple(f"{index:05d}" for index in range(len(dataset)))
    b = Dataset(dataset.name, dataset.images, names=names)
    return Dataset(dataset.name, torch.cat(parts), names=names, other=b)
