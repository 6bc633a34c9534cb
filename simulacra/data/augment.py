"""Random changes of a training batch: ``(B, C, H, W)`` in [-1, 1] and a generator in, a batch of that shape out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.images import to_unit

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability one half."""
    chosen = torch.rand(len(x), generator=generator).to(x.device) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), x.flip(-1), x)


def shift(x: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to an eighth of its side along each axis; the border pixels are repeated."""
    count, _, height, width = x.shape
    reach = max(1, width // 8)
    moves = torch.randint(-reach, reach + 1, (2, count, 1), generator=generator).to(x.device)
    rows = (torch.arange(height, device=x.device) + moves[0]).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) + moves[1]).clamp(0, width - 1)
    sample = torch.arange(count, device=x.device).view(-1, 1, 1)
    moved = x.permute(0, 2, 3, 1)[sample, rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2)


def jitter(x: Tensor, generator: torch.Generator) -> Tensor:
    """Enlarge all images by an eighth and cut one of the old side out of each at random.

    Source: Image-to-Image Translation with Conditional Adversarial Networks (2017), section 6.2,
    https://arxiv.org/abs/1611.07004
    """
    count, _, side, _ = x.shape
    larger = side + max(1, side // 8)
    x = F.interpolate(x, (larger, larger), mode="bilinear", align_corners=False)
    moves = torch.randint(0, larger - side + 1, (2, count, 1), generator=generator).to(x.device)
    rows, columns = moves + torch.arange(side, device=x.device)
    sample = torch.arange(count, device=x.device).view(-1, 1, 1)
    return x.permute(0, 2, 3, 1)[sample, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def binarize(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw each pixel as white or black, white with the probability of its grey level (dynamic binarisation)."""
    white = torch.rand(x.shape, generator=generator).to(x.device) < to_unit(x)
    return white.to(x.dtype) * 2 - 1


def affine(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn and shear each image by up to 0.3 radians, scale it by up to a fifth, move it by up to a tenth of its side.

    What comes in from outside is black.
    """
    turn, shear, wide, high, right, down = (2 * torch.rand(6, len(x), generator=generator) - 1).to(x.device)
    cosine, sine, shear = torch.cos(0.3 * turn), torch.sin(0.3 * turn), 0.3 * shear
    wide, high = torch.exp(0.2 * wide), torch.exp(0.2 * high)
    rows = [[cosine * wide, (cosine * shear - sine) * high, 0.12 * right],
            [sine * wide, (sine * shear + cosine) * high, 0.12 * down]]  # fmt: skip
    matrices = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    places = F.affine_grid(matrices, list(x.shape), align_corners=False).to(x.dtype)
    return F.grid_sample(x + 1, places, align_corners=False) - 1


def stroke(x: Tensor, generator: torch.Generator) -> Tensor:
    """Thicken or thin the bright strokes of each image: a blend with its 3 x 3 dilation or erosion."""
    amount = (1.6 * torch.rand(len(x), 1, 1, 1, generator=generator) - 0.6).to(x.device)
    dilated, eroded = F.max_pool2d(x, 3, 1, 1), -F.max_pool2d(-x, 3, 1, 1)
    return x + (dilated - x) * amount.clamp(min=0) + (x - eroded) * amount.clamp(max=0)


AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": flip,
    "shift": shift,
    "jitter": jitter,
    "binarize": binarize,
    "affine": affine,
    "stroke": stroke,
}
