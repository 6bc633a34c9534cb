"""The verb translate."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra.cli.output import PICTURES, counted, open_run, say, target
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, positive
from simulacra.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run("translate", _translate, "Translate images of any size from one domain to the other.")
    sub.add_argument(
        "images", type=Path, metavar="PATH", help="image, folder, zip, or the name of the data set that the run was "
        "trained on",
    )  # fmt: skip
    sub.add_argument("--to", choices=("A", "B"), default="B", help="domain to translate to (default: B)")
    sub.add_argument(
        "--size", type=count, metavar="N", help="shorter side in pixels to resize to first (default: that of the file)"
    )
    sub.add_argument(
        "--convert", action="store_true", help="convert grey images where colour is needed, and the reverse"
    )
    sub.add_argument(
        "--max-megapixels", type=positive, metavar="N",
        help="limit on the megapixels of a picture; larger ones are refused unread (default: that of the run)",
    )  # fmt: skip
    sub.add_argument(
        "--range", metavar="auto|LOW..HIGH",
        help="values to show as black and as white in grey files with more than 8 bits (default: those of the run)",
    )  # fmt: skip
    add_out(sub, "DIR", "folder for the translations (default: RUN/translated-B)")


def _translate(options: argparse.Namespace) -> None:
    run = open_run(options)
    folder = target(options, run, f"translated-{options.to}")
    if folder.is_file() or folder.suffix.lower() in PICTURES:
        raise ConfigError(f"translate writes a folder of images, not the file {folder}. Name a folder with --out.")
    if str(options.images) == run.config.data.name and not options.images.exists():
        written = run.translate_test(folder, options.to, force=options.force)
    else:
        written = run.translate_files(
            options.images,
            folder,
            options.to,
            convert=options.convert,
            size=options.size,
            max_megapixels=options.max_megapixels,
            grey_range=options.range,
            force=options.force,
            counted=counted,
        )
    say(folder, f"{len(written):,} {'image' if len(written) == 1 else 'images'} translated to domain {options.to}")
