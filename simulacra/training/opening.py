"""Opening the run folder of a training: under its lock, and never so that more is lost than a checkpoint holds."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from simulacra import config, machine
from simulacra.errors import ConfigError, RunError
from simulacra.runs.checkpoint import Checkpoints
from simulacra.runs.folder import CONFIG, ENVIRONMENT, MODEL, RunFolder
from simulacra.storage import atomic
from simulacra.training import legs, resume
from simulacra.training.inherit import inherit
from simulacra.training.setup import Plan
from simulacra.training.watchdog import Observer
from simulacra.version import __version__

COMPARED = ("simulacra", "torch", "device", "processor", "threads")  # of the environment: other ones, other roundings


def open_folder(plan: Plan, checkpoints: Checkpoints, observer: Observer) -> str:
    """Begin or continue a run folder: restore the last state, write the config, drop what came after that state.

    Returns what a person should be told. Raises `UserError`, and then what was there is untouched.
    """
    plan.folder.make()
    plan.folder.lock()
    try:
        return _open(plan, checkpoints, observer)
    except BaseException:
        plan.folder.unlock()
        raise


def _open(plan: Plan, checkpoints: Checkpoints, observer: Observer) -> str:
    folder, trainer = plan.folder, plan.trainer
    if folder.holds_a_run(resume=plan.resumed) != plan.resumed:  # another training may have been here meanwhile
        raise RunError(f"{folder.path} was changed while the data was read. Try again.")
    folder.rows = folder.history()
    before, keep = folder.table(ENVIRONMENT), folder.config().train.keep if plan.resumed else None
    origin = _restore(plan, checkpoints, observer) if plan.resumed else None
    if plan.resumed and origin is None and isinstance(before.get("init"), str):
        inherit(trainer.model, before["init"])
        trainer.average.reset()
    if not trainer.finished or keep not in (None, plan.values.train.keep):
        folder.forget_scores()
    with atomic(folder.path / CONFIG) as temporary:
        temporary.write_text(config.dumps(plan.values), "utf-8")
    now = environment(plan)
    with atomic(folder.path / ENVIRONMENT) as temporary:
        temporary.write_text(json.dumps(_with_earlier(now, before, trainer.step), indent=2) + "\n", "utf-8")
    folder.forget_after(trainer.step)
    legs.record(plan.values.train, folder, trainer.step, trainer.seconds)
    if origin is not None and checkpoints.latest() is None:
        checkpoints.commit(origin)
    checkpoints.forget_after(trainer.step)
    return _told(before, now) if trainer.step else ""


def _restore(plan: Plan, checkpoints: Checkpoints, observer: Observer) -> Path | None:
    """Continue from the newest checkpoint and return its path; None where the run was killed before its first."""
    found = checkpoints.newest()
    if found is None:
        _refuse_lost_checkpoints(plan.folder, checkpoints.folder)
        return None
    origin, state = found
    if not plan.splits.matches(str(state.get("data"))):
        raise ConfigError(
            f"The images of {plan.values.data.name}, their classes or their splits are not those that "
            f"{plan.folder.path} was trained on. Restore them, or choose another folder with --out."
        )
    resume.refuse_other_config(state, origin, plan.values)
    resume.restore(state, origin, plan.trainer, observer)
    resume.refuse_fewer_images(plan.trainer, plan.folder.path)
    legs.refuse_another_start(plan.values.train, plan.trainer.images, origin)
    if checkpoints.best() is None:
        observer.best = None
    return origin


def _refuse_lost_checkpoints(folder: RunFolder, home: Path) -> None:
    """Refuse to begin anew where there was more than a beginning. Raises `RunError`."""
    if folder.rows or folder.file(MODEL) is not None:
        raise RunError(
            f"{folder.path} holds the log or the model of a training, but no checkpoint to continue from. "
            f"Restore {home}, or choose another folder with --out."
        )


def environment(plan: Plan) -> dict[str, Any]:
    """Return what a run is trained with: versions, machine, device, command, data."""
    train, test = plan.splits.train, plan.splits.test
    return {
        "simulacra": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": platform.platform(),
        "processor": machine.processor(),
        "threads": torch.get_num_threads(),
        "device": str(plan.trainer.loader.device),
        "command": sys.argv,
        legs.MINUTES: plan.minutes,
        "init": None if plan.inherited is None else plan.inherited.origin,
        "data": {"name": train.name, "train": len(train), "test": len(test)},
        "data_sha256": plan.splits.digest(),
        "data_fingerprint": plan.splits.fingerprint(),
    }


def _with_earlier(now: dict[str, Any], before: dict[str, Any], step: int) -> dict[str, Any]:
    """The environment, with those of earlier parts of the training where they differed, and how far each came."""
    now = {**now, legs.MINUTES: now[legs.MINUTES] or before.get(legs.MINUTES)}
    if not step:
        return {**now, "init": now["init"] or before.get("init")}
    earlier = before.get("earlier")
    parts = earlier if isinstance(earlier, list) else []
    if any(before.get(name) != now[name] for name in COMPARED):
        parts = [*parts, {**{name: before.get(name) for name in COMPARED}, "until_step": step}]
    return {**now, "init": before.get("init"), **({"earlier": parts} if parts else {})}


def _told(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What a person should know when a run continues with other software or on another machine."""
    changed = [f"{name} {before[name]} -> {now[name]}" for name in COMPARED if before.get(name, now[name]) != now[name]]
    if not changed:
        return ""
    return (
        f"Note: this run was begun in another environment ({'; '.join(changed)}): "
        "its weights may differ in their last digits from those of an uninterrupted run."
    )
