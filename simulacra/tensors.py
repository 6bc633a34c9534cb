"""Files of named tensors (safetensors): read without executing anything, and never more than the memory holds."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.machine import refuse_more_than_memory

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 64 << 20  # bytes of a file from which the free memory is looked at


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file by name, and its metadata.

    Raises `OSError`, `ValueError` for what is damaged or not such a file, `ConfigError` for more than the memory holds.
    """
    from safetensors import SafetensorError, safe_open

    refuse_large(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(str(error)) from None


def refuse_large(path: Path, unpacked: int = 0) -> None:
    """Raise `ConfigError` for a file that would fill the memory, `ValueError` for a pipe or a device.

    ``unpacked`` are the bytes that it takes in memory, where they are more than those of the file.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("it is not a regular file")
    if max(facts.st_size, unpacked) > LARGE:
        refuse_more_than_memory(max(facts.st_size, unpacked), f"Reading {path}", "Name another file.")
