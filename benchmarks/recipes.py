"""Shipped recipes on one data set, each at its own length, side by side: scores, and the first 16 samples of each.

    python -m benchmarks.recipes gan-mlp gan wgan-gp vaegan bigan infogan vae --data mnist

Runs go to runs/recipes/RECIPE; those that are there are resumed, or kept. Prints a table in Markdown, and writes the
samples of seed 0, not chosen, to runs/recipes/samples.png, a row for each recipe.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.families import evaluated, heading, row
from simulacra import Run, images, machine
from simulacra.runs.folder import CONFIG, EVALUATION
from simulacra.training.session import Session

MEASURED = 10_000  # test images and samples
SHOWN = 16  # samples in a row


def main() -> None:
    """Train, evaluate, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    options = parser.parse_args()
    print(f"{machine.processor()}, {torch.get_num_threads()} threads; {options.data}, n = {MEASURED:,}\n")
    print(heading("recipe"))
    samples = []
    for recipe in options.recipes:
        run = _trained(recipe, options.data, options.out / recipe)
        print(row(recipe, [run], [evaluated(run, MEASURED)]), flush=True)
        samples.append((recipe, run.sample(SHOWN, seed=0)))
    print(f"\n{images.save(images.labelled_rows(samples), options.out / 'samples.png')}")


def _trained(recipe: str, name: str, path: Path) -> Run:
    """The finished run of a recipe: trained, resumed, or as it is there."""
    if (path / EVALUATION).exists():
        return Run.open(path)
    return Session.start(recipe, data_name=name, out=path, resume=(path / CONFIG).exists()).run()


if __name__ == "__main__":
    main()
