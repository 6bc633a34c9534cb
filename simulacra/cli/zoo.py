"""The verb zoo."""

from __future__ import annotations

import argparse

from simulacra.cli.output import show, show_rows
from simulacra.cli.parser import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    verbs.add("zoo", _zoo, "List the trained models in the package; every verb takes zoo:NAME for a RUN.")


def _zoo(_: argparse.Namespace) -> None:
    from simulacra.runs import zoo

    found = [zoo.shipped(name) for name in zoo.names()]
    show_rows(
        ("run", "makes", "data", "score", "licence", "size"),
        [
            (f"{zoo.PREFIX}{one.name}", one.title, one.data, f"{one.metric} {one.score:.4g} {one.unit}".strip(),
             one.licence, f"{one.size / 1000:,.0f} kB")
            for one in found
        ],
    )  # fmt: skip
    show("Try one: simulacra sample zoo:" + found[0].name)
