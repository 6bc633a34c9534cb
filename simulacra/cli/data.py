"""The verb data."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra.cli.output import show_rows
from simulacra.cli.parser import Verbs, add_data_root


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    add_data_root(verbs.add("data", _data, "List the data sets that have a name, and where they are on this machine."))


def _data(options: argparse.Namespace) -> None:
    from simulacra.config.sources import ARCHIVES, NAMED

    rows = []
    for name, one in {**NAMED, **ARCHIVES}.items():
        remedy = (
            f"put {name}.zip into a folder and name that: --data-root DIR" if name in ARCHIVES else "downloaded if used"
        )
        place = one.origin or _where(one.files, options.data_root) or f"no; {remedy}"
        rows.append((name, one.title, one.images, place))
    own = "a folder or a zip; a subfolder is a class; domains are trainA and trainB"
    rows.append(("a path", "your own images", "PNG, JPEG, WebP, GIF ...", own))
    show_rows(("name", "content", "images", "on this machine"), rows)


def _where(files: tuple[str, ...], root: Path | None) -> str | None:
    """The folder that holds all files, each as it is or packed; or the one file itself."""
    from simulacra import machine

    for folder in machine.data_folders(root):
        if all((folder / file).is_file() or (folder / f"{file}.gz").is_file() for file in files):
            first = folder / files[0]
            return str(first if len(files) == 1 else first.parent)
    return None
