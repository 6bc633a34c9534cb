"""The verb augment: write an enlarged data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulacra import config
from simulacra.cli.output import refuse_existing, refuse_picture_name, say, show, tell
from simulacra.cli.parser import Verbs, add_data_root
from simulacra.cli.words import changes, count, natural, positive, source
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.data import Dataset, Splits
    from simulacra.runs.run import Run
    from simulacra.steering.enlarge import Enlarged, Make

SHOWN = 12  # images in each row of the preview
FILES = ("channels", "fit", "background", "corrupt", "max_megapixels", "test")  # keys of `data` on how files are read


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add("augment", _augment, "Write an enlarged data set of real, changed and generated images.")
    sub.add_argument("data", metavar="DATA", help="name of a data set, folder or zip")
    sub.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the new data set: train/, test/, manifest.jsonl"
    )
    sub.add_argument(
        "--classical",
        type=changes,
        metavar="OP,...",
        help="operations that change images at random, such as 'flip, rotate degrees=-15..15'",
    )
    sub.add_argument("--run", type=source, metavar="RUN", help="run whose model generates images")
    sub.add_argument(
        "--per-class", type=count, metavar="N", help="number of images of each class (default: twice the largest class)"
    )
    sub.add_argument(
        "--labels", type=count, metavar="N", help="number of real images of each class to start from (default: all)"
    )
    sub.add_argument("--size", type=count, metavar="N", help="side in pixels (default: that of the run or the data)")
    sub.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="random seed; the same seed gives the same data set (default: 0)",
    )
    sub.add_argument(
        "--duplicate", type=positive, default=0.02, metavar="D",
        help="root mean square difference below which images count as duplicates; 1 is black to white (default: 0.02)",
    )  # fmt: skip
    sub.add_argument(
        "--preview", type=Path, metavar="FILE.png", help="sheet that shows what would be added; nothing else is written"
    )
    sub.add_argument("--force", action="store_true", help="overwrite an enlarged data set, or a preview")
    add_data_root(sub)
    for key in FILES:
        meaning = str(config.Data.model_fields[key].description)
        sub.add_argument(f"--data.{key}", metavar="VALUE", help=f"as in train: {meaning}")


def _augment(options: argparse.Namespace) -> None:
    if (options.out is None) == (options.preview is None):
        raise ConfigError("augment needs --out DIR, or --preview FILE.png to look first.")
    if not options.classical and options.run is None:
        raise ConfigError("augment needs a source of new images: --classical affine, --run RUN, or both.")
    if options.preview is not None:
        refuse_picture_name(options.preview, option="--preview")
        refuse_existing(options.preview, options.force)
    given = _given(options)
    from simulacra import data
    from simulacra.runs.run import Run
    from simulacra.steering import enlarge

    if options.out is not None:
        enlarge.refuse_existing(options.out, options.force)
    run = None if options.run is None else Run.open(options.run, data_root=options.data_root)
    values = given if run is None else _as_seen_by(run, given)
    splits = data.load(values, options.data_root)
    real, makers = splits.train, _makers(options, splits.train, run)
    for line in splits.describe():
        show(line)
    largest = int(real.labels.bincount().max()) if real.labels is not None else len(real)
    per_class = options.per_class or 2 * largest
    if options.preview is not None:
        _preview(options, real, makers)
        return
    made = enlarge.enlarge(
        real, makers, per_class, seed=options.seed, duplicate=options.duplicate,
        progress=lambda part: tell(f"making {part} ..."),
    )  # fmt: skip
    about = _about(options, values, splits, run, per_class)
    path = enlarge.write(made, splits, options.out, about, force=options.force)
    _report(made, path, len(real))


def _given(options: argparse.Namespace) -> config.Data:
    """The section `data` that the options make. Raises `ConfigError`."""
    pairs = {f"data.{key}": getattr(options, f"data.{key}") for key in FILES}
    read = config.override({key: text for key, text in pairs.items() if text is not None})
    own = {"name": options.data, "size": options.size, "per_class": options.labels, "per_class_seed": options.seed}
    values = config.merge(read, {"data": {key: value for key, value in own.items() if value is not None}})
    return config.parse({**values, "model": {"family": "vae"}}, prefix="--").data  # any family: it is not looked at


def _as_seen_by(run: Run, given: config.Data) -> config.Data:
    """Files brought to the shape of a run's images the way that its own were, where nothing else was said."""
    shape = {"size": run.shape.size, "width": run.shape.width, "channels": run.shape.channels}
    said = given.model_dump(exclude_unset=True)
    ways = run.config.data.model_dump(include={"fit", "background", "max_megapixels"})
    return given.model_copy(update={**ways, **said, **shape})


def _makers(options: argparse.Namespace, real: Dataset, run: Run | None) -> dict[str, Make]:
    from simulacra.steering import enlarge
    from simulacra.transforms import Pipeline

    makers: dict[str, Make] = {}
    if options.classical:
        makers["classical"] = enlarge.changing(real, Pipeline.parse(options.classical))
    if run is not None:
        enlarge.refuse_other_classes(real, run.model)
        makers["generated"] = enlarge.generating(real, run.model)
    return makers


def _preview(options: argparse.Namespace, real: Dataset, makers: dict[str, Make]) -> None:
    import torch

    from simulacra import images
    from simulacra.steering import synthetic

    labels = torch.arange(SHOWN) % max(1, len(real.classes))
    chosen = synthetic.some_of_classes(real, labels, torch.Generator().manual_seed(options.seed))
    rows = [("real", images.from_bytes(real.images[chosen]))]
    rows += [(origin, make(labels, options.seed)[0]) for origin, make in makers.items()]
    say(images.save(images.labelled_rows(rows), options.preview))


def _about(
    options: argparse.Namespace, values: config.Data, splits: Splits, run: Run | None, per_class: int
) -> dict[str, Any]:
    from simulacra.version import __version__

    real = splits.train

    return {
        "simulacra": __version__,
        "data": {"name": real.name, "images": len(real), "sha256": real.digest(), "classes": real.classes},
        "read": values.model_dump(include={"size", "width", "per_class", *FILES}),
        "left_out": splits.skipped,
        "per_class": per_class,
        "seed": options.seed,
        "duplicate": options.duplicate,
        "classical": options.classical,
        "generator": None if run is None else _generator(run),
    }


def _generator(run: Run) -> dict[str, Any]:
    """Which model made the generated images, and what it was trained on, which they contain."""
    from simulacra.models import Conditional

    seen = run.config.data
    return {
        "run": str(run.path),
        "sha256": run.digest,
        "family": run.config.model.family,
        "trained_on": seen.name,
        "with_classes": isinstance(run.model, Conditional),
        "per_class": seen.per_class,
    }


def _report(made: Enlarged, path: Path, real: int) -> None:
    total = len(made.records)
    say(
        path,
        f"{total:,} training images: {real:,} real, {total - real:,} added; manifest.jsonl says where each comes from",
    )
    for name, lacking in made.missing.items():
        show(
            f"  {name or 'all'}: {lacking:,} fewer than asked for, because further draws were duplicates. Lower "
            "--duplicate."
        )
