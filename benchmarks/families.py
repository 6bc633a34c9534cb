"""All families on one data set with one budget, of images or of seconds: trained, evaluated, and put into one table.

    python -m benchmarks.families --data mnist --images 50_000 --seeds 3
    python -m benchmarks.families --data fashion-mnist --seconds 30 --seeds 3

Decoders (generators) are the same network, encoders and discriminators its mirror image; the rest is what the recipe
of the family says. Runs go to runs/families/DATA-BUDGET/FAMILY-SEED; those that are there are resumed, or kept.
The printed table is Markdown, with means and standard deviations over seeds; the page of `simulacra compare` about the
first seed lies beside the runs. Seconds are of one processor core: images a second are measured first, in time of the
processor, so that what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from simulacra import Run, config, data, machine, models
from simulacra.config import Config
from simulacra.data import ImageLoader
from simulacra.evaluation import compare, evaluate, scores
from simulacra.pages import comparison
from simulacra.runs import model_file
from simulacra.runs.folder import CONFIG, EVALUATION
from simulacra.training import Trainer
from simulacra.training.session import Session

NETWORK = {"kind": "conv", "widths": [16, 32], "dense": 64}
CRITIC = {**NETWORK, "activation": "leaky_relu"}
PAIR = {"generator": {**NETWORK, "norm": "batch"}, "discriminator": CRITIC}
PENALISED = {"loss": "relativistic", "penalty": {"kind": "r1_r2", "weight": 3.0, "every": 8}}
FAST = {"optimizer": {"rate": 1e-3, "betas": [0.0, 0.99]}, "schedule": {"kind": "cosine"}}  # as a penalty allows
FAMILIES: dict[str, dict[str, Any]] = {
    "autoencoder": {"model": {"family": "autoencoder", "latent": 16, "network": NETWORK}},
    "vae": {"model": {"family": "vae", "latent": 16, "network": NETWORK}},
    "iwae": {"model": {"family": "iwae", "latent": 16, "samples": 5, "network": NETWORK}},
    "gan": {"model": {"family": "gan", "latent": 64, **PAIR, **PENALISED}, "train": FAST},
    "gan-classic": {
        "model": {"family": "gan", "latent": 64, **PAIR, "loss": "non_saturating"},
        "train": {"optimizer": {"rate": 5e-4, "betas": [0.5, 0.999]}},
    },
    "wgan-gp": {
        "model": {
            "family": "gan",
            "latent": 64,
            **PAIR,
            "loss": "wasserstein",
            "discriminator_steps": 3,
            "penalty": {"kind": "gradient_penalty", "weight": 10.0},
        },
        "train": {**FAST, "optimizer": {"rate": 1e-3, "betas": [0.0, 0.9]}},
    },
    "vaegan": {
        "model": {
            "family": "vaegan",
            "latent": 16,
            "gamma": 5e-3,
            "layer": 2,
            "network": {**NETWORK, "norm": "batch"},
            "discriminator": {**CRITIC, "norm": "none"},
            **PENALISED,
        },
        "train": FAST,
    },
    "bigan": {
        "model": {
            "family": "bigan",
            "latent": 16,
            "network": {**NETWORK, "norm": "batch"},
            "discriminator": CRITIC,
            **PENALISED,
        },
        "train": FAST,
    },
}
COMMON: dict[str, Any] = {"train": {"batch": 64, "ema": 10_000, "precision": "auto", "sheet": 100_000}}
PROBE_SECONDS = 5.0  # of training, to know how many images a budget of seconds buys
MEASURED = 2_000  # test images and samples
COLUMNS = ("frechet_distance", "precision", "recall", "class_evenness", "memorisation", "l1", "elbo", "knn_accuracy")


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--images", type=int)
    budget.add_argument("--seconds", type=float)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/families"))
    options = parser.parse_args()
    text = f"{options.images}-images" if options.images else f"{options.seconds:g}-seconds"
    folder = options.out / f"{options.data}-{text}"
    print(f"{machine.processor()}, {torch.get_num_threads()} threads; {options.data}, {text}, n = {MEASURED:,}\n")
    print(heading("family"))
    for family in options.families:
        count = options.images or _affordable(family, options.data, options.seconds)
        runs = [_trained(family, options.data, folder, count, seed) for seed in range(options.seeds)]
        print(row(family, runs, [evaluated(run, MEASURED) for run in runs]), flush=True)
    first = [folder / f"{family}-0" for family in options.families]
    if len(first) > 1:
        print(f"\n{comparison.write(compare.compare(first), folder / 'compare.html')}")


def heading(what: str) -> str:
    """The head of a table of runs."""
    return f"| {what} | images | {' | '.join(COLUMNS)} |\n| --- | ---: |{' ---: |' * len(COLUMNS)}"


def row(name: str, runs: Sequence[Run], scores: Sequence[Mapping[str, float]]) -> str:
    """A line of the table: trainings of one config with several seeds."""
    cells = [_spread([one[metric] for one in scores if metric in one]) for metric in COLUMNS]
    return f"| {name} | {runs[0].history()[-1]['images']:,} | {' | '.join(cells)} |"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.4g}"
    return f"{mean} ± {statistics.stdev(values):.2g}" if len(values) > 1 else mean


def evaluated(run: Run, n: int) -> dict[str, float]:
    """The scores of a run, measured if they are not there."""
    path = run.path / EVALUATION
    if not path.exists():
        scores.save(evaluate.evaluate(run, n=n).scores, path)
    return {score.metric: score.value for score in scores.load(path)}


def _trained(family: str, name: str, folder: Path, images: int, seed: int) -> Run:
    """The finished run of a family: trained, resumed, or as it is there."""
    path = folder / f"{family}-{seed}"
    if not (path / CONFIG).exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".toml").write_text(config.dumps(_config(family, name, images, seed)))
    elif (path / EVALUATION).exists():
        return Run.open(path)
    return Session.start(str(path.with_suffix(".toml")), out=path, resume=(path / CONFIG).exists()).run()


def _config(family: str, name: str, images: int, seed: int = 0) -> Config:
    given = {"recipe": family, "seed": seed, "data": {"name": name}, "train": {"images": images}}
    return config.parse(config.merge(config.merge(COMMON, FAMILIES[family]), given))


def _affordable(family: str, name: str, seconds: float) -> int:
    """How many images a processor core trains on in that time."""
    values = _config(family, name, 1)
    splits = data.load(values.data)
    sizes = {"size": splits.train.shape.size, "channels": splits.train.shape.channels}
    values = values.model_copy(update={"data": values.data.model_copy(update=sizes)})
    model = models.build(values.model, model_file.shape_of(values))
    settings = values.train.model_copy(update={"precision": "float32"})
    trainer = Trainer(model, ImageLoader(splits.train, values.train.batch), settings)
    trainer.advance()
    start, steps = time.process_time(), 0
    while time.process_time() - start < PROBE_SECONDS:
        trainer.advance()
        steps += 1
    return int(steps * values.train.batch / (time.process_time() - start) * seconds)


if __name__ == "__main__":
    main()
