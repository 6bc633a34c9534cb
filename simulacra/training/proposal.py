"""A proposal for a person's own pictures: which model, how large and for how long, in the minutes that there are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from simulacra import config, data, machine, models
from simulacra.config import Config
from simulacra.data import Dataset, derived_seed, reading
from simulacra.data.survey import Survey, survey
from simulacra.errors import DataError
from simulacra.images import Shape
from simulacra.training import length
from simulacra.training.length import FEWEST_STEPS, MOST_PASSES
from simulacra.training.trainer import Trainer

RECIPE = "pictures"
FEWEST = 16  # pictures below which there is nothing to learn
SIDES = ((0.0, 32), (25.0, 64))  # minutes of one core from which pictures of so many pixels are worth it
SMALLEST = 16  # pixels
ALONE = 0.35  # share of the training's time before a discriminator joins in: by then layouts have settled
USED = 0.9  # share of the time for training: the rest is reading, sheets and the report
PROBED = 3.0  # seconds in which the speed is measured
DRAWN = 12  # sample sheets of a training
FIRST_SHEET = 20.0  # seconds after which the first one is drawn, at the latest
EXPECTATIONS = (
    (100, "Expect your pictures again, a little changed: {count:,} are few to learn from."),
    (1_000, "Expect variations of your pictures, not new designs: those take about a thousand pictures."),
    (10_000, "Expect pictures that resemble yours in colours and shapes, soft in their details."),
)
COLOURS = {1: "in grey", 3: "in colour", 4: "in colour with their opacity"}
MANY = "Expect the colours and shapes of your pictures, mixed anew and soft in their details."


@dataclass(frozen=True)
class Proposal:
    """What to train on a set of pictures: changes to the recipe, and the lines that say why."""

    source: Path
    found: Survey
    minutes: float
    changes: dict[str, Any]
    rate: float  # images a second, measured
    images: int

    @property
    def trained(self) -> int:
        """How many pictures are trained on."""
        return self.found.splits.get("train", self.found.count)

    @property
    def passes(self) -> float:
        """How often each training picture is seen."""
        return self.images / max(1, self.trained)

    def command(self, out: Path) -> str:
        """Return the command that this proposal stands for."""
        options = [f"--{key}={value}" for key, value in config.flat(self.changes).items()]
        return shlex.join(["simulacra", "train", RECIPE, "--data", str(self.source), "--out", str(out), *options])

    def lines(self, out: Path) -> list[str]:
        """Return the proposal in plain words: the pictures, what to expect, the model, the length, the command."""
        values = self.changes["data"]
        size = f"{values['size']} x {values.get('width', values['size'])}"
        batch = config.parse(config.merge(config.recipe(RECIPE).values, self.changes)).train.batch
        time = "about a minute" if self.minutes == 1 else f"about {self.minutes:g} minutes"
        passes = "1 pass" if round(self.passes) == 1 else f"{self.passes:,.0f} passes"
        return [
            *self.found.describe(),
            *(["Files that cannot be read are left out."] if values.get("corrupt") == "skip" else []),
            expectation(self.trained),
            f"Model: a VAE that a discriminator joins after a third of the time (recipe {RECIPE}), for pictures of "
            f"{size} pixels {COLOURS[values['channels']]}.",
            f"Length: {self.images:,} images in {time} at {self.rate:,.0f} images/s, which is "
            f"{self.images // batch:,} steps or {passes} over the pictures.",
            *self._doubts(batch),
            *self._transparent(values["channels"]),
            f"The same as: {self.command(out)}",
        ]

    def _transparent(self, channels: int) -> list[str]:
        """What becomes of transparency, where there is some."""
        if not self.found.transparent or channels == 4:
            return []
        return ["Transparent pictures are placed on white. To draw pictures with transparency: --data.channels 4"]

    def _doubts(self, batch: int) -> list[str]:
        """What to say of a length that is too short to learn much, or longer than the pictures are worth."""
        if self.images // batch < FEWEST_STEPS:
            return [f"That is short: below {FEWEST_STEPS:,} steps pictures stay blurred. Give it more --minutes."]
        if self.passes >= MOST_PASSES:
            return [f"More than {MOST_PASSES:,} passes would teach it nothing new, so it ends before the time is over."]
        return []


def propose(path: Path, minutes: float, changes: dict[str, Any]) -> Proposal:
    """Look at pictures and at the machine, and choose what to train in ``minutes``; ``changes`` override each choice.

    Raises `DataError` for too few pictures, `ConfigError` for changes that cannot be.
    """
    found = survey(path)
    readable = found.count - len(found.damaged)
    if readable < FEWEST:
        pictures = "1 picture" if readable == 1 else f"{readable} pictures"
        raise DataError(f"{path} holds {pictures} that can be read, and a model needs at least {FEWEST}. Add more.")
    chosen = config.merge(_by_the_pictures(found, minutes), changes)
    values = config.parse(config.merge(config.recipe(RECIPE).values, chosen))
    alone, rate = speeds(values)
    images = _rounded(rate * 60 * minutes * USED, MOST_PASSES * found.splits.get("train", readable))
    images = values.train.images if "images" in changes.get("train", {}) else images
    lasting = config.merge(_phases(values, images, alone, rate), {"train": {"images": images, **_rhythm(images, rate)}})
    chosen = config.merge(config.merge(chosen, lasting), changes)
    return Proposal(path, found, minutes, chosen, rate, images)


def expectation(count: int) -> str:
    """Return a sentence on what so many pictures can give."""
    return next((text.format(count=count) for most, text in EXPECTATIONS if count < most), MANY)


def speeds(values: Config) -> tuple[float, float]:
    """Return images a second of the first part of a training, before a discriminator joins, and of the whole of it."""
    model = values.model
    if not isinstance(model, config.DeePSiM):
        rate = speed(values)
        return rate, rate
    parts = [model.model_copy(update={"start": start}) for start in (10**9, 0)]
    alone, joined = (speed(values.model_copy(update={"model": part})) for part in parts)
    return alone, ALONE * alone + (1 - ALONE) * joined


def _phases(values: Config, images: int, alone: float, rate: float) -> dict[str, Any]:
    """When a discriminator joins in, in a training of so many images."""
    if not isinstance(values.model, config.DeePSiM):
        return {}
    return {"model": {"start": int(ALONE * alone / rate * images / values.train.batch)}}


def speed(values: Config) -> float:
    """Measure how many images a second this machine trains, on random images, in a few seconds."""
    size, channels = values.data.size, values.data.channels
    assert size is not None
    assert channels is not None
    device = machine.device(values.train.device)
    pixels = torch.randint(0, 256, (values.train.batch, channels, size, values.data.width or size), dtype=torch.uint8)
    precision = machine.precision(values.train, device)
    train = values.train.model_copy(update={"images": 10**9, "precision": precision})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed("probe"))
        shape = Shape(channels, size, values.data.width or 0)
        model = models.build(values.model, shape).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        loader = data.LOADERS[model.batch](
            Dataset("probe", pixels), train.batch, seed=0, device=device, augment=values.data.augment
        )
        return length.speed(Trainer(model, loader, train), PROBED)


def _by_the_pictures(found: Survey, minutes: float) -> dict[str, Any]:
    wanted = next(side for least, side in reversed(SIDES) if minutes >= least)
    size = max(SMALLEST, min(wanted, found.typical // 8 * 8))
    height, width = reading.by_proportions(found.proportions, found.alike, size)
    others: dict[str, Any] = {} if width == height else {"width": width}
    others |= {"corrupt": "skip"} if found.damaged else {}
    return {"data": {"size": height, **others, "channels": 3 if found.colour > 0 else 1}}


def _rhythm(images: int, rate: float) -> dict[str, int]:
    """How often to draw, score and save: a first sheet early, about a dozen in all, two checkpoints on the way."""
    sheet = min(images // DRAWN, _rounded(rate * FIRST_SHEET, images))
    return {"sheet": max(1, sheet), "score": max(1, images // 6), "checkpoint": max(1, images // 3)}


def _rounded(images: float, most: float) -> int:
    """A length of two significant digits, at least one."""
    count = max(1.0, min(images, most))
    unit: int = 10 ** max(0, len(str(int(count))) - 2)
    return max(1, int(count // unit) * unit)
