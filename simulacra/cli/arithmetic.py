"""The verb arithmetic."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, picture_target, save_frames, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, natural, number, source

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.runs.run import Run

ENCODED, INVERTED = 1_000, 32  # images of a group at most, with an encoder and without one


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "arithmetic", _arithmetic, "Add the difference between two groups of images to other images, in latent space."
    )
    group = "image, folder, zip, or class of the run's data"
    metavar = "IMAGES|CLASS"
    sub.add_argument(
        "--plus",
        type=source,
        required=True,
        metavar=metavar,
        help=f"group that the images should resemble more: {group}",
    )
    sub.add_argument(
        "--minus",
        type=source,
        required=True,
        metavar=metavar,
        help=f"group that the images should resemble less: {group}",
    )
    sub.add_argument(
        "--images", type=Path, metavar="PATH", help="images to change (default: test images, of the class --minus)"
    )
    sub.add_argument("--n", type=count, default=8, metavar="N", help="maximum number of images to change (default: 8)")
    sub.add_argument("--steps", type=count, default=7, metavar="N", help="number of images in each row (default: 7)")
    sub.add_argument(
        "--strength",
        type=number,
        default=1.0,
        metavar="T",
        help="share of the difference that is added (default: 1)",
    )
    sub.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="random seed for models without an encoder (default: 0)"
    )
    add_out(
        sub, "FILE.png|.gif|.mp4", "sheet with a row for each image, or a film of all (default: RUN/arithmetic.png)"
    )


def _arithmetic(options: argparse.Namespace) -> None:
    import torch

    from simulacra import images
    from simulacra.models import Inferential
    from simulacra.steering import capabilities, generate

    run = open_run(options)
    capabilities.require_latents(run.model, "arithmetic")
    path = picture_target(options, run, "arithmetic.png", video_allowed=True)
    count = ENCODED if isinstance(run.model, Inferential) else INVERTED
    plus, minus = (_group(run, what, count) for what in (options.plus, options.minus))
    if options.images is not None:
        x = run.read(options.images)[1][: options.n]
    elif Path(options.minus).exists():
        x = run.examples(options.n)
    else:
        x = run.of_class(options.minus, options.n, split="test")
    generate.refuse_too_many(run.model, len(x) * options.steps)
    moved = run.arithmetic(x, plus, minus, steps=options.steps, strength=options.strength, seed=options.seed)
    if path.suffix.lower() in (".gif", ".mp4"):
        save_frames(torch.stack([images.grid(images.magnified(column)) for column in moved.transpose(0, 1)]), path)
    else:
        say(images.save(images.grid(images.magnified(moved.flatten(0, 1)), options.steps), path))


def _group(run: Run, what: str, count: int) -> Tensor:
    """Images of a path, or of a class."""
    return run.read(what)[1][:count] if Path(what).exists() else run.of_class(what, count)
