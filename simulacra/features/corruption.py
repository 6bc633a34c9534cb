"""The test that comes with every extractor: the more images are corrupted, the farther their features must be.

Source of the idea: GANs Trained by a Two Time-Scale Update Rule (2017), section 3, https://arxiv.org/abs/1706.08500
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.features.base import Extractor
from simulacra.metrics import frechet_distance
from simulacra.metrics.meanings import SAMPLES, declare

# fmt: off
FEATURES_SELF_TEST = declare(
    "features_self_test", SAMPLES, "share",
    "Share of corruptions that raise the distance as they get stronger; below 1, do not trust these features.",
)
# fmt: on
LEVELS = (1, 2, 3)  # of every corruption; 0 would leave images as they are
MIN_IMAGES = 4  # so that there are duplicates


@dataclass(frozen=True)
class Corruption:
    """The Frechet distances to clean images at the levels of one corruption, from none to strong."""

    name: str
    distances: tuple[float, ...]

    @property
    def rises(self) -> bool:
        """Whether each distance is above the one before."""
        return all(low < high for low, high in itertools.pairwise(self.distances))

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(f'{distance:.4g}' for distance in self.distances)})"


def self_test(extractor: Extractor, images: Tensor, generator: torch.Generator) -> list[Corruption]:
    """Corrupt images ``(N, C, H, W)`` in [-1, 1] more and more; measure how far they are from themselves.

    An extractor is fit to compare such images if every distance rises. Corruptions: `noise`, `blur`, `patches`
    that hide a part, and `duplicates` in place of different images. The clean images are the same ones, not others of
    their kind: else the error of a small sample, which blur makes smaller, would hide what is asked.
    Raises `ConfigError` for fewer than 4 images.
    """
    if len(images) < MIN_IMAGES:
        raise ConfigError(f"The self-test of features needs at least {MIN_IMAGES} images, not {len(images)}.")
    clean = extractor.features(images)
    table = []
    for name, corrupt in CORRUPTIONS.items():
        worse = [extractor.features(corrupt(images, level, generator)) for level in LEVELS]
        table.append(Corruption(name, (0.0, *(frechet_distance(clean, found) for found in worse))))
    return table


def noise(x: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of standard deviation 0.2, 0.4, 0.8."""
    return (x + 0.1 * (1 << level) * torch.randn(x.shape, generator=generator)).clamp(-1, 1)


def blur(x: Tensor, level: int, _: torch.Generator) -> Tensor:
    """Average over 3 x 3 pixels, 1, 2 and 4 times; of larger images over windows that grow with every 32 pixels."""
    reach = 1 + x.shape[-1] // 32
    for _pass in range(1 << (level - 1)):
        x = F.avg_pool2d(F.pad(x, (reach,) * 4, mode="replicate"), 2 * reach + 1, stride=1)
    return x


def patches(x: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Cover a square of each image with grey, at a random place: a quarter, a half, three quarters of its side."""
    height, width = x.shape[-2:]
    rows, columns = (
        _line(side, side * level // 4, torch.randint(0, side - side * level // 4 + 1, (len(x), 1), generator=generator))
        for side in (height, width)
    )
    hidden = rows.unsqueeze(2) & columns.unsqueeze(1)
    return x.masked_fill(hidden.unsqueeze(1), 0.0)


def _line(side: int, covered: int, start: Tensor) -> Tensor:
    """Which of ``side`` pixels in a row are covered, from each ``start`` on, ``(n, side)``."""
    return (torch.arange(side) >= start) & (torch.arange(side) < start + covered)


def duplicates(x: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Keep a quarter, a sixteenth, a sixty-fourth of the images, and repeat them."""
    kept = torch.randperm(len(x), generator=generator)[: max(1, len(x) // 4**level)]
    return x[kept[torch.arange(len(x)) % len(kept)]]


CORRUPTIONS: dict[str, Callable[[Tensor, int, torch.Generator], Tensor]] = {
    "noise": noise, "blur": blur, "patches": patches, "duplicates": duplicates,
}  # fmt: skip
