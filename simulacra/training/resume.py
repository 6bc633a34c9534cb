"""What a resumed training has in common with the one before: its state, and the config that determines its weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from simulacra import config
from simulacra.config import Config
from simulacra.errors import ConfigError, RunError
from simulacra.training import legs
from simulacra.training.trainer import Trainer
from simulacra.training.watchdog import Observer

MAY_CHANGE = {
    "images", "log", "sheet", "sheets", "samples", "score", "checkpoint", "keep", "collapse", "device", "retries",
    "tensorboard", "compile", "verify",
}  # fmt: skip
FALLING = " (the end of a falling learning rate cannot move; once the run is finished, more images are a new leg)"


def state(values: Config, trainer: Trainer, observer: Observer, fingerprint: str) -> dict[str, Any]:
    """Return everything that a resumed training needs, and by which it knows that it is the same one."""
    return {**trainer.state_dict(), "best": observer.best, "data": fingerprint, "config": config.dumps(values)}


def restore(found: dict[str, Any], origin: Path, trainer: Trainer, observer: Observer) -> None:
    """Continue from a state. Raises `RunError` for one of another model, or with weights that are not finite."""
    try:
        trainer.load_state_dict(found)
        best = found["best"]
        observer.best = None if best is None else float(best)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{origin} does not fit the config beside it: {str(error).splitlines()[0]} "
            "Restore the run, or train anew in another folder."
        ) from None
    if not trainer.healthy():
        raise RunError(
            f"{origin} holds weights that are NaN or infinite. Continue from another .pt file in its folder."
        )


def refuse_other_config(found: dict[str, Any], origin: Path, values: Config) -> None:
    """Raise `ConfigError` where a state was made with another config; older states do not say with which."""
    text = found.get("config")
    if isinstance(text, str):
        refuse_changes(config.parse(config.loads(text, str(origin))), values, f"The checkpoint {origin}")


def refuse_fewer_images(trainer: Trainer, path: Path) -> None:
    """Raise `ConfigError` for a training that is asked to end before the step that it has reached."""
    if math.ceil(trainer.values.images / trainer.values.batch) < trainer.step:
        raise ConfigError(
            f"The run in {path} has seen {trainer.images:,} images already, so --train.images cannot be "
            f"{trainer.values.images:,}. Ask for at least as many, or choose another folder with --out."
        )


def refuse_changes(before: Config, values: Config, what: str) -> None:
    """Raise `ConfigError` for a change of what determines the weights; ``what`` has the config ``before``."""
    free = {f"train.{name}" for name in MAY_CHANGE} | {"data.resident"}
    falling = before.train.schedule.kind != "constant"
    if falling:
        free.remove("train.images")
    old, new = (config.flat(values.model_dump(mode="json")) for values in (before, values))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and key not in free | {"recipe"}:
            if legs.begins(before, values) and legs.may_differ(key):
                continue
            why = FALLING if falling and key == "train.images" else ""
            raise ConfigError(
                f"{what} has {key} = {old.get(key)}, not {new.get(key)}{why}. "
                f"Resume it with the same options (only {', '.join(sorted(free))} may change), "
                "or choose another folder with --out."
            )
