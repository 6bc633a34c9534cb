"""Where a run lies: in a folder or file of the user, among the models in the package, or fetched from the hub."""

from __future__ import annotations

from pathlib import Path

from simulacra.runs import hub, zoo


def place(run: str | Path) -> Path:
    """Return the folder of ``zoo:NAME`` or ``hub:OWNER/NAME@REVISION``, or the path itself of anything else.

    Raises `RunError` for a model that does not exist, `ConfigError` for a missing extra.
    """
    text = str(run)
    if text.startswith(zoo.PREFIX):
        return zoo.place(text)
    return hub.fetched(text) if text.startswith(hub.PREFIX) else Path(run)


def name(path: Path) -> str:
    """Return what a person types for a folder that `place` returned, the commit of a model of the hub included."""
    if zoo.is_shipped(path):
        return f"{zoo.PREFIX}{path.name}"
    return hub.pinned(path) or str(path)


def is_borrowed(path: Path) -> bool:
    """Whether nothing may be written beside a model, as it came along or from the hub."""
    return zoo.is_shipped(path) or hub.pinned(path) is not None
