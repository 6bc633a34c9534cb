"""`stacked-mnist`: three MNIST digits, drawn at random, as the colour channels of one image: 1,000 modes with names.

The usual test of whether a generator finds every mode. Sources: Unrolled Generative Adversarial Networks (2017),
https://arxiv.org/abs/1611.02163; VEEGAN (2017), https://arxiv.org/abs/1705.07761; PacGAN (2018),
https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from simulacra.data import idx
from simulacra.data.dataset import Dataset

NAME = "stacked-mnist"
CLASSES = tuple(f"{mode:03d}" for mode in range(1000))
TRAIN, TEST = 60_000, 10_000


def load(root: Path | None = None) -> tuple[Dataset, Dataset]:
    """Return 60,000 stacks of MNIST's training digits and 10,000 of its test digits, ``(N, 3, 28, 28)``.

    Raises `DataError` where MNIST is not available.
    """
    train, test = idx.load(idx.MNIST, root)
    return stack(train, TRAIN, torch.Generator().manual_seed(1)), stack(test, TEST, torch.Generator().manual_seed(2))


def stack(digits: Dataset, count: int, generator: torch.Generator) -> Dataset:
    """Draw ``count`` triples of digits with replacement; the digits a, b, c make the label ``100 a + 10 b + c``."""
    assert digits.labels is not None
    chosen = torch.randint(len(digits), (count, 3), generator=generator)
    labels = (digits.labels[chosen] * torch.tensor([100, 10, 1])).sum(1)
    return Dataset(NAME, digits.images[chosen, 0], labels, CLASSES)


def mode_shares(labels: Tensor) -> Tensor:
    """Return the probability of each mode ``(1000,)``, from labels ``(N,)``: the product of its digits' shares."""
    digits = torch.stack([labels // 100, labels // 10 % 10, labels % 10])
    share = torch.bincount(digits.flatten(), minlength=10).double() / digits.numel()
    return torch.einsum("a,b,c->abc", share, share, share).flatten()
