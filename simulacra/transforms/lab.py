"""sRGB and CIE L*a*b* of 1976, in which equal distances look about equally large; white is D65.

Sources: IEC 61966-2-1 (1999), sRGB; CIE 15 (2004), Colorimetry, https://cie.co.at/publications/colorimetry-4th-edition
"""

from __future__ import annotations

import torch
from torch import Tensor

TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)  # of linear red, green and blue; its rows add up to white
FROM_LINEAR, TO_LINEAR = 0.0031308, 0.04045  # below which sRGB is a straight line
BEND = 6 / 29  # of the cube root in Lab, below which it is a straight line


def from_rgb(x: Tensor) -> Tensor:
    """Return L* (0 to 100), a* and b* of sRGB images ``(B, 3, H, W)`` in [0, 1]."""
    linear = torch.where(x > TO_LINEAR, ((x + 0.055) / 1.055).clamp(min=0) ** 2.4, x / 12.92)
    ratio = _mixed(linear, _matrix(x) / _matrix(x).sum(1, keepdim=True))
    root = torch.where(ratio > BEND**3, ratio.clamp(min=BEND**3) ** (1 / 3), ratio / (3 * BEND**2) + 4 / 29)
    r, g, b = root.unbind(1)
    return torch.stack([116 * g - 16, 500 * (r - g), 200 * (g - b)], 1)


def to_rgb(lab: Tensor) -> Tensor:
    """Return the sRGB images of `from_rgb`, clamped to [0, 1] where a colour has no sRGB."""
    lightness, a, b = lab.unbind(1)
    middle = (lightness + 16) / 116
    root = torch.stack([middle + a / 500, middle, middle - b / 200], 1)
    ratio = torch.where(root > BEND, root**3, 3 * BEND**2 * (root - 4 / 29))
    linear = _mixed(ratio, torch.linalg.inv(_matrix(lab) / _matrix(lab).sum(1, keepdim=True)))
    bent = 1.055 * linear.clamp(min=FROM_LINEAR) ** (1 / 2.4) - 0.055
    return torch.where(linear > FROM_LINEAR, bent, 12.92 * linear).clamp(0, 1)


def _matrix(x: Tensor) -> Tensor:
    return torch.tensor(TO_XYZ, dtype=torch.float64, device=x.device)


def _mixed(x: Tensor, matrix: Tensor) -> Tensor:
    """Three channels as sums of three others."""
    return torch.einsum("ij,bjhw->bihw", matrix.to(x.dtype), x)
