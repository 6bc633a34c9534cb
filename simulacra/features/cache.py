"""What was computed once from the same content: files in the user cache that may be deleted at any time.

A file is called ``KEY.SHA256.safetensors``: the key says what it was computed from, the SHA-256 is that of the file.
A file that does not have the SHA-256 of its name is damaged and not used. Files are renamed into place when complete,
so processes may share the folder; beyond `MAX_BYTES` bytes the files unused for longest are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from simulacra import machine
from simulacra.errors import SimulacraError
from simulacra.storage import atomic

MAX_BYTES = 2 << 30  # of all files
MAX_PART_AGE = 86_400  # seconds after which a file that was never completed is removed


def folder() -> Path:
    """Where the files lie: ``simulacra/features`` in the user cache."""
    return machine.cache() / "features"


def key(*parts: object) -> str:
    """SHA-256 over the representations of what a value was computed from."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def tensor(key: str, compute: Callable[[], Tensor]) -> Tensor:
    """Return the tensor of a key, computed only where it is not yet kept."""
    return deserialise(remembered(key, lambda: serialise({"values": compute().contiguous()})))["values"]


def remembered(key: str, compute: Callable[[], bytes]) -> bytes:
    """Return the bytes of a key, computed only if they are not kept yet; a disk that cannot be written is ignored."""
    content = read(key)
    if content is None:
        content = compute()
        with contextlib.suppress(SimulacraError):
            write(key, content)
    return content


def read(key: str) -> bytes | None:
    """Return the bytes of a key, or None where there are none or they are damaged."""
    for path in sorted(folder().glob(f"{key}.*.safetensors")):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            if path == _path(key, content):
                with contextlib.suppress(OSError):
                    os.utime(path)
                return content
    return None


def write(key: str, content: bytes) -> None:
    """Keep the bytes of a key, whole or not at all. Raises `StorageError`."""
    if len(content) > MAX_BYTES:
        return
    path = _path(key, content)
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    for other in folder().glob(f"{key}.*.safetensors"):
        if other != path:  # damaged: an intact one would have been read
            _remove(other)
    _trim()


def _path(key: str, content: bytes) -> Path:
    return folder() / f"{key}.{hashlib.sha256(content).hexdigest()[:32]}.safetensors"


def _trim() -> None:
    """Remove what was not used for longest until the limit holds, and what a kill left behind."""
    used, total = [], 0
    for path in folder().iterdir():
        with contextlib.suppress(OSError):
            found = path.stat()
            if path.suffix == ".part" and time.time() - found.st_mtime > MAX_PART_AGE:
                _remove(path)
            elif path.suffix == ".safetensors":
                used.append((found.st_mtime_ns, found.st_size, path))
                total += found.st_size
    for _, size, path in sorted(used):
        if total <= MAX_BYTES:
            break
        _remove(path)
        total -= size


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
