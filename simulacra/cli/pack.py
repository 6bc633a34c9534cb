"""The verb pack: decode a data set once, into a file that is read where it lies."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra import config
from simulacra.cli.output import counted, refuse_existing, say, tell
from simulacra.cli.parser import Verbs
from simulacra.errors import ConfigError

KEYS = (
    "size",
    "width",
    "channels",
    "channels_b",
    "fit",
    "background",
    "range",
    "corrupt",
    "max_megapixels",
    "test",
)  # of `data`


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add(
        "pack", _pack, "Decode a folder or zip of pictures once into one file, for data sets larger than memory."
    )
    sub.add_argument("source", type=Path, metavar="PATH", help="folder or zip of pictures; with --check, a pack")
    sub.add_argument("--out", type=Path, metavar="FILE.simpack", help="file for the pack")
    sub.add_argument("--check", action="store_true", help="compare every block of a pack with its digest")
    sub.add_argument(
        "--domains", action="store_true", help="pack two domains, of folders A and B or side by side in each picture"
    )
    sub.add_argument("--force", action="store_true", help="overwrite a pack")
    for key in KEYS:
        meaning = str(config.Data.model_fields[key].description)
        sub.add_argument(f"--data.{key}", metavar="VALUE", help=f"as in train: {meaning}")


def _pack(options: argparse.Namespace) -> None:
    pairs = {f"data.{key}": getattr(options, f"data.{key}") for key in KEYS}
    if options.check:
        _refuse_ignored({"out": options.out, "force": options.force or None, **pairs})
        _check(options.source)
        return
    from simulacra.data import Images, Unpaired, packing, packs

    out = options.out
    if out is None or not packs.is_pack(out.name) or out.is_dir():
        raise ConfigError("pack needs the name of a file that ends in .simpack: --out photos.simpack")
    refuse_existing(out, options.force)
    read = config.override({key: text for key, text in pairs.items() if text is not None})
    values = config.merge(read, {"data": {"name": str(options.source)}, "model": {"family": "vae"}})
    data = config.parse(values, prefix="--").data  # any family: it is not looked at
    if options.domains and data.width not in (None, data.size):
        raise ConfigError("Two domains are translated as squares, so leave --data.width out.")
    done = packing.pack(options.source, data, out, counted, batch=Unpaired if options.domains else Images)
    for line in done.left_out:
        tell(f"left out: {line}")
    counts = ", ".join(f"{count:,} for {part}" for part, count in done.counts.items())
    shapes = " and ".join(" x ".join(map(str, shape)) for shape in dict.fromkeys(done.shapes))
    say(out, f"{counts}, of {shapes}; {done.size / 1e9:,.3f} GB")


def _refuse_ignored(given: dict[str, object]) -> None:
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None:
        raise ConfigError(f"--check only reads a pack, so --{name} has no meaning beside it. Leave it out.")


def _check(path: Path) -> None:
    from simulacra.data import packs

    say(path, f"all {packs.Opened(path).check():,} blocks of its pixels match their digests")
