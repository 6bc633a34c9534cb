"""What is measured of a training while it runs: held-out scores, and whether samples become alike or get worse.

`Observer.measure` gives the numbers that a log keeps; `alarm` reads a log and says in words what has gone wrong. It is
a function of the log alone, so that a resumed training says what an uninterrupted one would have said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from simulacra import features, metrics
from simulacra.config import Config
from simulacra.data import Dataset, Splits, derived_seed
from simulacra.errors import DivergenceError, RunError
from simulacra.features import Extractor
from simulacra.images import from_bytes
from simulacra.models import Generative, Model, Scored
from simulacra.runs.folder import DISTANCE, DIVERSITY, WARNING
from simulacra.steering import generate
from simulacra.training.trainer import Trainer

Row = Mapping[str, Any]
ACCURACY = "/accuracy"  # ends the name under which models watch how often their discriminator is right
MAX_IMAGES, MIN_IMAGES = 500, 50  # samples, and images that they are measured beside
MEASUREMENTS, MIN_INTERVAL = 20, 10 * MAX_IMAGES  # of a training; images seen between two of them
SETTLING_SHARE = 0.1  # share of a training before which its pictures may look like anything
WARM_UP_SHARE, WARM_UP_IMAGES = 0.2, 10_000  # share of a training, and images seen, before which samples may be alike
PATIENCE = 3  # measurements in a row that must show a fault
MIN_VARIANCE = 0.1  # of samples, in units of the variance of real images: below it they are alike
WORSENING_RATIO = 1.5  # ratio of the distance to the least so far: above it samples have become worse
MAX_ACCURACY = 0.97  # share of the discriminator's verdicts that are right: above it it has won
REMEDIES = "Try a heavier penalty, a lower learning rate for the discriminator, or augmentation of what it sees"
PLATEAU_RATIO = 1.05  # ratio of the distance to the least so far: above it samples no longer improve
UNLEARNT_RATIO = 0.5  # ratio of the least distance to the greatest: above it hardly anything was learned


@contextmanager
def diverging() -> Iterator[None]:
    """Say of a model in training that it diverged where its outputs are NaN or infinite."""
    try:
        yield
    except RunError:
        raise DivergenceError("samples became NaN or infinite") from None


class Watchdog:
    """Measures samples beside images of ``dataset``, the same ones every time."""

    def __init__(self, dataset: Dataset, extractor: Extractor, *, seed: int = 0) -> None:
        self.extractor = extractor
        self.seed = derived_seed(seed, "watchdog")
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(self.seed))
        self.real = extractor.features(from_bytes(dataset.images[order[:MAX_IMAGES]]))

    def measure(self, model: Model) -> dict[str, float]:
        """Return the Frechet distance of samples to the images, and their variance in units of the images'.

        Raises `DivergenceError` for samples that are no numbers.
        """
        with diverging():
            drawn = generate.sample(model, len(self.real), seed=self.seed)
        fake = self.extractor.features(drawn)
        return {
            DISTANCE: metrics.frechet_distance(self.real, fake),
            DIVERSITY: _variance(fake) / max(_variance(self.real), 1e-12),
        }


class Observer:
    """Measures a training while it runs: held-out scores, and samples; and knows which of its weights were the best."""

    def __init__(self, trainer: Trainer, splits: Splits, values: Config) -> None:
        self.trainer = trainer
        self.splits = splits
        self.values = values
        self.best: float | None = None  # the least validation score, or distance of samples, so far

    @cached_property
    def watchdog(self) -> Watchdog | None:
        """What watches the samples of models that draw any, beside validation or training images: never test images."""
        held = self.splits.validation
        real = held if held is not None and len(held) >= MIN_IMAGES else self.splits.train
        if not isinstance(self.trainer.model, Generative) or len(real) < MIN_IMAGES:
            return None
        return Watchdog(real, features.ready(self.values.data.name, real.shape), seed=self.values.seed)

    def measure(self, before: int) -> dict[str, float]:
        """Return what is due now, ``before`` being the images seen at the previous report.

        Raises `DivergenceError` for numbers that are not finite.
        """
        return {**self._scores(before), **self._samples(before)}

    def _scores(self, before: int) -> dict[str, float]:
        """Scores of held-out images; those of the validation split, by which ``keep`` chooses, come first."""
        if not self.trainer.passed(before, self.values.train.score):
            return {}
        parts = {"validation": self.splits.validation, "test": self.splits.test}
        return {
            f"{split}/{name}": value
            for split, dataset in parts.items()
            if dataset is not None
            for name, value in self.trainer.score(dataset).items()
        }

    def _samples(self, before: int) -> dict[str, float]:
        """Measures of samples, by which a family without a score of its own is chosen."""
        if self.watchdog is None or not self.trainer.passed(before, interval(self.values.train.images)):
            return {}
        return self.watchdog.measure(self.trainer.average.model)

    def is_better(self, measured: Mapping[str, float]) -> bool:
        """Whether these are the best weights so far, by the score or, in families without one, by samples."""
        scored = isinstance(self.trainer.model, Scored)
        prefix = "validation/" if scored else DISTANCE
        value = next((value for name, value in measured.items() if name.startswith(prefix)), None)
        if value is None or (scored and self.values.train.keep != "best"):
            return False
        if self.best is not None and value >= self.best:
            return False
        self.best = value
        return True


def lasting_complaint(model: Model, rows: Sequence[Row], total: int) -> str | None:
    """Return what the model itself finds wrong several times in a row after a training's beginning, once."""
    last = [row for row in rows if row["images"] > SETTLING_SHARE * total][-PATIENCE:]
    if len(last) < PATIENCE:
        return None
    told = {row.get(WARNING) for row in rows}
    first, *others = (model.diagnose(row) for row in last)
    return next((said for said in first if said not in told and all(said in other for other in others)), None)


