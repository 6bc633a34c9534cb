"""What determines a run: a recipe with its changes, completed by the data and the machine, and kept when resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra import config, machine, models
from simulacra.config import Config
from simulacra.data import Dataset, Labelled, Splits
from simulacra.errors import ConfigError, DataError
from simulacra.models import Model, Scored
from simulacra.runs.folder import CONFIG
from simulacra.transforms import zoom

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
            "model": _with_domains(_with_classes(values.model, splits.train), splits.train),
            "train": values.train.model_copy(update={"precision": precision}),
        }
    )


def _with_classes(model: config.ModelConfig, dataset: Dataset) -> config.ModelConfig:
    """Fill in the classes of a family that is told them; raises `DataError` for images without labels."""
    if models.FAMILIES[model.family].batch is not Labelled:
        return model
    if dataset.labels is None:
        raise DataError(
            f"{model.family} needs labels, and {dataset.name} has none. Put the images of each class into a subfolder "
            "of its own, such as photos/cats/ and photos/dogs/; or train a family without labels."
        )
    classes = dataset.classes or tuple(map(str, range(int(dataset.labels.max()) + 1)))
    if getattr(model, "classes", ()) not in ((), classes):
        raise ConfigError(f"model.classes are not those of {dataset.name}. Leave them out: the data says them.")
    return model.model_copy(update={"classes": classes})


def _with_domains(model: config.ModelConfig, dataset: Dataset) -> config.ModelConfig:
    """Fill in what the domains say: B's channels, and the zoom; raises `ConfigError` where others were asked for."""
    if dataset.other is None or not isinstance(model, config.CycleGAN | config.Pix2Pix):
        return model
    channels = dataset.other.shape.channels
    if model.channels_b not in (None, channels):
        raise ConfigError(
            f"model.channels_b is {model.channels_b}, and the images of domain B have {channels}. Leave it out, or set "
            f"--data.channels_b {model.channels_b}."
        )
    found: dict[str, Any] = {"channels_b": channels}
    if isinstance(model, config.CycleGAN) and not model.zoom:
        a, b = dataset.domains.values()
        found["zoom"] = round(zoom.measure(a.images, b.images), 3)
    return model.model_copy(update=found)


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
