"""Whether generated images help: a classifier learns from real images, generated ones or both; real ones test it.

The rival is classical augmentation. What a generator was told must not be more than what the classifier is told: a
model that saw classes is compared on its own training images only, one that did not may be shown few classes.
Source: Classification Accuracy Score for Conditional Generative Models (2019), section 2,
https://arxiv.org/abs/1905.10887
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra import images
from simulacra.data import Dataset, derived_seed
from simulacra.errors import CapabilityError, ConfigError, DataError
from simulacra.evaluation.evidence import check_weights
from simulacra.evaluation.scores import Score
from simulacra.features import fitting, learning
from simulacra.machine import extra
from simulacra.models import Conditional, Model, Translating
from simulacra.runs.run import Run
from simulacra.steering import synthetic
from simulacra.transforms import Pipeline

TRAININGS = 5  # of each arm, with seeds of their own
TRAINING_STEPS = 400  # of gradient descent in each training
BATCH_SIZE = 50  # real and generated images together, at each step
GENERATED_IMAGES = 2_000  # images drawn for a training, which sees each of them a few times
CLASSICAL = "affine"  # the pipeline of changes that generated images are compared with
UNIT = "share"


@dataclass(frozen=True)
class Arm:
    """What a classifier learns from: the share of generated images in a batch, classical augmentation or not."""

    generated: float
    classical: bool


ARMS = {
    "real": Arm(0.0, classical=False),
    "classical": Arm(0.0, classical=True),
    "generated": Arm(0.5, classical=False),
    "both": Arm(0.5, classical=True),
    "synthetic": Arm(1.0, classical=False),
}


def measure(
    run: Run,
    *,
    per_class: int | None = None,
    repeats: int = TRAININGS,
    steps: int = TRAINING_STEPS,
    augment: str = CLASSICAL,
    arms: Sequence[str] = tuple(ARMS),
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict[str, list[float]]:
    """Return the test accuracies of each of `ARMS`, one per repeat: equal images, steps and first weights in a repeat.

    ``per_class`` shows the classifier so many training images of each class, drawn anew for each repeat; it is for
    models that saw no classes. Raises `ConfigError`, `DataError`, `CapabilityError`.
    """
    if isinstance(run.model, Translating):
        raise CapabilityError(
            f"--downstream trains on generated images with classes, but a {run.config.model.family} only translates "
            "images. Leave --downstream out to measure translations."
        )
    check_weights(run)
    splits = run.splits
    if not learning.labelled(splits):
        raise DataError(f"{splits.train.name} has no classes. Put its images into one subfolder per class.")
    if per_class is not None and isinstance(run.model, Conditional):
        raise ConfigError(
            f"This {run.config.model.family} was trained with the classes of {len(splits.train):,} images, more than "
            f"--labels would give to the classifier. Train it on as few: simulacra train {run.config.model.family} "
            f"--data {splits.train.name} --data.per_class {per_class}"
        )
    synthetic.require(run.model, splits.train)
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    for repeat in range(repeats):
        own = derived_seed(seed, "downstream", repeat)
        real = splits.train if per_class is None else splits.train.few(per_class, own)
        pool = drawn(run.model, real, own)
        for arm in arms:
            if progress is not None:
                progress(f"{arm}, repeat {repeat + 1} of {repeats}")
            found[arm].append(accuracy(real, pool, splits.test, arm, steps=steps, augment=augment, seed=own))
    return found


def accuracy(
    real: Dataset, pool: Dataset, test: Dataset, arm: str, *, steps: int = TRAINING_STEPS, augment: str = CLASSICAL,
    seed: int = 0,
) -> float:  # fmt: skip
    """Return the test accuracy of a classifier that was trained on what an arm says."""
    network = learning.untrained(learning.chosen(real).side, real, seed)
    batches = _batches(real, pool, ARMS[arm], steps, augment, seed)
    fitting.fit_classifier(network, batches, steps=steps, learning_rate=learning.LEARNING_RATE)
    return fitting.accuracy(network, test)


def protocol(run: Run, per_class: int | None) -> str:
    """Say in a sentence what the classifier and the generator were told."""
    count, told = len(run.splits.train), isinstance(run.model, Conditional)
    shown = count if per_class is None else per_class * len(run.splits.train.classes)
    return (
        f"The classifier was trained on {shown:,} real images with classes; "
        f"the {run.config.model.family} was trained on {count:,} images {'with' if told else 'without'} classes."
    )


def scores(found: dict[str, list[float]], n: int, seed: int) -> list[Score]:
    """Return the mean accuracy of each arm, and what generated images add to classical augmentation, as scores."""
    rows = {f"downstream_{arm}": values for arm, values in found.items()}
    if {"both", "classical"} <= set(found):
        rows["downstream_gain"] = [a - b for a, b in zip(found["both"], found["classical"], strict=True)]
    return [
        Score(name, statistics.fmean(values), UNIT, "test", n, None, seed, interval(values))
        for name, values in rows.items()
    ]


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the ends of Student's 95 % interval of the mean; None for a single value."""
    if len(values) < 2:
        return None
    reach = extra("scipy.stats", "--downstream").t.ppf(0.975, len(values) - 1) * statistics.stdev(values)
    mean, reach = statistics.fmean(values), float(reach) / len(values) ** 0.5
    return mean - reach, mean + reach


def drawn(model: Model, real: Dataset, seed: int) -> Dataset:
    """Return a data set of generated images, the classes in turn; see `synthetic.generated`."""
    labels = torch.arange(GENERATED_IMAGES) % len(real.classes)
    pixels = images.to_bytes(synthetic.generated(model, real, labels, seed=seed))
    return Dataset("generated", pixels, labels, real.classes)


def _batches(
    real: Dataset, pool: Dataset, arm: Arm, steps: int, augment: str, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
    generator = torch.Generator().manual_seed(derived_seed(seed, "batches"))
    change = Pipeline.parse(augment)
    made = round(arm.generated * BATCH_SIZE)
    for _ in range(steps):
        drawn = [_some(pool, made, generator), _some(real, BATCH_SIZE - made, generator)]
        x, y = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        yield (change(x, generator) if arm.classical else x), y


def _some(dataset: Dataset, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    assert dataset.labels is not None
    chosen = torch.randint(max(1, len(dataset)), (count,), generator=generator)
    return images.from_bytes(dataset.images[chosen]), dataset.labels[chosen]
