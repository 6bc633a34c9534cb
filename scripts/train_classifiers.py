"""Train the small classifiers whose features judge images, and write simulacra/weights/NAME.safetensors.

Run: python scripts/train_classifiers.py [NAME ...]. It takes one thread: the result depends on the order of sums.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from simulacra import data, images
from simulacra.config import Data
from simulacra.data import Dataset, derived_seed
from simulacra.features import CLASSIFIERS, Network

SEED = 0
EPOCHS = {"digits": 60, "mnist": 5, "fashion-mnist": 8}
BATCH = {"digits": 50, "mnist": 100, "fashion-mnist": 100}
REACH = 1  # pixels by which training images are moved; more costs accuracy where the clothes are centred
MIRRORED = {"fashion-mnist"}
RATE = 2e-3
WEIGHTS = Path(__file__).parent.parent / "simulacra" / "weights"


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    for name in names or list(CLASSIFIERS):
        splits = data.load(Data(name=name))
        network = train(name, splits.train)
        tensors = {key: tensor.half().contiguous() for key, tensor in network.state_dict().items()}
        network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
        facts = {
            "data": name, "data_sha256": splits.digest(), "classes": splits.test.classes, "seed": SEED,
            "epochs": EPOCHS[name], "test_accuracy": round(accuracy(network, splits.test), 4),
            "feature_rms": round(feature_rms(network, splits.train), 4),
        }  # fmt: skip
        WEIGHTS.mkdir(exist_ok=True)
        content = save(tensors, {"classifier": json.dumps(facts)})
        (WEIGHTS / f"{name}.safetensors").write_bytes(content)
        print(f"{len(content):,} bytes", json.dumps(facts), flush=True)


def train(name: str, dataset: Dataset) -> Network:
    """Adam with a cosine rate after a short rise, cross-entropy."""
    torch.manual_seed(SEED)
    network = Network(CLASSIFIERS[name])
    steps = EPOCHS[name] * (len(dataset) // BATCH[name])
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for x, y in batches(name, dataset):
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


def batches(name: str, dataset: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches, each image moved (and clothes mirrored) at random."""
    assert dataset.labels is not None
    for epoch in range(EPOCHS[name]):
        generator = torch.Generator().manual_seed(derived_seed(SEED, name, epoch))
        order = torch.randperm(len(dataset), generator=generator)
        for chosen in order[: len(order) // BATCH[name] * BATCH[name]].split(BATCH[name]):
            x = moved(images.from_bytes(dataset.images[chosen]), generator)
            if name in MIRRORED:
                mirrored = torch.rand(len(x), generator=generator) < 0.5
                x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(-1), x)
            yield x, dataset.labels[chosen]


def moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to `REACH` pixels along each axis; black comes in at the border."""
    count, _, side, _ = x.shape
    padded = F.pad(x, (REACH,) * 4, value=-1.0)
    rows, columns = torch.randint(0, 2 * REACH + 1, (2, count, 1), generator=generator) + torch.arange(side)
    return padded[torch.arange(count).view(-1, 1, 1), 0, rows.unsqueeze(2), columns.unsqueeze(1)].unsqueeze(1)


@torch.no_grad()
def accuracy(network: Network, dataset: Dataset) -> float:
    assert dataset.labels is not None
    logits = [network(images.from_bytes(part)) for part in dataset.images.split(1000)]
    return float((torch.cat(logits).argmax(1) == dataset.labels).double().mean())


@torch.no_grad()
def feature_rms(network: Network, dataset: Dataset) -> float:
    features = [network.features(images.from_bytes(part)) for part in dataset.images.split(1000)]
    return float(torch.cat(features).double().square().mean().sqrt())


if __name__ == "__main__":
    main(sys.argv[1:])
