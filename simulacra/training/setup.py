"""What determines a run: a recipe with its changes, completed by the data and the machine, and kept when resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra import config, machine, models
from simulacra.config import Config
from simulacra.data import Splits
from simulacra.errors import ConfigError
from simulacra.models import Model, Scored
from simulacra.runs.folder import CONFIG

MAY_CHANGE = {
    "images", "log", "sheet", "samples", "score", "checkpoint", "keep", "collapse", "device", "retries", "tensorboard",
    "compile",
}  # fmt: skip


def resolve(values: Config, splits: Splits, device: torch.device) -> Config:
    """Fill in what the config left to the data and the machine, so that the run says all that determines it."""
    shape, other = splits.train.shape, splits.train.other
    sizes = {"size": shape.size, "channels": shape.channels}
    precision = values.train.precision
    if precision == "auto":
        precision = "bfloat16" if machine.multiplies_bfloat16(device) else "float32"
    return values.model_copy(
        update={
            "data": values.data.model_copy(
                update=sizes if other is None else {**sizes, "channels_b": other.shape.channels}
            ),
            "model": models.FAMILIES[values.model.family].completed(values.model, splits.train),
            "train": values.train.model_copy(update={"precision": precision}),
        }
    )


def saved_config(path: Path) -> Config:
    return config.parse(config.loads((path / CONFIG).read_text("utf-8", errors="replace"), str(path / CONFIG)))


def same_run(values: Config, before: Config, splits: Splits, path: Path) -> Config:
    """Check that a resumed run keeps what determines its weights; return its config with the allowed changes."""
    if values.train.precision == "auto":
        values = values.model_copy(
            update={"train": values.train.model_copy(update={"precision": before.train.precision})}
        )
    values = resolve(values, splits, torch.device("cpu"))
    free = {f"train.{name}" for name in MAY_CHANGE}
    falling = before.train.schedule.kind != "constant"
    if falling:
        free.remove("train.images")
    old, new = _flat(before.model_dump(mode="json")), _flat(values.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and key not in free | {"recipe"}:
            why = " (the end of a falling rate cannot move)" if falling and key == "train.images" else ""
            raise ConfigError(
                f"The run in {path} has {key} = {old.get(key)}, not {new.get(key)}{why}. "
                f"Resume it with the same options (only {', '.join(sorted(free))} may change), "
                "or choose another folder with --out."
            )
    return values


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def check_model(values: Config, model: Model) -> None:
    """Refuse combinations of training options and models that cannot work."""
    if values.train.keep == "best" and isinstance(model, Scored) and not values.data.validation:
        raise ConfigError('train.keep = "best" chooses on held-out images: also set data.validation, e.g. 0.05.')
    if values.train.batch == 1 and any(isinstance(module, _BatchNorm) for module in model.modules()):
        raise ConfigError("Batch normalisation needs train.batch of 2 or more; or set the networks' norm to none.")
