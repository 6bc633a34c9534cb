"""How well single latents stand for the factors that generated the test images, where these are known."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from simulacra import metrics
from simulacra.data import Dataset, derived_seed, shapes
from simulacra.errors import DataError
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.meanings import meaning
from simulacra.models import Generative

MIN_VARIANCE = 0.01  # of a latent in use, beside the prior's of 1 or, without a prior, beside the largest


def measure(evidence: Evidence) -> Iterator[Score]:
    """The scores of `disentanglement`, with latents in use counted beside the prior's variance or the largest."""
    if evidence.test.factors is None:
        return
    scale = 1.0 if isinstance(evidence.model, Generative) else float(evidence.codes.var(0).max())
    found = disentanglement(evidence.codes, evidence.test, seed=evidence.seed, threshold=MIN_VARIANCE * scale)
    for name, value in found.items():
        yield evidence.score(meaning(name), value)


def disentanglement(
    codes: Tensor, dataset: Dataset, *, seed: int = 0, threshold: float = MIN_VARIANCE
) -> dict[str, float]:
    """Score how codes ``(n, D)`` of a data set's images separate the factors that can be seen in them.

    See `metrics.disentanglement_scores`. The angle of `shapes` is left out: a square looks the same after a quarter
    turn, a triangle after a third, a star after a fifth, a disc after any, so that no encoder can tell it.
    Raises `DataError` for a data set without known factors.
    """
    if dataset.factors is None:
        raise DataError(f"{dataset.name} has no known factors that latents could separate. Use the data set shapes.")
    known = {name: dataset.factors[name] for name in shapes.VISIBLE}
    generator = torch.Generator().manual_seed(derived_seed(seed, "disentanglement"))
    return metrics.disentanglement_scores(codes, known, threshold, generator)
