"""The verb compose: one picture made of several, in files, folders and zips."""

from __future__ import annotations

import argparse
from functools import partial

from simulacra.cli.operations import (
    add_limit,
    add_operations,
    add_paths,
    beside,
    is_random,
    preview,
    refuse_wrong_names,
    step_of,
    tell_passed,
    write,
)
from simulacra.cli.output import counted, refuse_existing, refuse_picture_name, say, tell
from simulacra.cli.parser import Operations, Verbs, add_out
from simulacra.cli.words import count, natural
from simulacra.errors import IncompleteError
from simulacra.operations import COMPOSITIONS


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    verb = verbs.add(
        "compose", _compose, "Make one picture from several: overlays, blends, seamless cloning, collages."
    )
    operations = Operations(verb)
    add_operations(operations, COMPOSITIONS, _compose)
    sub = operations.add("collage", _collage, "Lay pictures out in rows on one sheet, without cropping them.")
    add_paths(sub)
    sub.add_argument(
        "--width", type=count, default=1200, metavar="N", help="width of the sheet in pixels (default: 1200)"
    )
    sub.add_argument(
        "--rows",
        type=natural,
        default=0,
        metavar="N",
        help="number of rows (default: 0, which makes the sheet nearly square)",
    )
    sub.add_argument(
        "--gap", type=natural, default=4, metavar="N", help="white pixels between the pictures (default: 4)"
    )
    add_out(sub, "FILE.png", "sheet to write", required=True)
    add_limit(sub)


def _compose(options: argparse.Namespace) -> None:
    step = step_of(options)
    refuse_wrong_names(options)
    from simulacra.transforms import folders

    if options.preview is None:
        write(options, partial(folders.compose_files, options.paths, step))
    else:
        preview(options, folders.composing(step, beside(options), options.max_megapixels), is_random(step))


def _collage(options: argparse.Namespace) -> None:
    refuse_picture_name(options.out)
    refuse_existing(options.out, options.force)
    from simulacra import images
    from simulacra.transforms import folders

    tell_passed(options)
    sheet, problems, used = folders.collage_files(
        options.paths, width=options.width, rows=options.rows, gap=options.gap, max_megapixels=options.max_megapixels,
        counted=counted,
    )  # fmt: skip
    for problem in problems:
        tell(f"left out: {problem}")
    say(images.save(sheet, options.out), f"{used:,} pictures")
    if problems:
        raise IncompleteError(f"{len(problems)} of {used + len(problems)} files were left out, as named above.")
