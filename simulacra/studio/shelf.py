"""What the gallery shows of a run without opening its model: from its config, its log and its sheets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from simulacra.config import Config
from simulacra.errors import SimulacraError
from simulacra.models import FAMILIES
from simulacra.models.base import CodePrior
from simulacra.runs import model_file
from simulacra.runs.folder import (
    CONFIG,
    EVALUATION,
    EVALUATION_PAGE,
    METRICS,
    MODEL,
    PRIOR,
    RECONSTRUCTIONS,
    REPORT,
    SAMPLES,
    WARNING,
    scores,
)
from simulacra.storage import atomic
from simulacra.studio.gallery import Found

KINDS = {"samples": SAMPLES, "reconstructions": RECONSTRUCTIONS}
PAGES = {"report": REPORT, "evaluation": EVALUATION_PAGE}
POINTS = 600  # of a curve


def summary(found: Found, notes: Mapping[str, Any]) -> dict[str, Any]:
    """A run in a few facts; one that cannot be read says why."""
    try:
        return {**_facts(found), "note": notes.get(found.id, {})}
    except SimulacraError as error:
        return {"id": found.id, "name": found.name, "ready": False, "broken": str(error), "note": {}}


def _facts(found: Found) -> dict[str, Any]:
    values, rows = config_of(found), rows_of(found)
    data = Path(values.data.name).name
    return {
        "id": found.id, "name": found.name, "ready": found.ready, "recipe": values.recipe, "data": data,
        "family": values.model.family, "latent": getattr(values.model, "latent", None),
        "abilities": abilities(values, found),
        "images": rows[-1]["images"] if rows else 0,
        "total": values.train.images, "seconds": rows[-1]["seconds"] if rows else 0.0, "scores": _scores(values, rows),
        "sheets": {kind: steps(found, kind) for kind in KINDS}, "warning": _warning(rows),
        "directions": list(getattr(FAMILIES[values.model.family], "directions", ())),
        "pages": [name for name, file in PAGES.items() if found.folder.file(file) is not None],
    }  # fmt: skip


def config_of(found: Found) -> Config:
    """The config of a run: from its file, or where there are weights alone from these. Raises `RunError`."""
    if found.folder.file(CONFIG) is not None or (weights := found.folder.file(MODEL)) is None:
        return found.folder.config()
    status = weights.stat()
    return _config_of_weights(weights, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _config_of_weights(weights: Path, _changed: int, _size: int) -> Config:
    return model_file.load_model(weights)[1]


def abilities(values: Config, found: Found) -> list[str]:
    """What the family of a run can do, by the names of the rooms' actions."""
    family = FAMILIES[values.model.family]
    encodes, decodes = hasattr(family, "encode"), hasattr(family, "decode")
    fitted = encodes and found.folder.file(PRIOR) is not None
    able = {
        "sample": hasattr(family, "prior") or fitted, "decode": decodes, "encode": encodes and decodes,
        "codes": issubclass(family, CodePrior), "translate": hasattr(family, "redraw"),
        "label": hasattr(family, "conditioned"),
    }  # fmt: skip
    return [name for name, has in able.items() if has]


def steps(found: Found, kind: str) -> list[int]:
    """The steps of a run's sheets."""
    return [step for step, _ in found.folder.sheets(KINDS[kind])]


def sheet(found: Found, kind: str, step: int) -> bytes | None:
    """A sheet of a run, looked up in the list of those that there are."""
    path = next((path for at, path in found.folder.sheets(KINDS.get(kind, SAMPLES)) if at == step), None)
    return None if path is None else path.read_bytes()


def page(found: Found, name: str) -> str | None:
    """A report or an evaluation page of a run."""
    return found.folder.text(PAGES[name]) if name in PAGES else None


def evaluation(found: Found) -> dict[str, Any]:
    """The scores of a run's evaluation, with their conditions."""
    return dict(finite(found.folder.table(EVALUATION)))


def rows_of(found: Found) -> list[dict[str, Any]]:
    """The lines of a run's log; read again where the file has changed."""
    path = found.folder.file(METRICS)
    if path is None:
        return []
    status = path.stat()
    return _rows(found, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _rows(found: Found, _changed: int, _size: int) -> list[dict[str, Any]]:
    return found.folder.history()


def length(found: Found) -> int | None:
    """How many images a run's training sees in all; None where its config cannot be read."""
    path = found.path / CONFIG
    try:
        return _length(found, path.stat().st_mtime_ns)
    except (OSError, SimulacraError):
        return None


@lru_cache(maxsize=64)
def _length(found: Found, _changed: int) -> int:
    return found.folder.config().train.images


def thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that a curve can show: every warning, every measurement, and others evenly; numbers are finite or absent."""
    step = max(1, math.ceil(len(rows) / POINTS))
    kept = [row for at, row in enumerate(rows) if at % step == 0 or at == len(rows) - 1 or WARNING in row]
    return [finite(row) for row in kept]


def finite(value: Any) -> Any:
    """A value without what JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, list) else value


def _scores(values: Config, rows: list[dict[str, Any]]) -> dict[str, float | None]:
    return dict(finite(scores(rows, values.train.keep)))


def _warning(rows: list[dict[str, Any]]) -> str | None:
    return next((row[WARNING] for row in reversed(rows) if WARNING in row), None)


class Notes:
    """Stars and notes, in one file of the studio's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, Any]:
        """Every note by the run's id."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def keep(self, run: str, star: bool, text: str) -> None:
        """Keep a note. Raises `StorageError`."""
        with atomic(self.path) as temporary:
            temporary.write_text(json.dumps({**self.all(), run: {"star": star, "text": text}}), "utf-8")
