"""What no loss tells: whether samples become alike or get worse. Some are measured now and then beside real images.

`Watchdog.measure` gives the numbers that a log keeps; `alarm` reads a log and says in words what has gone wrong. It is
a function of the log alone, so that a resumed training says what an uninterrupted one would have said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from simulacra import metrics
from simulacra.data import Dataset, derived_seed
from simulacra.errors import DivergenceError
from simulacra.features import Extractor
from simulacra.images import from_bytes
from simulacra.models import Model
from simulacra.runs.folder import DISTANCE, DIVERSITY
from simulacra.steering import generate

Row = Mapping[str, Any]
ACCURACY = "/accuracy"  # ends the name under which models watch how often their discriminator is right
COUNT, FEWEST = 500, 50  # samples, and images beside them: at most, at least
TIMES, RAREST = 20, 10 * COUNT  # measurements of a training, and the images between two of them at least
YOUNG_SHARE, YOUNG = 0.2, 10_000  # of a training, in images: until then all samples may be alike
PATIENCE = 3  # measurements in a row that must show a fault
ALIKE = 0.1  # of the variance of real images
WORSE = 1.5  # times the least distance so far
SURE = 0.98  # of the discriminator's verdicts right, in each
STUCK, UNLEARNT = 1.05, 0.5  # times the least distance so far; or the least that much of the greatest: no better


class Watchdog:
    """Measures samples beside images of ``dataset``, the same ones every time."""

    def __init__(self, dataset: Dataset, extractor: Extractor, *, seed: int = 0) -> None:
        self.extractor = extractor
        self.seed = derived_seed(seed, "watchdog")
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(self.seed))
        self.real = extractor.features(from_bytes(dataset.images[order[:COUNT]]))

    def measure(self, model: Model) -> dict[str, float]:
        """Return the Frechet distance of samples to the images, and their variance in units of the images'.

        Raises `DivergenceError` for samples that are no numbers.
        """
        drawn = generate.sample(model, len(self.real), seed=self.seed)
        if not torch.isfinite(drawn).all():
            raise DivergenceError("samples became NaN or infinite")
        fake = self.extractor.features(drawn)
        return {
            DISTANCE: metrics.frechet_distance(self.real, fake),
            DIVERSITY: _variance(fake) / max(_variance(self.real), 1e-12),
        }


def _variance(features: Tensor) -> float:
    """The variance of features ``(N, D)``, summed over the dimensions."""
    return float(features.double().var(0).sum())


def interval(total: int) -> int:
    """How many images a training of ``total`` images sees between two measurements."""
    return max(total // TIMES, RAREST)


def alarm(rows: Sequence[Row], total: int) -> str | None:
    """Say what the last measurement of a log shows to be wrong and the one before did not; None where nothing is.

    ``total`` is how many images the whole training sees.
    """
    measured = [row for row in rows if DISTANCE in row]
    known = _faults(measured[:-1], total)
    return next((said for fault, said in _faults(measured, total).items() if fault not in known), None)


def _faults(measured: Sequence[Row], total: int) -> dict[str, str]:
    """What is wrong at the end of some measurements: each fault, and what to say of it."""
    last = [row for row in measured if row["images"] > max(YOUNG_SHARE * total, YOUNG)][-PATIENCE:]
    if len(last) < PATIENCE:
        return {}
    least = min(measured, key=lambda row: row[DISTANCE])
    now, right = last[-1], min(_accuracy(row) for row in last)
    since = (
        f"their distance to real images is {now[DISTANCE]:.3g}, and was {least[DISTANCE]:.3g} "
        f"after {least['images']:,} images"
    )
    found = {}
    if all(row[DIVERSITY] < ALIKE for row in last):
        found["alike"] = f"samples are alike: they vary {now[DIVERSITY]:.1%} as much as real images"
    if all(row[DISTANCE] > WORSE * least[DISTANCE] for row in last):
        found["worse"] = f"samples get worse: {since}"
    stuck = all(row[DISTANCE] > STUCK * least[DISTANCE] for row in last)
    unlearnt = least[DISTANCE] > UNLEARNT * max(row[DISTANCE] for row in measured)
    if right > SURE and least not in last and (stuck or unlearnt):
        found["sure"] = f"the discriminator is right {right:.1%} of the time, and samples do not get better: {since}"
    return found


def _accuracy(row: Row) -> float:
    """How often a discriminator was right, 0 where there is none."""
    return max((value for name, value in row.items() if name.endswith(ACCURACY)), default=0.0)
