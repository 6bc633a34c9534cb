"""How much images differ from each other: a generator that has collapsed paints one image."""

from __future__ import annotations

from torch import Tensor

from simulacra.metrics.meanings import IMAGES, declare

__all__ = ["variety"]

# fmt: off
VARIETY = declare(
    "variety", IMAGES, "of real images'",
    "How much translations differ from each other, relative to real images; near 0 they all look alike.",
)
# fmt: on


def variety(images: Tensor, real: Tensor) -> Tensor:
    """Return how much images ``(B, C, H, W)`` differ from each other, relative to real ones: 0 where all are alike.

    The ratio of the standard deviations of a pixel over the images, each the mean over pixels; NaN for one image.
    """
    return images.std(0).mean() / real.std(0).mean().clamp(min=1e-6)
