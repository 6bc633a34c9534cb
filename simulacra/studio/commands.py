"""The command and the Python lines that do what a view of the page shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from simulacra.runs import places


def command(*words: object) -> str:
    """Return a command line of this package; words that are None are left out."""
    return shlex.join(["simulacra", *(named(word) for word in words if word is not None)])


def named(word: object) -> str:
    """A word as it is typed: a model in the package by its name."""
    return places.name(word) if isinstance(word, Path) else str(word)


def option(name: str, value: object | None, default: object | None = None) -> list[str]:
    """Return an option and its value, or nothing where the value is absent or the default."""
    return [] if value is None or value == default else [f"--{name}", _plain(value)]


def python(run: Path, *lines: str) -> str:
    """Return lines of Python that begin with opening a run."""
    return "\n".join(["import simulacra", "", f"run = simulacra.Run.open({named(run)!r})", *lines])


def written(z: Tensor) -> str:
    """Return latents as a Python expression that reads back equal to six digits."""
    rows = (", ".join(f"{value:.6g}" for value in row) for row in z.tolist())
    return f"torch.tensor([{', '.join(f'[{row}]' for row in rows)}])"


def decoding(run: Path, z: Tensor) -> str:
    """Return the Python lines that decode latents."""
    return python(run, "import torch", "", f"z = {written(z)}", "simulacra.show(run.decode(z))")


def arguments(values: Sequence[tuple[str, object]]) -> str:
    """Return keyword arguments as Python writes them, absent ones left out."""
    return ", ".join(f"{name}={value!r}" for name, value in values if value is not None)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
