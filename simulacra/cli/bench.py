"""The verb bench: this package against what was published."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import say, show_rows, tell
from simulacra.cli.parser import Verbs, add_data_root, count
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.bench.rows import Row

LINE_SECONDS = 30  # at least between two lines of progress


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add(
        "bench", _bench, "Repeat published results: train and measure the rows of a table, and write it as a page."
    )
    sub.add_argument("what", choices=["ledger"], help="table to fill; ledger holds published results beside ours")
    sub.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help="names of the rows to train and measure (default: all that take only minutes)",
    )
    sub.add_argument("--list", action="store_true", help="list the rows without training")
    sub.add_argument(
        "--seeds",
        type=count,
        metavar="N",
        help="number of trainings of each row, with different seeds (default: set by the row)",
    )
    sub.add_argument(
        "--page",
        type=Path,
        default=Path("docs/ledger.md"),
        metavar="FILE.md",
        help="Markdown page to write (default: docs/ledger.md)",
    )
    sub.add_argument(
        "--out",
        type=Path,
        default=Path("runs/ledger"),
        metavar="DIR",
        help="folder for the run folders (default: runs/ledger)",
    )
    add_data_root(sub)


def _bench(options: argparse.Namespace) -> None:
    from simulacra.bench import rows

    chosen = rows.chosen(options.rows)
    if options.page.suffix != ".md":
        raise ConfigError(f"The ledger is a page in Markdown: --page must end in .md, not '{options.page.name}'.")
    if options.list:
        _list(chosen if options.rows else list(rows.rows().values()))
        return
    from simulacra.bench.ledger import Ledger

    ledger = Ledger(options.page, options.out, data_root=options.data_root)
    sparse = _sparsely(tell)
    for row in chosen:
        ledger.fill(row, options.seeds or row.seeds, tell, sparse)
    ledger.write()
    say(options.page, f"{len(ledger.results)} results")


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
