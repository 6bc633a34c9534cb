"""The verb sample."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, picture_target, save_sheet
from simulacra.cli.parser import Verbs, add_out, add_prior
from simulacra.cli.words import count, natural, positive


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run("sample", _sample, "Draw new images from a trained model.")
    sub.add_argument("--n", type=count, default=64, metavar="N", help="number of images (default: 64)")
    sub.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="random seed; the same seed gives the same images (default: 0)",
    )
    sub.add_argument(
        "--code", type=_code, action="append", default=[], metavar="NAME=VALUE",
        help="value of a named code, such as digit=3; may be repeated",
    )  # fmt: skip
    sub.add_argument("--label", metavar="K", help="class to draw, by name or index")
    add_out(sub, "FILE.png|DIR", "one sheet of all images, or a folder for single images (default: RUN/sample.png)")
    sub.add_argument(
        "--truncation", type=positive, metavar="T", help="bound on latents: those beyond T are redrawn, so that images "
        "are more typical and less varied",
    )  # fmt: skip
    add_prior(sub)


def _code(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, such as digit=3; '{text}' is not NAME=VALUE")
    return name, value


def _sample(options: argparse.Namespace) -> None:
    run = open_run(options)
    path = picture_target(options, run, "sample.png", folder_allowed=True)
    x = run.sample(
        options.n,
        seed=options.seed,
        label=options.label,
        codes=dict(options.code),
        prior=options.prior,
        truncation=options.truncation,
    )
    save_sheet(x, path, force=options.force)
