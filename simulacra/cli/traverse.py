"""The verb traverse."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, picture_target, say
from simulacra.cli.parser import Verbs, add_out, count, natural


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
    say(images.save(images.labelled_rows(run.traverse(steps=options.steps, seed=options.seed)), path))
