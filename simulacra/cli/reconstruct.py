"""The verb reconstruct."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra.cli.output import open_run, picture_target, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run("reconstruct", _reconstruct, "Show images above their reconstructions.")
    sub.add_argument(
        "--images", type=Path, metavar="PATH", help="image, folder or zip (default: test images of the run)"
    )
    sub.add_argument("--n", type=count, default=12, metavar="N", help="maximum number of images (default: 12)")
    add_out(sub, "FILE.png", "picture to write (default: RUN/reconstruct.png)")


def _reconstruct(options: argparse.Namespace) -> None:
    from simulacra import images

    run = open_run(options)
    path = picture_target(options, run, "reconstruct.png")
    originals = run.examples(options.n) if options.images is None else run.read(options.images)[1][: options.n]
    rows = [("original", originals), ("reconstruction", run.reconstruct(originals))]
    say(images.save(images.labelled_rows(rows), path))
