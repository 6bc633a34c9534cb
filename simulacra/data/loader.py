"""Batches from a resident data set: the batch of a step is a function of (seed, step) alone, so resuming is exact.

The stream of images is one shuffled epoch after another; step s takes the images from s * B to (s + 1) * B of
that stream. Batches are gathered by index from one uint8 tensor on the training device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from simulacra import parallel
from simulacra.config import Data
from simulacra.config.data import is_binarised
from simulacra.config.seeds import derived_seed
from simulacra.data import degradation as degradations
from simulacra.data.dataset import Dataset, Images, Labelled, Pairs, Unpaired
from simulacra.data.degradation import Degradation
from simulacra.errors import ConfigError
from simulacra.images import from_bytes
from simulacra.operations import operation
from simulacra.transforms import Pipeline
from simulacra.transforms.colour import binarize


class Loader(Protocol):
    """What a trainer draws its batches from; anything with these members is one.

    ``retry`` counts roll-backs: each gives another order, so that a diverged training does not repeat itself.
    """

    retry: int
    device: torch.device

    def batch(self, step: int) -> Images:
        """Return the batch of a training step: a function of the step, of ``retry`` and of the loader's seed."""
        ...

    def fixed(self, dataset: Dataset, batch: int = 500) -> Iterator[Images]:
        """Yield a data set once, in order, for measuring."""
        ...


class Ahead:
    """Images that lie in a file: those that are expected next are read while the last ones are used.

    Of several tensors of images, those of one index lie on each other's channels.
    """

    def __init__(self, device: torch.device, *images: Tensor) -> None:
        self.images, self.device = images, device
        self._pool = ThreadPoolExecutor(1)
        self._reading: tuple[Tensor, Future[Tensor]] | None = None
        self._expected: Tensor | None = None

    def expect(self, indices: Tensor) -> None:
        """Read these images as soon as the next ones have been fetched."""
        self._expected = indices

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Return the images of some indices, on the device."""
        known, self._reading = self._reading, None
        whole = known[1].result() if known and torch.equal(known[0], indices) else self._read(indices)
        if self._expected is not None:
            self._reading = self._expected, self._pool.submit(self._read, self._expected)
        return whole.to(self.device, non_blocking=True)

    def _read(self, indices: Tensor) -> Tensor:
        parts = [images[indices.cpu()] for images in self.images]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


class ImageLoader:
    """Endless training batches of one size from a resident data set, by a new permutation in each epoch."""

    def __init__(
        self,
        dataset: Dataset,
        batch: int,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        augment: tuple[str, ...] = (),
    ) -> None:
        self.batch_size = batch
        self.seed = seed
        self.retry = 0
        self.device = torch.device(device)
        self.augment = augment
        self._pipeline = Pipeline.parse(augment)
        self._orders: dict[tuple[int, int], Tensor] = {}
        self._hold(dataset)

    def _hold(self, dataset: Dataset) -> None:
        """Put what batches are gathered from on the device."""
        self.dataset = dataset
        self._images = Ahead(self.device, dataset.images) if dataset.mapped else dataset.images.to(self.device)
        self._labels = None if dataset.labels is None else dataset.labels.to(self.device)

    def batch(self, step: int) -> Images:
        """Return the batch of a step, with labels where the data set has classes."""
        indices = parallel.own(self._indices(step * self.batch_size))
        if isinstance(self._images, Ahead):
            self._images.expect(parallel.own(self._indices((step + 1) * self.batch_size)))
        x = from_bytes(self._images[indices]).contiguous(memory_format=torch.channels_last)
        if self._pipeline.steps:
            x = self.augmented(x, step).contiguous(memory_format=torch.channels_last)
        return Images(x) if self._labels is None else Labelled(x, self._labels[indices])

    def augmented(self, x: Tensor, step: int) -> Tensor:
        """Change images ``(B, C, H, W)`` in [-1, 1] as those of a step are."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "augment", self.retry, step))
        return self._pipeline(x, generator)

    def fixed(self, dataset: Dataset, batch: int = 500) -> Iterator[Images]:
        """Yield a data set once, in order, for measuring: binarised if training images are, not augmented otherwise.

        The binarisation is drawn from a fixed seed, so that two measurements are of the same images.
        """
        generator = torch.Generator().manual_seed(derived_seed("binarize"))
        for start in range(0, len(dataset), batch):
            x = from_bytes(dataset.images[start : start + batch].to(self.device))
            x = binarize(x, generator=generator) if is_binarised(self.augment) else x
            labels, x = dataset.labels, x.contiguous(memory_format=torch.channels_last)
            yield Images(x) if labels is None else Labelled(x, labels[start : start + batch].to(self.device))

    def _indices(self, position: int) -> Tensor:
        parts, wanted = [], self.batch_size
        while wanted > 0:
            epoch, offset = divmod(position, len(self.dataset))
            part = self._order(epoch)[offset : offset + wanted]
            parts.append(part)
            wanted -= len(part)
            position += len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _order(self, epoch: int) -> Tensor:
        key = (self.retry, epoch)
        if key not in self._orders:
            generator = torch.Generator().manual_seed(derived_seed(self.seed, "order", *key))
            order = torch.randperm(len(self.dataset), generator=generator).to(self.device)
            self._orders = {k: v for k, v in self._orders.items() if k[0] == self.retry and k[1] >= epoch - 1}
            self._orders[key] = order
        return self._orders[key]


