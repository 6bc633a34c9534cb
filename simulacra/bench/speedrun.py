"""The speed run: seconds of one core until a held-out score is passed, the start of the program included.

Each training is a process of its own with one thread, ``python -m simulacra.bench.speedrun RECIPE SEED [DATA_ROOT]``.
Its processor time counts, so that other work on the machine matters less than on a clock; what is counted is all that a
training does: imports, reading the data, steps, measurements, sheets and checkpoints. It ends at the first measurement
that passes. Other settings than the recipe's are part of a goal, and the table says them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simulacra.errors import ConfigError, SimulacraError, nearest
from simulacra.storage import scratch

MEASUREMENTS = 16  # of a training: a pass is found at most this fraction of its length late


@dataclass(frozen=True)
class Goal:
    """A score of held-out images to get below: the weighted sum of the terms of a log, and the settings that do it."""

    score: str  # as a person reads it
    below: float
    source: str
    terms: Mapping[str, float]
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # tables laid over the recipe

    def value(self, row: Mapping[str, float]) -> float | None:
        """Return the score of a line of a log; None where it holds no measurement."""
        if not self.terms.keys() <= row.keys():
            return None
        return sum(weight * row[name] for name, weight in self.terms.items())


GOALS = {
    "vae-mlp": Goal(
        "test -ELBO in nats",
        247.0,
        "the tutorial's own loop after 30 epochs",
        {"test/negative_elbo": 1.0},
        {
            "train": {
                "images": 720_000,
                "batch": 128,
                "ema": 24_000,
                "optimizer": {"learning_rate": 2e-3},
                "schedule": {"kind": "cosine"},
            }
        },
    ),
}


@dataclass(frozen=True)
class Outcome:
    """How a training went: what it cost, and the score at its last measurement."""

    recipe: str
    seed: int
    seconds: float  # of processor time, up to and with the last measurement
    images: int
    score: float
    passed: bool


def goals(names: list[str]) -> dict[str, Goal]:
    """Return the goals of these recipes, all where none is given. Raises `ConfigError`."""
    for name in names:
        if name not in GOALS:
            raise ConfigError(f"There is no goal for '{name}'.{nearest(name, GOALS)} Recipes: {', '.join(GOALS)}.")
    return {name: GOALS[name] for name in names} or GOALS


def run(recipe: str, seed: int, data_root: str | Path | None = None) -> Outcome:
    """Train in a process of its own with one thread. Raises `SimulacraError` where it fails."""
    words = [sys.executable, "-m", "simulacra.bench.speedrun", recipe, str(seed)]
    words += [] if data_root is None else [str(data_root)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was ended from outside"])[-1]
        raise SimulacraError(f"The training of {recipe} with seed {seed} failed: {last}")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def train(recipe: str, seed: int, data_root: str | None = None, changes: Mapping[str, Any] | None = None) -> Outcome:
    """Train in this process until the goal is passed, or to the end."""
    from simulacra import config
    from simulacra.training.session import Session

    goal = GOALS[recipe]
    tables = config.merge(goal.changes, changes or {})
    values = config.parse(config.merge(config.recipe(recipe).values, tables)).train
    every = max(values.batch, values.images // MEASUREMENTS)
    tables = config.merge(tables, {"train": {"log": every, "score": every, "precision": "float32"}})
    with scratch() as folder:
        session = Session.start(recipe, out=folder / "run", seed=seed, changes=tables, data_root=data_root)
        outcome = Outcome(recipe, seed, 0.0, 0, float("nan"), passed=False)
        for progress in session:
            score = goal.value(session.history()[-1])
            if score is not None:
                spent = round(time.process_time(), 1)
                outcome = Outcome(recipe, seed, spent, progress.seen, score, passed=score < goal.below)
            if outcome.passed:
                break
    return outcome


if __name__ == "__main__":
    print(json.dumps(asdict(train(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))))
