"""The verb fit-prior."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, refuse_existing, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, natural
from simulacra.config.choices import PRIORS
from simulacra.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "fit-prior", _fit_prior, "Fit a distribution to the latents of the training images, to sample from."
    )
    sub.add_argument("--prior", choices=PRIORS, default="gmm", help="kind of distribution (default: gmm)")
    sub.add_argument(
        "--components",
        type=count,
        metavar="N",
        help="number of Gaussians (default: 10 for gmm, 1 for each class for per-class)",
    )
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="random seed of the fit (default: 0)")
    add_out(sub, "FILE.safetensors", "file to write (default: RUN/prior.safetensors)")


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
              f"mean log density of the latents of test images {held_out:.2f} nats")  # fmt: skip