class UnpairedLoader(ImageLoader):
    """Batches of two domains, each in an order of its own and changed by draws of its own."""

    def _hold(self, dataset: Dataset) -> None:
        a, b = dataset.domains.values()
        super()._hold(a)
        seed = derived_seed(self.seed, "domain B")
        self._other = ImageLoader(b, self.batch_size, seed=seed, device=self.device, augment=self.augment)

    def batch(self, step: int) -> Unpaired:
        """Return the batch of a step."""
        self._other.retry = self.retry
        return Unpaired(super().batch(step).image, self._other.batch(step).image)


class PairsLoader(ImageLoader):
    """Batches of pairs: both images lie on each other's channels while they are changed, so that they stay aligned.

    Raises `ConfigError` for augmentations that do not move pixels: they cannot be done to both images alike.
    """

    def _hold(self, dataset: Dataset) -> None:
        a, b = dataset.domains.values()
        if a.mapped:
            super()._hold(replace(a, labels=None))
            self._images = Ahead(self.device, a.images, b.images)
        else:
            super()._hold(replace(a, images=torch.cat([a.images, b.images], 1), labels=None))
        self._channels = dataset.shape.channels
        wrong = [step.name for step in self._pipeline.steps if not operation(step.name).geometric]
        if wrong:
            raise ConfigError(
                f"data.augment: {wrong[0]} does not move pixels, so it cannot be done to both images of a pair alike. "
                "For pairs: flip, shift, rotate, affine, perspective, elastic."
            )

    def batch(self, step: int) -> Pairs:
        """Return the batch of a step."""
        return self._split(super().batch(step))

    def fixed(self, dataset: Dataset, batch: int = 500) -> Iterator[Images]:
        """Yield the pairs of a data set once, in order, for measuring."""
        yield from _side_by_side(super().fixed, dataset, batch)

    def _split(self, batch: Images) -> Pairs:
        x = batch.image
        a, b = x[:, : self._channels], x[:, self._channels :]
        return Pairs(*(part.contiguous(memory_format=torch.channels_last) for part in (a, b)))


class DegradedLoader(ImageLoader):
    """Batches of pairs whose domain A is made from B anew each time, so that no noise is seen twice.

    Augmentations change B before A is made, so any of them may be used.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch: int,
        degradation: Degradation,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        augment: tuple[str, ...] = (),
    ) -> None:
        self.degradation = degradation
        super().__init__(dataset, batch, seed=seed, device=device, augment=augment)

    def _hold(self, dataset: Dataset) -> None:
        super()._hold(dataset.domains["B"])

    def batch(self, step: int) -> Pairs:
        """Return the batch of a step."""
        b = super().batch(step).image
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "degrade", self.retry, step))
        return Pairs(self.degradation(b, generator).contiguous(memory_format=torch.channels_last), b)

    def fixed(self, dataset: Dataset, batch: int = 500) -> Iterator[Images]:
        """Yield the pairs of a data set once, in order, for measuring."""
        yield from _side_by_side(super().fixed, dataset, batch)


def _side_by_side(fixed: Callable[[Dataset, int], Iterator[Images]], dataset: Dataset, batch: int) -> Iterator[Pairs]:
    a, b = (fixed(part, batch) for part in dataset.domains.values())
    yield from (Pairs(x.image, y.image) for x, y in zip(a, b, strict=True))


LOADERS: dict[type[Images], type[ImageLoader]] = {
    Images: ImageLoader,
    Labelled: ImageLoader,
    Unpaired: UnpairedLoader,
    Pairs: PairsLoader,
}


def loader(
    batch: type[Images], dataset: Dataset, values: Data, size: int, *, seed: int = 0, device: torch.device | str = "cpu"
) -> ImageLoader:
    """Return the loader of ``size`` images per batch of a kind, changed as ``values`` say. Raises `ConfigError`."""
    degradation = degradations.of(values)
    if degradation is not None:
        return DegradedLoader(dataset, size, degradation, seed=seed, device=device, augment=values.augment)
    return LOADERS[batch](dataset, size, seed=seed, device=device, augment=values.augment)
