"""A folder or a zip larger than memory: it is packed into the user's cache first, and read from there.

The pack holds what the same pictures are in memory, in the same order and the same splits, so it does not matter to a
training on which of the two it goes on. A pack in the cache may be deleted at any time; then it is made again.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from simulacra import machine
from simulacra.config import Data
from simulacra.data import packing, reading
from simulacra.data.dataset import Images, Pairs, Unpaired
from simulacra.data.reading import LARGEST_NATIVE
from simulacra.images.batch import Counted
from simulacra.images.find import PACK, Entry, find

VERSION = 1  # of how pictures are read and ordered
OPTIONS = {
    "size", "width", "channels", "channels_b", "swap", "fit", "background", "corrupt", "max_megapixels", "range",
    "test", "validation",
}  # fmt: skip


@dataclass(frozen=True)
class Watch:
    """Where a person is told that a set is packed, and sees how far this has come."""

    tell: Callable[[str], None] = warnings.warn
    counted: Counted | None = None


_watch: ContextVar[Watch] = ContextVar("watch", default=Watch())  # noqa: B039 - it cannot be changed


@contextmanager
def watched(by: Watch) -> Iterator[None]:
    """Tell a person, in the block, when a set is packed."""
    token = _watch.set(by)
    try:
        yield
    finally:
        _watch.reset(token)


def packed(path: Path, data: Data, batch: type[Images]) -> Path | None:
    """Return the pack of a folder or a zip, made if need be; None where the pictures fit into memory.

    Raises `DataError`, `StorageError`.
    """
    if data.resident == "true" or data.binarize_once:  # which a pack cannot be
        return None
    files = find(path)
    needed, free = _bytes(files, data, batch), machine.free_memory()
    if data.resident == "auto" and (free is None or 2 * needed < free):
        return None
    pack = folder() / f"{path.stem}-{_key(path, files, data, batch)}{PACK}"
    if not pack.exists():
        known = "" if free is None else f"; {machine.gigabytes(free)} of memory are free"
        _watch.get().tell(
            f"{path} is packed first, which takes {machine.gigabytes(needed)} of disk{known}: {pack} is used again by "
            "the next training, and may be deleted when nothing trains on it."
        )
        packing.pack(path, data, pack, _watch.get().counted, batch=batch, ordered=True)
    return pack


def folder() -> Path:
    """Where the packs lie: ``simulacra/packs`` in the user's cache."""
    return machine.cache() / "packs"


def _bytes(files: Sequence[Entry], data: Data, batch: type[Images]) -> int:
    """The bytes of all pixels, in colour unless grey is asked for; headers are read only where it matters."""
    channels = data.channels or 3
    most = len(files) * channels * LARGEST_NATIVE**2
    free = machine.free_memory()
    if data.size is None and data.width is None and data.resident == "auto" and (free is None or 2 * most < free):
        return most
    if batch in (Unpaired, Pairs):
        side = data.size or reading.common_side(files)
        return 2 * len(files) * channels * side**2  # twice, as files may hold two side by side
    height, width = reading.common_size(files, data)
    return len(files) * channels * height * width


def _key(path: Path, files: Sequence[Entry], data: Data, batch: type[Images]) -> str:
    """What tells this pack from others: files with their sizes and times, and how they are read."""
    told = [(str(entry.name), entry.size, _changed(entry)) for entry in files]
    read = data.model_dump(include=OPTIONS)
    whole = (VERSION, str(path.resolve()), path.stat().st_mtime_ns, told, sorted(read.items()), batch.__name__)
    return hashlib.sha256(repr(whole).encode()).hexdigest()[:16]


def _changed(entry: Entry) -> int:
    source = None if entry.beginning is not None else entry.source()
    return source.stat().st_mtime_ns if isinstance(source, Path) else 0
