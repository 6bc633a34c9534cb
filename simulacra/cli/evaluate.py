"""The verb `evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, print_table, refuse_existing, say, show, target, tell
from simulacra.cli.parser import Verbs, add_out, add_prior
from simulacra.cli.words import changes, count, natural
from simulacra.errors import CapabilityError, ConfigError

if TYPE_CHECKING:
    from simulacra.evaluation.scores import Score
    from simulacra.features import Extractor
    from simulacra.runs.run import Run

OF_DOWNSTREAM = ("labels", "repeats", "classical")  # options that an ordinary evaluation does not look at


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    sub = verbs.add_on_run(
        "evaluate", _evaluate, "Measure a run on held-out images by every metric that its model supports."
    )
    sub.add_argument(
        "--n",
        type=count,
        default=10_000,
        metavar="N",
        help="maximum number of test images, and of samples (default: 10,000)",
    )
    sub.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="random seed of the samples and the noise (default: 0)"
    )
    sub.add_argument(
        "--features",
        metavar="NAME|FILE",
        help="features by which samples are compared: pictures, pixels, classifier, or a .pt2 file written by "
        "torch.export (default: chosen by the data set)",
    )
    sub.add_argument(
        "--features-sha256", metavar="HEX", help="SHA-256 of that .pt2 file; required, since loading it can run code"
    )
    add_out(sub, "FILE.json", "file for the scores; their page is FILE.html beside it (default: RUN/evaluation.json)")
    add_prior(sub)
    sub.add_argument(
        "--downstream",
        action="store_true",
        help="measure instead whether adding generated images improves a classifier trained on real ones "
        "(default file: RUN/downstream.json)",
    )
    sub.add_argument(
        "--labels", type=count, metavar="N", help="number of real images per class for --downstream (default: all)"
    )
    sub.add_argument(
        "--repeats", type=count, metavar="N", help="number of trainings of each kind for --downstream (default: 5)"
    )
    sub.add_argument(
        "--classical",
        type=changes,
        metavar="OP,...",
        help="classical augmentation that --downstream compares with (default: affine)",
    )


def _evaluate(options: argparse.Namespace) -> None:
    if options.out is not None and options.out.suffix != ".json":
        raise ConfigError(f"evaluate writes a JSON file: --out must end in .json, not '{options.out.name}'.")
    _refuse_options_of_downstream(options)
    from simulacra.evaluation import evaluate, evidence, scores, verdict
    from simulacra.pages import evaluation
    from simulacra.runs.folder import EVALUATION

    run = open_run(options)
    if options.downstream:
        _evaluate_downstream(options, run)
        return
    path = target(options, run, EVALUATION)
    _refuse_existing(options, path, path.with_suffix(".html"))
    evidence.check(run, options.n)
    measured = evaluate.evaluate(
        run,
        n=options.n,
        seed=options.seed,
        extractor=_extractor(options, run),
        prior=options.prior,
        progress=_tell_part,
        warn=tell,
    )
    _show_scores(measured.scores)
    for sentence in verdict.sentences(measured.scores):
        show(sentence)
    _tell_part("pictures")
    say(scores.save(measured.scores, path))
    say(evaluation.write(measured, path.with_suffix(".html")))


def _refuse_existing(options: argparse.Namespace, *paths: Path) -> None:
    """Refuse to overwrite files that a person named; those of the run folder are measured again."""
    for path in paths if options.out is not None else ():
        refuse_existing(path, options.force)


def _refuse_options_of_downstream(options: argparse.Namespace) -> None:
    """Refuse options that would be ignored."""
    given = [f"--{name}" for name in OF_DOWNSTREAM if getattr(options, name) is not None]
    if given and not options.downstream:
        raise ConfigError(f"{given[0]} needs --downstream. Add it, or leave {given[0]} out.")


def _evaluate_downstream(options: argparse.Namespace, run: Run) -> None:
    from simulacra.evaluation import downstream, scores

    path = target(options, run, "downstream.json")
    _refuse_existing(options, path)
    found = downstream.measure(
        run,
        per_class=options.labels,
        repeats=options.repeats or downstream.TRAININGS,
        augment=options.classical or downstream.CLASSICAL,
        seed=options.seed,
        progress=lambda part: tell(f"training a classifier: {part} ..."),
    )
    measured = downstream.scores(found, len(run.splits.test), options.seed)
    _show_scores(measured)
    show(downstream.protocol(run, options.labels))
    say(scores.save(measured, path))


def _extractor(options: argparse.Namespace, run: Run) -> Extractor:
    """The features by which images are compared; a choice is refused where there are no samples to compare."""
    from simulacra import features
    from simulacra.models import Generative, Translating
    from simulacra.steering import capabilities

    features.check(options.features, options.features_sha256)
    if options.features is not None and isinstance(run.model, Translating):
        raise CapabilityError(
            f"--features applies to samples. Translations of a {run.config.model.family} are always compared by the "
            "features of a classifier that tells both domains apart. Leave --features out."
        )
    sampled = isinstance(run.model, Generative) or run.prior(options.prior) is not None
    if options.features is not None and not sampled:
        capabilities.require_prior(run.model, "evaluate --features")
    return features.extractor(
        run.config.data.name, run.splits, options.features, sha256=options.features_sha256, tell=tell
    )


def _tell_part(name: str) -> None:
    tell(f"measuring {name} ...")


def _show_scores(scores: Sequence[Score]) -> None:
    from rich.table import Table

    table = Table("metric", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("images", justify="right")
    table.add_column("split")
    for score in scores:
        table.add_row(score.metric, _value(score), score.unit, f"{score.n:,}", score.split)
    print_table(table)
    for name in {score.features: None for score in scores if score.features}:
        show(f"features: {name}")
    for name in {score.prior: None for score in scores if score.prior}:
        show(f"fitted prior: {name}")


def _value(score: Score) -> str:
    """The value, and half the width of its 95 % interval where that is known."""
    if score.interval is None:
        return f"{score.value:.4g}"
    low, high = score.interval
    return f"{score.value:.4g} +- {(high - low) / 2:.1g}"
