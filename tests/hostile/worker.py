"""Cases run in forked workers: cheap, since torch is imported once, and replaced when one hangs, grows or dies."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.hostile.case import Case, Place
from tests.hostile.verdict import Verdict, of_streams, printable
from tests.hostile.watch import Watch, changes, state, unlistable

SECONDS = 10.0  # of a case, while it computes or waits
GROWTH = 1 << 30  # bytes of memory over what the process had
PAGE = os.sysconf("SC_PAGE_SIZE")
POLL = 0.02
Main = Callable[[Sequence[str]], int]


def run(cases: Sequence[Case], folder: Path, main: Main, *, keep: bool = False) -> Iterator[Verdict]:
    """Run cases in order; ``folder`` holds ``store``. Folders of cases that went well are deleted unless ``keep``."""
    queue = list(enumerate(cases))
    while queue:
        batch = queue[:1] if queue[0][1].alone else _until_alone(queue)
        done = 0
        for verdict in _in_worker(batch, folder, main):
            done += 1
            if not verdict.faults and not keep:
                shutil.rmtree(verdict.path, ignore_errors=True)
            yield verdict
        queue = queue[done:]


def _until_alone(queue: Sequence[tuple[int, Case]]) -> Sequence[tuple[int, Case]]:
    ends = [place for place, (_, case) in enumerate(queue) if case.alone]
    return queue[: ends[0]] if ends else queue


def _in_worker(batch: Sequence[tuple[int, Case]], folder: Path, main: Main) -> Iterator[Verdict]:
    """Verdicts of a batch, as far as one worker comes."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(batch, folder, main, writing)
    os.close(writing)
    overseer = _Overseer(pid, reading)
    try:
        for number, case in batch:
            yield overseer.verdict(case, folder / f"{number:05d}")
            if overseer.ended:
                return
    finally:
        overseer.end()


class _Overseer:
    """The parent's eye on one worker."""

    def __init__(self, pid: int, reading: int) -> None:
        self.pid = pid
        self.reading = reading
        self.ended = False
        self._text = b""

    def verdict(self, case: Case, path: Path) -> Verdict:
        """Wait for the next verdict; end a worker that takes too long or too much."""
        idle, ticks, base = 0.0, self._ticks(), self._resident()
        last = ticks
        start = time.monotonic()
        while b"\n" not in self._text:
            if select.select([self.reading], [], [], POLL)[0]:
                part = os.read(self.reading, 1 << 16)
                if not part:
                    return self._lost(case, path, "died", self._status(), start)
                self._text += part
                continue
            now = self._ticks()
            idle += POLL if now == last and not self._wants_to_run() else 0.0
            last = now
            used = idle + (now - ticks) / os.sysconf("SC_CLK_TCK")
            if used > SECONDS:
                return self._lost(case, path, "hang", f"{used:.0f} s", start)
            if self._resident() - base > GROWTH + (GROWTH >> 2):
                return self._lost(case, path, "memory", f"{(self._resident() - base) >> 20} MB and more", start)
        line, _, self._text = self._text.partition(b"\n")
        return Verdict(**json.loads(line))

    def _lost(self, case: Case, path: Path, kind: str, what: str, start: float) -> Verdict:
        self.ended = True
        arguments = path / "arguments.json"
        words = json.loads(arguments.read_text()) if arguments.exists() else []
        return Verdict(case.name, case.owner, None, time.monotonic() - start, {kind: what}, words, "", str(path))

    def _status(self) -> str:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"

    def end(self) -> None:
        """End the worker and forget it."""
        os.close(self.reading)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _stat(self) -> list[str]:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return ["Z"] + ["0"] * 40

    def _wants_to_run(self) -> bool:
        """Whether a thread waits for nothing but a processor, which others may hold."""
        states = []
        for task in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                states.append(task.read_text().rpartition(")")[2].split()[0])
        return "R" in states

    def _ticks(self) -> int:
        return int(self._stat()[11]) + int(self._stat()[12])

    def _resident(self) -> int:
        return int(self._stat()[21]) * PAGE


# ------------------------------------------------------------------------------------------------- in the worker


