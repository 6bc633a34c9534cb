"""The verb export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, refuse_existing, say, target
from simulacra.cli.parser import Verbs, add_out, add_prior
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.export.parts import Part
    from simulacra.runs.run import Run

FORMATS = ("safetensors", "onnx", "torch-export", "html")
RANGES = ("unit", "symmetric", "uint8")


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "export", _export, "Write a trained model as files for other programs, each checked against the model.",
    )  # fmt: skip
    sub.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="format of the files; html is one page that runs in any browser, without a network",
    )
    sub.add_argument(
        "--part", action="append", default=[], metavar="NAME",
        help="part to write: generator, encoder, reconstruction, translator-b, translator-a or prior; may be repeated "
        "(default: all that the model has)",
    )  # fmt: skip
    sub.add_argument(
        "--range", choices=RANGES,
        help="images at the boundary: unit is float32 in [0, 1] and symmetric in [-1, 1], both with channels first; "
        "uint8 is 0 to 255 with channels last (default: uint8 for onnx, symmetric for torch-export)",
    )  # fmt: skip
    sub.add_argument("--half", action="store_true", help="store weights as float16, and measure what that costs")
    sub.add_argument("--int8", action="store_true", help="quantise weights to 8 bits, and measure what that costs")
    sub.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the weights, for the README")
    add_prior(sub)
    add_out(
        sub, "DIR|FILE", "folder, or a file for a single part (default: RUN/export-FORMAT, or RUN/page.html for html)"
    )


def _export(options: argparse.Namespace) -> None:
    from simulacra.export import parts, write

    write.refuse_options(options.format, convention=options.range, half=options.half, int8=options.int8)
    run = open_run(options)
    if options.format in ("safetensors", "html") and options.part:
        raise ConfigError(f"--format {options.format} holds the whole model. Leave --part out.")
    if options.format == "html":
        _page(options, run)
        return
    chosen = parts.find(run.model, options.part, run.prior(options.prior))
    files = _files(options, target(options, run, f"export-{options.format}"), chosen)
    for path in (*files, files[0].with_name("README.md")):
        refuse_existing(path, options.force)
    for written in write.write(
        run,
        options.format,
        chosen,
        files,
        convention=options.range or write.DEFAULT_RANGES[options.format],
        half=options.half,
        int8=options.int8,
        licence=options.licence,
    ):
        say(written.path, written.said)


def _page(options: argparse.Namespace, run: Run) -> None:
    from simulacra.export.page import write_page

    path = target(options, run, "page.html")
    if path.suffix != ".html" or path.is_dir():
        raise ConfigError(f"--format html writes one page: --out must end in .html, not '{path.name}'.")
    refuse_existing(path, options.force)
    say(path, write_page(run, path, prior=run.prior(options.prior), licence=options.licence))


def _files(options: argparse.Namespace, out: Path, chosen: list[Part]) -> list[Path]:
    """The file of each part, in a folder, or the one that was named. Raises `ConfigError`."""
    from simulacra.export.facts import ENDINGS

    ending = ENDINGS[options.format]
    names = ["model"] if options.format == "safetensors" else [part.name for part in chosen]
    if out.is_dir() or not out.suffix:
        if out.is_file():
            raise ConfigError(f"{out} is a file. Name a folder with --out, or a file that ends in {ending}.")
        return [out / f"{name}{ending}" for name in names]
    if out.suffix != ending:
        raise ConfigError(f"--format {options.format} writes files that end in {ending}, not '{out.name}'.")
    if len(names) > 1:
        raise ConfigError(
            f"This model has the parts {', '.join(names)}, which do not fit into one file. Name a folder with --out, "
            f"or one of them with --part."
        )
    return [out]
