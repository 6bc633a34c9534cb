"""The verb invert."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra.cli.output import open_run, picture_target, refuse_existing, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, natural


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "invert", _invert, "Find the latents whose images come nearest to given ones, by gradient descent."
    )
    sub.add_argument("images", type=Path, metavar="IMAGES", help="image, folder or zip")
    sub.add_argument("--n", type=count, default=12, metavar="N", help="maximum number of images (default: 12)")
    sub.add_argument(
        "--steps", type=count, default=200, metavar="N", help="number of steps of gradient descent (default: 200)"
    )
    sub.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="random seed of the latents to start from (default: 0)"
    )
    add_out(sub, "FILE.png", "picture to write; latents go beside it, into FILE.npz (default: RUN/invert.png)")


def _invert(options: argparse.Namespace) -> None:
    import numpy as np

    from simulacra import images
    from simulacra.steering import invert
    from simulacra.storage import atomic

    run = open_run(options)
    path = picture_target(options, run, "invert.png")
    if options.out is not None:
        refuse_existing(path.with_suffix(".npz"), options.force)
    names, x = run.read(options.images)
    names, x = names[: options.n], x[: options.n]
    found = run.invert(x, steps=options.steps, seed=options.seed)
    images.save(images.labelled_rows([("original", x), ("start", found.start), ("found", found.images)]), path)
    arrays = {"latents": found.latents.numpy(), "squared_error": found.curve.numpy(), "names": np.array(names)}
    with atomic(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    first, last = found.curve[0].mean(), invert.squared_error(x, found.images).mean()
    say(path, f"squared error {first:.4g} at the start, {last:.4g} after {options.steps} steps")
    say(path.with_suffix(".npz"), f"{len(x):,} latents of {found.latents.shape[1]} dimensions")
