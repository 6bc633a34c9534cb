"""Build a shipped model from its recipe, or check that a shipped one still has the score on its card.

    python -m scripts.zoo build NAME [RUN]    # train the recipe into RUN, or continue it there, and ship the model
    python -m scripts.zoo check [NAME]        # measure the shipped models again

A shipped model may be smaller than its recipe's and trained for less time: its card says so. A model whose score misses
the one that is wanted by more than the tolerance is refused, and nothing is shipped.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import simulacra
from simulacra import Run, config
from simulacra.evaluation.evaluate import PARTS
from simulacra.evaluation.evidence import Evidence
from simulacra.export.parts import parts
from simulacra.export.write import needed_weights
from simulacra.metrics.meanings import meaning
from simulacra.models import Scored, mean_score
from simulacra.runs import model_file, zoo

LARGEST = 1_000_000  # bytes of a model file
AGAIN = 0.01  # relative difference from the card that rounding and another machine may make
MEASURED = 2_000  # test images, where the score is not a mean over all of them


@dataclass(frozen=True)
class Wanted:
    """A model to ship: the changes that make its recipe small, the score wanted and by how much it may be missed.

    ``part`` is the part of an evaluation that finds the score; without one it is a mean over the test images.
    """

    metric: str
    score: float
    unit: str
    licence: str
    tolerance: float = 0.02
    part: str | None = None
    title: str | None = None  # where the recipe's says what the changes undo
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        """1 where higher scores are better, -1 where lower ones are."""
        return 1 if meaning(self.metric).better == "higher" else -1

    def misses(self, score: float) -> bool:
        """Whether a score is worse than the one wanted by more than the tolerance."""
        return self.sign * (score - self.score) < -self.tolerance * abs(self.score)


DIGITS = "Apache-2.0, from data under CC BY 4.0"
MNIST = "Apache-2.0, from data under CC BY-SA 3.0"
FASHION = "Apache-2.0, from data under MIT"
MODELS = {
    "quickstart": Wanted("negative_elbo", 97.5, "nats", DIGITS),
    "vae-2d": Wanted(
        "negative_elbo", 152.0, "nats", MNIST, title="VAE with two latents: the manifold of digits", changes={
            "model": {"network": {"kind": "mlp", "hidden": [256, 128]}},
            "train": {"images": 300_000, "ema": 20_000, "schedule": {"kind": "cosine"}},
        },
    ),
    "vae-mlp": Wanted(
        "negative_elbo", 247.0, "nats", FASHION,
        changes={"train": {"images": 1_500_000, "sheet": 500_000, "ema": 150_000}},
    ),
    "cvae": Wanted(
        "label_agreement", 0.95, "share", MNIST, part="samples",
        changes={"model": {"network": {"hidden": [208, 128]}}, "train": {"images": 240_000}},
    ),
    "infogan": Wanted(
        "code_accuracy", 0.95, "share", MNIST, part="codes",
        changes={"model": {"generator": {"dense": 64}, "features": 64}, "train": {"images": 256_000}},
    ),
    "gan": Wanted(
        "frechet_distance", 0.64, "distance^2", MNIST, tolerance=0.15, part="samples",
        changes={"model": {"generator": {"dense": 64}}, "train": {"images": 256_000}},
    ),
    "bigan": Wanted(
        "knn_accuracy", 0.85, "share", MNIST, part="classes",
        changes={"model": {"network": {"hidden": [192, 192]}}, "train": {"images": 240_000}},
    ),
    "cyclegan": Wanted(
        "l1", 0.05, "of the range", "Apache-2.0, from drawings of this package", part="translations",
        changes={"train": {"images": 6_000}},
    ),
}  # fmt: skip


def main(words: list[str]) -> int:
    """Build or check; return the exit status."""
    if words[:1] == ["build"] and len(words) in (2, 3) and words[1] in MODELS:
        return build(words[1], Path(words[2]) if len(words) == 3 else None)
    if words[:1] == ["check"] and all(name in zoo.names() for name in words[1:]):
        return max((check(name) for name in words[1:] or zoo.names()), default=0)
    print(__doc__)
    return 2


def build(name: str, place: Path | None) -> int:
    """Train a model, or continue or take the one that lies at a place, and ship it if the wanted score is reached."""
    wanted = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        run = trained(name, place or Path(folder) / name)
        model = Path(folder) / zoo.MODEL
        needed = needed_weights(run, list(parts(run.model).values()))
        model_file.save_model(run.model, run.config, model, half=True, needed=needed)
        score, size = measured(Run.open(model), wanted), model.stat().st_size
        print(f"{name}: {wanted.metric} {score:.4g}, wanted {wanted.score:g}; {size:,} bytes")
        if wanted.misses(score) or size > LARGEST:
            print("Refused.")
            return 1
        target = zoo.home() / name
        target.mkdir(parents=True, exist_ok=True)
        (target / zoo.MODEL).write_bytes(model.read_bytes())
        (target / zoo.CARD).write_text(json.dumps(card(name, run, score), indent=2) + "\n", "utf-8")
    return 0


def trained(name: str, place: Path) -> Run:
    """Train a model's recipe with its changes into a folder, or continue what was begun there."""
    begun = (place / "config.toml").exists()
    return simulacra.train(name, out=place, changes=MODELS[name].changes, resume=begun)


def card(name: str, run: Run, score: float) -> dict[str, object]:
    """What stands on a shipped model's card."""
    wanted = MODELS[name]
    return {
        "recipe": name, "changes": " ".join(flags(wanted.changes)), "title": wanted.title or config.recipe(name).title,
        "data": run.config.data.name, "metric": wanted.metric, "unit": wanted.unit, "score": float(f"{score:.6g}"),
        "images": MEASURED if wanted.part else len(run.splits.test), "licence": wanted.licence,
    }  # fmt: skip


def flags(changes: Mapping[str, Any], prefix: str = "--") -> Iterator[str]:
    """Changes as options of `simulacra train`."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            yield from flags(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key} {','.join(map(str, value)) if isinstance(value, list) else value}"


def check(name: str) -> int:
    """Measure a shipped model again and compare the score with its card."""
    said = zoo.shipped(name)
    score = measured(Run.open(f"{zoo.PREFIX}{name}"), MODELS[name])
    good = abs(score - said.score) <= AGAIN * abs(said.score)
    print(f"{name}: {said.metric} {score:.4g}, on its card {said.score:.4g}: {'reproduced' if good else 'DIFFERENT'}")
    return 0 if good else 1


def measured(run: Run, wanted: Wanted) -> float:
    """Return a score of a run on its test images: a mean over them, or one that a part of an evaluation finds."""
    if wanted.part is None and isinstance(run.model, Scored):
        batches = run.measuring.fixed(run.splits.test)
        return mean_score(run.model, batches, torch.Generator().manual_seed(0))[wanted.metric]
    evidence = Evidence(run, MEASURED)
    part = next(one for one in PARTS if one.name == wanted.part)
    with torch.no_grad():
        return next(score.value for score in part.measure(evidence) if score.metric == wanted.metric)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
