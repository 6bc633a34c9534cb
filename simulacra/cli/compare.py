"""The verb `compare`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import print_table, refuse_existing, say, show, tell
from simulacra.cli.parser import Verbs, add_data_root, add_out
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.evaluation.compare import Comparison, Row

DEFAULT = "compare.html"


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add("compare", _compare, "Compare runs that were evaluated in the same way: a table and a page.")
    sub.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="run folder, .safetensors file, or hub:OWNER/NAME@REVISION"
    )
    add_out(sub, "FILE.html", "file for the page (default: compare.html)")
    add_data_root(sub)


def _compare(options: argparse.Namespace) -> None:
    path = Path(DEFAULT) if options.out is None else options.out
    if path.suffix != ".html" or path.is_dir():
        raise ConfigError(f"compare writes a page: --out must be the name of a file ending in .html, not '{path}'.")
    if options.out is not None:
        refuse_existing(path, options.force)
    from simulacra.evaluation import compare
    from simulacra.pages import comparison

    found = compare.compare(options.runs, options.data_root)
    for reason in found.refusals:
        tell(f"simulacra: {reason}")
    _show_comparison(found)
    say(comparison.write(found, path))


def _show_comparison(comparison: Comparison) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("", box=None, pad_edge=False)
    for entry in comparison.entries:
        table.add_column(Text(entry.name), justify="right", overflow="fold")
    facts = [entry.facts() for entry in comparison.entries]
    for name in ("family", "parameters", "images seen", "images/s"):
        table.add_row(name, *(fact[name] or "-" for fact in facts))
    for row in (row for rows in comparison.groups.values() for row in rows):
        table.add_row(row.metric, *(_value(row, index) for index in range(len(row.scores))))
    print_table(table)
    show("* best of the row; - not measured for this family" + ("; x not compared" if comparison.refusals else ""))


def _value(row: Row, index: int) -> str:
    score = row.scores[index]
    if score is None:
        return "-"
    return "x" if row.refused else f"{score.value:.4g}" + (" *" if index in row.best else "  ")