def _work(batch: Sequence[tuple[int, Case]], folder: Path, main: Main, writing: int) -> None:
    """Run a batch and end the process; never returns."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch = Watch()
    try:
        for number, case in batch:
            path = folder / f"{number:05d}"
            try:
                verdict = attempt(case, path, folder, main, watch)
            except Exception:
                faults = {"harness": _last_line(traceback.format_exc())}
                verdict = Verdict(case.name, case.owner, None, 0.0, faults, [], "", str(path))
            os.write(writing, json.dumps(verdict.record()).encode() + b"\n")
    finally:
        os._exit(0)


def attempt(case: Case, path: Path, folder: Path, main: Main, watch: Watch) -> Verdict:
    """Build a case, run it under watch in this process, and judge it."""
    place = Place(path, folder / "store", case.random())
    for below in (place.files, place.beside, place.work, path / "tmp", path / "cache"):
        below.mkdir(parents=True)
        below.chmod(0o777)
    path.chmod(0o777)  # a case may give up the rights of the superuser
    (place.beside / "kept.txt").write_text("kept")
    os.chdir(place.work)
    with _surroundings(path):
        arguments = list(case.build(place))
        (path / "arguments.json").write_text(json.dumps(arguments))
        before = state(path, folder / "store")
        start = time.monotonic()
        result = _called(main, arguments, place, case, watch)
        seconds = time.monotonic() - start
        after = state(path, folder / "store")
        closed = unlistable(path)
    changed = changes(
        before, after, lambda name: not any(name == one or name.startswith(one + os.sep) for one in closed)
    )
    faults = _judged(case, path, arguments, result, changed, before)
    wrong = case.check(place, result["status"]) if case.check and result["status"] is not None else ""
    if wrong:
        faults["wrong"] = printable(wrong)
    return Verdict(
        case.name, case.owner, result["status"], seconds, faults, arguments, printable(result["err"][-2000:]), str(path)
    )


@contextlib.contextmanager
def _surroundings(path: Path) -> Iterator[None]:
    """The environment of a case, and the old one after it."""
    before = dict(os.environ)
    os.environ.update(TMPDIR=str(path / "tmp"), XDG_CACHE_HOME=str(path / "cache"), HOME=str(path / "work"))
    os.environ.pop("SIMULACRA_DATA", None)
    import tempfile

    tempfile.tempdir = None
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _called(main: Main, arguments: list[str], place: Place, case: Case, watch: Watch) -> dict[str, Any]:
    """Call the program with its streams in files; what happened, and what the watch noted."""
    path = place.path
    result: dict[str, Any] = {"status": None, "traceback": ""}
    peak = _reset_peak()
    with _streams(path) as closed, warnings.catch_warnings():  # entering it lets every warning be shown anew
        if case.during is not None:
            case.during(place)
        with watch.on([path / "out", path / "tmp", path / "cache"]) as noted:
            try:
                result["status"] = main(arguments)
            except SystemExit as error:
                result["status"] = error.code if isinstance(error.code, int) else int(error.code is not None)
            except BaseException:
                result["traceback"] = traceback.format_exc()
        closed()
    result["noted"] = list(noted)
    result["growth"] = _peak() - peak
    for name in ("out", "err"):
        result[name] = (path / f"std{name}").read_bytes()[:4_000_000].decode("utf-8", "backslashreplace")
    return result


@contextlib.contextmanager
def _streams(path: Path) -> Iterator[Callable[[], None]]:
    """Descriptors 1 and 2 into files, and Python's streams on them; yields what flushes them."""
    kept = [os.dup(1), os.dup(2)]
    before = sys.stdout, sys.stderr
    sys.stdout.flush()
    for number, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115

    def flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()

    try:
        yield flush
    finally:
        sys.stdout, sys.stderr = before
        for number, handle in zip((1, 2), kept, strict=True):
            os.dup2(handle, number)
            os.close(handle)


def _judged(
    case: Case, path: Path, arguments: list[str], result: dict[str, Any], changed: list[str], before: dict[str, Any]
) -> dict[str, str]:
    """The faults of a case."""
    status = result["status"]
    forbidden = {"outside" if what.startswith("outside") else "did": printable(what) for what in result["noted"]}
    if result["traceback"]:  # what is not allowed raises an error, which need not be one that the program expects
        return forbidden or {"traceback": _last_line(result["traceback"])}
    faults = of_streams(
        0 if status == case.also else status, *((result["out"], result["err"]) if not case.mute else ("", ""))
    )
    if case.mute:
        faults.pop("silent", None)
    own = {str(path / name) for name in ("stdout", "stderr", "arguments.json", "out", "tmp", "cache")}
    free = tuple(str(path / name) + os.sep for name in ("out", "cache"))
    outside = [name for name in changed if name not in own and not name.startswith((*free, str(path / "tmp") + os.sep))]
    written = [name for name in changed if name.startswith(free[0])]
    taken = [name for name in written if name in before and not Path(name).is_dir()]
    late = [name for name in changed if os.path.lexists(name)]
    left = [name for name in late if name.endswith(".part") or name.startswith(str(path / "tmp") + os.sep)]
    if outside:
        faults["outside"] = f"{len(outside)}: {outside[0]}"
    if taken and not {"--force", "--resume"} & set(arguments):
        faults["overwritten"] = f"{len(taken)}: {taken[0]}"
    if status == 2 and written:
        faults["wrote"] = f"{len(written)}: {written[0]}"
    if left:
        faults["left"] = f"{len(left)}: {left[0]}"
    faults.update(forbidden)
    if case.refused and status != 2:
        faults["accepted"] = f"status {status}"
    if result["growth"] > GROWTH:
        faults["memory"] = f"{result['growth'] >> 20} MB"
    return {kind: printable(what) for kind, what in faults.items()}


def _last_line(text: str) -> str:
    """The exception, and the last place in the package that it passed."""
    lines = text.strip().splitlines()
    places = [line.strip() for line in lines if line.strip().startswith('File "') and "simulacra" in line]
    return printable(f"{lines[-1][:300]} ({places[-1][-120:] if places else ''})")


def _reset_peak() -> int:
    """Let the peak of memory begin anew; return what is used now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0
