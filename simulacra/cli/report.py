"""The verb report."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, say
from simulacra.cli.parser import Verbs
from simulacra.errors import RunError


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    verbs.add_on_run("report", _report, "Write the report of a run, finished or not.")


def _report(options: argparse.Namespace) -> None:
    from simulacra.pages import report
    from simulacra.runs.folder import REPORT

    run = open_run(options)
    if not run.path.is_dir() or run.results != run.path:
        raise RunError(
            f"{options.run} is a model without the log of its training, which a report needs. Name the run folder."
        )
    say(report.write(run, run.splits, run.path / REPORT))
