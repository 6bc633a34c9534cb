"""Test images translated to the other domain: against real images of it, against the truth, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.reconstructions import MAX_PSNR, pixel_metrics
from simulacra.evaluation.scores import Score
from simulacra.features import Classifying
from simulacra.metrics import meanings
from simulacra.metrics.diversity import VARIETY, variety
from simulacra.metrics.frechet import FRECHET_DISTANCE, FRECHET_DISTANCE_FLOOR, frechet_distance
from simulacra.metrics.meanings import COPIED, IMAGES, Meaning, declare
from simulacra.metrics.pixels import l1
from simulacra.metrics.retrieval import RETRIEVAL_TOP1, retrieval_top1
from simulacra.models import Translating
from simulacra.steering import translate

# fmt: off
DOMAIN_ACCURACY = declare(
    "domain_accuracy", IMAGES, "share",
    "Share of translations that a classifier of the two real domains assigns to the target domain.", "higher",
)
DOMAIN_ACCURACY_FLOOR = declare(
    "domain_accuracy_floor", IMAGES, "share",
    "The same share for real test images of the target domain.",
)
CYCLE_ERROR = declare(
    "cycle_error", IMAGES, "of the range",
    "Mean absolute error of a pixel after translating there and back; a low value alone says little.", "lower",
)
# fmt: on


def measure(evidence: Evidence) -> Iterator[Score]:
    """Translations to B, and to A under names that end so, where the model goes both ways."""
    model = evidence.model
    assert isinstance(model, Translating)
    for to in model.directions:
        for score in _to(evidence, to):
            yield score if to == "B" else replace(score, metric=meanings.to_a(score.metric))


def _to(evidence: Evidence, to: str) -> Iterator[Score]:
    source, target, there = evidence.domain(translate.OTHER[to]), evidence.domain(to), evidence.translated[to]
    if isinstance(evidence.extractor, Classifying):
        yield from _taken_for(evidence, evidence.extractor, to, source, target, there)
    yield from _distances(evidence, to, target, there)
    if len(there) > 1:
        yield evidence.score(VARIETY, float(variety(there, target)), n=len(there))
    if translate.can_return(evidence.model, to):
        back = translate.translate(evidence.model, there, translate.OTHER[to])
        yield evidence.score(CYCLE_ERROR, float(l1(back, source).mean()), n=len(source))
    if evidence.test.paired:
        yield from _against_truth(evidence, there, source, target)


def _taken_for(
    evidence: Evidence, classifier: Classifying, to: str, source: Tensor, target: Tensor, there: Tensor
) -> Iterator[Score]:
    """The share of images that are taken for the target domain: translations, real ones of it, and the input."""
    shown = {DOMAIN_ACCURACY: there, DOMAIN_ACCURACY_FLOOR: target, _copied(DOMAIN_ACCURACY): source}
    for metric, x in shown.items():
        taken = classifier.probabilities(x).argmax(1) == "AB".index(to)
        yield evidence.feature_score(metric, float(taken.double().mean()), n=len(x))


def _distances(evidence: Evidence, to: str, target: Tensor, there: Tensor) -> Iterator[Score]:
    real, fake = evidence.extractor.features(target), evidence.extractor.features(there)
    train = evidence.run.splits.train.domains[to]
    known = evidence.extractor.features(evidence.some_images(train, len(real), f"floor {to}"))
    yield evidence.feature_score(FRECHET_DISTANCE, frechet_distance(real, fake), n=len(real))
    yield evidence.feature_score(FRECHET_DISTANCE_FLOOR, frechet_distance(real, known), n=len(real))


def _against_truth(evidence: Evidence, there: Tensor, source: Tensor, target: Tensor) -> Iterator[Score]:
    """Errors of translations; beside them those of copying the input, where both domains have equal channels."""
    for metric, value in _errors(evidence, there, target):
        yield evidence.score(metric, value)
    if source.shape == target.shape:
        for metric, value in _errors(evidence, source, target):
            yield evidence.score(_copied(metric), value)


def _errors(evidence: Evidence, x: Tensor, target: Tensor) -> Iterator[tuple[Meaning, float]]:
    for metric, function in pixel_metrics(min(evidence.run.shape.sides)):
        yield metric, float(function(x, target).clamp(max=MAX_PSNR).mean())
    yield RETRIEVAL_TOP1, retrieval_top1(x.flatten(1), target.flatten(1))


def _copied(metric: Meaning) -> Meaning:
    """The same metric of the input itself, taken for its translation."""
    return replace(metric, name=metric.name + COPIED)
