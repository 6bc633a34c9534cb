"""A data set in memory: uint8 images, perhaps labels, and the batches that models see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from simulacra.errors import DataError
from simulacra.images import Shape

FINGERPRINT = 2  # version of what `Splits.fingerprint` covers
NAMED = 12  # classes that are described by name


@dataclass(frozen=True)
class Images:
    """A batch: ``image`` is float32 ``(B, C, H, W)`` in [-1, 1]."""

    image: Tensor

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Labelled(Images):
    """A batch with classes: ``label`` is int64 ``(B,)``."""

    label: Tensor


@dataclass(frozen=True)
class Unpaired(Images):
    """A batch of two domains: ``image`` is of A, ``other`` of B, and nothing relates them."""

    other: Tensor


@dataclass(frozen=True)
class Pairs(Images):
    """A batch of pairs: ``image`` is of domain A, ``other`` shows the same in domain B."""

    other: Tensor


@dataclass(frozen=True, repr=False)
class Dataset:
    """Images ``(N, C, H, W)`` uint8, with labels ``(N,)`` int64 where there are classes.

    A set for translation holds domain A, and domain B as another set; where both have the same names, these are pairs.
    """

    name: str
    images: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # of the files, where there are files
    factors: dict[str, Tensor] | None = None  # of the procedural sets: what generated each image
    other: Dataset | None = None  # domain B, where there are two
    mapped: bool = False  # whether the images lie in a file and are read when they are needed
    known: str | None = None  # the SHA-256 of the pixels, where a file says so

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        """Say what it holds, without the pixels."""
        count, channels, height, width = self.images.shape
        told = [f"{self.name}: {count:,} images of {height} x {width} x {channels}"]
        told += [f"{len(self.classes)} classes"] if self.classes else []
        told += [f"B: {len(self.other):,} {'paired' if self.paired else 'unpaired'}"] if self.other is not None else []
        return f"<Dataset {', '.join(told)}>"

    @property
    def shape(self) -> Shape:
        """Channels, height and width of every image."""
        return Shape(self.images.shape[1], self.images.shape[2], self.images.shape[3])

    @property
    def paired(self) -> bool:
        """Whether each image of domain A has its counterpart in domain B at the same place."""
        return self.other is not None and bool(self.names) and self.names == self.other.names

    @property
    def domains(self) -> dict[str, Dataset]:
        """Both domains by name, where there are two."""
        return {} if self.other is None else {"A": replace(self, other=None), "B": self.other}

    def take(self, indices: Tensor) -> Dataset:
        """The data set of these images only; of pairs in both domains, of unpaired domains in A."""
        return replace(
            self,
            images=self.images[indices],
            labels=None if self.labels is None else self.labels[indices],
            names=tuple(self.names[i] for i in indices.tolist()) if self.names else (),
            factors=None if self.factors is None else {k: v[indices] for k, v in self.factors.items()},
            other=self.other.take(indices) if self.other is not None and self.paired else self.other,
            mapped=False,
            known=None,
        )

    def divide(self, share: float, seed: int) -> tuple[Dataset, Dataset]:
        """Split a share off: the rest first, then the share (at least one image); the choice depends on seed only."""
        if self.other is not None and not self.paired:
            (rest, share_of_a), (other, share_of_b) = (part.divide(share, seed) for part in self.domains.values())
            return replace(rest, other=other), replace(share_of_a, other=share_of_b)
        if self.mapped:
            count = share_of(len(self), share)
            return self._slice(count, len(self)), self._slice(0, count)
        kept, held = held_out(len(self), share, seed)
        return self.take(torch.tensor(kept)), self.take(torch.tensor(held))

    def _slice(self, start: int, stop: int) -> Dataset:
        """Images that follow each other, without copying: those of a pack lie in random order."""
        return replace(
            self,
            images=self.images[start:stop],
            labels=None if self.labels is None else self.labels[start:stop],
            names=self.names[start:stop],
            other=None if self.other is None else self.other._slice(start, stop),
            known=f"{self.known}[{start}:{stop}]",
        )

    def few(self, per_class: int, seed: int) -> Dataset:
        """So many images of each class (or all there are), drawn at random, in their order. Raises `DataError`."""
        if self.labels is None:
            raise DataError(f"{self.name} has no classes, so data.per_class cannot keep {per_class} images of each.")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        kept = [order[self.labels[order] == k][:per_class] for k in range(len(self.classes))]
        return self.take(torch.cat(kept).sort().values)

    def digest(self) -> str:
        """Return the SHA-256 of the pixels."""
        if self.known is not None and self.other is None:
            return self.known
        own = self.images.contiguous().numpy().tobytes() if self.known is None else self.known.encode()
        digest = hashlib.sha256(own)
        if self.other is not None:
            digest.update(self.other.digest().encode())
        return digest.hexdigest()

    def content(self) -> dict[str, object]:
        """Return what a model can learn of: digests of pixels and labels, the names of classes, and domain B."""
        labels = None if self.labels is None else hashlib.sha256(self.labels.long().numpy().tobytes()).hexdigest()
        return {
            "pixels": self.known or hashlib.sha256(self.images.contiguous().numpy().tobytes()).hexdigest(),
            "shape": list(self.images.shape),
            "labels": labels,
            "classes": list(self.classes),
            "other": None if self.other is None else self.other.content(),
        }


def share_of(count: int, share: float) -> int:
    """Return how many of ``count`` a share is: at least one, and not all."""
    return min(count - 1, max(1, round(share * count)))


def held_out(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return which of ``count`` are kept and which a share of them are, both in order; the choice depends on seed."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    held = share_of(count, share)
    return order[held:].sort().values.tolist(), order[:held].sort().values.tolist()


@dataclass(frozen=True)
class Parts:
    """What a source holds: training images, splits of its own, lines on what it left out, and other remarks."""

    train: Dataset
    test: Dataset | None = None
    validation: Dataset | None = None
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splits:
    """A data set's splits, equal in size and channels.

    ``skipped`` names what was left out with the reason; ``remarks`` say what a person might not expect. ``degraded``
    says whether domain A was made from domain B by operations of our own.
    """

    train: Dataset
    test: Dataset
    validation: Dataset | None = None
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    degraded: bool = False

    def describe(self) -> list[str]:
        """Return lines for a person: the classes with their training images, the remarks, and what was left out."""
        train, lines = self.train, []
        if train.labels is not None:
            numbers = torch.bincount(train.labels, minlength=len(train.classes)).tolist()
            named = [f"{name} {number:,}" for name, number in zip(train.classes, numbers, strict=False)]
            more = f", and {len(named) - NAMED} more" if len(named) > NAMED else ""
            lines.append(f"{len(named):,} classes: {', '.join(named[:NAMED])}{more}")
        return [*lines, *self.remarks, *(f"left out: {line}" for line in self.skipped)]

    def digest(self) -> str:
        """Return the SHA-256 over the pixels of all splits."""
        parts = (self.train, self.test, self.validation)
        return hashlib.sha256("".join(part.digest() for part in parts if part is not None).encode()).hexdigest()

    def fingerprint(self) -> str:
        """Return ``2:`` and a SHA-256 over pixels, labels, names of classes, and which split each image belongs to."""
        parts = {"train": self.train, "test": self.test, "validation": self.validation}
        told = {name: part.content() for name, part in parts.items() if part is not None}
        return f"{FINGERPRINT}:{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}"

    def matches(self, recorded: str) -> bool:
        """Whether a recorded fingerprint is this data set's; those of older runs, without a version, cover pixels only.

        Older runs knew no validation images but those divided off the training images.
        """
        if recorded.startswith(f"{FINGERPRINT}:"):
            return recorded == self.fingerprint()
        return recorded in (self.digest(), replace(self, validation=None).digest())
