"""The page about several runs: what they are, their scores, curves, samples and reconstructions side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from simulacra import images
from simulacra.errors import DataError
from simulacra.evaluation.compare import Comparison, Entry, Row
from simulacra.metrics.meanings import FLOOR, meaning, without_floors
from simulacra.models import Generative, Inferential
from simulacra.pages import layout
from simulacra.pages.evaluation import beside
from simulacra.pages.layout import Cell, number

SAMPLES, SAMPLE_COLUMNS = 30, 6
PAIRS, PAIR_COLUMNS = 12, 6
LEAD = "Runs on the same images. Scores stand side by side only if they were measured in the same way."
CURVES = (
    "Values that at least two of the runs logged. Loss terms include the weights of each run; test and validation "
    "values are measured in the same way for all runs."
)
SCORES = (
    "A star marks the best score of a row. Differences no larger than those between two seeds mean nothing. "
    "A dash means that the run's family has no such score."
)


def write(comparison: Comparison, path: Path) -> Path:
    """Write the page of a comparison. Raises `StorageError`."""
    entries = comparison.entries
    body = [
        _runs(entries),
        _scores(comparison),
        _curves(entries),
        _samples([entry for entry in entries if isinstance(entry.run.model, Generative)]),
        _reconstructions([entry for entry in entries if isinstance(entry.run.model, Inferential)]),
    ]
    return layout.write(path, " / ".join(entry.name for entry in entries), LEAD, body)


def _runs(entries: Sequence[Entry]) -> str:
    facts = [entry.facts() for entry in entries]
    rows = [[name, *(fact[name] or "–" for fact in facts)] for name in facts[0]]
    note = "Training time and speed depend on the machine, and on what else was running on it."
    return layout.section("Runs", note, layout.table(["", *(entry.name for entry in entries)], rows))


# ------------------------------------------------------------------------------------------------ the scores


def _scores(comparison: Comparison) -> str:
    rows: list[list[Cell | str]] = []
    for group, found in comparison.groups.items():
        of = {row.metric: row for row in found}
        rows.append([Cell(group, kind="group", span=len(comparison.entries) + 1)])
        rows += [_row(of[name], of.get(name + FLOOR)) for name in without_floors(of)]
    head: list[Cell | str] = ["metric", *(number(entry.name) for entry in comparison.entries)]
    return layout.section("Scores", SCORES, layout.table(head, rows))


def _row(row: Row, floor: Row | None) -> list[Cell | str]:
    said = meaning(row.metric)
    unit = next(score.unit for score in row.scores if score is not None)
    name = Cell(row.metric, f"{said.sentence} Unit: {unit}" + (f"; {said.better} is better." if said.better else "."))
    if row.refused:
        return [name, Cell(row.refused, kind="refused", span=len(row.scores))]
    floors = floor.scores if floor is not None else [None] * len(row.scores)
    cells: list[Cell | str] = []
    for index, (score, least) in enumerate(zip(row.scores, floors, strict=True)):
        below = "" if score is None else beside(score, least)
        cells.append(number("–" if score is None else f"{score.value:.4g}", below, best=index in row.best))
    return [name, *cells]


# ---------------------------------------------------------------------------------------------- the pictures


def _curves(entries: Sequence[Entry]) -> str:
    """What at least two runs logged; nats of different densities have no axis in common."""
    logged = [set(layout.logged(entry.history)) for entry in entries]
    densities = {entry.density for entry in entries if isinstance(entry.run.model, Inferential)}
    names = [
        name
        for name in layout.logged([row for entry in entries for row in entry.history])
        if sum(name in known for known in logged) > 1 and not (len(densities) > 1 and _is_density(name))
    ]
    return layout.curves(CURVES, {entry.name: entry.history for entry in entries}, names) if names else ""


def _is_density(name: str) -> bool:
    return name.rpartition("/")[2] in ("nll", "negative_elbo", "negative_bound")


def _samples(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    drawn = [entry.run.sample(SAMPLES, seed=0) for entry in entries]
    figures = [
        layout.captioned(images.grid(images.magnified(x), SAMPLE_COLUMNS), entry.name)
        for entry, x in zip(entries, drawn, strict=True)
    ]
    note = f"The first {SAMPLES} samples of seed 0, not chosen by hand."
    return layout.section("Samples", note, layout.box("side-by-side", *figures))


def _reconstructions(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    try:
        originals = entries[0].run.examples(PAIRS)
    except DataError as error:
        return layout.section("Reconstructions", f"Not shown, because the test images cannot be read: {error}")
    note = "The same test images, not chosen by hand, reconstructed by each run."
    return layout.section("Reconstructions", note, layout.box("side-by-side", *_columns(entries, originals)))


def _columns(entries: Sequence[Entry], originals: Tensor) -> Iterable[str]:
    yield layout.captioned(images.grid(images.magnified(originals), PAIR_COLUMNS), "original")
    for entry in entries:
        returned = entry.run.reconstruct(originals)
        yield layout.captioned(images.grid(images.magnified(returned), PAIR_COLUMNS), entry.name)
