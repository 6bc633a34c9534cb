"""Directions that were found in a model's latent space, kept by name, and latents that are moved along them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from simulacra.errors import ConfigError, nearest
from simulacra.storage import atomic

MOST = 32  # directions of a run

Kept = dict[str, list[float]]


class Directions:
    """A file of directions for each run, in the studio's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, run: str) -> Kept:
        """Return the directions of a run by their names."""
        try:
            found = json.loads(self._path(run).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def keep(self, run: str, name: str, vector: list[float]) -> Kept:
        """Keep a direction. Raises `ConfigError` where there are too many, `StorageError`."""
        kept = self.of(run) | {name: vector}
        if len(kept) > MOST:
            raise ConfigError(f"A run keeps at most {MOST} directions. Remove one of them first.")
        return self._write(run, kept)

    def forget(self, run: str, name: str) -> Kept:
        """Remove a direction. Raises `StorageError`."""
        return self._write(run, {other: vector for other, vector in self.of(run).items() if other != name})

    def moved(self, run: str, z: Tensor, moves: Mapping[str, float]) -> Tensor:
        """Return latents ``(n, D)`` moved along directions, each as far as is said. Raises `ConfigError`."""
        kept = self.of(run) if moves else {}
        for name, far in moves.items():
            if name not in kept:
                raise ConfigError(f"No direction named '{name}' is kept.{nearest(name, kept)}")
            if len(kept[name]) != z.shape[1]:
                raise ConfigError(f"The direction '{name}' is one of another model. Remove it.")
            z = z + far * torch.tensor(kept[name])
        return z

    def _write(self, run: str, kept: Kept) -> Kept:
        with atomic(self._path(run)) as temporary:
            temporary.write_text(json.dumps(kept), "utf-8")
        return kept

    def _path(self, run: str) -> Path:
        return self.folder / f"{hashlib.sha256(run.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
