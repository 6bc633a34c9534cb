"""Optimizers and learning-rate schedules, from their config."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from simulacra.config import Optimizer, Schedule


def build(values: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Build one player's optimizer; Adam runs as one fused kernel."""
    parameters = list(parameters)
    if values.kind in ("adam", "adamw"):
        kind = torch.optim.Adam if values.kind == "adam" else torch.optim.AdamW
        fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
        return kind(
            parameters,
            values.learning_rate,
            betas=values.betas,
            eps=values.epsilon,
            weight_decay=values.weight_decay,
            fused=fused,
        )
    if values.kind == "rmsprop":
        return torch.optim.RMSprop(
            parameters, values.learning_rate, eps=values.epsilon, weight_decay=values.weight_decay
        )
    return torch.optim.SGD(parameters, values.learning_rate, momentum=values.betas[0], weight_decay=values.weight_decay)


def factor(schedule: Schedule, images: int, total: int) -> float:
    """Return what the learning rate is multiplied with after ``images`` of ``total`` images."""
    rise = min(1.0, images / schedule.warmup) if schedule.warmup else 1.0
    start = schedule.start * total
    past = min(1.0, max(0.0, (images - start) / max(total - start, 1e-9)))
    if schedule.kind == "linear":
        return rise * (1.0 - past)
    if schedule.kind == "cosine":
        return rise * 0.5 * (1.0 + math.cos(math.pi * past))
    return rise
