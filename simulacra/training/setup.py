"""What determines a run: a recipe with its changes, completed by the data and the machine, and kept when resumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra import config, data, machine, models
from simulacra.config import Config
from simulacra.data import Given, Loader, Splits
from simulacra.data.given import PREFIX
from simulacra.errors import ConfigError
from simulacra.models import Model, Scored, size
from simulacra.runs import model_file
from simulacra.runs.folder import RunFolder
from simulacra.storage import component
from simulacra.training import legs, length, processes, resume
from simulacra.training.freeze import freeze
from simulacra.training.inherit import Inherited, inherit
from simulacra.training.team import ALONE, Team
from simulacra.training.trainer import Trainer

AVERAGED = 1_000  # images of which the mean image is taken, at least


@dataclass(frozen=True)
class Plan:
    """A training that was found right and may begin: what it is made of, and where it goes."""

    values: Config
    folder: RunFolder
    splits: Splits
    trainer: Trainer
    data_root: Path | None
    given: Given | None  # images from Python, in place of a data set with a name
    resumed: bool  # whether the folder holds a run that is to be continued
    inherited: Inherited | None = None  # what the weights started from, where that is another run
    minutes: float | None = None  # the length that was asked for, where it was one in minutes


def prepare(
    recipe: str,
    changes: Mapping[str, Any],
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    given: Given | None = None,
    *,
    resuming: bool = False,
    init: str | Path | None = None,
    team: Team = ALONE,
) -> Plan:
    """Read a recipe with its changes, and the data; build the model. Writes nothing. Raises `UserError`."""
    shipped = config.recipe(recipe).values
    values = config.parse(config.merge(shipped, changes))
    folder = RunFolder(out if out is not None else default_folder(values, config.parse(shipped)))
    resumed = folder.holds_a_run(resume=resuming)
    if resumed and init is not None and processes.restarted():
        init = None
    if resumed and init is not None:
        raise ConfigError(
            f"{folder.path} has begun already, and --init sets only the weights that a run begins with. Leave it out."
        )
    family = models.FAMILIES[values.model.family]
    root = None if data_root is None else Path(data_root)
    splits = data.load(values.data, root, family.batch, given)
    device = machine.device(values.train.device)
    machine.check_tools(values.train, device)
    minutes = values.train.minutes
    if resumed:
        values, minutes = same_run(values, folder, splits, longer=_says_how_long(changes))
    else:
        values = resolve(_of_one_leg(values), splits, device)
    size.refuse_too_large(values, model_file.shape_of(values))
    machine.keep_freed_memory()
    torch.manual_seed(data.derived_seed(values.seed, "weights"))
    model = models.build(values.model, model_file.shape_of(values)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loader = data.loader(family.batch, splits.train, values.data, values.train.batch, seed=values.seed, device=device)
    if family.begin is not Model.begin:
        model.begin(mean_image(loader, values.train.batch))
    if splits.validation is not None:
        model.hold_out(splits.validation)
    inherited = None if init is None else inherit(model, init)
    check_model(values, model, splits)
    if values.train.freeze and inherited is None and not resumed:
        raise ConfigError("train.freeze keeps layers of another run: name that run with --init RUN.")
    freeze(model, values.train.freeze)
    check_parts(values, team)
    if values.train.accumulate > 1:
        refuse_accumulation(Trainer(deepcopy(model), loader, values.train, seed=values.seed, team=Team(0, 1)))
    lasting = values.train.model_copy(update={"minutes": minutes})
    train = length.resolve(
        lasting, len(splits.train), lambda: Trainer(deepcopy(model), loader, values.train, seed=values.seed)
    )
    values = values.model_copy(update={"train": legs.extended(train, values.train)})
    trainer = Trainer(model, loader, values.train, seed=values.seed, team=team)
    return Plan(values, folder, splits, trainer, root, given, resumed, inherited, minutes)


def _of_one_leg(values: Config) -> Config:
    """A config as it begins a run: that of a run with several legs begins with none before it."""
    return values.model_copy(update={"train": values.train.model_copy(update={"leg_start": 0})})


def mean_image(loader: Loader, batch: int) -> Tensor:
    """Return the mean ``(C, H, W)``, in [-1, 1], of the first `AVERAGED` images or more as a training sees them."""
    batches = math.ceil(AVERAGED / batch)
    total = torch.stack([loader.batch(step).image.mean(0) for step in range(batches)])
    return total.mean(0)


def asked(data_name: str | None, seed: int | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes to a recipe as nested tables, those of data and seed among them."""
    tables: dict[str, Any] = {}
    if data_name is not None:
        tables["data"] = {"name": data_name}
    if seed is not None:
        tables["seed"] = seed
    return config.merge(tables, changes)


