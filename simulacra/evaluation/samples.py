"""Samples against test images, as many of each, in the space of features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from simulacra import features
from simulacra.data import Dataset, derived_seed
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.features import Classifying, Corruption, cache
from simulacra.features.corruption import CORRUPTIONS, FEATURES_SELF_TEST
from simulacra.metrics.classes import (
    CLASS_COVERAGE,
    CLASS_EVENNESS,
    CLASSIFIER_SCORE,
    class_coverage,
    classifier_score,
)
from simulacra.metrics.diversity import SAMPLE_VARIETY, feature_variety
from simulacra.metrics.frechet import FRECHET_DISTANCE, FRECHET_DISTANCE_FLOOR, frechet_distance
from simulacra.metrics.kernel import KERNEL_DISTANCE, kernel_distance
from simulacra.metrics.manifold import COVERAGE, DENSITY, PRECISION, RECALL, prdc
from simulacra.metrics.meanings import KINDS, declare
from simulacra.metrics.neighbours import COPY_RATIO, MEMORISATION, copy_ratio, memorisation
from simulacra.metrics.sharpness import SHARPNESS, sharpness
from simulacra.models import Coded
from simulacra.models.labels import LABEL
from simulacra.steering import generate

MAX_SUBSET = 1_000  # images in a subset of the kernel distance
MAX_CORRUPTED_IMAGES = 500  # training images for the self-test of features
MAX_LABELLED_SAMPLES = 1_000  # samples of classes that are asked for

# fmt: off
LABEL_AGREEMENT = declare(
    "label_agreement", KINDS, "share",
    "Share of samples that the data set's classifier assigns to the class that was asked for.", "higher",
)
# fmt: on


def measure(evidence: Evidence) -> Iterator[Score]:
    """Distances with their floor, the self-test of the features, fidelity and variety, copies, classes."""
    yield from _distances(evidence)
    yield _self_test(evidence)
    yield from _fidelity_and_variety(evidence)
    copied = memorisation(evidence.fake, evidence.known, evidence.real)
    yield evidence.sample_score(MEMORISATION, copied.share, split="train")
    yield evidence.sample_score(COPY_RATIO, copy_ratio(evidence.fake, evidence.known, evidence.real), split="train")
    if evidence.probabilities is not None:
        yield from _classes(evidence, evidence.probabilities)
    if evidence.conditional and isinstance(evidence.extractor, Classifying):
        yield from _label_agreement(evidence, evidence.extractor)


def _distances(evidence: Evidence) -> Iterator[Score]:
    real, fake, known = evidence.real, evidence.fake, evidence.known
    chosen = known[torch.randperm(len(known), generator=evidence.generator("floor"))[: len(real)]]
    subset = min(MAX_SUBSET, len(real) // 2)
    kernel = kernel_distance(real, fake, subset_size=subset, generator=evidence.generator("kernel"))
    yield evidence.sample_score(FRECHET_DISTANCE, frechet_distance(real, fake))
    yield evidence.feature_score(FRECHET_DISTANCE_FLOOR, frechet_distance(real, chosen))
    yield replace(evidence.sample_score(KERNEL_DISTANCE, kernel.mean), interval=(kernel.low, kernel.high))


def _fidelity_and_variety(evidence: Evidence) -> Iterator[Score]:
    found = prdc(evidence.real, evidence.fake)
    yield evidence.sample_score(PRECISION, found.precision)
    yield evidence.sample_score(RECALL, found.recall)
    yield evidence.sample_score(DENSITY, found.density)
    yield evidence.sample_score(COVERAGE, found.coverage)
    yield evidence.sample_score(SAMPLE_VARIETY, feature_variety(evidence.fake, evidence.real))
    yield replace(evidence.sample_score(SHARPNESS, sharpness(evidence.samples, evidence.x)), features=None)


def _classes(evidence: Evidence, probabilities: Tensor) -> Iterator[Score]:
    """What a classifier says of the samples alone."""
    kinds = class_coverage(probabilities)
    yield evidence.sample_score(CLASSIFIER_SCORE, classifier_score(probabilities).mean, split="generated")
    yield evidence.sample_score(CLASS_COVERAGE, kinds.found / probabilities.shape[1], split="generated")
    yield evidence.sample_score(CLASS_EVENNESS, kinds.evenness, split="generated")


def _label_agreement(evidence: Evidence, classifier: Classifying) -> Iterator[Score]:
    """Whether samples of a class are taken for it by a classifier of the same classes."""
    model = evidence.model
    assert isinstance(model, Coded)
    count = min(MAX_LABELLED_SAMPLES, len(evidence.x))
    z = generate.latents(model, count, seed=derived_seed(evidence.seed, "labels"))
    probabilities = classifier.probabilities(generate.decode(model, z))
    if probabilities.shape[1] == model.codes.width:
        agreeing = probabilities.argmax(1) == model.codes.values(z)[LABEL]
        yield evidence.sample_score(LABEL_AGREEMENT, float(agreeing.double().mean()), n=count, split="generated")


# --------------------------------------------------------------------------- the self-test of the features


def _self_test(evidence: Evidence) -> Score:
    """The share of corruptions that raise the distance as they get stronger; those that do not are warned of."""
    train, extractor = evidence.run.splits.train, evidence.extractor
    few = train.take(torch.arange(0, len(train), math.ceil(len(train) / MAX_CORRUPTED_IMAGES)))
    table = _corruptions(evidence, few)
    for row in table:
        if not row.rises:
            evidence.warn(
                f"The features {extractor.name} fail their self-test: the distance to {train.name} does not rise with "
                f"stronger {row}. Do not trust the scores that these features give."
            )
    share = sum(row.rises for row in table) / len(table)
    return evidence.feature_score(FEATURES_SELF_TEST, share, split="train", n=len(few))


def _corruptions(evidence: Evidence, dataset: Dataset) -> list[Corruption]:
    def compute() -> Tensor:
        generator = torch.Generator().manual_seed(derived_seed("self-test"))
        table = features.self_test(evidence.extractor, evidence.images(dataset), generator)
        return torch.tensor([row.distances for row in table], dtype=torch.float64)

    distances = cache.tensor(evidence.cache_key("self-test", dataset), compute).tolist()
    return [Corruption(name, tuple(row)) for name, row in zip(CORRUPTIONS, distances, strict=True)]
