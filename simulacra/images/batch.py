"""Many files at once: where results go, and each read, changed and written on its own."""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from simulacra import images
from simulacra.config.grey import GreyRange
from simulacra.errors import ConfigError, DataError, UserError
from simulacra.images.files import ENDINGS, FORMATS, Entry, Frames, Picture, read, write
from simulacra.images.find import find_with_others
from simulacra.images.names import targets
from simulacra.machine import refuse_more_than_memory
from simulacra.storage import inside

Result = TypeVar("Result")

PARALLEL = 8
IN_FLIGHT = 256 << 20  # bytes that all files worked on at one time may hold
DECODING = 6  # bytes for a pixel that is decoded to 8 bits and copied once
WORKING = 24  # bytes for a pixel that is decoded, changed and written: three channels of float32, twice


Item = TypeVar("Item")


class Counted(Protocol):
    """Passes items on while showing how many there were, of how many, and what is done to them."""

    def __call__(self, items: Iterable[Item], total: int, what: str, /) -> Iterator[Item]:
        """Yield every item."""


@dataclass(frozen=True)
class Job:
    """One file to read and the path that its result goes to."""

    entry: Entry
    out: Path


@dataclass(frozen=True)
class Done:
    """What became of a job: ``notes`` on what was read and written, or the ``reason`` that left it out."""

    job: Job
    notes: tuple[str, ...] = field(default=())
    reason: str | None = None

    @property
    def problem(self) -> str | None:
        """The reason that left the file out, beginning with its name."""
        name = str(self.job.entry.name)
        return self.reason if self.reason is None or self.reason.startswith(name) else f"{name}: {self.reason}"


def find_all(paths: Sequence[Path]) -> tuple[list[Entry], list[str]]:
    """List the image files of several paths, and say what was passed over, a line for each path where there was any.

    With more than one path, the files of a folder or zip go below its name.
    """
    if len(paths) == 1:
        entries, others = find_with_others(paths[0])
        return entries, [str(others)] if others.counts else []
    found, passed = [], []
    for path in paths:
        below = path.resolve().stem if path.suffix else path.resolve().name
        entries, others = find_with_others(path)
        single = path.is_file() and path.suffix.lower() in ENDINGS
        found += [entry if single else replace(entry, name=inside(f"{below}/{entry.name}")) for entry in entries]
        passed += [f"{path}: {others}"] if others.counts else []
    return found, passed


def plan(
    entries: Sequence[Entry], out: Path, *, ending: str | None = None, frames: Frames = "first", force: bool = False
) -> list[Job]:
    """Say where the result of every file goes: a file of the same name below ``out``, or ``out`` itself for one file.

    ``ending`` (such as ".png") changes the format; GIFs become PNGs unless all frames are kept. No result leaves the
    folder, and no two have one name, see `names.targets`. Raises `ConfigError` where a result exists and ``force`` is
    off, or where ``out`` cannot be a folder; nothing is written then.
    """
    if out.suffix.lower() in FORMATS and not out.is_dir():
        if len(entries) > 1:
            raise ConfigError(f"--out {out} is one file, but there are {len(entries):,} images. Name a folder.")
        jobs = [Job(entries[0], out)]
    elif out.suffix.lower() == ".zip":
        raise ConfigError(f"--out {out}: results are written to a folder, not a zip. Name a folder.")
    elif out.is_file():
        raise ConfigError(f"--out {out} is a file; name a folder, or a picture that ends in .png.")
    else:
        endings = [_ending(entry.name, ending, frames) for entry in entries]
        paths = targets(out, [entry.name for entry in entries], endings)
        jobs = [Job(entry, path) for entry, path in zip(entries, paths, strict=True)]
    refuse_taken([job.out for job in jobs], force=force)
    return jobs


def _ending(name: PurePosixPath, ending: str | None, frames: Frames) -> str:
    moving = frames == "all" or name.suffix.lower() != ".gif"
    return ending or (name.suffix if moving else ".png")


def refuse_taken(paths: Sequence[Path], *, force: bool) -> None:
    """Raise `ConfigError` if one of the files that are to be written is there already.

    ``force`` allows files, though no folders, to be there.
    """
    there = [path for path in paths if os.path.lexists(path)]
    if there and not force:
        more = f" (and {len(there) - 1:,} more)" if len(there) > 1 else ""
        raise ConfigError(f"{there[0]}{more} exists already. Overwrite with --force, or choose another --out.")
    _refuse_folders(there)


