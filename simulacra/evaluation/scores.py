"""A score carries what it depends on; `comparable` says why two scores must not be compared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, FiniteFloat, TypeAdapter

from simulacra import storage
from simulacra.errors import RunError
from simulacra.storage import atomic

MAX_COUNT = 2**63 - 1
MAX_LENGTH = 200  # characters of a name
MAX_BYTES = 2**24  # of a file


def _printable(text: str) -> str:
    """Refuse text that could change what a terminal shows."""
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Text = Annotated[str, Field(max_length=MAX_LENGTH), AfterValidator(_printable)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]


@dataclass(frozen=True)
class Score:
    """One number and what it depends on; ``features`` is ``NAME:DIGEST``, or None where images are not compared.

    ``interval`` holds the ends of its 95 % interval, for images drawn anew, where one is known; ``prior`` is the
    ``NAME:DIGEST`` of the fitted prior that samples were drawn from, or None: from the model's own, or none drawn.
    """

    metric: Text
    value: FiniteFloat
    unit: Text
    split: Text
    n: Count
    features: Text | None
    seed: Count
    interval: tuple[FiniteFloat, FiniteFloat] | None = None
    prior: Text | None = None


_FILE = TypeAdapter(dict[str, Annotated[list[Score], Field(min_length=1)]])


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
    """Read what `save` wrote. Raises `RunError` for anything else."""
    try:
        return _FILE.validate_json(storage.read(path, MAX_BYTES), strict=True)["scores"]
    except (OSError, ValueError, KeyError):  # pydantic's error is a ValueError, whatever is wrong with the text
        raise RunError(
            f"{path} is not a file of scores. Write it again: simulacra evaluate RUN --out {path} --force"
        ) from None
