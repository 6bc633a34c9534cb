"""Where data sets with a name are looked up on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from simulacra import machine

ROOT_VARIABLE = "SIMULACRA_DATA"


def roots(root: Path | None = None) -> list[Path]:
    """Return the folders to look in, in order: ``root``, ``$SIMULACRA_DATA``, the user cache."""
    places = [root] if root is not None else []
    if os.environ.get(ROOT_VARIABLE):
        places.append(Path(os.environ[ROOT_VARIABLE]))
    return [*places, machine.cache() / "data"]
