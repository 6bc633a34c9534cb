"""The verb traverse."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, picture_target, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, natural

if TYPE_CHECKING:
    from simulacra.runs.run import Run


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "traverse", _traverse, "Change one latent or one named code at a time, each in a row of images."
    )
    sub.add_argument("--steps", type=count, default=11, metavar="N", help="number of images in a row (default: 11)")
    sub.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="random seed for the image to start from (default: 0)"
    )
    add_out(sub, "FILE.png", "picture to write (default: RUN/traverse.png)")


def _traverse(options: argparse.Namespace) -> None:
    from simulacra import images

    run = open_run(options)
    path = picture_target(options, run, "traverse.png")
    rows = run.traverse(steps=options.steps, seed=options.seed)
    columns = _columns(run, [caption for caption, _ in rows], options.steps)
    say(images.save(images.labelled_rows(rows, columns=columns), path))


def _columns(run: Run, captions: list[str], steps: int) -> dict[int, list[str]]:
    """The values of each named code, by the first row that shows it."""
    from simulacra.models import Coded

    codes = run.model.codes if isinstance(run.model, Coded) else ()
    return {captions.index(code.name): code.captions(steps) for code in codes if code.name in captions}
