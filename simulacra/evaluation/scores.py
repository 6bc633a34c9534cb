"""A score carries what it depends on; `comparable` says why two scores must not be compared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulacra.errors import RunError
from simulacra.storage import atomic


@dataclass(frozen=True)
class Score:
    """One number and what it depends on; ``features`` is ``NAME:DIGEST``, or None where images are not compared.

    ``interval`` holds the ends of its 95 % interval, for images drawn anew, where one is known; ``prior`` is the
    ``NAME:DIGEST`` of the fitted prior that samples were drawn from, or None: from the model's own, or none drawn.
    """

    metric: str
    value: float
    unit: str
    split: str
    n: int
    features: str | None
    seed: int
    interval: tuple[float, float] | None = None
    prior: str | None = None


def comparable(a: Score, b: Score) -> str | None:
    """Return why two scores, of one data set, must not be compared; None if they may."""
    if a.metric != b.metric:
        return f"{a.metric} and {b.metric} are different metrics."
    if a.split != b.split:
        return f"{a.metric} was measured on different splits: {a.split} and {b.split}."
    if a.features != b.features:
        return f"{a.metric} was measured with different features: {a.features} and {b.features}."
    if a.n != b.n:
        return (
            f"{a.metric} was measured on {a.n:,} and on {b.n:,} images, and its value moves with the count. "
            f"Measure both with --n {min(a.n, b.n)}."
        )
    return None


def save(scores: list[Score], path: Path) -> Path:
    """Write scores as JSON, whole or not at all. Raises `StorageError`."""
    records = [
        {name: value for name, value in asdict(score).items() if name not in ("interval", "prior") or value is not None}
        for score in scores
    ]
    text = json.dumps({"scores": records}, indent=2, allow_nan=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n")
    return path


def load(path: Path) -> list[Score]:
    """Read what `save` wrote. Raises `RunError`."""
    try:
        return [_score(record) for record in json.loads(path.read_text("utf-8"))["scores"]]
    except (OSError, ValueError, TypeError, KeyError):
        raise RunError(f"{path} holds no scores. Write them: simulacra evaluate {path.parent} --out {path}") from None


def _score(record: dict[str, Any]) -> Score:
    interval = record.get("interval")
    if interval is not None:
        low, high = map(float, interval)
        record = {**record, "interval": (low, high)}
    return Score(**record)
