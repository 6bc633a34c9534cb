"""Anomaly detection on MNIST: ten models, each of one digit, tell its test images from those of the other nine.

    python -m benchmarks.one_class

A multilayer VAE is trained on the training images of one class alone. All 10,000 test images are scored as
`simulacra anomaly` scores them, by the squared error of what the model redraws; the area under the ROC curve says how
often an image of another class has a higher score than one of the class itself. Prints a row a digit, and the mean.
"""

from __future__ import annotations

import argparse
import time

import torch

from simulacra import config, data, images, models
from simulacra.data import Dataset, ImageLoader
from simulacra.models import Model
from simulacra.steering import anomaly
from simulacra.training import Trainer

BATCH = 64


def settings(count: int, latent: int) -> config.Config:
    """The config of a small VAE for images of one class."""
    return config.parse(
        {
            "model": {
                "family": "vae",
                "latent": latent,
                "network": {"kind": "mlp", "hidden": [512, 256], "activation": "silu"},
            },
            "train": {"images": count, "batch": BATCH, "ema": 5_000, "schedule": {"kind": "cosine"}},
        }
    )


def trained(dataset: Dataset, values: config.Config, seed: int) -> Model:
    """A model of a data set, with averaged weights."""
    torch.manual_seed(data.derived_seed(seed, "weights"))
    model = models.build(values.model, dataset.shape)
    trainer = Trainer(model, ImageLoader(dataset, BATCH, seed=seed), values.train, seed=seed)
    for _ in trainer.train():
        pass
    return trainer.average.model.eval()


def main() -> None:
    """Train and measure ten models, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--latent", type=int, default=8)
    parser.add_argument("--digits", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    splits = data.load(config.Data(name="mnist"))
    assert splits.train.labels is not None
    assert splits.test.labels is not None
    x, found = images.from_bytes(splits.test.images), []
    print("| digit | AUROC | average precision | seconds of the processor |\n|---|---|---|---|")
    for digit in options.digits:
        start = time.process_time()
        of_class = splits.train.take((splits.train.labels == digit).nonzero().flatten())
        model = trained(of_class, settings(options.images, options.latent), options.seed)
        seconds = time.process_time() - start
        with torch.no_grad():
            scores = anomaly.anomaly(model, x).scores
        told = anomaly.separation(scores, (splits.test.labels != digit).long())
        found.append(told["auroc"])
        print(f"| {digit} | {told['auroc']:.3f} | {told['average_precision']:.3f} | {seconds:.0f} |", flush=True)
    print(f"| mean | {sum(found) / len(found):.3f} | | |")


if __name__ == "__main__":
    main()
