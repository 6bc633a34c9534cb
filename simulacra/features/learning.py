"""The small classifier of images of classes, trained for the shipped data sets and for labelled data of your own.

It runs on one thread, because its result depends on the order of sums: on one kind of machine a data set always
gives the same weights, to the byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import images
from simulacra.data import Dataset, Splits, derived_seed
from simulacra.errors import ConfigError
from simulacra.features import cache
from simulacra.features.classifier import Classifier, Network
from simulacra.features.fitting import accuracy, feature_rms, fit_classifier, one_thread, packed

SEED = 0
LEARNING_RATE = 2e-3
MAX_SHIFT = 1  # pixels by which training images are moved; more costs accuracy where the clothes are centred
VERSION = 1  # of this file and the network: other code must not find the classifiers of today in the cache
NAME = "classifier"  # of those that are trained when needed
IMAGES_SEEN = 100_000  # in such a training, drawn with repetition
MAX_EPOCHS = 100
MIN_SIDE, MAX_SIDE = 16, 32  # pixels that it sees
MIN_PER_CLASS = 50  # training images: with fewer, pixels are preferred unless asked otherwise


@dataclass(frozen=True)
class Settings:
    """How a classifier is trained: the side it sees, passes over the data, images a step, mirrored ones or not."""

    name: str
    side: int
    epochs: int
    batch: int
    mirrored: bool = False


def learned(splits: Splits, tell: Callable[[str], None] | None = None) -> Classifier:
    """Return the classifier of a labelled data set: trained on its training split, then kept in the user cache.

    ``tell`` is called with a sentence before a training of up to a minute. Raises `ConfigError` without classes.
    """
    dataset = splits.train
    if not labelled(splits):
        raise ConfigError(
            f"{dataset.name} has no classes to train a classifier on. Put its images into one subfolder per class, "
            "or compare by pixels: --features pixels"
        )
    settings = chosen(dataset)

    def train_and_tell() -> bytes:
        if tell is not None:
            tell(
                f"Training a classifier of the {len(dataset.classes)} classes of {dataset.name}. "
                "This takes up to a minute and is done only once."
            )
        return fit(replace(splits, train=_at_most(dataset, IMAGES_SEEN)), settings)

    key = cache.key("classifier", VERSION, asdict(settings), IMAGES_SEEN, _digest(splits))
    return Classifier.read(NAME, cache.remembered(key, train_and_tell))


def labelled(splits: Splits, fewest: int = 1) -> bool:
    """Return whether there are two classes or more, each with that many training images."""
    labels = splits.train.labels
    if labels is None or splits.test.labels is None or len(splits.train.classes) < 2:
        return False
    return int(torch.bincount(labels, minlength=len(splits.train.classes)).min()) >= fewest


def chosen(dataset: Dataset) -> Settings:
    """The settings for a data set of one's own: about 100,000 images seen, at most 100 times each."""
    side = min(max(-(-dataset.shape.size // 4) * 4, MIN_SIDE), MAX_SIDE)
    epochs = min(max(IMAGES_SEEN // len(dataset), 1), MAX_EPOCHS)
    return Settings(NAME, side, epochs, batch=min(50 if len(dataset) < 5000 else 100, len(dataset)))


def fit(splits: Splits, settings: Settings) -> bytes:
    """Train a classifier; return it as safetensors of half precision, with its facts in the metadata."""
    with one_thread():
        network = train(splits.train, settings)
        tensors = {key: tensor.half().contiguous() for key, tensor in network.state_dict().items()}
        network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
        facts = {
            "data": settings.name, "data_sha256": splits.digest(), "classes": splits.test.classes, "seed": SEED,
            "epochs": settings.epochs, "test_accuracy": round(accuracy(network, splits.test), 4),
            "feature_rms": round(feature_rms(network.features, splits.train), 4),
        }  # fmt: skip
    return packed(tensors, facts)


def train(dataset: Dataset, settings: Settings) -> Network:
    """Return a network trained on a data set by these settings."""
    network = untrained(settings.side, dataset, SEED)
    steps = settings.epochs * (len(dataset) // settings.batch)
    return fit_classifier(network, batches(dataset, settings), steps=steps, learning_rate=LEARNING_RATE)


def untrained(side: int, dataset: Dataset, seed: int) -> Network:
    """Return a network for the classes of a data set, with random weights; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(side, dataset.shape.channels, len(dataset.classes))


def batches(dataset: Dataset, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches, each image moved (and mirrored, by the settings) at random."""
    assert dataset.labels is not None
    count = len(dataset) // settings.batch * settings.batch
    for epoch in range(settings.epochs):
        generator = torch.Generator().manual_seed(derived_seed(SEED, settings.name, epoch))
        order = torch.randperm(len(dataset), generator=generator)
        for indices in torch.split(order[:count], settings.batch):
            x = moved(images.from_bytes(dataset.images[indices]), generator)
            if settings.mirrored:
                mirrored = torch.rand(len(x), generator=generator) < 0.5
                x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(-1), x)
            yield x, dataset.labels[indices]


def moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to `MAX_SHIFT` pixels along each axis; black comes in at the border."""
    count, channels, side, _ = x.shape
    padded = F.pad(x, (MAX_SHIFT,) * 4, value=-1.0)
    rows, columns = torch.randint(0, 2 * MAX_SHIFT + 1, (2, count, 1), generator=generator) + torch.arange(side)
    sample, channel = torch.arange(count).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1)
    return padded[sample, channel, rows.view(count, 1, side, 1), columns.view(count, 1, 1, side)]


def _at_most(dataset: Dataset, count: int) -> Dataset:
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(SEED))
    return dataset if len(dataset) <= count else dataset.take(order[:count].sort().values)


def _digest(splits: Splits) -> str:
    """SHA-256 over pixels and classes of both splits."""
    parts = (splits.train, splits.test)
    labels = [part.labels.numpy().tobytes() for part in parts if part.labels is not None]
    described = repr([(part.digest(), tuple(part.images.shape), part.classes) for part in parts])
    return hashlib.sha256(described.encode() + b"".join(labels)).hexdigest()
