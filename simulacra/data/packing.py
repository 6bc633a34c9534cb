"""The making of packs: pictures are decoded a few hundred at a time and written one split after the other."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from simulacra import machine
from simulacra.config import Data
from simulacra.data import reading
from simulacra.data.arranging import Arrangement, Part, arrange, pixels_of
from simulacra.data.dataset import Images
from simulacra.data.packs import BLOCK, DIGEST, HEADER, VERSION
from simulacra.data.reading import Pixels, Sides
from simulacra.errors import DataError, StorageError
from simulacra.images.batch import Counted
from simulacra.images.find import Entry, find_with_others
from simulacra.storage import atomic

__all__ = ["Packed", "pack"]

CHUNK = 512  # pictures decoded at once


@dataclass(frozen=True)
class Packed:
    """A pack that was written: where, the pictures of each part, their shapes, the bytes, and what was left out."""

    path: Path
    counts: dict[str, int]
    shapes: tuple[tuple[int, int, int], ...]  # of one domain, or of both
    size: int
    left_out: tuple[str, ...]


def pack(
    source: Path,
    data: Data,
    out: Path,
    counted: Counted | None = None,
    *,
    batch: type[Images] = Images,
    ordered: bool = False,
) -> Packed:
    """Decode a folder or a zip of pictures as ``data`` says into a pack; whatever interrupts it leaves nothing behind.

    ``batch`` and ``ordered`` are those of `arrange`. Where files cannot be read and are left out, the others are
    decoded once more, without them. Raises `DataError`, and `StorageError` where the disk has no room for it.
    """
    files, others = find_with_others(source)
    with atomic(out) as temporary, temporary.open("r+b") as file:
        lost: dict[Entry, str] = {}
        while True:
            found = arrange(files, source, data, batch, ordered=ordered, without=lost.keys())
            _refuse_full_disk(out, found.bytes)
            writer = _Writer(file, found)
            for part in found.parts:
                writer.write(part, _decoded(part, found.sides, data, counted))
            if not writer.lost:
                break
            lost |= writer.lost
        problems = [*lost.values(), *found.left_out, *([str(others)] if others.counts else [])]
        writer.finish({**_options(data, found), "source": source.name})
        written = file.seek(0, 2)
    counts = {part.name: len(part.items) for part in found.parts}
    return Packed(out, counts, found.shapes, written, tuple(problems))


Decoded = tuple[list[Pixels], dict[Entry, str]]


def _decoded(part: Part, sides: Sides, data: Data, counted: Counted | None) -> Iterator[Decoded]:
    """Some pictures after the other, and those that cannot be read with the reasons."""
    starts = range(0, len(part.items), CHUNK)
    for start in starts if counted is None else counted(starts, len(starts), f"packing {part.name}"):
        entries = [item.entry for item in part.items[start : start + CHUNK]]
        read = reading.sized(entries, data, sides, halves=part.half is not None)
        bad = [entry for entry, one in zip(entries, read.pixels, strict=True) if one is None]
        sound = [pixels_of(part, one) for one in read.pixels if one is not None]
        yield sound, dict(zip(bad, read.problems, strict=True))


def _options(data: Data, found: Arrangement) -> dict[str, Any]:
    chosen = data.model_dump(include={"fit", "background", "range", "test"})
    height, width = found.sides
    return {**chosen, "size": height, "width": width, "aligned": found.aligned}


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

    def __init__(self, file: IO[bytes], found: Arrangement) -> None:
        self.file, self.found = file, found
        self.lost: dict[Entry, str] = {}
        self._digests: dict[str, str] = {}
        self._blocks = _Blocks()
        self._tensors: dict[str, Any] = {}
        file.seek(HEADER)
        file.truncate()

    def write(self, part: Part, decoded: Iterator[Decoded]) -> None:
        """Write the pixels of a part, and note the files that cannot be read."""
        digest, start = hashlib.sha256(), self.file.tell()
        for pixels, lost in decoded:
            self.lost |= lost
            if pixels:
                content = reading.stack(pixels, part.channels).numpy().tobytes()
                digest.update(content)
                self._blocks.update(content)
                self.file.write(content)
        self._digests[part.name] = digest.hexdigest()
        self._note(f"{part.name}.images", "U8", [len(part.items), part.channels, *self.found.sides], start)

    def finish(self, about: dict[str, Any]) -> None:
        """Write labels, names, digests and the header."""
        classes = self.found.classes
        names = {part.name: [item.name for item in part.items] for part in self.found.parts}
        for part in self.found.parts if classes else ():
            labels = [classes.index(item.label or "") for item in part.items]
            self._add(f"{part.name}.labels", "I64", np.array(labels, "<i8"))
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
