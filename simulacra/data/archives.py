"""The zips with a name: sets of two domains that a person puts on the machine."""

from __future__ import annotations

from pathlib import Path

from simulacra.config.sources import ARCHIVES
from simulacra.errors import DataError
from simulacra.machine import ROOT_VARIABLE, data_folders

__all__ = ["ARCHIVES", "find", "where"]


def where(name: str, root: Path | None) -> Path | None:
    """Return the zip of a known name, or None where it is not on this machine."""
    candidates = [folder / f"{name}.zip" for folder in data_folders(root)]
    return next((path for path in candidates if path.is_file()), None)


def find(name: str, root: Path | None) -> Path:
    """Return the zip of a known name; raises `DataError` where it is not on this machine."""
    found = where(name, root)
    if found is None:
        raise DataError(
            f"{name}.zip is not on this machine. Put it into a folder and name that folder with --data-root or "
            f"${ROOT_VARIABLE}; docs/data.md says where it comes from."
        )
    return found
