"""Images of your own: a folder or a zip, of any sizes and modes, in the splits and classes that its folders name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from simulacra.config import Data
from simulacra.data import layout, reading
from simulacra.data.dataset import Dataset, Parts
from simulacra.data.layout import Placed
from simulacra.data.reading import Pixels
from simulacra.errors import DataError
from simulacra.images.find import find_with_others


def load(path: Path, data: Data) -> Parts:
    """Read a folder or zip in the splits that it has. Raises `DataError`."""
    files, others = find_with_others(path)
    found = layout.of(files, path)
    entries = [item.entry for item in found.placed]
    read = reading.sized(entries, data, reading.common_size(entries, data))
    sound = {
        item.entry.name: values for item, values in zip(found.placed, read.pixels, strict=True) if values is not None
    }
    if not any(item.split == "train" for item in found.placed if item.entry.name in sound):
        raise DataError(f"None of the training images in {path} can be read. First: {read.problems[0]}")
    left_out = (*read.problems, *found.left_out, *([str(others)] if others.counts else []))
    if read.problems:  # a class may have gone with them
        found = layout.of([entry for entry in entries if entry.name in sound], path)
    channels = data.channels or reading.common_channels(list(sound.values()), list(map(str, sound)))
    told = reading.remarks(read, channels, data)
    items = [(item, sound[item.entry.name]) for item in found.placed]
    splits = {split: _dataset(path.stem, items, split, channels) for split in ("train", "test", "validation")}
    assert splits["train"] is not None
    return Parts(splits["train"], splits["test"], splits["validation"], left_out, (*found.remarks, *told))


def _dataset(name: str, items: Sequence[tuple[Placed, Pixels]], split: str, channels: int) -> Dataset | None:
    classes = tuple(sorted({item.label for item, _ in items if item.label is not None}))
    chosen = [(item, pixels) for item, pixels in items if item.split == split]
    if not chosen:
        return None
    labels = [classes.index(item.label) for item, _ in chosen if item.label is not None]
    names = tuple(str(item.entry.name) for item, _ in chosen)
    images = reading.stack([pixels for _, pixels in chosen], channels)
    return Dataset(name, images, torch.tensor(labels) if classes else None, classes, names)