def _refuse_folders(paths: Sequence[Path]) -> None:
    folder = next((path for path in paths if path.is_dir()), None)
    if folder is not None:
        raise ConfigError(f"{folder} is a folder where a picture would go. Choose another --out.")


def convert(
    jobs: Sequence[Job],
    change: Callable[[Picture], Picture],
    *,
    max_megapixels: float = 32.0,
    frames: Frames = "first",
    grey_range: GreyRange | None = None,
    workers: int | None = None,
) -> Generator[Done, None, None]:
    """Read, change and write each file, several at once; yield what became of each, in order.

    A file that cannot be read, or that ``change`` refuses with a `UserError`, is left out with the reason and the
    others go on. ``change`` runs on several threads; what it draws must depend on the picture's name only. Raises
    `StorageError` when the disk refuses.
    """

    def one(job: Job) -> Done:
        name = job.entry.name
        try:
            refuse_more_than_memory(weight(job.entry, WORKING), f"Work on {name}", "Shrink the file.")
            changed = change(read(job.entry, max_megapixels=max_megapixels, frames=frames, grey_range=grey_range))
            return Done(job, (*changed.notes, *write(changed, job.out)))
        except UserError as error:
            return Done(job, reason=str(error))
        except MemoryError:
            return Done(job, reason=f"{name} is too large for this machine's memory.")

    return each(jobs, one, workers, lambda job: weight(job.entry, WORKING))


def refuse_all_failed(done: Sequence[Done]) -> None:
    """Raise `DataError` where no file could be used; the reason stands once where it is the same for all."""
    if not done or any(one.reason is None for one in done):
        return
    reasons = {one.reason for one in done}
    if len(done) == 1:
        raise DataError(f"{done[0].problem}")
    if len(reasons) == 1:
        raise DataError(f"{reasons.pop()} All {len(done):,} files failed for this reason; nothing was written.")
    shown = " ".join(f"{one.problem}" for one in done[:3])
    raise DataError(f"None of the {len(done):,} files could be used; nothing was written. First: {shown}")


def reported(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Return what became of every file, ready for JSON: its name, and its problem or its path and notes."""
    return [
        {"file": str(one.job.entry.name), "out": str(one.job.out), "notes": list(one.notes)}
        if one.reason is None
        else {"file": str(one.job.entry.name), "problem": one.problem}
        for one in done
    ]


# ---------------------------------------------------------------------------------------- several at once


def weight(entry: Entry, bytes_per_pixel: int) -> int:
    """Estimate the bytes that work on a file holds, by its header: its pixels, and the file where a zip unpacks it."""
    head = entry.head()
    sides = images.dimensions(head)
    unpacked = 0 if isinstance(head, Path) else entry.size
    return unpacked + (sides[0] * sides[1] if sides is not None else entry.size) * bytes_per_pixel


class _Stopped(Exception):
    """The work had not begun when its results ceased to be wanted."""


class _Crew:
    """Lets work begin only while all that is going on holds no more than a number of bytes; one may always go on.

    It counts what has begun by itself: where a signal comes as a pool starts a thread, the pool never hears of it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = self.working = 0
        self.stopped = False
        self.changed = threading.Condition()

    @contextmanager
    def holding(self, count: int) -> Iterator[None]:
        """Wait for room, and take it while the block lasts. Raises `_Stopped`."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or self.used == 0 or self.used + count <= self.limit)
            if self.stopped:
                raise _Stopped
            self.used += count
            self.working += 1
        try:
            yield
        finally:
            with self.changed:
                self.used -= count
                self.working -= 1
                self.changed.notify_all()

    def stop(self) -> None:
        """Let nothing more begin, and wait for the end of what has begun."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.working == 0)


def each(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    workers: int | None = None,
    weigh: Callable[[Item], int] | None = None,
) -> Generator[Result, None, None]:
    """Do some work on every item on a few threads; yield results in order, never holding more than twice as many.

    ``weigh`` estimates the bytes that the work on an item holds: so many are worked on at once as fit `IN_FLIGHT`.
    Whatever ends it, an interrupt too, no work goes on or begins afterwards.
    """
    workers = workers or min(PARALLEL, os.cpu_count() or 1)
    crew = _Crew(IN_FLIGHT)
    waiting: deque[Future[Result]] = deque()

    def weighed(item: Item) -> Result:
        with crew.holding(0 if weigh is None else weigh(item)):
            return work(item)

    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # here, not in the threads, whose restoring of the filters would race
        try:
            for item in items:
                waiting.append(pool.submit(weighed, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            crew.stop()
