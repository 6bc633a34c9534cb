"""A training in a notebook: a bar that moves, with the rate, the losses and the time left."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulacra.training.progress import Progress

TERMS = 6  # shown at most


def watch(session: Iterable[Progress]) -> Iterator[Progress]:
    """Yield a session's progress while showing it: a bar in a notebook, elsewhere a line for each report.

    for progress in simulacra.watch(simulacra.Session.start("quickstart")):
        pass
    """
    display = _display()
    handle = None
    for progress in session:
        if display is None:
            print(line(progress))
        elif handle is None:
            handle = display(progress, display_id=True)
        else:
            handle.update(progress)
        yield progress


def line(progress: Progress) -> str:
    """Return a progress as a line of text."""
    terms = "  ".join(f"{name} {value:.4g}" for name, value in list(progress.terms.items())[:TERMS])
    left = "" if math.isinf(progress.seconds_left) else f"  {progress.seconds_left:,.0f} s left"
    return f"{progress.seen:,} of {progress.total:,} images  {progress.rate:,.0f} images/s  {terms}{left}"


def bar(progress: Progress) -> str:
    """Return a progress as HTML."""
    value = f'<progress value="{progress.seen}" max="{progress.total}" style="width:20em"></progress>'
    return f"<div>{value} {html.escape(line(progress))}</div>"


def _display() -> Any:
    """IPython's `display` inside a notebook, else None."""
    try:
        shell = import_module("IPython").get_ipython()
    except ImportError:
        return None
    return None if shell is None else import_module("IPython.display").display
