"""The verb bench: this package against what was published."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import say, show_rows, tell
from simulacra.cli.parser import Verbs, add_data_root
from simulacra.cli.words import count
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.bench.rows import Row
    from simulacra.bench.speedrun import Outcome

LINE_SECONDS = 30  # at least between two lines of progress
SPEEDRUN_SEEDS = 3


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add(
        "bench", _bench, "Reproduce published results: train and measure the rows of a table, and write it as a page."
    )
    sub.add_argument(
        "what",
        choices=["ledger", "speedrun"],
        help="ledger: a page of published results beside ours; speedrun: processor seconds until a score is passed",
    )
    sub.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help="rows of the ledger (default: all that take only minutes) or recipes of the speed run (default: all)",
    )
    sub.add_argument("--list", action="store_true", help="list the rows without training")
    sub.add_argument(
        "--seeds",
        type=count,
        metavar="N",
        help="number of trainings with different seeds (default: set by the row of the ledger; 3 in the speed run)",
    )
    sub.add_argument(
        "--page",
        type=Path,
        metavar="FILE.md",
        help="Markdown page of the ledger to write (default: docs/ledger.md)",
    )
    sub.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the run folders of the ledger (default: runs/ledger)",
    )
    add_data_root(sub)


def _bench(options: argparse.Namespace) -> None:
    (_speedrun if options.what == "speedrun" else _ledger)(options)


def _ledger(options: argparse.Namespace) -> None:
    from simulacra.bench import rows

    chosen, page = rows.chosen(options.rows), options.page or Path("docs/ledger.md")
    if page.suffix != ".md":
        raise ConfigError(f"The ledger is a page in Markdown: --page must end in .md, not '{page.name}'.")
    if options.list:
        _list(chosen if options.rows else list(rows.rows().values()))
        return
    from simulacra.bench.ledger import Ledger

    ledger = Ledger(page, options.out or Path("runs/ledger"), data_root=options.data_root)
    sparse = _sparsely(tell)
    for row in chosen:
        ledger.fill(row, options.seeds or row.seeds, tell, sparse)
    ledger.write()
    say(page, f"{len(ledger.results)} results")


def _speedrun(options: argparse.Namespace) -> None:
    from simulacra.bench import speedrun

    goals = speedrun.goals(options.rows)
    if options.page or options.out:
        raise ConfigError("The speed run prints its table and keeps no runs: leave out --page and --out.")
    if options.list:
        show_rows(
            ("recipe", "score", "below", "source"),
            [(name, goal.score, f"{goal.below:g}", goal.source) for name, goal in goals.items()],
        )
        return
    found = []
    for name in goals:
        for seed in range(options.seeds or SPEEDRUN_SEEDS):
            found.append(speedrun.run(name, seed, options.data_root))
            tell(f"{name}, seed {seed}: {found[-1].score:.5g} after {found[-1].seconds:.0f} s of processor time")
    show_rows(
        ("recipe", "seed", "seconds", "images", "score", "below", "passed"),
        [_outcome(one, goals[one.recipe].below) for one in found],
    )


def _outcome(one: Outcome, below: float) -> tuple[str, ...]:
    told = (one.recipe, str(one.seed), f"{one.seconds:.1f}", f"{one.images:,}", f"{one.score:.5g}", f"{below:g}")
    return (*told, "yes" if one.passed else "no")


def _list(rows: Sequence[Row]) -> None:
    show_rows(
        ("row", "what", "published", "size", "seeds"),
        [(row.name, row.title, _published(row), row.size, str(row.seeds)) for row in rows],
    )


def _published(row: Row) -> str:
    return "-" if row.published is None else f"{row.published:g} {row.unit}"


def _sparsely(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Pass on at most one line in half a minute."""
    last = 0.0

    def show(line: str) -> None:
        nonlocal last
        if time.monotonic() - last > LINE_SECONDS:
            last = time.monotonic()
            tell(line)

    return show
