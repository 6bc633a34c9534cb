"""In-betweening on Fashion-MNIST: every route, on motions whose middle frames are known.

    python -m benchmarks.inbetween --runs runs --n 100 --out build/inbetween.png

``RUNS/vae-fashion-mnist`` is the model of the route `latent`. Prints the motion score of each route and draws all
routes between two test images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from simulacra import Run, images, metrics
from simulacra.steering import inbetween

FRAMES = 9
ENDS = (0, 1)  # test images, between which the routes are drawn


def routes(run: Run) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """All four, by name."""
    return {
        name: partial(run.interpolate, steps=FRAMES, route=name) for name in (*inbetween.ROUTES, "latent")
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("build/inbetween.png"))
    options = parser.parse_args()
    run = Run.open(options.runs / "vae-fashion-mnist")
    test = images.from_bytes(run.splits.test.images)
    truth = inbetween.moving(test[: options.n], FRAMES, torch.Generator().manual_seed(0))
    start, end = test[list(ENDS)]
    rows = []
    print("| route | motion score | +- |\n|---|---|---|")
    for name, route in routes(run).items():
        frames = torch.stack([route(motion[0], motion[-1]) for motion in truth])
        score = metrics.motion_score(frames, truth)
        print(f"| {name} | {score.mean():.3f} | {score.std() / len(score) ** 0.5:.3f} |", flush=True)
        rows.append((f"{name} {score.mean():.2f}", route(start, end)))
    images.save(images.labelled_rows(rows), options.out)


if __name__ == "__main__":
    main()
