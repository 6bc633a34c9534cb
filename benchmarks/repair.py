"""Inpainting and repair on MNIST's test images, classically and by trained models.

    python -m benchmarks.repair --runs runs --n 1000 --out build/repair

A square is taken out of every image, at a place of its own; what each method paints there is compared with what was
there. ``RUNS`` holds ``vae``, ``bigan`` and ``gan``, or some of them. Then bars and patches are drawn over other test
images, and the VAE finds and replaces them. Prints tables and writes ``inpaint.png`` and ``repair.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from simulacra import Run, data, images, transforms
from simulacra.config import Data
from simulacra.data import Dataset
from simulacra.steering import inpaint

HOLE = 10  # pixels
MARGIN = 4  # pixels around the digits, which MNIST leaves black
SHOWN = 12
MODELS = ("vae", "bigan", "gan")
CLASSICAL = ("inpaint-biharmonic", "inpaint-telea", "inpaint-navier-stokes")
Fill = Callable[[Tensor, Tensor], Tensor]  # images and which pixels are known


def holes(n: int, side: int, generator: torch.Generator) -> Tensor:
    """Known pixels ``(n, 1, side, side)``: all but a square."""
    known = torch.ones(n, 1, side, side, dtype=torch.bool)
    corners = torch.randint(MARGIN, side - MARGIN - HOLE + 1, (n, 2), generator=generator).tolist()
    for one, (top, left) in zip(known, corners, strict=True):
        one[:, top : top + HOLE, left : left + HOLE] = False
    return known


def classical(name: str) -> Fill:
    """An operation that fills in images."""
    return lambda x, known: transforms.apply(name, x, mask=~known)


def learned(run: Run, steps: int) -> Fill:
    """A model that fills in images."""
    return lambda x, known: run.inpaint(x, known, steps=steps)


def methods(train: Dataset, runs: Path, steps: int) -> Iterator[tuple[str, Fill]]:
    """Each method's name, and what fills in images."""
    mean = images.from_bytes(train.images).mean(0)
    yield "mean image", lambda x, known: torch.where(known, x, mean)
    for name in CLASSICAL:
        yield name.removeprefix("inpaint-"), classical(name)
    for name in MODELS:
        if (runs / name).exists():
            yield name, learned(Run.open(runs / name), steps)


def inpainting(splits: data.Splits, options: argparse.Namespace) -> None:
    """Fill in the same holes by every method."""
    x = images.from_bytes(splits.test.images[: options.n])
    known = holes(len(x), x.shape[-1], torch.Generator().manual_seed(0))
    rows = [("original", x[:SHOWN]), ("known", (x * known)[:SHOWN])]
    print("| method | squared error a masked pixel | +- | seconds |\n|---|---|---|---|", flush=True)
    for name, fill in methods(splits.train, options.runs, options.steps):
        start = time.perf_counter()
        y = fill(x, known)
        seconds = time.perf_counter() - start
        errors = inpaint.masked_error(x, y, known)
        print(f"| {name} | {errors.mean():.4f} | {errors.std() / len(x) ** 0.5:.4f} | {seconds:.0f} |", flush=True)
        rows.append((name, y[:SHOWN]))
        images.save(images.labelled_rows(rows), options.out / "inpaint.png")


def damaged(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw a white bar or a white patch over each image: images, and where they are damaged ``(n, 1, H, W)``."""
    y, damage = x.clone(), torch.zeros_like(x[:, :1], dtype=torch.bool)
    for i, one in enumerate(damage):
        top, left = torch.randint(MARGIN, x.shape[-1] - MARGIN - 4, (2,), generator=generator).tolist()
        one[(..., slice(top, top + 2), slice(None)) if i % 2 else (..., slice(top, top + 5), slice(left, left + 5))] = 1
    return torch.where(damage, torch.ones_like(y), y), damage


def repairing(splits: data.Splits, options: argparse.Namespace) -> None:
    """Find and replace bars and patches."""
    x = images.from_bytes(splits.test.images[-options.repaired :])
    y, damage = damaged(x, torch.Generator().manual_seed(0))
    repaired = Run.open(options.runs / "vae").repair(y, steps=options.steps)
    order = repaired.anomaly.flatten().argsort()
    ranks = torch.empty_like(order).scatter_(0, order, torch.arange(1, len(order) + 1)).double()
    bad = damage.flatten()
    positive, negative = int(bad.sum()), int((~bad).sum())
    area = (float(ranks[bad].sum()) - positive * (positive + 1) / 2) / (positive * negative)
    print(f"\n{len(x)} images with bars and patches: anomaly map, area under the curve {area:.4f}; "
          f"{float((~repaired.known)[damage].double().mean()):.1%} of damaged pixels replaced, "
          f"{float((~repaired.known)[~damage].double().mean()):.1%} of the others")  # fmt: skip
    for what, image in (("damaged", y), ("repaired", repaired.images)):
        there, elsewhere = inpaint.masked_error(x, image, ~damage), inpaint.masked_error(x, image, damage)
        print(f"{what}: squared error {there.mean():.4f} where damaged, {elsewhere.mean():.4f} elsewhere")
    anomaly = (4 * repaired.anomaly - 1).clamp(max=1)
    rows = [("original", x), ("damaged", y), ("anomaly", anomaly), ("repaired", repaired.images)]
    images.save(images.labelled_rows([(name, row[:SHOWN]) for name, row in rows]), options.out / "repair.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--n", type=int, default=1_000)
    parser.add_argument("--repaired", type=int, default=200)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("build/repair"))
    options = parser.parse_args()
    splits = data.load(Data(name="mnist"))
    inpainting(splits, options)
    if (options.runs / "vae").exists():
        repairing(splits, options)


if __name__ == "__main__":
    main()
