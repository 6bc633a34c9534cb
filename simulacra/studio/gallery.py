"""The runs below a folder, by names that are looked up: no path ever comes from a request."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulacra.errors import RunError
from simulacra.runs import zoo
from simulacra.runs.folder import CONFIG, MODEL, RunFolder

DEPTH = 3  # folders below the runs folder in which runs are looked for
MOST = 1_000  # runs listed
PLAIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$")


@dataclass(frozen=True)
class Found:
    """A run folder: the name by which it is asked for, the one that is shown, and where it lies."""

    id: str
    name: str
    path: Path

    @property
    def folder(self) -> RunFolder:
        """Its files."""
        return RunFolder(self.path)

    @property
    def ready(self) -> bool:
        """Whether there are weights to use."""
        return (self.path / MODEL).is_file()


class Gallery:
    """All runs below a folder, or the one run that the folder itself is."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def all(self) -> dict[str, Found]:
        """Every run by its id, the newest first; where there is none, the models in the package."""
        found = [Found(_id(name), name, path) for name, path in _runs(self.root)]
        found.sort(key=lambda one: _changed(one.path), reverse=True)
        return {one.id: one for one in found[:MOST]} or shipped()

    def __getitem__(self, run: str) -> Found:
        """Look a run up by its id. Raises `RunError`."""
        found = self.all().get(run) or shipped().get(run)
        if found is None:
            raise RunError("There is no such run here. It may have been moved or deleted.")
        return found


def shipped() -> dict[str, Found]:
    """The models that come with the package, as runs."""
    found = [Found(f"{zoo.PREFIX}{name}", f"{zoo.PREFIX}{name}", zoo.home() / name) for name in zoo.names()]
    return {one.id: one for one in found}


def _id(name: str) -> str:
    """A name that can stand in an address: the run's own where it is plain, else the beginning of its digest."""
    return name if PLAIN.match(name) else hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _runs(root: Path) -> Iterator[tuple[str, Path]]:
    if _is_run(root):
        yield root.resolve().name, root
        return
    yield from _below(root, "", DEPTH)


def _below(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path]]:
    """Runs in a folder, by their names from the root; links are not followed, so that nothing outside is reached."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            continue
        path = folder / entry.name
        if _is_run(path):
            yield prefix + entry.name, path
        elif depth > 1:
            yield from _below(path, f"{prefix}{entry.name}/", depth - 1)


def _is_run(path: Path) -> bool:
    return (path / CONFIG).is_file() or (path / MODEL).is_file()


def _changed(path: Path) -> float:
    times = [file.stat().st_mtime for name in (MODEL, CONFIG) if (file := path / name).is_file()]
    return max(times, default=0.0)
