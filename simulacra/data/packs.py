"""Packs: a folder or a zip of pictures, decoded once into one file that is read where it lies, however large it is.

A pack is a safetensors file that other tools can read too: for each split ``SPLIT.images``, uint8 ``(N, C, H, W)``,
``SPLIT.labels`` where there are classes, and ``SPLIT.names``, JSON. The pictures of each split lie in random order, so
that a share is held out without copying. Digests of blocks of the pixels tell a damaged pack from a whole one.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from simulacra import machine
from simulacra.config import Data
from simulacra.config.seeds import derived_seed
from simulacra.data import layout, reading
from simulacra.data.dataset import Dataset, Parts
from simulacra.data.layout import Placed
from simulacra.data.reading import Pixels
from simulacra.errors import ConfigError, DataError, StorageError
from simulacra.images.batch import Counted
from simulacra.images.find import find_with_others
from simulacra.storage import atomic

ENDING = ".simpack"
VERSION = "1"
HEADER = 1 << 16  # bytes before the pixels
BLOCK = 1 << 20  # bytes that have a digest of their own
DIGEST = 16  # bytes of it
CHUNK = 512  # pictures decoded at once
JUDGED = 512  # pictures that tell whether a set is in colour
CHECKED = 32  # blocks that are compared whenever a pack is opened
RESIDENT_SHARE = 0.5  # of the free memory, which a set that is held in memory may take
SPLITS = ("train", "test", "validation")


def is_pack(name: str) -> bool:
    """Whether the name of a data set is that of a pack."""
    return name.lower().endswith(ENDING)


# ------------------------------------------------------------------------------------------------- writing


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


# ------------------------------------------------------------------------------------------------- reading


def load(path: Path, data: Data) -> Parts:
    """Open a pack: its pixels are held in memory or read where they lie, as ``data.resident`` says.

    Raises `DataError` for a file that is damaged, was cut short, or is not a pack, `ConfigError` for another size.
    """
    opened = Opened(path)
    opened.check(CHECKED)
    resident, told = _resident(opened, data)
    parts = {split: opened.dataset(split, resident=resident) for split in SPLITS if f"{split}.images" in opened.tensors}
    _refuse_other_options(opened, data, resident=resident)
    return Parts(parts["train"], parts.get("test"), parts.get("validation"), (), (told,))


def _resident(opened: Opened, data: Data) -> tuple[bool, str]:
    """Whether to hold a pack in memory, and a line that says so."""
    size, free = opened.pixels, machine.free_memory()
    resident = data.resident == "true" or (data.resident == "auto" and (free is None or size < RESIDENT_SHARE * free))
    left = "" if free is None else f" ({machine.gigabytes(free)} of memory are free)"
    how = "held in memory" if resident else "read from the pack when they are needed"
    return resident, f"pixels: {machine.gigabytes(size)}, {how}{left}"


def _refuse_other_options(opened: Opened, data: Data, *, resident: bool) -> None:
    """A pack that is read where it lies cannot be changed as a whole."""
    channels, size, _ = opened.shape
    other = data.size not in (None, size) or data.channels not in (None, channels)
    if not resident and (other or data.binarize_once):
        raise ConfigError(
            f"{opened.path} holds pictures of {channels} x {size} x {size}, which are read where they lie, so they "
            f"cannot be resized or binarised as a whole. Make another pack: simulacra pack PATH --out FILE{ENDING} "
            f"--data.size {data.size or size} --data.channels {data.channels or channels}"
        )


class Opened:
    """A pack whose header was read and found to fit the file. Raises `DataError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._read_header()
            with path.open("rb") as file:
                self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._map = np.frombuffer(self._file, np.uint8, offset=HEADER)
            self.shape: tuple[int, int, int] = tuple(self.tensors["train.images"]["shape"][1:])
            self._refuse_odd_shapes()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._damaged(str(error).splitlines()[0]) from None

    def _read_header(self) -> None:
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length != HEADER - 8:
                raise ValueError("it does not begin as a pack does")
            header = json.loads(file.read(length))
            end = file.seek(0, 2) - HEADER
        metadata = header.pop("__metadata__")
        if metadata["simpack"] != VERSION:
            raise ValueError(f"it is of version {metadata['simpack']!r:.20}; this program reads version {VERSION}")
        self.tensors: dict[str, Any] = header
        self.classes = tuple(map(str, json.loads(metadata["classes"])))
        self.digests: dict[str, str] = json.loads(metadata["sha256"])
        place = 0
        for one in header.values():
            if one["data_offsets"][0] != place:
                raise ValueError("its parts do not follow each other")
            place = one["data_offsets"][1]
        if place != end:
            raise ValueError(f"it has {end:,} bytes after its header, and should have {place:,}")

    def _refuse_odd_shapes(self) -> None:
        channels, height, width = self.shape
        if channels not in (1, 3) or height != width or not 8 <= height <= 1024:
            raise ValueError(f"its pictures are of {channels} x {height} x {width}")
        for name, one in self.tensors.items():
            start, end = one["data_offsets"]
            width = {"U8": 1, "I64": 8}[one["dtype"]]
            if int(np.prod(one["shape"], dtype=np.int64)) * width != end - start or min(one["shape"]) < 0:
                raise ValueError(f"its part {name} has another size than its shape says")
            if name.endswith(".images") and (tuple(one["shape"][1:]) != self.shape or one["dtype"] != "U8"):
                raise ValueError(f"its part {name} has pictures of another shape")

    @property
    def pixels(self) -> int:
        """The bytes of all pixels."""
        ends = (one["data_offsets"] for name, one in self.tensors.items() if name.endswith(".images"))
        return sum(end - start for start, end in ends)

    def check(self, blocks: int | None = None) -> int:
        """Compare so many blocks, evenly spaced, or all, with their digests; return how many. Raises `DataError`."""
        digests = self._array("blocks").reshape(-1, DIGEST)
        count = len(digests) if blocks is None else min(blocks, len(digests))
        if len(digests) != -(-self.pixels // BLOCK):
            raise self._damaged("it lacks digests of its pixels")
        for index in np.linspace(0, len(digests) - 1, count).round().astype(int).tolist():
            content = self._map[index * BLOCK : min((index + 1) * BLOCK, self.pixels)]
            if hashlib.blake2b(content.tobytes(), digest_size=DIGEST).digest() != digests[index].tobytes():
                raise self._damaged(f"its pixels have changed, about {index * BLOCK:,} bytes after the header")
        return count

    def dataset(self, split: str, *, resident: bool) -> Dataset:
        """Return a split, its pixels in memory or where they lie."""
        images = self._tensor(f"{split}.images")
        labels = self._tensor(f"{split}.labels").clone() if self.classes else None
        if labels is not None and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.classes):
            raise self._damaged("it has labels without classes")
        try:
            names = tuple(map(str, json.loads(self._array(f"{split}.names").tobytes())))
        except (ValueError, KeyError) as error:
            raise self._damaged(str(error).splitlines()[0]) from None
        if len(names) != len(images) or (labels is not None and len(labels) != len(images)):
            raise self._damaged(f"it has {len(images):,} {split} pictures, and other numbers of names or labels")
        pixels = images.clone() if resident else images
        if not resident and hasattr(mmap, "MADV_RANDOM"):
            self._file.madvise(mmap.MADV_RANDOM)  # else the system reads ten times as much, for a reading in order
        return Dataset(
            self.path.stem, pixels, labels, self.classes, names, mapped=not resident, known=self.digests[split]
        )

    def _array(self, name: str) -> np.ndarray[Any, Any]:
        one = self.tensors[name]
        content = self._map[slice(*one["data_offsets"])]
        if one["dtype"] == "I64":  # perhaps not aligned
            return np.frombuffer(bytearray(content.tobytes()), "<i8").reshape(one["shape"])
        return content.reshape(one["shape"])

    def _tensor(self, name: str) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it cannot be written to: nothing writes to the images of a data set
            return torch.from_numpy(self._array(name))

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            f"{self.path} cannot be read as a pack: {reason}. It is damaged, was cut short or is something else; make "
            f"it again: simulacra pack PATH --out {self.path}"
        )
