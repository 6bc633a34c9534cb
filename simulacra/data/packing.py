"""The making of packs: pictures are decoded a few hundred at a time and written one split after the other."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from simulacra import machine
from simulacra.config import Data
from simulacra.config.seeds import derived_seed
from simulacra.data import layout, reading
from simulacra.data.layout import Placed
from simulacra.data.packs import BLOCK, DIGEST, HEADER, SPLITS, VERSION
from simulacra.data.reading import Pixels
from simulacra.errors import ConfigError, DataError, StorageError
from simulacra.images.batch import Counted
from simulacra.images.find import find_with_others
from simulacra.storage import atomic

__all__ = ["Packed", "pack"]

CHUNK = 512  # pictures decoded at once
JUDGED = 512  # pictures that tell whether a set is in colour


@dataclass(frozen=True)
class Packed:
    """A pack that was written: where, how many pictures of which shape, how many bytes, and what was left out."""

    path: Path
    counts: dict[str, int]
    shape: tuple[int, int, int]
    size: int
    left_out: tuple[str, ...]


def pack(source: Path, data: Data, out: Path, counted: Counted | None = None) -> Packed:
    """Decode a folder or a zip of pictures as ``data`` says into a pack; whatever interrupts it leaves nothing behind.

    Raises `DataError`, and `StorageError` where the disk has no room for it.
    """
    files, others = find_with_others(source)
    found = layout.of(files, source)
    splits = _shuffled(found.placed, data)
    if data.width not in (None, data.size):
        raise ConfigError("Packs hold square pictures: leave --data.width out.")
    size = data.size or reading.common_side([item.entry for item in found.placed])
    channels = data.channels or _channels(splits["train"], data, size)
    row = channels * size * size
    _refuse_full_disk(out, len(found.placed) * row)
    with atomic(out) as temporary, temporary.open("r+b") as file:
        writer = _Writer(file, channels, size)
        for split, items in splits.items():
            writer.write(split, _decoded(items, data, size, counted, f"packing {split}"))
        left_out = (*writer.problems, *found.left_out, *([str(others)] if others.counts else []))
        writer.finish(_labels(writer, source), {**_options(data, size, channels), "source": source.name})
        written = file.seek(0, 2)
    counts = {split: len(items) for split, items in writer.items.items()}
    return Packed(out, counts, (channels, size, size), written, left_out)


def _shuffled(placed: Sequence[Placed], data: Data) -> dict[str, list[Placed]]:
    """The pictures of each split in random order; without a test split, a share of the training pictures becomes it."""
    splits = {}
    for split in SPLITS:
        items = [item for item in placed if item.split == split]
        order = torch.randperm(len(items), generator=torch.Generator().manual_seed(derived_seed("pack", split)))
        splits[split] = [items[index] for index in order.tolist()]
    if not splits["test"]:
        count = min(len(splits["train"]) - 1, max(1, round(data.test * len(splits["train"]))))
        splits["test"], splits["train"] = splits["train"][:count], splits["train"][count:]
    return {split: items for split, items in splits.items() if items}


def _channels(items: Sequence[Placed], data: Data, size: int) -> int:
    judged = [item.entry for item in items[:JUDGED]]
    read = reading.sized(judged, data.model_copy(update={"corrupt": "skip"}), (size, size))
    sound = [(str(entry.name), one) for entry, one in zip(judged, read.pixels, strict=True) if one is not None]
    if not sound:
        raise DataError(f"None of the first {len(judged):,} pictures can be read. First: {read.problems[0]}")
    return reading.common_channels([one for _, one in sound], [name for name, _ in sound])


Decoded = tuple[list[tuple[Placed, Pixels]], list[str]]


def _decoded(items: Sequence[Placed], data: Data, size: int, counted: Counted | None, what: str) -> Iterator[Decoded]:
    """Some pictures after the other, and the lines on those that cannot be read."""
    starts = range(0, len(items), CHUNK)
    for start in starts if counted is None else counted(starts, len(starts), what):
        part = items[start : start + CHUNK]
        read = reading.sized([item.entry for item in part], data, (size, size))
        yield [(item, one) for item, one in zip(part, read.pixels, strict=True) if one is not None], read.problems


def _labels(writer: _Writer, source: Path) -> Mapping[str, str | None]:
    """The class of each picture that was written; a class may have gone with those that could not be read."""
    entries = [item.entry for items in writer.items.values() for item in items]
    return {str(item.entry.name): item.label for item in layout.of(entries, source).placed}


def _options(data: Data, size: int, channels: int) -> dict[str, Any]:
    chosen = data.model_dump(include={"fit", "background", "range", "test"})
    return {**chosen, "size": size, "channels": channels}


def _refuse_full_disk(out: Path, needed: int) -> None:
    home = next(folder for folder in (out.absolute().parent, *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(home).free
    if needed > free:
        raise StorageError(
            f"{out} would take {machine.gigabytes(needed)}; {machine.gigabytes(free)} are free there. Choose a smaller "
            "--data.size, or another --out."
        )


class _Writer:
    """Writes the pixels of one split after the other, then all else, and the header at last."""

    def __init__(self, file: IO[bytes], channels: int, size: int) -> None:
        self.file, self.shape = file, (channels, size, size)
        self.items: dict[str, list[Placed]] = {}
        self.problems: list[str] = []
        self._digests: dict[str, str] = {}
        self._blocks = _Blocks()
        self._tensors: dict[str, Any] = {}
        file.seek(HEADER)

    def write(self, split: str, parts: Iterator[Decoded]) -> None:
        """Write the pixels of a split."""
        digest, items = hashlib.sha256(), []
        start = self.file.tell()
        for decoded, problems in parts:
            self.problems += problems
            if decoded:
                content = reading.stack([pixels for _, pixels in decoded], self.shape[0]).numpy().tobytes()
                digest.update(content)
                self._blocks.update(content)
                self.file.write(content)
                items += [item for item, _ in decoded]
        self.items[split], self._digests[split] = items, digest.hexdigest()
        self._note(f"{split}.images", "U8", [len(items), *self.shape], start)

    def finish(self, labels: Mapping[str, str | None], about: dict[str, Any]) -> None:
        """Write labels, names, digests and the header."""
        names = {split: [str(item.entry.name) for item in items] for split, items in self.items.items()}
        classes = sorted({label for name in names["train"] if (label := labels.get(name)) is not None})
        for split, own in names.items():
            if classes:
                self._add(
                    f"{split}.labels", "I64", np.array([classes.index(labels[name] or "") for name in own], "<i8")
                )
        for split, own in names.items():
            self._add(f"{split}.names", "U8", np.frombuffer(json.dumps(own).encode(), np.uint8))
        self._add("blocks", "U8", np.frombuffer(self._blocks.finished(), np.uint8).reshape(-1, DIGEST))
        metadata = {
            "simpack": VERSION, "classes": json.dumps(classes), "sha256": json.dumps(self._digests),
            "about": json.dumps(about),
        }  # fmt: skip
        header = json.dumps({"__metadata__": metadata, **self._tensors}).encode()
        if len(header) > HEADER - 8:
            raise DataError(f"There are {len(classes):,} classes, too many for a pack.")
        self.file.seek(0)
        self.file.write((HEADER - 8).to_bytes(8, "little") + header.ljust(HEADER - 8))

    def _add(self, name: str, kind: str, values: np.ndarray[Any, Any]) -> None:
        start = self.file.tell()
        self.file.write(values.tobytes())
        self._note(name, kind, list(values.shape), start)

    def _note(self, name: str, kind: str, shape: list[int], start: int) -> None:
        offsets = [start - HEADER, self.file.tell() - HEADER]
        self._tensors[name] = {"dtype": kind, "shape": shape, "data_offsets": offsets}


class _Blocks:
    """Digests of a stream, one for each block of `BLOCK` bytes."""

    def __init__(self) -> None:
        self._digests: list[bytes] = []
        self._begun, self._filled = hashlib.blake2b(digest_size=DIGEST), 0

    def update(self, content: bytes) -> None:
        """Take in more of the stream."""
        view = memoryview(content)
        while len(view):
            part, view = view[: BLOCK - self._filled], view[BLOCK - self._filled :]
            self._begun.update(part)
            self._filled += len(part)
            if self._filled == BLOCK:
                self._close()

    def finished(self) -> bytes:
        """Return all digests."""
        if self._filled:
            self._close()
        return b"".join(self._digests)

    def _close(self) -> None:
        self._digests.append(self._begun.digest())
        self._begun, self._filled = hashlib.blake2b(digest_size=DIGEST), 0
