"""The verb data."""

from __future__ import annotations

import argparse

from simulacra.cli.output import show_rows
from simulacra.cli.parser import Verbs, add_data_root


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    add_data_root(verbs.add("data", _data, "List the data sets that have a name, and where they are on this machine."))


def _data(options: argparse.Namespace) -> None:
    from simulacra.data import SOURCES, archives

    rows = [
        (name, one.title, one.images, one.where(options.data_root) or "no; downloaded when needed")
        for name, one in SOURCES.items()
    ]
    for name, (title, holds) in archives.ARCHIVES.items():
        found = archives.where(name, options.data_root)
        rows.append(
            (name, title, holds, str(found or f"no; put {name}.zip into a folder and name it with --data-root"))
        )
    rows.append(
        (
            "a path",
            "your own images",
            "PNG, JPEG, WebP, GIF ...",
            "a folder or a zip; a subfolder is a class; domains are trainA and trainB",
        )
    )
    show_rows(("name", "content", "images", "on this machine"), rows)
