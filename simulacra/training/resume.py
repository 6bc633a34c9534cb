"""What a resumed training has in common with the one before: its state, and the config that determines its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulacra.config import Config
from simulacra.errors import ConfigError, RunError
from simulacra.training.trainer import Trainer
from simulacra.training.watchdog import Observer

MAY_CHANGE = {
    "images", "log", "sheet", "samples", "score", "checkpoint", "keep", "collapse", "device", "retries", "tensorboard",
    "compile",
}  # fmt: skip


def state(trainer: Trainer, observer: Observer, fingerprint: str) -> dict[str, Any]:
    """Return everything that a resumed training needs, and by which it knows that it is the same one."""
    return {**trainer.state_dict(), "best": observer.best, "data": fingerprint}


def restore(found: dict[str, Any], origin: Path | None, trainer: Trainer, observer: Observer) -> None:
    """Continue from a state; raises `RunError` for one of another model."""
    try:
        trainer.load_state_dict(found)
        observer.best = found["best"]
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"{origin} does not fit the config beside it: {reason} Restore the run, or train anew."
        ) from None


def refuse_changes(before: Config, values: Config, path: Path) -> None:
    """Raise `ConfigError` for a change of what determines the weights of the run in ``path``."""
    free = {f"train.{name}" for name in MAY_CHANGE}
    falling = before.train.schedule.kind != "constant"
    if falling:
        free.remove("train.images")
    old, new = (_flat(config.model_dump(mode="json")) for config in (before, values))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and key not in free | {"recipe"}:
            why = " (the end of a falling learning rate cannot move)" if falling and key == "train.images" else ""
            raise ConfigError(
                f"The run in {path} has {key} = {old.get(key)}, not {new.get(key)}{why}. "
                f"Resume it with the same options (only {', '.join(sorted(free))} may change), "
                "or choose another folder with --out."
            )


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
