"""Trained models that come with the package: `zoo:NAME` stands for a run wherever one is asked for.

Each is a folder of ``simulacra/zoo``: ``model.safetensors`` (float16, without what only a training needs) and
``card.json``. `scripts/zoo.py` builds them from their recipes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from simulacra.errors import RunError, nearest

PREFIX = "zoo:"
CARD, MODEL = "card.json", "model.safetensors"


@dataclass(frozen=True)
class Shipped:
    """What is known about a shipped model; ``score`` is the value of ``metric`` on so many test ``images``.

    ``changes`` are the options of `simulacra train` by which it differs from its recipe.
    """

    name: str
    recipe: str
    title: str
    data: str
    metric: str
    unit: str
    score: float
    images: int
    changes: str
    licence: str
    size: int  # bytes of the model file


def home() -> Path:
    """Return the folder of the shipped models."""
    return Path(str(resources.files("simulacra") / "zoo"))


def names() -> list[str]:
    """Return the names of the shipped models."""
    return sorted(path.parent.name for path in home().glob(f"*/{CARD}"))


def shipped(name: str) -> Shipped:
    """Return what is known about a shipped model."""
    folder = home() / name
    facts = json.loads((folder / CARD).read_text("utf-8"))
    return Shipped(name=name, size=(folder / MODEL).stat().st_size, **facts)


def place(text: str) -> Path:
    """Return the folder of ``zoo:NAME``. Raises `RunError` for an unknown name."""
    name, known = text.removeprefix(PREFIX), names()
    if name not in known:
        near = nearest(name, known, prefix=PREFIX)
        raise RunError(f"There is no shipped model '{name}'.{near} Shipped: {', '.join(known) or 'none'}.")
    return home() / name


def is_shipped(path: Path) -> bool:
    """Whether a path is the folder of a shipped model, in which nothing may be written."""
    return path.parent == home()
