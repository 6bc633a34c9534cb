"""All families on one data set with one budget, of images or of seconds: trained, evaluated, and put into one table.

    python -m benchmarks.families --data mnist --images 300_000
    python -m benchmarks.families --data fashion-mnist --seconds 120

Decoders (generators) are the same network, encoders and discriminators its mirror image; the rest is what the recipe
of the family says. Runs go to runs/families/DATA-BUDGET/FAMILY; those that are there are resumed, or kept.
The printed table is Markdown; the page of `simulacra compare` lies beside the runs. Seconds are of one processor core:
images a second are measured first, in time of the processor, so that what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from simulacra import Run, checkpoint, compare, config, data, evaluate, machine, models
from simulacra.config import Config
from simulacra.data import Loader
from simulacra.pages import comparison
from simulacra.run import CONFIG, EVALUATION
from simulacra.session import Session
from simulacra.training import Trainer

NETWORK = {"kind": "conv", "widths": [16, 32], "dense": 64}
CRITIC = {**NETWORK, "activation": "leaky_relu"}
ADVERSARIAL = {"optimizer": {"rate": 5e-4, "betas": [0.5, 0.999]}}
FAMILIES: dict[str, dict[str, Any]] = {
    "autoencoder": {"model": {"family": "autoencoder", "latent": 16, "network": NETWORK}},
    "vae": {"model": {"family": "vae", "latent": 16, "network": NETWORK}},
    "iwae": {"model": {"family": "iwae", "latent": 16, "samples": 5, "network": NETWORK}},
    "gan": {
        "model": {
            "family": "gan",
            "latent": 64,
            "loss": "relativistic",
            "generator": {**NETWORK, "norm": "batch"},
            "discriminator": CRITIC,
            "penalty": {"kind": "r1_r2", "weight": 3.0, "every": 8},
        },
        "train": {"optimizer": {"rate": 1e-3, "betas": [0.0, 0.99]}, "schedule": {"kind": "cosine"}},
    },
    "vaegan": {
        "model": {
            "family": "vaegan",
            "latent": 16,
            "gamma": 1e-2,
            "layer": 2,
            "network": {**NETWORK, "norm": "group"},
            "discriminator": {**CRITIC, "norm": "group"},
        },
        "train": ADVERSARIAL,
    },
    "bigan": {
        "model": {"family": "bigan", "latent": 16, "network": {**NETWORK, "norm": "batch"}, "discriminator": CRITIC},
        "train": ADVERSARIAL,
    },
}
COMMON: dict[str, Any] = {"train": {"batch": 64, "ema": 10_000, "precision": "auto", "sheet": 100_000}}
PROBE_SECONDS = 5.0  # of training, to know how many images a budget of seconds buys
MEASURED = 5_000  # test images and samples
COLUMNS = ("frechet_distance", "precision", "recall", "class_evenness", "memorisation", "l1", "elbo", "knn_accuracy")


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--images", type=int)
    budget.add_argument("--seconds", type=float)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--out", type=Path, default=Path("runs/families"))
    options = parser.parse_args()
    text = f"{options.images}-images" if options.images else f"{options.seconds:g}-seconds"
    folder = options.out / f"{options.data}-{text}"
    print(f"{machine.processor()}, {torch.get_num_threads()} threads; {options.data}, {text}, n = {MEASURED:,}\n")
    print(f"| family | images | {' | '.join(COLUMNS)} |")
    print(f"| --- | ---: |{' ---: |' * len(COLUMNS)}")
    paths = []
    for family in options.families:
        path = folder / family
        run = _trained(family, options.data, path, options.images, options.seconds)
        print(_row(family, run, _evaluated(run)), flush=True)
        paths.append(path)
    if len(paths) > 1:
        print(f"\n{comparison.write(compare.compare(paths), folder / 'compare.html')}")


def _trained(family: str, name: str, path: Path, images: int | None, seconds: float | None) -> Run:
    """The finished run of a family: trained, resumed, or as it is there."""
    if not (path / CONFIG).exists():
        count = images or int(_rate(_config(family, name, 1)) * (seconds or 0))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".toml").write_text(config.dumps(_config(family, name, count)))
    elif (path / EVALUATION).exists():
        return Run.open(path)
    return Session.start(str(path.with_suffix(".toml")), out=path, resume=(path / CONFIG).exists()).run()


def _config(family: str, name: str, images: int) -> Config:
    given = {"recipe": family, "data": {"name": name}, "train": {"images": images}}
    return config.parse(config.merge(config.merge(COMMON, FAMILIES[family]), given))


def _rate(values: Config) -> float:
    """Images per second of a processor core in training."""
    splits = data.load(values.data)
    values = values.model_copy(update={"data": values.data.model_copy(update={"size": splits.train.shape.size,
                               "channels": splits.train.shape.channels})})  # fmt: skip
    model = models.build(values.model, checkpoint.shape_of(values))
    trainer = Trainer(
        model, Loader(splits.train, values.train.batch), values.train.model_copy(update={"precision": "float32"})
    )
    trainer.advance()
    start, steps = time.process_time(), 0
    while time.process_time() - start < PROBE_SECONDS:
        trainer.advance()
        steps += 1
    return steps * values.train.batch / (time.process_time() - start)


def _evaluated(run: Run) -> dict[str, float]:
    path = run.path / EVALUATION
    if not path.exists():
        evaluate.save(evaluate.evaluate(run, n=MEASURED), path)
    return {score.metric: score.value for score in evaluate.load(path)}


def _row(family: str, run: Run, scores: dict[str, float]) -> str:
    last = run.history()[-1]
    values = " | ".join(f"{scores[name]:.4g}" if name in scores else "-" for name in COLUMNS)
    return f"| {family} | {last['images']:,} | {values} |"


if __name__ == "__main__":
    main()
