"""The ledger: rows are trained, measured and written down one seed at a time, so that a kill loses one training.

Results live in a JSON file beside the page; a result whose config is no longer the row's is measured again.
"""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, FiniteFloat, TypeAdapter

from simulacra import config, machine, storage
from simulacra.bench.measures import MEASURES, mixture
from simulacra.bench.mixtures import MIXTURES
from simulacra.bench.rows import Row, rows
from simulacra.errors import RunError
from simulacra.runs.folder import CONFIG
from simulacra.runs.run import Run
from simulacra.storage import atomic
from simulacra.training import Progress
from simulacra.training.session import Session

Tell = Callable[[str], None]
MAX_BYTES = 2**26  # of the file of results


@dataclass(frozen=True)
class Result:
    """One training of one row: its figures, what it took, where and when."""

    row: str
    seed: int
    figures: Annotated[dict[str, FiniteFloat], Field(min_length=1)]
    images: int
    seconds: FiniteFloat
    machine: str
    torch: str
    date: str
    config: str  # SHA-256 of the config

    @property
    def value(self) -> float:
        """The figure that is compared with the source."""
        return next(iter(self.figures.values()))


_FILE = TypeAdapter(dict[str, list[Result]])


class Ledger:
    """A page of results, and the runs behind it."""

    def __init__(self, page: Path, runs: Path, *, data_root: Path | None = None) -> None:
        self.page = page
        self.runs = runs
        self.data_root = data_root
        self.results = _load(page.with_suffix(".json"))

    def fill(self, row: Row, seeds: int, tell: Tell, show: Tell = lambda _: None) -> None:
        """Train and measure what is missing of a row, writing the page after every seed.

        ``tell`` is called with what is new, ``show`` with how far a training is, at each line of its log.
        """
        for seed in range(seeds):
            digest = row.digest(seed)
            if any((r.row, r.seed, r.config) == (row.name, seed, digest) for r in self.results):
                tell(f"{row.name}, seed {seed}: already measured")
                continue
            result = self._measure(row, seed, tell, show)
            self.results = [r for r in self.results if (r.row, r.seed) != (row.name, seed)] + [result]
            self.write()
            tell(f"{row.name}, seed {seed}: {_text(result.value)} {row.unit}")

    def write(self) -> None:
        """Write the results and the page, each whole or not at all. Raises `StorageError`."""
        text = json.dumps({"results": [asdict(result) for result in self.results]}, indent=2, allow_nan=False)
        for path, content in ((self.page.with_suffix(".json"), text), (self.page, "\n".join(self.lines()))):
            with atomic(path) as temporary:
                temporary.write_text(content + "\n", "utf-8")

    def _measure(self, row: Row, seed: int, tell: Tell, show: Tell) -> Result:
        if row.measure in MIXTURES:
            figures, trained = mixture(row.measure, row.config(seed), lambda p: show(_standing(row, seed, p)))
            seconds, images = trained.seconds, trained.images
        else:
            run, seconds, images = self._train(row, seed, tell, show)
            tell(f"{row.name}, seed {seed}: measuring")
            figures = MEASURES[row.measure](run)
        if not all(map(math.isfinite, figures.values())):
            raise RunError(f"{row.name}, seed {seed}: a figure is not finite: {figures}. Train it with another seed.")
        where = f"{machine.processor()}, {torch.get_num_threads()} threads"
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        version = str(torch.__version__)
        return Result(row.name, seed, figures, images, seconds, where, version, today, row.digest(seed))

    def _train(self, row: Row, seed: int, tell: Tell, show: Tell) -> tuple[Run, float, int]:
        """Train, continue, or reuse a finished training of the same config; rows may share one."""
        values = row.config(seed)
        path = self.runs / f"{values.recipe}-{seed}-{row.digest(seed)[:8]}"
        written = path.with_suffix(".toml")
        with atomic(written) as temporary:
            temporary.write_text(config.dumps(values), "utf-8")
        session = Session.start(str(written), out=path, data_root=self.data_root, resume=(path / CONFIG).exists())
        for progress in session:
            if session.notice:
                tell(f"{row.name}, seed {seed}: {session.notice}")
                session.notice = ""
            show(_standing(row, seed, progress))
        return Run.open(path, data_root=self.data_root), session.trainer.seconds, session.trainer.images

    # ---------------------------------------------------------------------------------------------- the page

    def lines(self) -> Iterator[str]:
        """The page in Markdown."""
        yield from HEAD
        yield "| row | what | published | ours | seeds | minutes per seed |"
        yield "| --- | --- | ---: | ---: | ---: | ---: |"
        for row in rows().values():
            yield f"| [`{row.name}`](#{row.name}) | {row.title} | {_published(row)} | {self._ours(row)} |"
        for row in rows().values():
            yield from self._section(row)

    def _ours(self, row: Row) -> str:
        found = self._of(row)
        if not found:
            return f"{'not run: takes hours' if row.size == 'hours' else 'not run yet'} | | "
        minutes = statistics.mean(result.seconds for result in found) / 60
        return f"**{_spread([result.value for result in found])}** | {len(found)} | {minutes:.1f}"

    def _of(self, row: Row) -> list[Result]:
        """The results that belong to the row as it is now."""
        found = [r for r in self.results if r.row == row.name and r.config == row.digest(r.seed)]
        return sorted(found, key=lambda result: result.seed)

    def _section(self, row: Row) -> Iterator[str]:
        yield from ("", f"## {row.name}", "", f"{row.title}: {_published(row)} {row.unit} in {row.source}.", "")
        yield f"- Measured: {row.protocol}"
        yield from (f"- {name}: {text}" for name, text in (("Differs", row.differs), ("Remark", row.remark)) if text)
        yield from ("", "```console", f"simulacra bench ledger {row.name}", "```")
        found = self._of(row)
        if found:
            names = list(found[0].figures)
            yield from ("", f"| seed | {' | '.join(names)} | images | seconds | machine | torch | date |")
            yield f"| ---: |{' ---: |' * (len(names) + 2)} --- | --- | --- |"
            for r in found:
                figures = " | ".join(_text(r.figures[name]) for name in names)
                yield f"| {r.seed} | {figures} | {r.images:,} | {r.seconds:.0f} | {r.machine} | {r.torch} | {r.date} |"


