"""The verb recipes."""

from __future__ import annotations

import argparse

from simulacra import config
from simulacra.cli.output import show_rows
from simulacra.cli.parser import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    verbs.add("recipes", _recipes, "List the recipes: what each makes, the score and the time to expect.")


def _recipes(_: argparse.Namespace) -> None:
    found = (config.recipe(name) for name in config.recipe_names())
    show_rows(
        ("recipe", "makes", "data", "expect", "time"),
        [(one.name, one.title, one.values["data"]["name"], one.expect, one.time) for one in found],
    )