def _variance(x: Tensor) -> float:
    """The variance of features ``(N, D)``, summed over the dimensions."""
    return float(x.double().var(0).sum())


def interval(total: int) -> int:
    """How many images a training of ``total`` images sees between two measurements."""
    return max(total // MEASUREMENTS, MIN_INTERVAL)


def alarm(rows: Sequence[Row], total: int) -> str | None:
    """Say what the last measurement of a log shows to be wrong and the one before did not; None where nothing is.

    ``total`` is how many images the whole training sees.
    """
    measured = [row for row in rows if DISTANCE in row]
    known = _faults(measured[:-1], total)
    return next((said for fault, said in _faults(measured, total).items() if fault not in known), None)


def _faults(measured: Sequence[Row], total: int) -> dict[str, str]:
    """What is wrong at the end of some measurements: each fault, and what to say of it."""
    last = [row for row in measured if row["images"] > max(WARM_UP_SHARE * total, WARM_UP_IMAGES)][-PATIENCE:]
    if len(last) < PATIENCE:
        return {}
    least = min(measured, key=lambda row: row[DISTANCE])
    now, right = last[-1], min(_accuracy(row) for row in last)
    since = (
        f"their distance to real images is {now[DISTANCE]:.3g}, and was {least[DISTANCE]:.3g} "
        f"after {least['images']:,} images"
    )
    found = {}
    if all(row[DIVERSITY] < MIN_VARIANCE for row in last):
        found["alike"] = f"samples look alike: their variance is {now[DIVERSITY]:.1%} of that of real images"
    if all(row[DISTANCE] > WORSENING_RATIO * least[DISTANCE] for row in last):
        found["worse"] = f"samples get worse: {since}"
    stuck = all(row[DISTANCE] > PLATEAU_RATIO * least[DISTANCE] for row in last)
    unlearnt = least[DISTANCE] > UNLEARNT_RATIO * max(row[DISTANCE] for row in measured)
    if right > MAX_ACCURACY and least not in last and (stuck or unlearnt):
        found["sure"] = (
            f"the discriminator is right {right:.1%} of the time, and samples do not get better: {since}. {REMEDIES}"
        )
    return found


def _accuracy(row: Row) -> float:
    """How often a discriminator was right, 0 where there is none."""
    return max((value for name, value in row.items() if name.endswith(ACCURACY)), default=0.0)
