"""What the processes of a training do that do not lead it: the same steps on their parts of each batch, silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from simulacra import config, data, machine, models
from simulacra.data import Given
from simulacra.errors import DataError
from simulacra.runs import model_file
from simulacra.training import interrupts
from simulacra.training.setup import Plan
from simulacra.training.team import Team
from simulacra.training.trainer import Trainer


def announce(plan: Plan, team: Team) -> None:
    """Tell the followers what is trained, and wait until all of them are ready.

    Nothing is written before. Raises `UserError` for what one of them cannot do.
    """
    if team.count == 1:
        return
    team.tell({
        "config": config.dumps(plan.values),
        "root": "" if plan.data_root is None else str(plan.data_root.resolve()),
        "data": plan.splits.fingerprint(),
        "out": str(plan.folder.path.resolve()),
    })  # fmt: skip
    team.agree(lambda: None)


def serve(team: Team, given: Given | None = None) -> Path:
    """Follow the leader to the end of its training; return its run folder.

    Raises SystemExit with the leader's exit status where that failed, `LostProcess` where a process is gone.
    """
    told = team.told()
    if "config" not in told:  # the leader ended before it began
        raise SystemExit(told.get("end", 0))
    trainer: Trainer = team.agree(lambda: _prepared(told, team, given))
    with interrupts.deferred(lambda: setattr(trainer, "interrupted", True)):
        order = trainer.follow()
    _leave_at(order)
    return Path(told["out"])


def _leave_at(order: dict[str, Any]) -> None:
    if order.get("end"):
        raise SystemExit(order["end"])


def _prepared(told: dict[str, Any], team: Team, given: Given | None) -> Trainer:
    """The same trainer as the leader's; its weights come with the first order."""
    values = config.parse(config.loads(told["config"], "the leader's config"))
    device = machine.device(values.train.device)
    family = models.FAMILIES[values.model.family]
    splits = data.load(values.data, Path(told["root"]) if told["root"] else None, family.batch, given)
    if not splits.matches(told["data"]):
        raise DataError(f"The images of {values.data.name} are not those of process 0. Give every machine the same.")
    model = models.build(values.model, model_file.shape_of(values)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = data.loader(family.batch, splits.train, values.data, values.train.batch, seed=values.seed, device=device)
    return Trainer(model, batches, values.train, seed=values.seed, team=team)
