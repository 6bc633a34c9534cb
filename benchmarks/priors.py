"""Sample quality by prior, for the same weights: autoencoders and a VAE on MNIST.

``python -m benchmarks.priors [--runs DIR] [--n 10000] [--seed 0]``. Trains what ``--runs`` does not hold yet, then fits
each prior to each model and compares samples with test images in the features of the shipped classifier, as
``evaluate`` does. Prints a table and writes ``DIR/NAME.png``, a row of samples for each prior.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import features, images, metrics, priors
from simulacra.data import derived_seed
from simulacra.distributions import normal
from simulacra.runs.run import Run
from simulacra.steering import generate
from simulacra.training import session

MODELS: dict[str, tuple[str, Mapping[str, Any]]] = {  # name: recipe, and what is changed in it
    "autoencoder-16": ("autoencoder", {"model": {"latent": 16}}),
    "autoencoder": ("autoencoder", {}),
    "vae": ("vae", {}),
}
SHOWN = 12  # samples in a row


def opened(folder: Path, name: str) -> Run:
    """The run of that name, trained if it is not there."""
    recipe, changes = MODELS[name]
    if not (folder / name).exists():
        session.train(recipe, out=folder / name, changes=changes)
    return Run.open(folder / name)


class Judge:
    """Test images and their features, against which samples are measured."""

    def __init__(self, run: Run, n: int, seed: int) -> None:
        self.extractor = features.extractor(run.config.data.name, run.splits)
        generator = torch.Generator().manual_seed(derived_seed(seed, "images"))
        test, train = (
            images.from_bytes(part.images[torch.randperm(len(part), generator=generator)[:n]])
            for part in (run.splits.test, run.splits.train)
        )
        self.test = test
        self.real = self.extractor.features(test)
        self.floor = metrics.frechet_distance(self.real, self.extractor.features(train))

    def row(self, x: Tensor) -> str:
        """Frechet distance, precision and recall of images, as cells."""
        fake = self.extractor.features(x)
        found = metrics.prdc(self.real, fake)
        return f"{metrics.frechet_distance(self.real, fake):.3f} | {found.precision:.3f} | {found.recall:.3f}"


def measure(run: Run, name: str, n: int, seed: int) -> list[tuple[str, Tensor]]:
    """Print the rows of one model, and return some samples of each prior."""
    judge = Judge(run, n, seed)
    latent: int = run.model.latent  # type: ignore[assignment]
    noise = normal(n, latent, like=torch.zeros(1), generator=torch.Generator().manual_seed(seed))
    drawn = [("N(0, I), not fitted", generate.decode(run.model, noise), 0.0)]
    train = run.splits.train
    codes = run.codes(train, seed=seed)
    for kind in priors.KINDS:
        start = time.perf_counter()
        prior = priors.fit(kind, codes, train.labels, seed=seed)
        seconds = time.perf_counter() - start
        drawn.append((prior.name, generate.sample(run.model, n, seed=seed, prior=prior), seconds))
    for prior_name, x, seconds in drawn:
        print(f"| {name} | {prior_name} | {judge.row(x)} | {seconds:.1f} s |", flush=True)
    print(f"| {name} | reconstructions of the test images | {judge.row(run.reconstruct(judge.test))} | |")
    print(f"| {name} | training images: the floor | {judge.floor:.3f} | | | |", flush=True)
    return [(prior_name, x[:SHOWN]) for prior_name, x, _ in drawn]


def main() -> None:
    """Train what is missing, print the table, write the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.priors", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/priors"), help="where the trained models are, or go")
    parser.add_argument("--n", type=int, default=10_000, help="images and samples")
    parser.add_argument("--seed", type=int, default=0, help="of the priors and the samples")
    values = parser.parse_args()
    runs = {name: opened(values.runs, name) for name in MODELS}
    print("| model | prior | Frechet distance | precision | recall | fitted in |")
    print("|---|---|---|---|---|---|")
    for name, run in runs.items():
        rows = measure(run, name, values.n, values.seed)
        print(f"pictures: {images.save(images.labelled_rows(rows), values.runs / f'{name}.png')}")


if __name__ == "__main__":
    main()
