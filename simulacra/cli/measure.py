"""Verbs that measure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.parser import Verbs, add_data_root, count, natural
from simulacra.cli.say import open_run, print_table, say, target
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.compare import Comparison, Row
    from simulacra.evaluate import Score


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    sub = verbs.add_on_run(
        "evaluate", _evaluate, "Measure a run on held-out images, by every metric its model supports."
    )
    sub.add_argument("--n", type=count, default=10_000, metavar="N", help="test images and samples at most (10,000)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="of the samples and the noise (0)")
    sub.add_argument(
        "--out", type=Path, metavar="FILE.json", help="the scores; FILE.html is their page (RUN/evaluation.json)"
    )

    sub = verbs.add("compare", _compare, "Lay runs that were evaluated alike side by side: one page, and a table.")
    sub.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder, or a .safetensors file")
    sub.add_argument("--out", type=Path, default=Path("compare.html"), metavar="FILE.html", help="(compare.html)")
    add_data_root(sub)


def _evaluate(options: argparse.Namespace) -> None:
    if options.out is not None and options.out.suffix != ".json":
        raise ConfigError(f"evaluate writes JSON: --out must end in .json, not '{options.out.name}'.")
    from simulacra import evaluate
    from simulacra.pages import evaluation
    from simulacra.run import EVALUATION

    run = open_run(options)
    path = target(options, run, EVALUATION)
    measured = evaluate.measure(run, n=options.n, seed=options.seed, progress=_tell_part)
    _show_scores(measured.scores)
    _tell_part("pictures")
    say(evaluate.save(measured.scores, path))
    say(evaluation.write(measured, path.with_suffix(".html")))


def _compare(options: argparse.Namespace) -> None:
    if options.out.suffix != ".html" or options.out.is_dir():
        raise ConfigError(f"compare writes a page: --out must be a file ending in .html, not '{options.out}'.")
    from simulacra import compare
    from simulacra.pages import comparison

    found = compare.compare(options.runs, options.data_root)
    for reason in found.refusals:
        print(f"simulacra: {reason}", file=sys.stderr)
    _show_comparison(found)
    say(comparison.write(found, options.out))


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
    print("* the best of a row; - not measured for this family" + ("; x not compared" if comparison.refusals else ""))


def _value(row: Row, index: int) -> str:
    score = row.scores[index]
    if score is None:
        return "-"
    return "x" if row.refused else f"{score.value:.4g}" + (" *" if index in row.best else "  ")


def _tell_part(name: str) -> None:
    print(f"measuring {name} ...", file=sys.stderr, flush=True)


def _show_scores(scores: Sequence[Score]) -> None:
    from rich.table import Table

    table = Table("metric", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("images", justify="right")
    table.add_column("split")
    for score in scores:
        table.add_row(score.metric, f"{score.value:.4g}", score.unit, f"{score.n:,}", score.split)
    print_table(table)
    for name in {score.features: None for score in scores if score.features}:
        print(f"samples are compared by the features {name}")
