"""How long a training lasts where epochs or minutes are asked for, and whether its length suits the data.

A length in minutes is turned into images once, by a probe of the machine's speed on a copy of the model, and the images
are what the run's config keeps: so a resumed training ends where an uninterrupted one would have ended.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable

from simulacra.config import Train
from simulacra.errors import ConfigError, DivergenceError
from simulacra.training.trainer import Trainer

PROBE_SHARE, LONGEST_PROBE = 0.02, 5.0  # of the minutes asked for; in seconds
WARM_UP, FEWEST = 2, 3  # steps of the probe that do not count, and steps that do at least
TRAINED = 0.85  # share of the minutes that is left for steps; the rest goes to sheets, measurements and checkpoints
REPORT_SECONDS = 10  # between two reports of a training whose length is given in minutes
FEWEST_STEPS, MOST_PASSES = 2_000, 2_000  # beyond which a length seldom suits the data
FITTED = ("images", "epochs", "minutes", "log", "sheet", "score", "checkpoint")  # what a length in time decides


def resolve(values: Train, count: int, trainer: Callable[[], Trainer]) -> Train:
    """Turn a length in epochs of ``count`` images, or in minutes, into images; leave any other as it is.

    ``trainer`` makes a copy to probe. Reports, sheets, measurements and checkpoints become at least as frequent as the
    length asks for. Raises `ConfigError` where both are given.
    """
    if values.epochs is not None and values.minutes is not None:
        raise ConfigError("train.epochs and train.minutes both say how long to train. Give one of them.")
    if values.epochs is not None:
        images = of_epochs(values, count)
        return _fitted(values, images, images // 50)
    if values.minutes is not None:
        seconds = 60 * values.minutes
        rate = speed(trainer(), min(PROBE_SHARE * seconds, LONGEST_PROBE))
        return _fitted(values, round(TRAINED * rate * seconds), round(REPORT_SECONDS * rate))
    return values


def of_epochs(values: Train, count: int) -> int:
    """Return the images of ``train.epochs`` passes over ``count`` images, in whole batches."""
    assert values.epochs is not None
    return max(1, math.ceil(math.ceil(values.epochs * count) / values.batch)) * values.batch


def _fitted(values: Train, images: int, log: int) -> Train:
    images = max(1, math.ceil(images / values.batch)) * values.batch
    every = {"log": min(log, images // 10), "sheet": images // 10, "score": images // 5, "checkpoint": images // 10}
    shorter = {name: max(values.batch, min(getattr(values, name), count)) for name, count in every.items()}
    return values.model_copy(update={"images": images, "epochs": None, "minutes": None, **shorter})


def of_run(values: Train, before: Train) -> Train:
    """Return the options of a resumed training, whose length in epochs or minutes was turned into images before."""
    if values.epochs is None and values.minutes is None:
        return values
    return values.model_copy(update={name: getattr(before, name) for name in FITTED})


def speed(trainer: Trainer, seconds: float) -> float:
    """Return images per second of training, measured for at least ``seconds``; the trainer is spent."""
    with contextlib.suppress(DivergenceError):
        for _ in range(WARM_UP):
            trainer.advance()
        trainer.drain()  # waits for the device
    start, steps = time.perf_counter(), 0
    while steps < FEWEST or time.perf_counter() - start < seconds:
        trainer.advance()
        steps += 1
    with contextlib.suppress(DivergenceError):
        trainer.drain()
    return steps * trainer.values.batch / max(time.perf_counter() - start, 1e-6)


def remarks(values: Train, count: int) -> list[str]:
    """Say in lines how many steps and passes over ``count`` training images a length is, and if that is unusual."""
    steps, passes = math.ceil(values.images / values.batch), values.images / count
    lines = [f"{steps:,} steps of {values.batch} images: {passes:,.3g} passes over the training images"]
    if steps < FEWEST_STEPS:
        lines.append(
            f"That is a short training: results are seldom good before {FEWEST_STEPS:,} steps. "
            f"Try --train.images {FEWEST_STEPS * values.batch:_}, or a smaller --train.batch."
        )
    if passes > MOST_PASSES:
        lines.append(
            f"Each image is seen more than {MOST_PASSES:,} times: expect variations of the training images. "
            "A shorter training may do as well; more images, or --augment flip where mirrored images are fine, help."
        )
    return lines
