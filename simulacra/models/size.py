"""How much memory a training needs, estimated from its config before anything is allocated."""

from __future__ import annotations

import torch

from simulacra import machine
from simulacra.config import Config
from simulacra.images import Shape
from simulacra.models.families import build

STATES = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 1}  # numbers that an optimizer keeps for each parameter
FLOAT = 4  # bytes
COPIES_OF_A_BATCH = 3  # at least: real images, generated ones, and a gradient


def refuse_too_large(values: Config, shape: Shape) -> None:
    """Refuse a training whose weights and images alone need more memory than is free. Raises `ConfigError`.

    Weights, gradients, the optimizer's state and averaged weights are counted, the model's buffers, and a few copies of
    a batch; the activations inside the networks are not.
    """
    with torch.device("meta"):
        model = build(values.model, shape)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    copies = 2 + STATES[values.train.optimizer.kind] + (values.train.ema > 0)
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    batch = COPIES_OF_A_BATCH * values.train.batch * shape.pixels * FLOAT
    machine.refuse_more_than_memory(
        copies * FLOAT * parameters + buffers + batch,
        f"Training {parameters:,} parameters on batches of {values.train.batch:,} images of {shape}",
        "Choose fewer or smaller layers (--model...), or a smaller --train.batch.",
    )
