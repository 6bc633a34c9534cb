"""What a run is worth, in numbers: every metric that its model supports, measured on held-out images.

An evaluation is a sequence of parts, each with a file here and a line in `PARTS`; `register` adds one from outside.
A score carries what it depends on: the split, the count of images, the features and the seed (`evaluation.scores`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from simulacra.errors import ConfigError
from simulacra.evaluation import (
    classes,
    factors,
    latents,
    likelihood,
    modes,
    paths,
    reconstructions,
    restorations,
    samples,
    translations,
)
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.features import Extractor
from simulacra.machine import extra
from simulacra.models import Inferential, Model, Recognising, Scored, Translating, Variational
from simulacra.runs.run import Run


@dataclass(frozen=True)
class Part:
    """A part of an evaluation: its name, whether there is evidence for it, and the scores that it finds."""

    name: str
    supports: Callable[[Evidence], bool]
    measure: Callable[[Evidence], Iterator[Score]]


def _has(protocol: type) -> Callable[[Evidence], bool]:
    return lambda evidence: isinstance(evidence.model, protocol)


def _told_classes(protocol: type) -> Callable[[Evidence], bool]:
    return lambda evidence: evidence.conditional and isinstance(evidence.model, protocol)


def _untold(protocol: type) -> Callable[[Evidence], bool]:
    return lambda evidence: not evidence.conditional and isinstance(evidence.model, protocol)


def _translates(*, degraded: bool) -> Callable[[Evidence], bool]:
    return lambda evidence: isinstance(evidence.model, Translating) and evidence.run.splits.degraded == degraded


def _can_sample(evidence: Evidence) -> bool:
    return evidence.can_sample


PARTS = (
    Part("likelihood", _has(Variational), likelihood.measure),
    Part("conditional likelihood", _told_classes(Scored), likelihood.measure_given_class),
    Part("latents", _has(Variational), latents.measure),
    Part("reconstructions", _has(Inferential), reconstructions.measure),
    Part("classes", _untold(Inferential), classes.measure),
    Part("codes", _untold(Recognising), classes.measure_codes),
    Part("labels", _told_classes(Recognising), classes.measure_labels),
    Part("factors", _has(Inferential), factors.measure),
    Part("samples", _can_sample, samples.measure),
    Part("modes", _can_sample, modes.measure),
    Part("paths", _can_sample, paths.measure),
    Part("translations", _translates(degraded=False), translations.measure),
    Part("restorations", _translates(degraded=True), restorations.measure),
)
_registered: dict[str, Part] = {}


def register(part: Part) -> Part:
    """Add a part from outside the package; every evaluation measures it from now on, after `PARTS`.

    A part registered again under its name replaces the earlier one. Raises `ConfigError` for a name in `PARTS`.
    """
    if part.name in {shipped.name for shipped in PARTS}:
        raise ConfigError(f"An evaluation has a part '{part.name}' already. Give yours another name.")
    _registered[part.name] = part
    return part


@dataclass(frozen=True)
class Evaluation:
    """The scores of a run, in the order of the parts, and the evidence that they were taken from."""

    evidence: Evidence
    scores: list[Score]


@torch.no_grad()
def evaluate(
    run: Run,
    *,
    n: int = 10_000,
    seed: int = 0,
    extractor: Extractor | None = None,
    prior: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Evaluation:
    """Measure a run on up to ``n`` test images, and as many samples: each metric that its model supports.

    With a posterior: bounds and estimates of log p(x), use of the latents. With an encoder: reconstructions, and
    how well latents tell classes apart. With a prior: samples against test images, by the features of ``extractor``,
    which is `features.extractor`'s own choice where none is given. With a translator: translations against real images
    of the target, by a classifier of both domains, against the truth where it is known, and back again; where one
    domain was made from the other, restorations against the originals, beside what needs no model.
    ``progress`` is called with the name of each part, ``warn`` with a sentence if the features fail their
    self-test. The same seed gives the same scores.
    ``prior`` says where samples are drawn from, as in `Run.prior`; likelihoods are always those of the model's own.
    Raises `ConfigError` for fewer than 10 images or a missing extra, `RunError` for a model that returns NaN.
    """
    _check_extras(run.model)
    evidence = Evidence(run, n, seed, extractor, run.prior(prior), warn)
    scores: list[Score] = []
    for part in (*PARTS, *_registered.values()):
        if part.supports(evidence):
            if progress is not None:
                progress(part.name)
            scores += part.measure(evidence)
    return Evaluation(evidence, scores)


def _check_extras(model: Model) -> None:
    """Refuse at once where a package is missing that a later part needs. Raises `ConfigError`."""
    if isinstance(model, Inferential):
        extra("sklearn.linear_model", "evaluate")
    if isinstance(model, Recognising):
        extra("scipy.optimize", "evaluate")