HEAD = (
    "# The ledger",
    "",
    "Published figures beside ours. Every figure of ours was written by the command of its row, which trains,",
    "measures, and continues where it was stopped; `simulacra bench ledger` fills all rows that take minutes. `±`",
    "is the standard deviation over the seeds 0, 1, ...; each row says how its training differs from that of its",
    "source. SSIM of results dated before 2026-11-29 includes windows that reach over the border, where images were",
    "mirrored.",
    "",
)


def _standing(row: Row, seed: int, progress: Progress) -> str:
    left = f"{progress.seconds_left / 60:.0f} min left"
    return f"{row.name}, seed {seed}: {progress.seen:,} of {progress.total:,} images, {left}"


def _published(row: Row) -> str:
    return "-" if row.published is None else f"{row.published:g}"


def _spread(values: list[float]) -> str:
    mean = _text(statistics.mean(values))
    return f"{mean} ± {_text(statistics.stdev(values))}" if len(values) > 1 else mean


def _text(value: float) -> str:
    """At most two decimals from 10 on, four significant digits below."""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4g}"


def _load(path: Path) -> list[Result]:
    if not path.exists():
        return []
    try:
        return _FILE.validate_json(storage.read(path, MAX_BYTES), strict=True)["results"]
    except (OSError, ValueError, KeyError):  # pydantic's error is a ValueError, whatever is wrong with the text
        raise RunError(f"{path} is not a file of ledger results. Move it away, or name another page: --page") from None