def default_folder(values: Config, shipped: Config) -> Path:
    """Return ``runs/RECIPE``, or ``runs/RECIPE-DATA`` on other data than the recipe's."""
    name = "" if values.data.name == shipped.data.name else f"-{Path(values.data.name.removeprefix(PREFIX)).stem}"
    return Path("runs") / component(f"{values.recipe}{name}")


def resolve(values: Config, splits: Splits, device: torch.device) -> Config:
    """Fill in what the config left to the data and the machine, so that the run says all that determines it."""
    shape, other = splits.train.shape, splits.train.other
    sizes = {"size": shape.size, "width": None if shape.square else shape.width, "channels": shape.channels}
    precision = machine.precision(values.train, device)
    return values.model_copy(
        update={
            "data": values.data.model_copy(
                update=sizes if other is None else {**sizes, "channels_b": other.shape.channels}
            ),
            "model": models.FAMILIES[values.model.family].completed(values.model, splits.train),
            "train": values.train.model_copy(update={"precision": precision}),
        }
    )


def _says_how_long(changes: Mapping[str, Any]) -> bool:
    train = changes.get("train", {})
    return isinstance(train, Mapping) and any(name in train for name in ("images", "epochs", "minutes"))


def same_run(values: Config, folder: RunFolder, splits: Splits, *, longer: bool = True) -> tuple[Config, float | None]:
    """Check that a resumed run keeps what determines its weights; return its config with the allowed changes.

    Beside it are the minutes that a new leg of the training is to last, where these were asked for. ``longer`` says
    whether a length was asked for beside the recipe.
    """
    before = folder.config()
    asked = legs.asked(values.train, before.train, folder, len(splits.train), explicitly=longer)
    train = asked.train
    if train.precision == "auto":
        train = train.model_copy(update={"precision": before.train.precision})
    values = values.model_copy(update={"train": train})
    values = resolve(values, splits, torch.device("cpu"))
    resume.refuse_changes(before, values, f"The run in {folder.path}")
    return values, asked.minutes


def check_model(values: Config, model: Model, splits: Splits) -> None:
    """Refuse combinations of training options and models that cannot work."""
    if values.train.keep == "best" and isinstance(model, Scored) and splits.validation is None:
        raise ConfigError('train.keep = "best" chooses on held-out images: also set data.validation, e.g. 0.05.')
    if values.train.batch == 1 and any(isinstance(module, _BatchNorm) for module in model.modules()):
        raise ConfigError("Batch normalisation needs train.batch of 2 or more; or set the networks' norm to none.")


def check_parts(values: Config, team: Team) -> None:
    """Refuse batches that cannot be divided into equal parts of whole packs. Raises `ConfigError`."""
    batch, pack, parts = values.train.batch, getattr(values.model, "packing", 1), values.train.accumulate
    unit = team.count * parts * pack
    if unit > pack and batch % unit:
        shares = [f"{team.count} processes"] * (team.count > 1) + [f"{parts} parts"] * (parts > 1)
        packs = f" of packs of {pack} images" if pack > 1 else ""
        fitting = [size for size in (batch // unit * unit, (batch // unit + 1) * unit) if size]
        raise ConfigError(
            f"A batch of {batch} images cannot be divided equally among {' with '.join(shares)}{packs}. "
            f"Set --train.batch {' or '.join(map(str, fitting))}, or use another number."
        )
    if team.count > 1 and values.train.minutes is not None:
        raise ConfigError(
            "train.minutes is measured on one process. With several, set --train.images or --train.epochs."
        )


def refuse_accumulation(probe: Trainer) -> None:
    """Play a step of a copy: models that look at all images of a batch at once say so. Raises `ConfigError`."""
    if next(probe.model.buffers(), None) is not None:
        raise ConfigError(
            "train.accumulate divides a batch into parts, and this model keeps statistics or images of whole batches. "
            'Set --train.accumulate 1, a smaller --train.batch, or the networks\' norm to "group" or "none".'
        )
    probe.advance()
