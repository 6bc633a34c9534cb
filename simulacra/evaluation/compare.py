"""Runs side by side: which of their scores may be compared, and which is best.

Differences that another evaluation removes (count, split or features) refuse the whole comparison. Likelihoods of
different densities, which it cannot mend, are refused metric by metric. A metric that only some of the runs have, since
their families differ, is fine.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from simulacra.data import Pairs, Unpaired
from simulacra.errors import ConfigError, RunError
from simulacra.evaluation import scores
from simulacra.evaluation.evidence import check_weights
from simulacra.evaluation.scores import Score
from simulacra.metrics.meanings import by_group, meaning
from simulacra.models import summary
from simulacra.runs import places
from simulacra.runs.folder import EVALUATION, MODEL, read_environment
from simulacra.runs.run import Run

DENSITIES = {"elbo", "reconstruction_nll", "nll", "bits_per_dimension"}  # depend on what a pixel's density is


@dataclass(frozen=True)
class Entry:
    """A run in a comparison, by a name of its own."""

    name: str
    run: Run
    scores: Mapping[str, Score]
    history: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the images of its data set; a file without its run folder needs the data to know."""
        known = self.environment.get("data_sha256")
        return known if isinstance(known, str) else self.run.splits.digest()

    @property
    def density(self) -> str:
        """The likelihood of a pixel, where the family has one."""
        return str(getattr(self.run.config.model, "likelihood", self.run.config.model.family))

    @property
    def binarised(self) -> bool:
        """Whether its images, also those that it is measured on, are black or white only."""
        return self.run.config.data.binarised

    @property
    def domains(self) -> str:
        """What its family learns from: images of one domain, or of two, in pairs or not."""
        batch = self.run.model.batch
        return "pairs" if batch is Pairs else "two unpaired domains" if batch is Unpaired else "images of one domain"

    @property
    def count(self) -> int:
        """The images that most of its scores were measured on."""
        return statistics.mode(score.n for score in self.scores.values())

    @property
    def command(self) -> str:
        """What to type to measure it again."""
        return _command(self.run.path)

    def facts(self) -> dict[str, str]:
        """What the run is and what it took; empty where a single file does not say."""
        values, last = self.run.config, self.history[-1] if self.history else {}
        seconds, seen = float(last.get("seconds", 0)), int(last.get("images", 0))
        return {
            "family": values.model.family,
            "recipe": values.recipe,
            "data": f"{values.data.name}, {self.run.shape}",
            "parameters": f"{sum(summary.totals(self.run.model).values()):,}",
            "images seen": f"{seen:,}" if seen else "",
            "training seconds": f"{seconds:,.0f}" if seen else "",
            "images/s": f"{seen / seconds:,.0f}" if seen and seconds else "",
            "machine": self._machine(),
        }

    def _machine(self) -> str:
        known = [str(self.environment.get(name, "")) for name in ("processor", "device")]
        threads = self.environment.get("threads")
        return ", ".join(word for word in [*known, f"threads: {threads}" if threads else ""] if word)


@dataclass(frozen=True)
class Row:
    """A metric over all entries: its score in each, None where a family lacks it; or why they do not compare."""

    metric: str
    scores: tuple[Score | None, ...]
    refused: str = ""

    @property
    def best(self) -> set[int]:
        """The entries with the best value; none where neither way is better, or only one has the metric."""
        found = {index: score.value for index, score in enumerate(self.scores) if score is not None}
        better = meaning(self.metric).better
        if better is None or len(found) < 2 or self.refused:
            return set()
        best = max(found.values()) if better == "higher" else min(found.values())
        return {index for index, value in found.items() if value == best}


@dataclass(frozen=True)
class Comparison:
    """Entries of one data set, and their scores in groups."""

    entries: tuple[Entry, ...]
    groups: Mapping[str, Sequence[Row]]

    @property
    def refusals(self) -> list[str]:
        """Which metrics are not compared and why, a line for each reason."""
        metrics: dict[str, list[str]] = {}
        for row in itertools.chain(*self.groups.values()):
            if row.refused:
                metrics.setdefault(row.refused, []).append(row.metric)
        return [f"{', '.join(names)} {reason}." for reason, names in metrics.items()]


def compare(paths: Sequence[Path], data_root: Path | None = None) -> Comparison:
    """Open runs, or `.safetensors` files, with their scores, and lay the scores side by side.

    Raises `ConfigError` for fewer than two, for one named twice, for other data, for scores that were measured
    differently, for none in common; `RunError` where a run is missing or was not evaluated.
    """
    if len(paths) < 2:
        raise ConfigError("compare needs at least two runs: simulacra compare RUN RUN ...")
    found = [places.place(path) for path in paths]
    if len({path.resolve() for path in found}) < len(found):
        raise ConfigError("compare was given the same run twice. Name each run once.")
    runs = [Run.open(path, data_root=data_root) for path in found]  # all, before any is sent to be evaluated
    entries = [_entry(run, path, name) for run, path, name in zip(runs, found, _names(found), strict=True)]
    _refuse_other_images(entries)
    _refuse_other_measurements(entries)
    names = list({metric: None for entry in entries for metric in entry.scores})
    groups = {group: [_row(entries, metric) for metric in metrics] for group, metrics in by_group(names).items()}
    _refuse_nothing_in_common([row for rows in groups.values() for row in rows])
    return Comparison(tuple(entries), groups)


