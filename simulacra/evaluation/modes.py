"""How many of the 1,000 modes of `stacked-mnist` a sample falls into, and how far from their shares."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from simulacra.data import derived_seed, stacked
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.features import Classifying, StackedDigits
from simulacra.features.base import CHUNK
from simulacra.metrics.classes import REVERSE_KL, reverse_kl
from simulacra.metrics.meanings import KINDS, declare
from simulacra.models import Model
from simulacra.priors import Prior
from simulacra.steering import generate

SAMPLES_PER_IMAGE = 2.6  # 26,000 samples, as in the literature, for 10,000 test images

# fmt: off
MODES = declare(
    "modes", KINDS, "modes",
    "Number of the 1,000 modes of stacked-mnist to which the classifier assigns at least one sample.", "higher",
)
# fmt: on


def measure(evidence: Evidence) -> Iterator[Score]:
    """The number of modes found, and the KL divergence of their shares from the data's."""
    train = evidence.run.splits.train
    if not isinstance(evidence.extractor, StackedDigits) or train.labels is None:
        return
    samples = round(SAMPLES_PER_IMAGE * len(evidence.x))
    counts = mode_counts(evidence.model, evidence.extractor, samples, seed=evidence.seed, prior=evidence.prior)
    away = reverse_kl(counts, stacked.mode_shares(train.labels))
    yield evidence.sample_score(MODES, float((counts > 0).sum()), n=samples, split="generated")
    yield evidence.sample_score(REVERSE_KL, away, n=samples, split="generated")


def mode_counts(
    model: Model, extractor: Classifying, samples: int, *, seed: int = 0, prior: Prior | None = None
) -> Tensor:
    """Count how many of that many samples of `stacked-mnist` are likeliest of each mode, ``(1000,)``."""
    labels = []
    for start in range(0, samples, CHUNK):
        part = min(CHUNK, samples - start)
        drawn = generate.sample(model, part, seed=derived_seed(seed, "modes", start), prior=prior)
        labels.append(extractor.probabilities(drawn).argmax(1))
    return torch.bincount(torch.cat(labels), minlength=len(stacked.CLASSES))
