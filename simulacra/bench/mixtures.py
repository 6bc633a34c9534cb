"""Mixtures of Gaussians in the plane, whose modes are known, trained on by the model and the trainer of images.

A point of the plane is an "image" of two channels and one pixel. The ring has 8 modes on a circle of radius 1, standard
deviation 0.01; the grid 25 modes at distance 2, standard deviation 0.05. Of 2,500 samples, one is of high quality
within three standard deviations of a centre, and a mode is found that has one; of the mixture's own samples 98.9 % are.

Sources: VEEGAN (2017), section 4.1, https://arxiv.org/abs/1705.07761; PacGAN (2018), section 4.1,
https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from simulacra import models
from simulacra.config import Config
from simulacra.data import Dataset, Images, derived_seed
from simulacra.images import Shape, from_bytes
from simulacra.metrics import MixtureModes, mixture_modes
from simulacra.steering import generate
from simulacra.training import Trainer

SCORED_SAMPLES = 2_500  # points in which modes are counted, as in the papers
POINT = Shape(channels=2, size=1)  # a point of the plane as an image of one pixel


@dataclass(frozen=True)
class Mixture:
    """Equally heavy round Gaussians; ``extent`` is divided out, so that points lie in [-1, 1]."""

    centres: Tensor  # (K, 2)
    std: float
    extent: float

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw points ``(n, 2)``."""
        mode = torch.randint(len(self.centres), (n,), generator=generator)
        return self.centres[mode] + self.std * torch.randn(n, 2, generator=generator)


def ring() -> Mixture:
    """Eight modes on the unit circle."""
    angle = torch.arange(8) * (math.tau / 8)
    return Mixture(torch.stack([angle.cos(), angle.sin()], dim=1), std=0.01, extent=1.25)


def grid() -> Mixture:
    """Five by five modes."""
    side = 2.0 * torch.arange(-2, 3)
    return Mixture(torch.cartesian_prod(side, side), std=0.05, extent=5.0)


MIXTURES = {"ring": ring, "grid": grid}


@dataclass
class Points:
    """Endless batches of a mixture; that of a step is a function of (seed, step)."""

    mixture: Mixture
    size: int
    seed: int
    retry: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def batch(self, step: int) -> Images:
        """Return the points of a step as images ``(B, 2, 1, 1)``."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "points", step))
        points = self.mixture.sample(self.size, generator) / self.mixture.extent
        return Images(points.view(-1, 2, 1, 1))

    def fixed(self, dataset: Dataset, batch: int = 500) -> Iterator[Images]:
        """Yield the points of a data set once, in order."""
        yield from map(Images, torch.split(from_bytes(dataset.images), batch))


def trainer(mixture: Mixture, values: Config) -> Trainer:
    """Prepare the training of a GAN on a mixture."""
    torch.manual_seed(derived_seed(values.seed, "weights"))
    model = models.build(values.model, POINT)
    return Trainer(model, Points(mixture, values.train.batch, values.seed), values.train, seed=values.seed)


def modes(trained: Trainer, mixture: Mixture) -> MixtureModes:
    """Count what the samples of a trained GAN find."""
    points = generate.sample(trained.average.model, SCORED_SAMPLES, seed=trained.seed).flatten(1) * mixture.extent
    return mixture_modes(points, mixture.centres, mixture.std)
