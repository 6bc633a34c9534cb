"""Does a GAN find every mode? Two mixtures of Gaussians whose modes are known, with the model and trainer of images.

    python -m benchmarks.mixtures                    # ten seeds of each mixture, the recipe below
    python -m benchmarks.mixtures ring --seeds 2 --plain

A point of the plane is an "image" of two channels and one pixel. The ring has 8 modes on a circle of radius 1, standard
deviation 0.01; the grid 25 modes at distance 2, standard deviation 0.05. Of 2,500 samples, one is of high quality
within three standard deviations of a centre, and a mode is found that has one; of the mixture's own samples 98.9 % are.

Sources: VEEGAN (2017), section 4.1, https://arxiv.org/abs/1705.07761; PacGAN (2018), section 4.1,
https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from simulacra import config, generate, machine, models
from simulacra.config import Config
from simulacra.data import Images, Loader, derived_seed
from simulacra.metrics import MixtureModes, mixture_modes
from simulacra.networks import Shape
from simulacra.training import Trainer

SAMPLES = 2_500
POINT = Shape(channels=2, size=1)


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


MODERN: dict[str, Any] = {
    "model": {
        "family": "gan",
        "latent": 2,
        "loss": "relativistic",
        "penalty": {"kind": "r1_r2", "weight": 0.003, "every": 8},  # modes are narrow: slopes may be steep
        "generator": {"kind": "mlp", "hidden": [128, 128, 128, 128]},
        "discriminator": {"kind": "mlp", "hidden": [128, 128, 128]},
    },
    "train": {
        "images": 1_280_000,  # 5,000 steps
        "batch": 256,
        "ema": 25_000,
        "optimizer": {"rate": 3e-3, "betas": [0.5, 0.99]},
        "schedule": {"kind": "cosine"},
    },
}
PLAIN = {"model": {"loss": "non_saturating", "penalty": {"kind": "none"}}}


def measure(mixture: Mixture, values: Config) -> MixtureModes:
    """Train a GAN on a mixture and count what its samples find."""
    torch.manual_seed(derived_seed(values.seed, "weights"))
    model = models.build(values.model, POINT)
    loader = cast(Loader, Points(mixture, values.train.batch, values.seed))
    trainer = Trainer(model, loader, values.train, seed=values.seed)
    for _ in trainer.train():
        pass
    points = generate.sample(trainer.average.model, SAMPLES, seed=values.seed).flatten(1) * mixture.extent
    return mixture_modes(points, mixture.centres, mixture.std)


def main() -> None:
    """Train, count, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixtures", nargs="*", default=list(MIXTURES), help="ring, grid")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--plain", action="store_true", help="the non-saturating loss without penalty instead")
    options, pairs = parser.parse_known_args()
    changes = config.override(dict(zip([p[2:] for p in pairs[::2]], pairs[1::2], strict=True)))
    values = config.merge(config.merge(MODERN, PLAIN if options.plain else {}), changes)
    print(f"{machine.processor()}, {torch.get_num_threads()} threads\n")
    print("| mixture | seed | modes | high quality | CPU seconds |\n| --- | ---: | ---: | ---: | ---: |")
    for name in options.mixtures:
        found = []
        for seed in range(options.seeds):
            start = time.process_time()
            found.append(measure(MIXTURES[name](), config.parse({**values, "seed": seed})))
            spent = time.process_time() - start
            print(f"| {name} | {seed} | {found[-1].covered} | {found[-1].high_quality:.1%} | {spent:.0f} |", flush=True)
        modes = sum(one.covered for one in found) / len(found)
        quality = sum(one.high_quality for one in found) / len(found)
        print(f"| **{name}** | mean of {len(found)} | {modes:.1f} | {quality:.1%} | |", flush=True)


if __name__ == "__main__":
    main()
