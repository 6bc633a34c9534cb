"""Verbs that work on the latents of a trained model: fit-prior, invert, arithmetic."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, picture_target, refuse_existing, save_frames, say
from simulacra.cli.parser import Verbs, add_out, count, natural
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.runs.run import Run

PRIORS = ("normal", "gmm", "flow", "per-class")  # simulacra.priors.KINDS, without importing torch
ENCODED, INVERTED = 1_000, 32  # images of a group at most, with an encoder and without one


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    sub = verbs.add_on_run("fit-prior", _fit_prior, "Fit a prior to the latents of training images, to sample from.")
    sub.add_argument("--prior", choices=PRIORS, default="gmm", help="the kind of distribution (gmm)")
    sub.add_argument("--components", type=count, metavar="N", help="Gaussians of gmm (10), or in each class (1)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="where fitting starts from (0)")
    add_out(sub, "FILE.safetensors", "(RUN/prior.safetensors)")

    sub = verbs.add_on_run("invert", _invert, "Find the latents whose images come nearest to given ones.")
    sub.add_argument("images", type=Path, metavar="IMAGES", help="an image, a folder or a zip")
    sub.add_argument("--n", type=count, default=12, metavar="N", help="how many at most (12)")
    sub.add_argument("--steps", type=count, default=200, metavar="N", help="of gradient descent (200)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="of the latents to start from (0)")
    add_out(sub, "FILE.png", "the picture; latents go beside it, into FILE.npz")

    sub = verbs.add_on_run("arithmetic", _arithmetic, "Add to images what sets one group of images apart from another.")
    groups = "an image, a folder, a zip, or a class of the run's data"
    sub.add_argument("--plus", required=True, metavar="IMAGES|CLASS", help=f"what to become more like: {groups}")
    sub.add_argument("--minus", required=True, metavar="IMAGES|CLASS", help=f"what to become less like: {groups}")
    sub.add_argument("--images", type=Path, metavar="PATH", help="what to change (test images, of class --minus)")
    sub.add_argument("--n", type=count, default=8, metavar="N", help="images at most to change (8)")
    sub.add_argument("--steps", type=count, default=7, metavar="N", help="images on the way of each (7)")
    sub.add_argument("--strength", type=float, default=1.0, metavar="T", help="how far to go; 1 is the difference (1)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="of latents found by descent (0)")
    add_out(sub, "FILE.png|.gif|.mp4", "a row an image, or a film of all")


def _fit_prior(options: argparse.Namespace) -> None:
    if options.out is not None and options.out.suffix != ".safetensors":
        raise ConfigError(f"fit-prior writes --out FILE.safetensors, not '{options.out.name}'.")
    if options.out is not None:
        refuse_existing(options.out, options.force)
    run = open_run(options)
    prior = run.fit_prior(options.prior, components=options.components, seed=options.seed)
    path = run.save_prior(prior, options.out)
    held_out = float(prior.log_density(run.codes(run.splits.test)).mean())
    say(path, f"{prior.name}, fitted to the latents of {len(run.splits.train):,} images; "
              f"log density of test images' latents {held_out:.2f} nats")  # fmt: skip


def _invert(options: argparse.Namespace) -> None:
    import numpy as np

    from simulacra import images
    from simulacra.steering import invert

    run = open_run(options)
    path = picture_target(options, run, "invert.png")
    if options.out is not None:
        refuse_existing(path.with_suffix(".npz"), options.force)
    names, x = run.read(options.images)
    names, x = names[: options.n], x[: options.n]
    found = run.invert(x, steps=options.steps, seed=options.seed)
    images.save(images.labelled_rows([("original", x), ("start", found.start), ("found", found.images)]), path)
    arrays = {"latents": found.latents.numpy(), "squared_error": found.curve.numpy(), "names": np.array(names)}
    from simulacra.storage import atomic

    with atomic(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    first, last = found.curve[0].mean(), invert.squared_error(x, found.images).mean()
    say(path, f"squared error {first:.4g} at the start, {last:.4g} after {options.steps} steps")
    say(path.with_suffix(".npz"), f"{len(x):,} latents of {found.latents.shape[1]} dimensions")


def _arithmetic(options: argparse.Namespace) -> None:
    import torch

    from simulacra import images
    from simulacra.models import Inferential
    from simulacra.steering import generate

    run = open_run(options)
    generate.require_latents(run.model, "arithmetic")
    path = picture_target(options, run, "arithmetic.png", video_allowed=True)
    count = ENCODED if isinstance(run.model, Inferential) else INVERTED
    plus, minus = (_group(run, what, count) for what in (options.plus, options.minus))
    if options.images is not None:
        x = run.read(options.images)[1][: options.n]
    elif Path(options.minus).exists():
        x = run.examples(options.n)
    else:
        x = run.of_class(options.minus, options.n, split="test")
    moved = run.arithmetic(x, plus, minus, steps=options.steps, strength=options.strength, seed=options.seed)
    if path.suffix.lower() in (".gif", ".mp4"):
        save_frames(torch.stack([images.grid(images.magnified(column)) for column in moved.transpose(0, 1)]), path)
    else:
        say(images.save(images.grid(images.magnified(moved.flatten(0, 1)), options.steps), path))


def _group(run: Run, what: str, count: int) -> Tensor:
    """Images of a path, or of a class."""
    return run.read(what)[1][:count] if Path(what).exists() else run.of_class(what, count)
