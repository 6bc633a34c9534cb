"""The verb anomaly: find the pictures that are unlike those a model was trained on."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, picture_target, refuse_existing, say, show
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, natural, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from simulacra.steering.anomaly import Anomaly

FORMULA = ("=", "+", "-", "@")  # begin what a spreadsheet computes
NORMALS = 1_000  # held-out images at most that set the threshold


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run("anomaly", _anomaly, "Find pictures that are unlike those a model was trained on.")
    sub.add_argument("images", type=Path, metavar="IMAGES", help="an image, a folder or a zip")
    sub.add_argument(
        "--rate", type=share, default=0.01, metavar="R",
        help="share of normal pictures that may be flagged by mistake (default: 0.01)",
    )  # fmt: skip
    sub.add_argument(
        "--n",
        type=count,
        default=12,
        metavar="N",
        help="number of pictures to show, highest scores first (default: 12)",
    )
    sub.add_argument(
        "--steps", type=count, default=200, metavar="N",
        help="number of steps of gradient descent for models without an encoder (default: 200)",
    )  # fmt: skip
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="random seed of the inversion (default: 0)")
    add_out(sub, "FILE.png", "sheet of originals, redrawn pictures and heat maps; all scores go beside it, as FILE.csv")


def _anomaly(options: argparse.Namespace) -> None:
    from simulacra import images
    from simulacra.steering import anomaly

    run = open_run(options)
    path = picture_target(options, run, "anomaly.png")
    table = path.with_suffix(".csv")
    if options.out is not None:
        refuse_existing(table, options.force)
    names, x = run.read(options.images)
    normal = run.anomaly(run.examples(NORMALS), steps=options.steps, seed=options.seed).scores
    limit = anomaly.threshold(normal, options.rate)
    found = run.anomaly(x, steps=options.steps, seed=options.seed)
    _write_scores(table, names, found.scores, limit)
    highest = found.scores.argsort(descending=True)[: options.n]
    say(images.save(images.labelled_rows(_rows(x[highest], found, highest, limit)), path))
    say(table, f"the scores of {len(names):,} pictures")
    flagged = int((found.scores > limit).sum())
    show(
        f"{flagged:,} of {len(names):,} pictures score above {limit:.4g}, the threshold that at most "
        f"{options.rate:.1%} of normal pictures exceed, set by {len(normal):,} held-out ones."
    )
    if (labels := anomaly.truth(names)) is not None:
        scores = anomaly.separation(found.scores, labels)
        show("By their folders: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))


def _rows(x: Tensor, found: Anomaly, chosen: Tensor, limit: float) -> Sequence[tuple[str, Tensor]]:
    """Originals, what the model redrew, and heat maps that are white at three times the mean heat of the threshold."""
    heat = (found.heat[chosen] / (3 * limit**0.5)).clamp(max=1).mul(2).sub(1).expand_as(x)
    return [("original", x), ("redrawn", found.redrawn[chosen]), ("heat map", heat)]


def _write_scores(path: Path, names: Sequence[str], scores: Tensor, limit: float) -> None:
    from simulacra.storage import atomic

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["name", "score", "anomalous"])
    for name, score in sorted(zip(names, scores.tolist(), strict=True), key=lambda row: -row[1]):
        writer.writerow([f"./{name}" if name[:1] in FORMULA else name, f"{score:.6g}", int(score > limit)])
    with atomic(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("utf-8", "backslashreplace"))
