"""The verb card."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, refuse_existing, say, target
from simulacra.cli.parser import Verbs, add_out
from simulacra.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "card",
        _card,
        "Write a model card in Markdown: what a model generates, how it was trained, scores, samples, limits.",
    )
    sub.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the weights")
    add_out(sub, "FILE.md", "card to write, with its picture beside it (default: RUN/MODEL_CARD.md)")


def _card(options: argparse.Namespace) -> None:
    from simulacra.export import card

    run = open_run(options)
    path = target(options, run, "MODEL_CARD.md")
    if path.suffix != ".md" or path.is_dir():
        raise ConfigError(f"card writes Markdown: --out must end in .md, not '{path.name}'.")
    if options.out is not None:
        for one in (path, path.with_name(card.SAMPLES)):
            refuse_existing(one, options.force)
    for written in card.write(run, path, options.licence):
        say(written)
