"""Few labels: a classifier of 100 labelled images, helped by classical augmentation, by generated images, by both.

    python -m benchmarks.few_labels --runs runs --out build/few-labels.json

Generators: `cvae` and `cgan` trained on the same 100 images and their classes only; `vae`, trained on 60,000 images
without classes (``RUNS/vae`` and ``RUNS/vae-fashion-mnist``), between whose codes of the 100 images is drawn.
Each seed draws other images; within a seed all arms have equal images, steps and first weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

import simulacra
from simulacra import Run, data
from simulacra.config import Data
from simulacra.data import Dataset
from simulacra.evaluation import downstream
from simulacra.models import Model

PER_CLASS = 10
CLASSICAL = {"mnist": "affine", "fashion-mnist": "flip"}  # the best of four on other training images: docs/log.md
IMAGES = {"cvae": 64_000, "cgan": 64_000}  # seen in a training on 100 images
GENERATORS = (*IMAGES, "vae")
ALONE, WITH = ("real", "classical"), ("generated", "both", "synthetic")


def model(generator: str, name: str, seed: int, runs: Path) -> Model:
    """A generator for a data set and a seed."""
    if generator == "vae":
        return Run.open(runs / ("vae" if name == "mnist" else f"vae-{name}")).model
    changes = {"data": {"per_class": PER_CLASS, "draw": seed}, "train": {"images": IMAGES[generator]}}
    with tempfile.TemporaryDirectory() as scratch:
        return simulacra.train(generator, data=name, out=Path(scratch) / "run", seed=seed, changes=changes).model


def measured(name: str, seed: int, runs: Path, generators: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Each arm's name and test accuracy."""
    splits = data.load(Data(name=name))
    real = splits.train.few(PER_CLASS, seed)

    def accuracy(pool: Dataset, arm: str) -> float:
        return downstream.accuracy(real, pool, splits.test, arm, augment=CLASSICAL[name], seed=seed)

    nothing = real.take(torch.arange(0))
    for arm in ALONE:
        yield arm, accuracy(nothing, arm)
    for generator in generators:
        pool = downstream.drawn(model(generator, name, seed, runs), real, seed)
        for arm in WITH:
            yield f"{arm}, {generator}", accuracy(pool, arm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", nargs="+", default=list(CLASSICAL), choices=list(CLASSICAL))
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=GENERATORS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in options.data}
    for seed in range(options.seeds):
        for name in options.data:
            for arm, value in measured(name, seed, options.runs, options.generators):
                found[name].setdefault(arm, []).append(value)
                print(f"{name}  seed {seed}  {arm:<18} {value:.4f}", flush=True)
            if options.out is not None:
                options.out.write_text(json.dumps(found, indent=2))
    for name, arms in found.items():
        print(f"\n| {name} | accuracy | over {options.seeds} seeds | beside classical |\n|---|---|---|---|")
        for arm, values in arms.items():
            beside = [a - b for a, b in zip(values, arms["classical"], strict=True)]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"| {arm} | {statistics.fmean(values):.4f} | +- {spread:.4f} | {gain(beside)} |")


def gain(differences: list[float]) -> str:
    """The mean difference with its 95 % interval."""
    ends = downstream.interval(differences)
    mean = f"{100 * statistics.fmean(differences):+.2f} points"
    return mean if ends is None else f"{mean} ({100 * ends[0]:+.2f} to {100 * ends[1]:+.2f})"


if __name__ == "__main__":
    main()
