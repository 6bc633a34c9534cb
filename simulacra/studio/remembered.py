"""What takes the whole data set to find out of a run, kept on disk until its weights change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulacra.errors import ConfigError, StorageError
from simulacra.runs.run import Run
from simulacra.storage import atomic
from simulacra.version import __version__


class Remembered:
    """Answers by run, in a folder; a folder that cannot be written is done without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known(self, run: Run) -> dict[str, Any] | None:
        """Return what was found of a run before, or None."""
        try:
            known = json.loads(self._path(run).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) else None

    def of(self, run: Run, find: Callable[[Run], dict[str, Any]]) -> dict[str, Any]:
        """Return what ``find`` finds of a run, now or before."""
        known = self.known(run)
        if known is not None:
            return known
        found = find(run)
        try:
            with atomic(self._path(run)) as temporary:
                temporary.write_text(json.dumps(found), "utf-8")
        except (StorageError, ConfigError):
            pass
        return found

    def _path(self, run: Run) -> Path:
        return self.folder / f"{_key(run)}.json"


def _key(run: Run) -> str:
    """A digest of the place, the size and the time of the weights."""
    status = run.file.stat()
    said = f"{__version__} {run.path.resolve()} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:32]
