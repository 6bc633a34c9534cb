"""Optimizers and learning-rate schedules, from their config."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from simulacra import optimizers
from simulacra.config import Optimizer, Schedule
from simulacra.runs.model_file import is_like

MOMENTS: dict[type[torch.optim.Optimizer], set[str]] = {  # what each keeps of a parameter
    optimizers.Adam: {"step", "exp_avg", "exp_avg_sq"},
    optimizers.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    optimizers.RMSprop: {"step", "square_avg"},
    optimizers.SGD: {"momentum_buffer"},
}


def build(values: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Build one player's optimizer; Adam runs as one fused kernel."""
    parameters = list(parameters)
    if values.kind in ("adam", "adamw"):
        kind = optimizers.Adam if values.kind == "adam" else optimizers.AdamW
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
        return optimizers.RMSprop(
            parameters, values.learning_rate, eps=values.epsilon, weight_decay=values.weight_decay
        )
    return optimizers.SGD(parameters, values.learning_rate, momentum=values.betas[0], weight_decay=values.weight_decay)


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


def restore(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Continue from the moments of a saved state; the options stay those of the config.

    Raises ValueError for moments of other parameters than the optimizer's.
    """
    own = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments, groups = saved["state"], saved["param_groups"]
    if (
        not isinstance(moments, dict)
        or not moments.keys() <= set(range(len(parameters)))
        or [group["params"] for group in groups] != [group["params"] for group in own["param_groups"]]
    ):
        raise ValueError("its optimizer belongs to other parameters.")
    for index, values in moments.items():
        if not _fits(values, MOMENTS[type(optimizer)], parameters[index]):
            raise ValueError("its optimizer's moments are of another shape or kind.")
    optimizer.load_state_dict({"state": moments, "param_groups": own["param_groups"]})


def refuse_unmoved(own: Iterable[torch.optim.Optimizer], saved: Iterable[Any], steps: int) -> None:
    """Raise ValueError for saved states without any moments after some steps; plain gradient descent has none."""
    keep = [not isinstance(optimizer, optimizers.SGD) for optimizer in own]
    if steps and any(keep) and not any(one["state"] for one in saved):
        raise ValueError(f"its optimizers have not moved in {steps:,} steps.")


def _fits(values: Any, names: set[str], parameter: nn.Parameter) -> bool:
    """Whether these are the moments of a parameter: finite, of its shape, or a single number of steps."""
    if not isinstance(values, dict) or values.keys() != names:
        return False
    return all(
        value is None
        if name == "momentum_buffer" and value is None
        else is_like(torch.zeros(()) if name == "step" else parameter, value) and bool(torch.isfinite(value).all())
        for name, value in values.items()
    )
