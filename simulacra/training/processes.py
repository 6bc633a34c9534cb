"""One training as a job of several processes: they meet, the first leads, the others follow, and nobody waits forever.

Every process beats like a pulse, in a thread: a number in the store that all of them share goes up each second. So a
process that was killed can be named, and one that stands still (stopped, or cut off) ends the job within a minute.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

from simulacra.errors import LostProcess, SimulacraError, printable
from simulacra.training.team import ALONE, Team, adopt_slurm, asked_for, join, whole

BEAT = 1.0  # seconds between two beats
SILENCE = "SIMULACRA_SILENCE"  # names the seconds after which a process counts as lost
CERTAIN = 2.5  # seconds in which a living process beats at least once
GRACE = 10.0  # seconds between a request to end and the end, outside of steps
CONTINUE = "The last checkpoint is kept. To continue, type the same command with --resume."
ATTEMPT = "TORCHELASTIC_RESTART_COUNT"  # how often torchrun has started the job again


def restarted() -> bool:
    """Whether ``torchrun`` has started this job again after a failure, so that it goes on by itself."""
    return asked_for() and whole(ATTEMPT, 0) > 0


@contextmanager
def job() -> Iterator[Team]:
    """Yield this process's place among those of the job; at the end the leader dismisses the others.

    Raises `LostProcess` in one process, which says who is gone; the others end with the same status, silently.
    """
    adopt_slurm(os.environ)
    if not asked_for():
        yield ALONE
        return
    team = join()
    pulse = Pulse(team)
    pulse.start()
    before, status = signal.signal(signal.SIGTERM, _end_soon), 0
    try:
        yield team
    except LostProcess as error:
        atexit.register(_leave)
        silent, status = pulse.silent(), -1
        if team.rank != min(set(range(team.count)) - set(silent), default=team.rank):
            raise SystemExit(error.exit_status) from None
        raise LostProcess(f"{_gone(silent, team, str(error))} {CONTINUE}") from None
    except SimulacraError as error:
        status = error.exit_status
        if not team.leads:
            raise SystemExit(status) from None
        raise
    except BaseException:
        status = 2
        raise
    finally:
        if status >= 0:
            _dismiss(team, status)
        pulse.stop()
        signal.signal(signal.SIGTERM, before)


def _end_soon(*_: object) -> None:
    """End this process in a while: torchrun asks the others of a failed job to end, which first say what has failed."""
    timer = threading.Timer(GRACE, os._exit, [LostProcess.exit_status])
    timer.daemon = True
    timer.start()


def _leave() -> None:
    """End without taking leave of the other processes: that would wait for those who are gone."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(LostProcess.exit_status)


def _dismiss(team: Team, status: int) -> None:
    """Let the others end with the same status."""
    try:
        team.tell({"end": status})
    except LostProcess:
        return


def _gone(silent: list[int], team: Team, reason: str) -> str:
    if not silent:
        return reason if reason.endswith(".") else f"{reason}."
    names = ", ".join(map(str, silent))
    verb = "was" if len(silent) == 1 else "were"
    return f"Process {names} of {team.count} (counted from 0) {verb} killed or stands still."


class Pulse(threading.Thread):
    """Beats for one process, and listens: the leader to all, the others to the leader."""

    def __init__(self, team: Team) -> None:
        super().__init__(daemon=True)
        self.team = team
        self._store: Any = PrefixStore("pulse", _get_default_store())
        self._others = [rank for rank in range(team.count) if rank != team.rank] if team.leads else [0]
        self._done = threading.Event()
        self._silence = whole(SILENCE, 60, least=1)

    def run(self) -> None:
        """Beat until the end; end the process where another one has been silent for too long."""
        heard, silence = {rank: (0, time.monotonic()) for rank in self._others}, self._silence
        while not self._done.wait(BEAT):
            try:
                self._store.add(str(self.team.rank), 1)
                beats = {rank: self._store.add(str(rank), 0) for rank in self._others}
            except RuntimeError:  # the store is gone with the process that held it: the next message will fail
                return
            now = time.monotonic()
            for rank, count in beats.items():
                if count != heard[rank][0]:
                    heard[rank] = (count, now)
                elif now - heard[rank][1] > silence and not self._done.is_set():
                    _end(f"{_gone([rank], self.team, '')} It has not answered for {silence} seconds. {CONTINUE}")

    def stop(self) -> None:
        """Beat no longer."""
        self._done.set()

    def silent(self) -> list[int]:
        """Return which processes do not beat, after listening for a while."""
        everyone = [rank for rank in range(self.team.count) if rank != self.team.rank]
        try:
            before = {rank: self._store.add(str(rank), 0) for rank in everyone}
            time.sleep(CERTAIN)
            return [rank for rank in everyone if self._store.add(str(rank), 0) == before[rank]]
        except RuntimeError:
            return [0] if not self.team.leads else []


def _end(line: str) -> None:
    """End this process at once, from a thread, while the main thread waits for an answer that does not come."""
    print(f"simulacra: {printable(line)}", file=sys.stderr, flush=True)
    os._exit(LostProcess.exit_status)
