"""Random changes of a training batch: ``(B, C, H, W)`` in [-1, 1] and a generator in, a batch of that shape out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

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


def binarize(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw each pixel as white or black, white with the probability of its grey level (dynamic binarisation)."""
    white = torch.rand(x.shape, generator=generator).to(x.device) < to_unit(x)
    return white.to(x.dtype) * 2 - 1


AUGMENTATIONS: dict[str, Augmentation] = {"flip": flip, "shift": shift, "binarize": binarize}
