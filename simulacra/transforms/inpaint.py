"""Classical inpainting: unknown pixels from those around them. For one image at a time, on the CPU.

``mask`` ``(B or 1, 1, H, W)`` is 1 (or true) where a pixel is unknown; known pixels are returned as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.images import from_bytes, to_bytes
from simulacra.transforms.common import clamped


def biharmonic(x: Tensor, mask: Tensor) -> Tensor:
    """Fill in with the surface of least bending, laplacian(laplacian(u)) = 0, through scikit-image (extra `vision`).

    Source: On surface completion and image inpainting by biharmonic functions (2018), https://arxiv.org/abs/1707.06567
    """
    restoration = _extra("skimage.restoration")

    def fill(image: Tensor, unknown: Tensor) -> Tensor:
        pixels = image.movedim(0, -1).double().numpy()
        return torch.from_numpy(restoration.inpaint_biharmonic(pixels, unknown[0].numpy(), channel_axis=-1)).movedim(
            -1, 0
        )

    return _filled(x, mask, fill)


def telea(x: Tensor, mask: Tensor, radius: float = 3.0) -> Tensor:
    """March inwards, each pixel from the known ones within ``radius``, through OpenCV (extra `vision`), in 8 bits.

    Source: An Image Inpainting Technique Based on the Fast Marching Method (2004), https://doi.org/10.1080/10867651.2004.10487596
    """
    return _filled(x, mask, _by_opencv("INPAINT_TELEA", radius))


def navier_stokes(x: Tensor, mask: Tensor, radius: float = 3.0) -> Tensor:
    """Carry lines of equal brightness on into the hole, through OpenCV (extra `vision`), in 8 bits.

    Source: Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting (2001), https://doi.org/10.1109/CVPR.2001.990497
    """
    return _filled(x, mask, _by_opencv("INPAINT_NS", radius))


def _by_opencv(method: str, radius: float) -> Callable[[Tensor, Tensor], Tensor]:
    cv2 = _extra("cv2")

    def fill(image: Tensor, unknown: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(to_bytes(image).movedim(0, -1).numpy())
        filled = cv2.inpaint(pixels, unknown[0].byte().numpy(), radius, getattr(cv2, method))
        return from_bytes(torch.from_numpy(filled).reshape(*image.shape[1:], -1).movedim(-1, 0))

    return fill


def _filled(x: Tensor, mask: Tensor, fill: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    unknown = mask.to(torch.bool)
    if (
        unknown.ndim != 4
        or unknown.shape[1] != 1
        or unknown.shape[-2:] != x.shape[-2:]
        or len(unknown) not in (1, len(x))
    ):
        count = "1" if len(x) == 1 else f"1 or {len(x)}"
        raise ConfigError(
            f"inpaint: the mask has the shape {tuple(mask.shape)}, but images of {x.shape[-1]} x {x.shape[-2]} pixels "
            f"need ({count}, 1, {x.shape[-2]}, {x.shape[-1]})."
        )
    unknown = unknown.expand(len(x), -1, -1, -1)
    if bool(unknown.flatten(1).all(1).any()) and x.numel():
        raise ConfigError("inpaint: the mask covers a whole image; some pixels must be known.")
    pairs = zip(x.detach().cpu(), unknown.cpu(), strict=True)
    filled = [clamped(fill(image, hole).float()) if hole.any() else image for image, hole in pairs]
    return torch.where(unknown, torch.stack(filled).to(x), x) if filled else x


def _extra(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError("Classical inpainting needs the extra: pip install 'simulacra[vision]'") from None
