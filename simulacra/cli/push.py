"""The verb push."""

from __future__ import annotations

import argparse

from simulacra.cli.output import open_run, show, tell
from simulacra.cli.parser import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run("push", _push, "Publish a run on the Hugging Face Hub: weights, config, scores, model card.")
    sub.add_argument("name", metavar="NAME", help="name of the model there: OWNER/NAME, or NAME in your own account")
    sub.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the weights")
    sub.add_argument("--private", action="store_true", help="let nobody else see a model that is new")


def _push(options: argparse.Namespace) -> None:
    from simulacra.export import publish
    from simulacra.runs import hub
    from simulacra.storage import scratch

    hub.refuse_name(options.name)
    run = open_run(options)
    if "/" in run.config.data.name:
        tell(f"simulacra: The config that is published names the folder of your pictures: {run.config.data.name}")
    with scratch() as folder:
        address = publish.push(run, folder, options.name, licence=options.licence, private=options.private)
        sizes = [path.stat().st_size for path in folder.iterdir()]
    show(f"{address}: {len(sizes)} files, {sum(sizes):,} bytes")
