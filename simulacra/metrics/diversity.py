"""How much images differ from each other: a generator that has collapsed paints one image."""

from __future__ import annotations

from torch import Tensor

from simulacra import parallel
from simulacra.metrics.common import matrices
from simulacra.metrics.meanings import IMAGES, SAMPLES, declare

__all__ = ["feature_variety", "variety"]

# fmt: off
VARIETY = declare(
    "variety", IMAGES, "ratio",
    "How much translations differ from each other, relative to real images; near 0 they all look alike.",
)
SAMPLE_VARIETY = declare(
    "sample_variety", SAMPLES, "ratio",
    "How much samples differ from each other in their features, relative to test images; near 0 they all look alike.",
)
# fmt: on


def variety(images: Tensor, real: Tensor) -> Tensor:
    """Return how much images ``(B, C, H, W)`` differ from each other, relative to real ones: 0 where all are alike.

    The ratio of the standard deviations of a pixel over the images, each the mean over pixels; NaN for one image.
    """
    return parallel.std(images, (0,)).mean() / parallel.std(real, (0,)).mean().clamp(min=1e-6)


def feature_variety(fake: Tensor, real: Tensor) -> float:
    """Return how far features ``(N, D)`` lie from their mean, relative to ``(M, D)``: ``sqrt(tr S_fake / tr S_real)``.

    Raises `ConfigError` for fewer than 2 rows or different dimensions.
    """
    fake, real = matrices(fake, real, ("fake", "real"), at_least=2)
    return float((fake.var(0).sum() / real.var(0).sum().clamp(min=1e-12)).sqrt())
