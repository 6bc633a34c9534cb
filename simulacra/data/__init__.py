"""Where images come from: names with known content, or a folder or zip of your own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from simulacra import images
from simulacra.config import Data, sources
from simulacra.config.seeds import derived_seed
from simulacra.data import degradation as degradations
from simulacra.data import digits, domains, folders, given, idx, overflow, packs, reading, shapes, stacked
from simulacra.data.archives import ARCHIVES
from simulacra.data.dataset import Dataset, Images, Labelled, Pairs, Parts, Splits, Unpaired
from simulacra.data.given import Given
from simulacra.data.loader import LOADERS, DegradedLoader, ImageLoader, Loader, PairsLoader, UnpairedLoader, loader
from simulacra.data.survey import Survey, survey
from simulacra.errors import ConfigError, DataError, nearest

__all__ = [
    "LOADERS",
    "SOURCES",
    "Dataset",
    "DegradedLoader",
    "Given",
    "ImageLoader",
    "Images",
    "Labelled",
    "Loader",
    "Pairs",
    "PairsLoader",
    "Parts",
    "Splits",
    "Survey",
    "Unpaired",
    "UnpairedLoader",
    "derived_seed",
    "load",
    "loader",
    "survey",
]


@dataclass(frozen=True)
class Named:
    """A data set with a name: what it holds, how to load it, and where it is on this machine."""

    title: str
    images: str
    load: Callable[[Data, Path | None], tuple[Dataset, Dataset]]
    where: Callable[[Path | None], str | None]


def _named(
    name: str,
    load: Callable[[Data, Path | None], tuple[Dataset, Dataset]],
    where: Callable[[Path | None], Path | None] | None = None,
) -> Named:
    """A data set of the table of sources: how it is loaded, and the folder it lies in where it is one of files."""
    source = sources.NAMED[name]

    def found(root: Path | None) -> str | None:
        folder = where(root) if where else None
        return source.origin or (None if folder is None else str(folder))

    return Named(source.title, source.images, load, found)


SOURCES: dict[str, Named] = {
    "digits": _named("digits", lambda *_: digits.load()),
    "shapes": _named("shapes", lambda data, _: shapes.load(data.size or 32)),
    "mnist": _named("mnist", lambda _, root: idx.load(idx.MNIST, root), lambda root: idx.find(idx.MNIST, root)),
    "fashion-mnist": _named(
        "fashion-mnist",
        lambda _, root: idx.load(idx.FASHION_MNIST, root),
        lambda root: idx.find(idx.FASHION_MNIST, root),
    ),
    stacked.NAME: _named(stacked.NAME, lambda _, root: stacked.load(root), lambda root: idx.find(idx.MNIST, root)),
}


def load(
    data: Data, root: Path | None = None, batch: type[Images] = Images, images_given: Given | None = None
) -> Splits:
    """Load a named set or a path, in the size and channels asked for, in splits.

    ``batch`` is what a model sees: with `Unpaired` or `Pairs` two domains are looked for.
    ``root`` is a folder to look in first; ``images_given`` are images from Python, which are taken instead. A source
    without a test split of its own gets one by `Data.test`.
    The splits depend on the data alone, never on the seed of a training. Raises `DataError`.
    """
    degradation = degradations.of(data)
    if degradation is not None:
        if batch is not Pairs:
            raise ConfigError("data.pairs makes pairs of images, from which pix2pix and the recipes for repair learn.")
        single = load(degradations.single(data), root, Images, images_given)
        if single.train.mapped:
            raise ConfigError("data.pairs changes all pictures of a set, so it must be in memory: --data.resident true")
        return degradations.paired(single, degradation)
    if images_given is not None:
        return completed(given.load(images_given, data, batch), data)
    return completed(_read(data, root, batch), data)


def _read(data: Data, root: Path | None, batch: type[Images]) -> Parts:
    given.refuse_absent(data.name)
    if packs.is_pack(data.name) and Path(data.name).is_file():
        return packs.load(Path(data.name), data, batch)
    there = data.name not in SOURCES and os.path.exists(data.name)  # noqa: PTH110 - false for impossible names
    if there and (pack := overflow.packed(Path(data.name), data, batch)) is not None:
        return packs.load(pack, data.model_copy(update={"resident": "false"}), batch)
    if batch is Unpaired or batch is Pairs:
        return domains.load(data, batch, root)
    if data.name in SOURCES:
        return Parts(*SOURCES[data.name].load(data, root))
    if there:
        return folders.load(Path(data.name), data)
    if data.name in ARCHIVES:
        raise DataError(
            f"{data.name} has two domains, which the families cyclegan and pix2pix translate. "
            f"Type: simulacra train cyclegan --data {data.name}"
        )
    names = ", ".join(SOURCES)
    raise DataError(
        f"There is no data set or path '{data.name}'.{nearest(data.name, SOURCES)} "
        f"Names: {names}; or a folder or a zip of images."
    )


def completed(parts: Parts, data: Data) -> Splits:
    """Bring all splits to the size and channels asked for, and hold out those that the source does not have.

    Raises `DataError` for too few images.
    """
    for part in (parts.train, parts.test, parts.validation):
        if part is not None and not part.mapped:
            channels = (data.channels or part.shape.channels) * max(1, len(part.domains))
            reading.refuse_beyond_memory(len(part), channels, _sides(part, data))
    train, test, validation, remarks = parts.train, parts.test, parts.validation, list(parts.remarks)
    smaller = min(train.domains.values(), key=len, default=train)
    dividing = validation is None and data.validation > 0
    needed = max(2, 1 + (test is None) + dividing)
    if len(smaller) < needed:
        raise DataError(f"{data.name} has too few images to train on ({len(smaller)}): at least {needed} are needed.")
    train = _fitted(train, data)
    if test is None:
        train, test = train.divide(data.test, seed=1)
        remarks.append(f"images for testing: {_counted(test)}, held out ({data.test:.3g} of all, data.test)")
    else:
        own = "as the pack divides them" if test.mapped else "the source's own test split"
        remarks.append(f"images for testing: {_counted(test)}, {own}")
    test = _fitted(test, data)
    if data.per_class is not None:
        train = train.few(data.per_class, data.per_class_seed)
    if validation is not None:
        validation = _fitted(validation, data)
        own = "as the pack divides them" if validation.mapped else "the source's own split"
        remarks.append(f"images for validation: {_counted(validation)}, {own}, not trained on")
    elif dividing:
        train, validation = train.divide(data.validation, seed=2)
        held = f"held out ({data.validation:.3g} of the training images, data.validation)"
        remarks.append(f"images for validation: {_counted(validation)}, {held}")
    return Splits(train, test, validation, parts.skipped, tuple(remarks))


def _counted(dataset: Dataset) -> str:
    return " + ".join(f"{len(part):,}" for part in dataset.domains.values() or [dataset])


def _sides(dataset: Dataset, data: Data) -> tuple[int, int]:
    """Height and width asked for, or else those of the images; one alone stands for both."""
    if data.size is None and data.width is None:
        return dataset.shape.sides
    height = data.size or data.width or dataset.shape.size
    return height, data.width or height


def _fitted(dataset: Dataset, data: Data) -> Dataset:
    (size, width), channels = _sides(dataset, data), data.channels or dataset.shape.channels
    pixels = images.with_channels(images.resize(dataset.images, size, width), channels).contiguous()
    pixels = _binarized(pixels) if data.binarize_once else pixels
    other = dataset.other
    if other is not None:
        other = _fitted(
            other, data.model_copy(update={"size": size, "width": width, "channels": data.channels_b or data.channels})
        )
    known = dataset.known if pixels is dataset.images else None
    return replace(dataset, images=pixels, other=other, known=known)


def _binarized(pixels: Tensor) -> Tensor:
    """Each pixel 255 with the probability of its grey level, else 0, always by the same draw (static binarisation)."""
    generator = torch.Generator().manual_seed(derived_seed("binarize once"))
    white = torch.randint(255, pixels.shape, generator=generator, dtype=torch.uint8) < pixels
    return white.to(torch.uint8) * 255
