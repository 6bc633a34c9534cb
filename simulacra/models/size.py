"""How much memory a training needs, estimated from its config before anything is allocated."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import fields

import torch
from torch import Tensor, UntypedStorage
from torch.autograd.graph import saved_tensors_hooks

from simulacra import machine
from simulacra.config import Config
from simulacra.images import Shape
from simulacra.models.base import Model
from simulacra.models.families import build

STATES = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 1}  # numbers that an optimizer keeps for each parameter
FLOAT = 4  # bytes
COPIES_OF_A_BATCH = 3  # at least: real images, generated ones, and a gradient
MOST_KEPT = 4096  # times the bytes of an image that networks keep of it, at most: from there on it is looked at closely
PLAYED = 2  # images in the batch that is played without numbers


def refuse_too_large(values: Config, shape: Shape) -> None:
    """Refuse a training that needs more memory than is free. Raises `ConfigError`.

    Weights, gradients, the optimizer's state and averaged weights are counted, the model's buffers, a few copies of a
    batch, and where that could matter what the networks keep of a batch for their gradients; see `kept`.
    """
    with torch.device("meta"):
        model = build(values.model, shape)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    copies = 2 + STATES[values.train.optimizer.kind] + (values.train.ema > 0)
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    together = math.ceil(values.train.batch / values.train.accumulate)
    batch = COPIES_OF_A_BATCH * values.train.batch * shape.pixels * FLOAT
    free = machine.free_memory()
    if free is not None and together * shape.pixels * FLOAT * MOST_KEPT > free:
        batch += int(together * kept(model, shape) * (0.5 if values.train.precision == "bfloat16" else 1))
    machine.refuse_more_than_memory(
        copies * FLOAT * parameters + buffers + batch,
        f"Training {parameters:,} parameters on batches of {values.train.batch:,} images of {shape}",
        "Choose fewer or smaller layers (--model...), or a smaller --train.batch.",
    )


def kept(model: Model, shape: Shape) -> float:
    """Return the bytes for each image of a batch that a model on the device "meta" keeps for its gradients, at least.

    It plays the rounds of one step with images that have a shape and no numbers. Where a round cannot go on without
    numbers, what it kept up to there counts.
    """
    image = torch.empty(PLAYED, shape.channels, *shape.sides, device="meta")
    beside = {"label": torch.zeros(PLAYED, dtype=torch.int64, device="meta"), "other": image}
    names = [field.name for field in fields(model.batch) if field.name != "image"]
    batch = model.batch(image, *(beside[name] for name in names))
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    found: dict[int, UntypedStorage] = {}  # the storages of a round, alive, so that none has the number of another
    most = 0

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage
        return tensor

    with suppress(RuntimeError), saved_tensors_hooks(pack, lambda tensor: tensor), torch.device("meta"):
        for terms in model.rounds(batch, 0):
            del terms
            most = max(most, sum(storage.nbytes() for storage in found.values()))
            found.clear()
    return max(most, sum(storage.nbytes() for storage in found.values())) / PLAYED
