"""Test images against what comes back through the latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.features import Classifying
from simulacra.metrics.meanings import IMAGES, Meaning, declare
from simulacra.metrics.pixels import L1, PSNR, SSIM, WINDOW, l1, psnr, ssim
from simulacra.steering import generate

MAX_PSNR = 100.0  # dB: equal images have infinitely many, which a mean and JSON cannot hold
Measure = Callable[[Tensor, Tensor], Tensor]

# fmt: off
CLASS_AGREEMENT = declare(
    "class_agreement", IMAGES, "share",
    "Share of test images whose reconstruction the data set's classifier assigns to the same class.", "higher",
)
# fmt: on


def measure(evidence: Evidence) -> Iterator[Score]:
    """Errors and similarity of reconstructions, and whether a classifier takes them for the same class."""
    returned = evidence.reconstructions()
    pairs = list(zip(torch.split(returned, generate.CHUNK), torch.split(evidence.x, generate.CHUNK), strict=True))
    for metric, function in pixel_metrics(min(evidence.run.shape.sides)):
        values = torch.cat([function(*pair) for pair in pairs]).clamp(max=MAX_PSNR)
        yield evidence.score(metric, float(values.mean()))
    if isinstance(evidence.extractor, Classifying):
        original = evidence.extractor.probabilities(evidence.x).argmax(1)
        found = evidence.extractor.probabilities(returned).argmax(1)
        yield evidence.feature_score(CLASS_AGREEMENT, float((original == found).double().mean()))


def pixel_metrics(side: int) -> list[tuple[Meaning, Measure]]:
    """The metrics that compare two images of that side pixel by pixel: SSIM needs a whole window."""
    metrics: list[tuple[Meaning, Measure]] = [(L1, l1), (PSNR, psnr)]
    return [*metrics, (SSIM, ssim)] if side >= WINDOW else metrics
