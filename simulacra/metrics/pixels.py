"""Image against image, pixel by pixel: inputs are ``(B, C, H, W)`` in [-1, 1], all values on the [0, 1] scale.

Each returns one value an image, ``(B,)``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.machine import extra
from simulacra.metrics.meanings import IMAGES, declare

__all__ = ["l1", "ms_ssim", "psnr", "ssim"]

WINDOW = 11  # pixels: the side of the Gaussian window of SSIM
FEW = 4  # images whose SSIM is taken at once: with more, torch convolves small ones several times as slowly
SCALES = 5  # of multi-scale SSIM, each half the size of the one before

# fmt: off
L1 = declare(
    "l1", IMAGES, "of the range",
    "Mean absolute error of a pixel; 1 is the whole range from black to white.", "lower",
)
PSNR = declare(
    "psnr", IMAGES, "dB",
    "Peak signal-to-noise ratio: the mean over images of -10 log10(mean squared error), at most 100.", "higher",
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
    """Return the structural similarity of each image, at most 1, with a Gaussian window of 11 pixels (std 1.5).

    Mean over windows around every pixel, the image mirrored at its border (the paper leaves those windows out).
    Raises `ConfigError` for sides below 11 pixels or where torchmetrics is missing.
    Source: Image Quality Assessment: From Error Visibility to Structural Similarity (2004),
    https://doi.org/10.1109/TIP.2003.819861
    """
    images, targets = _unit(images, targets)
    _check_side(images, WINDOW, "ssim")
    functional = extra("torchmetrics.functional.image", "ssim")
    values = [
        functional.structural_similarity_index_measure(
            part, target, gaussian_kernel=True, sigma=1.5, data_range=1.0, reduction="none"
        )
        for part, target in zip(torch.split(images, FEW), torch.split(targets, FEW), strict=True)
    ]
    return torch.cat([value.reshape(-1) for value in values])


def ms_ssim(images: Tensor, targets: Tensor) -> Tensor:
    """Return the structural similarity of each image over 5 scales, in [0, 1].

    Raises `ConfigError` for sides below 176 pixels or where torchmetrics is missing.
    Source: Multi-scale Structural Similarity for Image Quality Assessment (2003),
    https://doi.org/10.1109/ACSSC.2003.1292216
    """
    images, targets = _unit(images, targets)
    _check_side(images, WINDOW * 2 ** (SCALES - 1), "ms_ssim")
    functional = extra("torchmetrics.functional.image", "ms_ssim")
    values: Tensor = functional.multiscale_structural_similarity_index_measure(
        images, targets, gaussian_kernel=True, sigma=1.5, data_range=1.0, reduction="none", normalize="relu"
    )
    return values.reshape(len(images))


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
