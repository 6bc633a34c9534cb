"""Image against image, pixel by pixel: inputs are ``(B, C, H, W)`` in [-1, 1], all values on the [0, 1] scale.

Each returns one value per image, ``(B,)``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.metrics.meanings import IMAGES, declare

__all__ = ["l1", "ms_ssim", "psnr", "ssim"]

WINDOW, WINDOW_STD = 11, 1.5  # pixels: side and standard deviation of the Gaussian window of SSIM
C1, C2 = 0.01**2, 0.03**2  # keep the two factors of SSIM finite where an image is black or plain
VALUES_AT_ONCE = 2**22  # of the images whose SSIM is computed together: a map of them takes 32 MiB
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of multi-scale SSIM, from the full size on

# fmt: off
L1 = declare(
    "l1", IMAGES, "of the range",
    "Mean absolute error of a pixel; 1 is the whole range from black to white.", "lower",
)
PSNR = declare(
    "psnr", IMAGES, "dB",
    "Peak signal-to-noise ratio: mean over images of -10 log10(mean squared error), at most 100.", "higher",
)
SSIM = declare(
    "ssim", IMAGES, "index",
    "Structural similarity in windows of 11 pixels, for images of at least 11 pixels; 1 means equal.", "higher",
)
# fmt: on


def l1(images: Tensor, targets: Tensor) -> Tensor:
    """Return the mean absolute error of each image, in [0, 1].

    Raises `ConfigError` for empty input or different shapes.
    """
    images, targets = _unit(images, targets)
    return (images - targets).abs().flatten(1).mean(1)


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each image, ``-10 log10(mean squared error)``, in dB.

    Infinite for equal images. Raises `ConfigError` for empty input or different shapes.
    """
    images, targets = _unit(images, targets)
    return -10.0 * (images - targets).square().flatten(1).mean(1).log10()


def ssim(images: Tensor, targets: Tensor) -> Tensor:
    """Return the structural similarity of each image, at most 1.

    ``(2 mx my + c1) (2 cov + c2) / ((mx^2 + my^2 + c1) (vx + vy + c2))``, the mean over channels and over all places
    of a Gaussian window of 11 x 11 pixels (std 1.5) that lies inside the image; ``c1 = 0.01^2``, ``c2 = 0.03^2``.
    Raises `ConfigError` for empty input, different shapes or sides below 11 pixels.
    Source: Image Quality Assessment: From Error Visibility to Structural Similarity (2004),
    https://doi.org/10.1109/TIP.2003.819861
    """
    images, targets = _unit(images, targets)
    _check_side(images, WINDOW, "ssim")
    few = max(1, VALUES_AT_ONCE // images[0].numel())
    found = []
    for x, y in zip(torch.split(images, few), torch.split(targets, few), strict=True):
        luminance, structure = _similarities(x, y)
        found.append((luminance * structure).flatten(1).mean(1))
    return torch.cat(found)


def ms_ssim(images: Tensor, targets: Tensor) -> Tensor:
    """Return the structural similarity of each image over 5 scales, each half the size of the one before, in [0, 1].

    Contrast and structure of every scale, and the luminance of the last, each to the power of its weight; negative
    similarities count as 0. Raises `ConfigError` for empty input, different shapes or sides below 176 pixels.
    Source: Multi-scale Structural Similarity for Image Quality Assessment (2003),
    https://doi.org/10.1109/ACSSC.2003.1292216
    """
    images, targets = _unit(images, targets)
    _check_side(images, WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1), "ms_ssim")
    product = images.new_ones(images.shape[:2])
    for scale, weight in enumerate(SCALE_WEIGHTS, 1):
        luminance, structure = _similarities(images, targets)
        similarity = luminance * structure if scale == len(SCALE_WEIGHTS) else structure
        product = product * similarity.mean((2, 3)).clamp(min=0.0) ** weight
        images, targets = F.avg_pool2d(images, 2), F.avg_pool2d(targets, 2)
    return product.mean(1)


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of SSIM at each place of the window, ``(B, C, H - 10, W - 10)``: luminance, then the rest."""
    down, across = (_windows(side).to(x) for side in x.shape[2:])

    def mean(values: Tensor) -> Tensor:
        return down @ values @ across.T

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x.square()) + mean(y.square()) - mean_x.square() - mean_y.square()
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _windows(side: int) -> Tensor:
    """The Gaussian window at every place of a line of pixels, a row each, ``(side - 10, side)``."""
    weights = torch.exp(-0.5 * ((torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2) / WINDOW_STD).square())
    rows = torch.zeros(side - WINDOW + 1, side, dtype=torch.float64)
    for start, row in enumerate(rows):
        row[start : start + WINDOW] = weights / weights.sum()
    return rows


def _unit(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Both in [0, 1] and float64, once they are known to be images of one shape."""
    if images.ndim != 4 or images.numel() == 0 or images.shape != targets.shape:
        raise ConfigError(
            "images and targets must have one shape (B, C, H, W), not empty; "
            f"got {tuple(images.shape)} and {tuple(targets.shape)}."
        )
    return (images.detach().double() + 1) / 2, (targets.detach().double() + 1) / 2


def _check_side(images: Tensor, least: int, user: str) -> None:
    side = min(images.shape[2:])
    if side < least:
        raise ConfigError(f"{user} needs images of at least {least} x {least} pixels; the smaller side is {side}.")
