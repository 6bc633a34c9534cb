"""The verb manifold."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, picture_target, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run("manifold", _manifold, "Show a two-dimensional latent space as one picture.")
    sub.add_argument(
        "--side", type=count, default=15, metavar="N", help="number of images along each axis (default: 15)"
    )
    add_out(sub, "FILE.png", "picture to write (default: RUN/manifold.png)")


def _manifold(options: argparse.Namespace) -> None:
    from simulacra import images

    run = open_run(options)
    path = picture_target(options, run, "manifold.png")
    say(images.save(images.grid(images.magnified(run.manifold(options.side)), options.side, gap=0), path))
