"""Differentiable random changes of the discriminator's images, so that the generator learns through them.

Applied to real and generated images, in both rounds, they keep the discriminator from learning few images by heart
and do not leak into what is generated. ``(B, C, H, W)`` in [-1, 1] in, the same shape out.

Source: Differentiable Augmentation for Data-Efficient GAN Training (2020), https://arxiv.org/abs/2006.10738
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import parallel

__all__ = ["AUGMENTATIONS", "Augmentation", "sometimes"]

Augmentation = Callable[[Tensor, torch.Generator | None], Tensor]


def colour(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Change each image's brightness by up to 0.5, its saturation by 0 to 2 times, its contrast by 0.5 to 1.5 times."""
    drawn = parallel.drawn(lambda rows: torch.rand(3, rows, 1, 1, 1, generator=generator), len(x), dim=1)
    brightness, saturation, contrast = drawn.to(x)
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = torch.lerp(grey, x, 2 * saturation)
    middle = x.mean((1, 2, 3), keepdim=True)
    return torch.lerp(middle, x, 0.5 + contrast)


def translation(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Move each image by up to an eighth of its side along each axis; what comes in is 0, grey."""
    count, _, height, width = x.shape
    reach = max(1, int(width / 8 + 0.5))
    moves = parallel.drawn(
        lambda rows: torch.randint(-reach, reach + 1, (2, rows, 1), generator=generator), count, dim=1
    ).to(x.device)
    rows = (torch.arange(height, device=x.device) + moves[0] + 1).clamp(0, height + 1)
    columns = (torch.arange(width, device=x.device) + moves[1] + 1).clamp(0, width + 1)
    padded = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    image = torch.arange(count, device=x.device).view(-1, 1, 1)
    return padded[image, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def cutout(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Set a square of half the side to 0 in each image; its centre lies anywhere."""
    count, _, height, width = x.shape
    inside = []
    for side in (height, width):
        cut = side // 2
        first = _places(side, count, generator).to(x.device) - cut // 2
        place = torch.arange(side, device=x.device)
        inside.append((place >= first) & (place < first + cut))
    rows, columns = inside
    return x * ~(rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def _places(side: int, count: int, generator: torch.Generator | None) -> Tensor:
    return parallel.drawn(lambda rows: torch.randint(0, side + 1, (rows, 1), generator=generator), count)


AUGMENTATIONS: dict[str, Augmentation] = {"colour": colour, "translation": translation, "cutout": cutout}


def sometimes(
    augmentation: Augmentation, x: Tensor, probability: float, generator: torch.Generator | None = None
) -> Tensor:
    """Apply an augmentation to each of some images ``(B, C, H, W)`` with a probability below 1.

    Since unchanged images stay the most frequent kind, a generator that fools the discriminator draws unchanged ones.
    Source: Training Generative Adversarial Networks with Limited Data (2020), section 2.2 and appendix C,
    https://arxiv.org/abs/2006.06676
    """
    if probability <= 0:
        return x
    drawn = parallel.drawn(lambda rows: torch.rand(rows, 1, 1, 1, generator=generator), len(x))
    chosen = drawn.to(x.device) < probability
    return torch.where(chosen, augmentation(x, generator), x)
