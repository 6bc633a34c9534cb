"""What lies where in a run folder, and how its log is read.

RUN/ config.toml  environment.json  metrics.jsonl  samples/STEP.png  reconstructions/STEP.png
     checkpoints/STEP.pt + latest  model.safetensors  prior.safetensors  report.html  evaluation.json  evaluation.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG, METRICS, MODEL, REPORT = "config.toml", "metrics.jsonl", "model.safetensors", "report.html"
ENVIRONMENT, SAMPLES, RECONSTRUCTIONS, CHECKPOINTS = "environment.json", "samples", "reconstructions", "checkpoints"
EVALUATION, EVALUATION_PAGE, PRIOR = "evaluation.json", "evaluation.html", "prior.safetensors"
DISTANCE, DIVERSITY, WARNING = "samples/distance", "samples/diversity", "warning"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return [row for row in rows if isinstance(row, dict)]


def read_environment(path: Path) -> dict[str, Any]:
    """Read what a run folder says about the machine and the data; empty where it does not say."""
    try:
        found = json.loads((path / ENVIRONMENT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def scores(rows: Sequence[Mapping[str, Any]], keep: str) -> dict[str, float]:
    """The held-out scores of the weights that were kept: the last ones, or those where the first score is best."""
    found = [{k: float(v) for k, v in row.items() if k.startswith(("test/", "validation/"))} for row in rows]
    found = [scores for scores in found if scores]
    if not found:
        return {}
    return min(found, key=lambda scores: next(iter(scores.values()))) if keep == "best" else found[-1]


def pictures_in(folder: Path) -> Sequence[tuple[int, Path]]:
    """The sheets of a folder, in order of their step."""
    found = [(int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdigit()]
    return sorted(found)
