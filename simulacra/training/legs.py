"""A finished training continued: the images beyond its end are a new leg, with a learning-rate schedule of its own.

The config says where the present leg began (``train.leg_start``), so that it is resumed as exactly as the first one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulacra.config import Config, Train
from simulacra.errors import ConfigError
from simulacra.runs.checkpoint import Checkpoints
from simulacra.runs.folder import CHECKPOINTS, ENVIRONMENT, RunFolder
from simulacra.training import length

MINUTES = "minutes"  # the key of environment.json that keeps the minutes asked for
LEG = "leg_start"
OF_A_LEG = ("images", LEG, "schedule", "optimizer.learning_rate")  # of train: what a leg may have of its own


@dataclass(frozen=True)
class Asked:
    """The options of a resumed training, and the minutes that a new leg is to last where these were asked for."""

    train: Train
    minutes: float | None = None


def asked(values: Train, before: Train, folder: RunFolder, count: int, *, explicitly: bool = True) -> Asked:
    """Return the options of a resumed training of ``count`` images, with the start of a new leg where it is one.

    A finished run that is asked for more images, or for more epochs in all, begins a new leg where its learning rate
    had fallen or another is asked for; so does one that is asked for other minutes than before. It must be asked
    ``explicitly``, beside the recipe, so that an option that was forgotten does not make a training longer.
    """
    seen = _seen(folder, before)
    finished = seen >= before.images
    kept = length.of_run(values, before).model_copy(update={"leg_start": before.leg_start})
    if not finished or not explicitly:
        return Asked(kept)
    if values.minutes is not None and values.minutes != folder.table(ENVIRONMENT).get(MINUTES, values.minutes):
        return Asked(_from(kept, seen, seen + values.batch), values.minutes)
    images = values.images if values.minutes is None else before.images
    if values.epochs is not None:
        images = length.of_epochs(values, count)
    changed = before.schedule.kind != "constant" or _rates(kept) != _rates(before)
    return Asked(_from(kept, seen, images) if changed and images > before.images else _lasting(kept, images))


def extended(resolved: Train, values: Train) -> Train:
    """Return options whose length was found for minutes: those of a new leg come after what was seen before."""
    if resolved.images == values.images or not values.leg_start:
        return resolved
    return _lasting(resolved, values.leg_start + resolved.images)


def _from(values: Train, seen: int, images: int) -> Train:
    return values.model_copy(update={"leg_start": seen, "images": images})


def _lasting(values: Train, images: int) -> Train:
    return values.model_copy(update={"images": images})


def _rates(values: Train) -> tuple[object, ...]:
    return values.schedule, values.optimizer.learning_rate


def _seen(folder: RunFolder, before: Train) -> int:
    """The images that the newest checkpoint had seen; 0 where there is none."""
    latest = Checkpoints(folder.path / CHECKPOINTS).latest()
    return 0 if latest is None else int(latest.stem) * before.batch


def begins(before: Config, values: Config) -> bool:
    """Whether options begin a leg that a config before them did not know."""
    return values.train.leg_start > before.train.leg_start


def may_differ(key: str) -> bool:
    """Whether a new leg may have another value of a key, such as ``train.schedule.kind``."""
    return any(key == f"train.{name}" or key.startswith(f"train.{name}.") for name in OF_A_LEG)


def refuse_another_start(values: Train, images: int, origin: object) -> None:
    """Raise `ConfigError` where a leg does not begin at the images that its checkpoint has seen."""
    if images < values.leg_start:
        raise ConfigError(
            f"{origin} has seen {images:,} images, and the present leg of the training began at {values.leg_start:,}. "
            "Restore the newest checkpoint of the run, or train in another folder with --out."
        )


def record(values: Train, folder: RunFolder, step: int, seconds: float) -> None:
    """Say in the log where a leg begins, once."""
    begins = values.leg_start == step * values.batch > 0
    if begins and not any(row.get(LEG) == values.leg_start for row in folder.rows):
        counts = {"step": step, "images": values.leg_start, "seconds": round(seconds, 3)}
        folder.append({**counts, LEG: values.leg_start})


def remarks(values: Train) -> list[str]:
    """Say that a training goes on in a new leg, if it does."""
    if not values.leg_start:
        return []
    more = math.ceil((values.images - values.leg_start) / values.batch)
    leg = f"in a leg of {more:,} steps, with a learning-rate schedule of its own"
    return [f"goes on from {values.leg_start:,} images {leg}"]