# ---------------------------------------------------------------------------------------------- the entries


def _names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path that tells it from the others, else the path."""
    given = [places.name(path) for path in paths]
    last = [given[i] if places.is_borrowed(path) else _folder(path).name or given[i] for i, path in enumerate(paths)]
    return [name if last.count(name) == 1 else whole for name, whole in zip(last, given, strict=True)]


def _folder(path: Path) -> Path:
    """The run folder of a path, where it has one; a single file stands for itself."""
    return path.resolve().parent if path.name == MODEL else path.resolve()


def _entry(run: Run, path: Path, name: str) -> Entry:
    check_weights(run)
    folder = _folder(path)
    file = folder / EVALUATION if folder.is_dir() else folder.with_suffix(".json")
    if not file.is_file():
        if places.is_borrowed(path):
            raise RunError(f"{run.name} comes without its scores ({EVALUATION}), so it cannot be compared.")
        raise RunError(f"{path} has not been evaluated. Type: {_command(path)}")
    found = {score.metric: score for score in scores.load(file)}
    history = Run(folder, run.model, run.config).history()
    return Entry(name, run, found, history, read_environment(folder))


def _command(path: Path) -> str:
    if path.is_dir() or path.name == MODEL:
        return f"simulacra evaluate {path}"
    out = path.with_suffix(".json")
    return f"simulacra evaluate {path} --out {out}" + (" --force" if out.exists() else "")


# -------------------------------------------------------------------------------------------- what is refused


def _refuse_other_images(entries: Sequence[Entry]) -> None:
    first = entries[0]
    for other in entries[1:]:
        found = _other_images(first, other)
        if found is not None:
            reason, remedy = found
            raise ConfigError(f"{first.run.path} and {other.run.path} cannot be compared: {reason}. {remedy}")


def _other_images(a: Entry, b: Entry) -> tuple[str, str] | None:
    """Why two runs are not measured on the same images, and what to do; None if they are."""
    one, two = a.run.config.data.name, b.run.config.data.name
    same_shape = a.run.shape == b.run.shape
    if a.domains != b.domains and not (same_shape and a.digest == b.digest):
        return (
            f"one was trained on {a.domains}, the other on {b.domains}",
            "Compare translators with translators of the same kind, and generators with generators.",
        )
    if not same_shape:
        return (
            f"the images of one are {a.run.shape}, those of the other {b.run.shape}",
            "Train both with the same --data.size and --data.channels.",
        )
    if a.binarised != b.binarised:
        return (
            "one is measured on binarised images, the other on grey ones",
            "Train both with the same --data.augment and --data.binarize_once.",
        )
    if a.digest == b.digest:
        return None
    if one != two:
        return f"one was trained on {one}, the other on {two}", "Train both on the same images: --data NAME"
    return (
        f"both were trained on {one}, but its images, or their division into training and test images, differ",
        "Train both with the same --data.test, --data.validation, --data.per_class and --data.draw.",
    )


def _refuse_other_measurements(entries: Sequence[Entry]) -> None:
    """Refuse scores of one name that were measured differently; evaluated in the same way, they can be compared."""
    for a, b in itertools.combinations(entries, 2):
        common = [metric for metric in a.scores if metric in b.scores]
        reasons = {m: reason for m in common if (reason := scores.comparable(a.scores[m], b.scores[m]))}
        if reasons:
            reason = next(iter(reasons.values()))
            others = len(reasons) - 1
            more = f" The same is true of {others} other score{'s' if others > 1 else ''}." if others else ""
            raise ConfigError(f"{a.name} and {b.name} cannot be compared: {reason}{more} {_remedy(a, b)}")


def _remedy(a: Entry, b: Entry) -> str:
    """What to type so that two runs are measured in the same way."""
    if a.count == b.count:
        return f"Type: {a.command} and {b.command}"
    return f"Type: {max(a, b, key=lambda entry: entry.count).command} --n {min(a.count, b.count)}"


def _row(entries: Sequence[Entry], metric: str) -> Row:
    scores = tuple(entry.scores.get(metric) for entry in entries)
    densities = sorted({entry.density for entry in entries if metric in entry.scores})
    refused = ""
    if metric in DENSITIES and len(densities) > 1:
        refused = f"not compared: {' and '.join(densities)} likelihoods measure different densities"
    return Row(metric, scores, refused)


def _refuse_nothing_in_common(rows: Sequence[Row]) -> None:
    if not any(not row.refused and sum(score is not None for score in row.scores) > 1 for row in rows):
        raise ConfigError(
            "These runs have no score in common that can be compared: their families have different metrics. Compare "
            "generators with generators, and models that have an encoder with each other."
        )
