"""Verbs that look things up: recipes, data."""

from __future__ import annotations

import argparse

from simulacra import config
from simulacra.cli.output import print_table
from simulacra.cli.parser import Verbs, add_data_root


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    verbs.add("recipes", _recipes, "List the recipes: what each makes, the score and the time to expect.")
    add_data_root(verbs.add("data", _data, "List the data sets that have a name, and which are on this machine."))


def _recipes(_: argparse.Namespace) -> None:
    from rich.table import Table

    table = Table("recipe", "makes", "data", "expect", "time", box=None, pad_edge=False)
    for name in config.recipe_names():
        recipe = config.recipe(name)
        table.add_row(name, recipe.title, recipe.values["data"]["name"], recipe.expect, recipe.time)
    print_table(table)


def _data(options: argparse.Namespace) -> None:
    from rich.table import Table

    from simulacra.data import SOURCES, archives

    table = Table("name", "holds", "images", "on this machine", box=None, pad_edge=False)
    for name, source in SOURCES.items():
        table.add_row(name, source.title, source.images, source.where(options.data_root) or "no: downloaded when used")
    for name, (title, holds) in archives.ARCHIVES.items():
        found = archives.where(name, options.data_root)
        table.add_row(name, title, holds, str(found) if found else f"no: put {name}.zip into --data-root")
    table.add_row(
        "a path",
        "your own images",
        "PNG, JPEG, WebP, GIF ...",
        "a folder or a zip; class = subfolder; domains: trainA, trainB",
    )
    print_table(table)
