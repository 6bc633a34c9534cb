"""Train the network whose features compare pictures of any kind, and write simulacra/weights/pictures.safetensors.

It learns to tell the ten classes of cifar10-jpeg (32 pixels) and the ten of clothing-photos (64 pixels), two zips in
the folder that SIMULACRA_DATA names. It takes about seven minutes of a core.

Run: python scripts/train_pictures.py [--steps 2000] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import data, images
from simulacra.config import Data
from simulacra.data import Dataset
from simulacra.features.fitting import accuracy, fit_classifier, one_thread
from simulacra.networks.pictures import DIMENSIONS, SEEN, WIDTHS, PictureNetwork

WEIGHTS = Path(__file__).parent.parent / "simulacra" / "weights" / "pictures.safetensors"
RATE, SEED = 4e-3, 0
BATCHES = (100, 25)  # of the first set and of the second, whose pictures are four times as large
TURN = 5  # every fifth step sees the second set
STANDARDISED = 5_000  # pictures of each set by which features are standardised


class Learner(nn.Module):
    """The network with batch normalisation after each convolution, and logits of all classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = PictureNetwork()
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in WIDTHS[1:])
        self.head = nn.Linear(DIMENSIONS, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(N, K)`` of images ``(N, 3, H, W)``."""
        parts = []
        for index, (convolution, norm) in enumerate(zip(self.network.convolutions, self.norms, strict=True)):
            x = F.silu(norm(convolution(x)))
            if index in SEEN:
                parts.append(x.mean((2, 3)))
        logits: Tensor = self.head(torch.cat(parts, 1))
        return logits

    @torch.no_grad()
    def folded(self) -> PictureNetwork:
        """Return the network with the statistics of its normalisations in its weights: ``w s / sqrt(v)`` and so on."""
        for convolution, norm in zip(self.network.convolutions, self.norms, strict=True):
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert convolution.bias is not None
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            convolution.weight.mul_(scale.view(-1, 1, 1, 1))
            convolution.bias.sub_(norm.running_mean).mul_(scale).add_(norm.bias)
        self.network.eval()
        return self.network


def main() -> None:
    """Train, standardise, write, and print the accuracy on held-out pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    root = Path(os.environ["SIMULACRA_DATA"])
    things = data.load(Data(name=str(root / "cifar10-jpeg.zip"), size=32, channels=3))
    clothes = data.load(Data(name=str(root / "clothing-photos.zip"), size=64, channels=3))
    torch.manual_seed(SEED)
    with one_thread():
        learner = Learner(len(things.train.classes) + len(clothes.train.classes))
        batches = mixed([things.train, clothes.train], options.steps)
        fit_classifier(learner, batches, steps=options.steps, learning_rate=RATE)
        facts = {
            "things": round(accuracy(lambda x: learner(x)[:, :10], things.test), 4),
            "clothes": round(accuracy(lambda x: learner(x)[:, 10:], clothes.test), 4),
        }
        network = standardised(learner.folded(), [things.train, clothes.train])
    tensors = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    options.out.write_bytes(serialise(tensors, {"accuracy": json.dumps(facts)}))
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, accuracy on held-out pictures {facts}")


def mixed(sets: list[Dataset], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of the first set, every fifth time of the second, whose classes are counted after the first's."""
    generator = torch.Generator().manual_seed(SEED)
    orders = [torch.empty(0, dtype=torch.long) for _ in sets]
    for step in range(steps):
        which = int(step % TURN == TURN - 1)
        dataset, batch = sets[which], BATCHES[which]
        if len(orders[which]) < batch:
            orders[which] = torch.randperm(len(dataset), generator=generator)
        chosen, orders[which] = orders[which][:batch], orders[which][batch:]
        assert dataset.labels is not None
        x = varied(images.from_bytes(dataset.images[chosen]), generator)
        yield x.contiguous(memory_format=torch.channels_last), dataset.labels[chosen] + which * len(sets[0].classes)


def varied(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror images at random, move them by up to a tenth of their side, change contrast and brightness a little."""
    count, _, height, width = x.shape
    reach = height // 10
    mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    padded = F.pad(torch.where(mirrored, x.flip(-1), x), (reach,) * 4, mode="reflect")
    moves = torch.randint(0, 2 * reach + 1, (count, 2), generator=generator).tolist()
    x = torch.stack([image[:, y : y + height, z : z + width] for image, (y, z) in zip(padded, moves, strict=True)])
    contrast, brightness = torch.rand(2, count, 1, 1, 1, generator=generator) - 0.5
    changed: Tensor = x * (1 + 0.4 * contrast) + 0.3 * brightness
    return changed


@torch.no_grad()
def standardised(network: PictureNetwork, sets: list[Dataset]) -> PictureNetwork:
    """Return the network with the mean and standard deviation of its features over both sets, as many of each."""
    count = min(STANDARDISED, *map(len, sets))
    chosen = [dataset.images[torch.linspace(0, len(dataset) - 1, count).long()] for dataset in sets]
    parts = [torch.split(images.from_bytes(pixels), 500) for pixels in chosen]
    found = torch.cat([network(x) for part in parts for x in part])
    network.mean.copy_(found.mean(0))
    network.deviation.copy_(found.std(0))
    return network


if __name__ == "__main__":
    main()
