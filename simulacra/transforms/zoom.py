"""How large things are drawn in an image: measured by where its ink lies, and changed."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import images

CHUNK = 1000  # images measured at a time
FAINT = 1e-3  # mean ink of an image below which it shows nothing to measure
LARGEST = 4.0  # ratio of two sizes that is believed
PLAIN = 0.1  # largest difference between the corners of a plain ground, of a range of 2


def zoomed(x: Tensor, factor: float) -> Tensor:
    """Return images ``(B, C, H, W)`` with things ``factor`` times as large about the middle, bilinear.

    What lies beyond an image's border is its ground.
    """
    if factor == 1:
        return x
    corners = ground(x.float())
    affine = torch.tensor([[1 / factor, 0.0, 0.0], [0.0, 1 / factor, 0.0]], device=x.device).repeat(len(x), 1, 1)
    places = F.affine_grid(affine, list(x.shape), align_corners=False)
    return corners + F.grid_sample(x.float() - corners, places, align_corners=False)


def ground(x: Tensor) -> Tensor:
    """Return what things are drawn on: the mean of each image's four corners, ``(B, C, 1, 1)``."""
    return _corners(x).mean((2, 3), keepdim=True)


def measure(a: Tensor, b: Tensor) -> float:
    """Return how much larger things are drawn in images b than in a, both bytes ``(n, C, H, W)``.

    The ratio of the geometric means of `spread`: two sets of the same things at two sizes differ by it alone. It is 1
    where less than half of either set has a plain ground, as photographs that fill their frame; from 1 / 4 to 4.
    """
    means, plain = zip(*(_measured(part) for part in (a, b)), strict=True)
    return min(LARGEST, max(1 / LARGEST, math.exp(means[1] - means[0]))) if min(plain) >= 0.5 else 1.0


def spread(x: Tensor) -> Tensor:
    """Return the standard deviation of each image's ink about its middle, ``(B,)``, in sides; NaN for empty ones.

    Ink is how far a pixel is from the ground, ``i = mean_c |x - ground|``; the spread ``sqrt(sum i r^2 / 2 sum i)``,
    ``r`` the distance from the ink's centre of mass.
    """
    ink = (x - ground(x)).abs().mean(1)
    mass = ink.sum((1, 2))
    square = torch.zeros_like(mass)
    for across, pixels in ((1, ink.shape[2]), (2, ink.shape[1])):
        place = (torch.arange(pixels, device=x.device) + 0.5) / pixels
        line = ink.sum(across) / mass.unsqueeze(1)
        middle = (line * place).sum(1, keepdim=True)
        square += (line * (place - middle).square()).sum(1) / 2
    return torch.where(mass > FAINT * ink[0].numel(), square.sqrt(), torch.nan)


def _measured(pixels: Tensor) -> tuple[float, float]:
    """The mean logarithm of the spread, and the share of images on a plain ground that show something."""
    parts = [images.from_bytes(part) for part in torch.split(pixels, CHUNK)]
    spreads, plain = torch.cat([spread(x) for x in parts]), torch.cat([_is_plain(x) for x in parts])
    shown = spreads > 0
    return float(spreads[shown].double().log().mean()), float((plain & shown).double().mean())


def _is_plain(x: Tensor) -> Tensor:
    corners = _corners(x).flatten(2)
    return (corners.amax(2) - corners.amin(2)).amax(1) <= PLAIN


def _corners(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return x[:, :, :: max(1, height - 1), :: max(1, width - 1)]
