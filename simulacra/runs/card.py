"""A run as a card of HTML, for notebooks: what it is, a sample grid, its scores."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulacra import images
from simulacra.errors import SimulacraError
from simulacra.models import Generative, Inferential
from simulacra.runs.folder import EVALUATION, is_folder

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.runs.run import Run

SHOWN = 16  # samples on a card


def card(run: Run) -> str:
    """Return the card of a run; what cannot be had (samples of a model without a prior, its data) is left out."""
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start;overflow-wrap:anywhere">'
        f"{_sheet(run)}<div>{_table(_facts(run))}{_table(_scores(run))}</div></div>"
    )


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    values = run.config
    parameters = sum(one.numel() for one in run.model.parameters())
    yield "run", run.name
    yield "model", f"{values.model.family} ({values.recipe}), {parameters:,} parameters"
    yield "images", f"{run.shape}, trained on {values.data.name}"
    history = run.history()
    if history:
        yield "trained", f"{history[-1].get('images', 0):,} images"


def _scores(run: Run) -> Iterator[tuple[str, str]]:
    """The scores of an evaluation, else the last values of the log on held-out images."""
    found = run.folder.table(EVALUATION).get("scores") if is_folder(run.path) else None
    for score in found if isinstance(found, list) else []:
        if isinstance(score, dict) and isinstance(score.get("value"), int | float):
            yield str(score.get("metric")), f"{score['value']:.4g} {score.get('unit', '')}"
    if not found:
        yield from _held_out(run.history())


def _held_out(history: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    measured = [row for row in history if any(key.startswith(("test/", "validation/")) for key in row)]
    for key, value in (measured[-1] if measured else {}).items():
        if key.startswith(("test/", "validation/")):
            yield key, f"{value:.4g}"


def shown(run: Run, n: int) -> Tensor | None:
    """Draw ``n`` samples, or reconstructions for a model that has no prior; return None where neither can be had."""
    try:
        if isinstance(run.model, Generative):
            return run.sample(n)
        return run.reconstruct(run.examples(n)) if isinstance(run.model, Inferential) else None
    except SimulacraError:
        return None


def _sheet(run: Run) -> str:
    pictures = shown(run, SHOWN)
    if pictures is None:
        return ""
    return f'<img alt="images of this model" src="{images.data_url(images.grid(images.magnified(pictures)))}">'


def _table(rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>" if cells else ""
