"""What all classifiers of this package share: how they are trained, measured and kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import images, optimizers
from simulacra.data import Dataset
from simulacra.features.base import CHUNK

WEIGHT_DECAY = 0.05
WARMUP = 0.1  # share of the steps in which the learning rate rises
Classifier = TypeVar("Classifier", bound=nn.Module)


@torch.enable_grad()
def fit_classifier(
    network: Classifier, batches: Iterable[tuple[Tensor, Tensor]], *, steps: int, learning_rate: float
) -> Classifier:
    """Minimise the cross-entropy of ``steps`` batches ``(x, y)``; y are labels ``(B,)`` or shares ``(B, K)``.

    AdamW; its learning rate rises for a tenth of the steps, then falls as a cosine. Returns the network in eval mode.
    """
    optimizer = optimizers.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=WARMUP)
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def accuracy(logits: Callable[[Tensor], Tensor], dataset: Dataset) -> float:
    """Return the share of images whose most probable class is theirs."""
    assert dataset.labels is not None
    found = torch.cat([logits(images.from_bytes(part)) for part in torch.split(dataset.images, CHUNK)])
    return float((found.argmax(1) == dataset.labels).double().mean())


@torch.no_grad()
def feature_rms(features: Callable[[Tensor], Tensor], dataset: Dataset) -> float:
    """Return the root mean square of the features of all images."""
    found = torch.cat([features(images.from_bytes(part)) for part in torch.split(dataset.images, CHUNK)])
    return float(found.double().square().mean().sqrt())


def packed(tensors: dict[str, Tensor], facts: dict[str, Any]) -> bytes:
    """Return a file of weights with the record of their training, one entry: equal trainings give equal bytes."""
    return serialise(tensors, {"classifier": json.dumps(facts)})


def facts(content: bytes) -> dict[str, Any]:
    """Return the record of the training of a file's content, which `packed` put there.

    The header of a safetensors file is its length, 8 bytes, and JSON; safetensors itself reads it from files only.
    """
    length = int.from_bytes(content[:8], "little")
    return cast(dict[str, Any], json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["classifier"]))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: the order of sums, and so the result, depends on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
