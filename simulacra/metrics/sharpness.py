"""How much fine detail images have: blur takes it away, noise adds to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.metrics.meanings import SAMPLES, declare

__all__ = ["sharpness"]

# fmt: off
SHARPNESS = declare(
    "sharpness", SAMPLES, "ratio",
    "Fine detail of the samples, relative to test images: 1 is right, well below it samples are blurred, well above it "
    "they are noisy.",
)
# fmt: on
CHUNK = 500  # images at a time
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def sharpness(images: Tensor, real: Tensor) -> float:
    """Return the mean absolute Laplacian of images ``(N, C, H, W)`` in [-1, 1], relative to that of real ones.

    ``mean |x[i-1, j] + x[i+1, j] + x[i, j-1] + x[i, j+1] - 4 x[i, j]|`` over inner pixels, channels and images.
    """
    return float(_detail(images) / _detail(real).clamp(min=1e-12))


def _detail(x: Tensor) -> Tensor:
    kernel = torch.tensor(LAPLACIAN, dtype=x.dtype, device=x.device).expand(x.shape[1], 1, 3, 3)
    sums = [F.conv2d(part, kernel, groups=x.shape[1]).abs().mean() * len(part) for part in torch.split(x, CHUNK)]
    return torch.stack(sums).sum() / len(x)
