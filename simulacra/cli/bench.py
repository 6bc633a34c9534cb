"""The verb that measures this package against what was published."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import print_table, say
from simulacra.cli.parser import Verbs, add_data_root, count
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.bench.rows import Row

LINE_SECONDS = 30  # between two lines of progress


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add("bench", _bench, "Repeat published figures: train and measure rows of the ledger, write its page.")
    sub.add_argument("what", choices=["ledger"], help="ledger: published figures beside ours")
    sub.add_argument("rows", nargs="*", metavar="ROW", help="rows to fill (all that take minutes)")
    sub.add_argument("--list", action="store_true", help="list the rows, and do nothing")
    sub.add_argument("--seeds", type=count, metavar="N", help="trainings of each row (as the row says)")
    sub.add_argument("--page", type=Path, default=Path("docs/ledger.md"), metavar="FILE.md", help="(docs/ledger.md)")
    sub.add_argument("--out", type=Path, default=Path("runs/ledger"), metavar="DIR", help="the runs (runs/ledger)")
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
    show = _sparsely(_tell)
    for row in chosen:
        ledger.fill(row, options.seeds or row.seeds, _tell, show)
    ledger.write()
    say(options.page, f"{len(ledger.results)} results")


def _list(rows: Sequence[Row]) -> None:
    from rich.table import Table

    table = Table("row", "what", "published", "size", "seeds", box=None, pad_edge=False)
    for row in rows:
        published = "-" if row.published is None else f"{row.published:g} {row.unit}"
        table.add_row(row.name, row.title, published, row.size, str(row.seeds))
    print_table(table)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _sparsely(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tell one line in half a minute, and drop the others."""
    last = 0.0

    def show(line: str) -> None:
        nonlocal last
        if time.monotonic() - last > LINE_SECONDS:
            last = time.monotonic()
            tell(line)

    return show
