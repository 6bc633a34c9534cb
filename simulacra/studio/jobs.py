"""Trainings asked for from the page: a queue on disk, one at a time, each a process that outlives the server.

A job is a file ``NUMBER.json`` with the words of a command line. `worker` holds ``NUMBER.lock`` while it works and
leaves ``NUMBER.end`` with the exit status; so a server that starts anew knows what goes on, what ended, and what died.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from simulacra.errors import ConfigError, RunError
from simulacra.storage import atomic
from simulacra.studio.settings import JOBS

QUEUED, RUNNING, DONE, FAILED, STOPPED = "queued", "running", "done", "failed", "stopped"
GRACE = 30.0  # seconds that a worker has to take its lock
TAIL = 4_000  # bytes of a log that are read for its last lines
INTERRUPTED = 130  # exit status of a training that was stopped after saving
KEPT = 200  # jobs that are listed


@dataclass(frozen=True)
class Job:
    """A training that was asked for."""

    number: int
    words: tuple[str, ...]
    run: str  # name of the run folder below the runs
    title: str
    created: float
    state: str = QUEUED
    started: float = 0.0
    pid: int = 0


class Full(Exception):
    """The queue holds as many jobs as it may."""


class Jobs:
    """The queue in a folder. Of several servers over one folder, one starts jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._pump: IO[str] | None = None

    # ------------------------------------------------------------------------------------------------- asking

    def all(self) -> list[Job]:
        """Every job, the newest first, with its present state."""
        with self._lock:
            numbers = sorted((int(path.stem) for path in self.folder.glob("[0-9]*.json")), reverse=True)
            return [self._present(job) for number in numbers[:KEPT] if (job := self._read(number)) is not None]

    def __getitem__(self, number: int) -> Job:
        """Look a job up. Raises `RunError`."""
        with self._lock:
            job = self._read(number)
            if job is None:
                raise RunError("There is no such training in the queue.")
            return self._present(job)

    def add(self, words: list[str], run: str, title: str) -> Job:
        """Put a training into the queue. Raises `Full`."""
        with self._lock:
            known = self.all()
            if sum(job.state == QUEUED for job in known) >= JOBS:
                raise Full
            number = max((job.number for job in known), default=0) + 1
            job = Job(number, tuple(words), run, title, time.time())
            self._write(job)
        self.tick()
        return self[job.number]

    def stop(self, number: int) -> Job:
        """Take a job out of the queue, or let a running one save and end."""
        with self._lock:
            job = self[number]
            if job.state == QUEUED:
                self._write(replace(job, state=STOPPED))
            elif job.state == RUNNING and job.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(job.pid, signal.SIGTERM)
            return self[number]

    def lines(self, number: int, count: int = 12) -> list[str]:
        """The last lines that a job printed."""
        path = self.folder / f"{number}.log"
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]

    def error(self, job: Job) -> str | None:
        """Why a job failed, in its own words."""
        if job.state != FAILED:
            return None
        said = [line for line in self.lines(job.number) if line.startswith("simulacra: ")]
        return said[-1].removeprefix("simulacra: ") if said else "The training ended without saying why."

    def busy(self, run: str) -> bool:
        """Whether a training of a run waits or goes on."""
        return any(job.run == run and job.state in (QUEUED, RUNNING) for job in self.all())

    # ------------------------------------------------------------------------------------------------ working

    def tick(self) -> None:
        """Start the first job in the queue where none is running; called now and then."""
        with self._lock:
            if not self._may_start():
                return
            jobs = self.all()
            if any(job.state == RUNNING for job in jobs):
                return
            waiting = [job for job in jobs if job.state == QUEUED]
            if waiting:
                self._start(waiting[-1])

    def close(self) -> None:
        """Let another server start jobs; a training that goes on is left to itself."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None

    def _start(self, job: Job) -> None:
        with (self.folder / f"{job.number}.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "simulacra.studio.worker", str(self.folder), str(job.number)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._children[job.number] = child
        self._write(replace(job, state=RUNNING, started=time.time(), pid=child.pid))

    def _may_start(self) -> bool:
        """Whether this server is the one that starts jobs."""
        if self._pump is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "queue.lock").open("a")
            if not locked(file):
                file.close()
                return False
            self._pump = file
        return True

    def _present(self, job: Job) -> Job:
        """A job in the state that it is in now."""
        if job.state != RUNNING:
            return job
        status = self._status(job.number)
        if status is None and self._lives(job):
            return job
        status = self._status(job.number)  # once more, as it may have ended in between
        ended = replace(job, state=FAILED if status is None else {0: DONE, INTERRUPTED: STOPPED}.get(status, FAILED))
        self._write(ended)
        return ended

    def _status(self, number: int) -> int | None:
        try:
            return int(json.loads((self.folder / f"{number}.end").read_text("utf-8")))
        except (OSError, ValueError):
            return None

    def _lives(self, job: Job) -> bool:
        child = self._children.get(job.number)
        if child is not None:
            return child.poll() is None
        try:
            with (self.folder / f"{job.number}.lock").open("a") as file:
                return not locked(file) or (time.time() - job.started < GRACE and not file.tell())
        except OSError:
            return False

    def _read(self, number: int) -> Job | None:
        try:
            values: dict[str, Any] = json.loads((self.folder / f"{number}.json").read_text("utf-8"))
            return Job(**{**values, "words": tuple(values["words"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _write(self, job: Job) -> None:
        with atomic(self.folder / f"{job.number}.json") as temporary:
            temporary.write_text(json.dumps(asdict(job)), "utf-8")


def locked(file: IO[str]) -> bool:
    """Take the lock of an open file, which the system gives back when the process ends; False where another has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def refuse_name(name: str) -> None:
    """Refuse names of run folders that are not plain. Raises `ConfigError`."""
    allowed = all(one.isalnum() or one in "-_." for one in name)
    if not allowed or name.startswith(".") or len(name) > 80:
        raise ConfigError("A run's name has letters, digits, hyphens, dots and underscores, at most 80 of them.")
