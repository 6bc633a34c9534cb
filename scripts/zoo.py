"""Build a shipped model from its recipe, or check that a shipped one still has the score on its card.

    python -m scripts.zoo build NAME [RUN]    # train the recipe, or take a finished RUN of it, and ship the model
    python -m scripts.zoo check [NAME]        # measure the shipped models again

A model whose score misses its recipe's by more than the tolerance is refused, and nothing is shipped.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

import simulacra
from simulacra import Run, config
from simulacra.evaluation.evaluate import evaluate
from simulacra.export.parts import parts
from simulacra.export.write import needed_weights
from simulacra.models import Scored, mean_score
from simulacra.runs import model_file, zoo

LARGEST = 1_000_000  # bytes of a model file
AGAIN = 0.01  # relative difference from the card that rounding and another machine may make


@dataclass(frozen=True)
class Wanted:
    """A score that a recipe states, and by how much a training may miss it."""

    metric: str
    score: float
    tolerance: float
    unit: str
    licence: str


APACHE = "Apache-2.0, from data under CC BY 4.0"
MODELS = {"quickstart": Wanted("negative_elbo", 97.5, 0.02, "nats", APACHE)}


def main(words: list[str]) -> int:
    """Build or check; return the exit status."""
    if words[:1] == ["build"] and len(words) in (2, 3) and words[1] in MODELS:
        return build(words[1], Path(words[2]) if len(words) == 3 else None)
    if words[:1] == ["check"] and all(name in zoo.names() for name in words[1:]):
        return max((check(name) for name in words[1:] or zoo.names()), default=0)
    print(__doc__)
    return 2


def build(name: str, finished: Path | None) -> int:
    """Train a recipe, or open a finished run of it, and ship its model if its score is reached."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(finished) if finished else simulacra.train(name, out=Path(folder) / name)
        wanted = MODELS[name]
        model = Path(folder) / zoo.MODEL
        needed = needed_weights(run, list(parts(run.model).values()))
        model_file.save_model(run.model, run.config, model, half=True, needed=needed)
        score = measured(Run.open(model), wanted.metric)
        size = model.stat().st_size
        print(f"{name}: {wanted.metric} {score:.4g}, of the recipe {wanted.score:g}; {size:,} bytes")
        if score > wanted.score * (1 + wanted.tolerance) or size > LARGEST:
            print("Refused.")
            return 1
        recipe = config.recipe(name)
        card = {
            "recipe": name, "title": recipe.title, "data": run.config.data.name, "metric": wanted.metric,
            "unit": wanted.unit, "score": float(f"{score:.6g}"), "licence": wanted.licence,
        }  # fmt: skip
        target = zoo.home() / name
        target.mkdir(parents=True, exist_ok=True)
        (target / zoo.MODEL).write_bytes(model.read_bytes())
        (target / zoo.CARD).write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    return 0


def check(name: str) -> int:
    """Measure a shipped model again and compare the score with its card."""
    card = zoo.shipped(name)
    score = measured(Run.open(f"{zoo.PREFIX}{name}"), card.metric)
    good = abs(score - card.score) <= AGAIN * abs(card.score)
    print(f"{name}: {card.metric} {score:.4g}, on its card {card.score:.4g}: {'reproduced' if good else 'DIFFERENT'}")
    return 0 if good else 1


def measured(run: Run, metric: str) -> float:
    """Return a score of a run on its test images: the model's own, or one of an evaluation."""
    if isinstance(run.model, Scored):
        batches = run.measuring.fixed(run.splits.test)
        scores = mean_score(run.model, batches, torch.Generator().manual_seed(0))
        if metric in scores:
            return scores[metric]
    return next(score.value for score in evaluate(run).scores if score.metric == metric)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
