"""What a case may not do: run programs, call the network, import or unpickle what a file names, write anywhere else."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

State = dict[str, tuple[int, ...]]
RUNS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn"}
CALLS = {"socket.connect", "socket.sendto", "socket.getaddrinfo"}
CHANGES = {
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "shutil.rmtree", "shutil.move",
}  # fmt: skip
FOLDERS = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 2, "os.rename": 2, "os.chmod": 2}  # from where they are handles
TRAP = "hostile_trap"  # a module that no file may bring in
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """An audit hook that notes, and prevents, what may not happen while it is on."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self._allowed: tuple[str, ...] | None = None
        self._deaf = threading.local()  # each thread hears what the others do
        sys.addaudithook(self._hear)

    @contextmanager
    def on(self, allowed: Sequence[Path]) -> Iterator[list[str]]:
        """Watch the block; yields the list of what was noted. Writing is allowed below ``allowed`` only."""
        self.noted = []
        self._allowed = tuple(os.path.realpath(path) for path in allowed)
        try:
            yield self.noted
        finally:
            self._allowed = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._allowed is None or getattr(self._deaf, "on", False):
            return
        if event == "open":
            self._opened(*arguments)
        elif event in CHANGES:
            self._changed(event, arguments)
        elif event in RUNS:
            self._refuse(f"ran {event} {arguments[0]!r}")
        elif event in CALLS:
            self._refuse(f"called {event}")
        elif event == "import" and arguments[0].partition(".")[0] == TRAP:
            self._refuse(f"imported {arguments[0]}")
        elif event == "pickle.find_class":
            self._refuse(f"unpickled {arguments[0]}.{arguments[1]}")

    def _opened(self, path: object, mode: str | None, flags: int) -> None:
        writes = any(letter in mode for letter in "wax+") if mode else bool(flags & WRITING)
        if writes and isinstance(path, str | bytes | os.PathLike):
            self._refuse_outside("open", path)

    def _changed(self, event: str, arguments: tuple[Any, ...]) -> None:
        if any(isinstance(number, int) and number >= 0 for number in arguments[FOLDERS.get(event, 9) :]):
            return  # relative to an open folder: the state before and after must tell
        ends = arguments[:2] if event in ("os.rename", "shutil.move") else arguments[:1]
        if event in ("os.link", "os.symlink"):
            ends = arguments[1:2]
        for path in ends:
            if isinstance(path, str | bytes | os.PathLike):
                self._refuse_outside(event, path)

    def _refuse_outside(self, event: str, path: str | bytes | os.PathLike[Any]) -> None:
        self._deaf.on = True  # realpath itself is heard
        try:
            text = os.fsdecode(path)
            real = os.path.realpath(Path(text).parent) + os.sep + Path(text).name
            if event == "open":
                real = os.path.realpath(text)
        finally:
            self._deaf.on = False
        inside = any(real == place or real.startswith(place + os.sep) for place in self._allowed or ())
        if not inside and real not in ("/dev/null", "/dev/full", "/dev/tty"):
            self._refuse(f"outside: {event} {text}")

    def _refuse(self, what: str) -> None:
        self.noted.append(what)
        raise PermissionError(1, f"not allowed here: {what}")


def state(*folders: Path) -> State:
    """What lies in folders: of every file its size, inode, rights and the time of its last change."""
    found: State = {}
    for folder in folders:
        for where, below, files in os.walk(folder):
            for name in [*below, *files]:
                path = where + os.sep + name
                facts = os.lstat(path)
                kind = (facts.st_mode, facts.st_ino)
                found[path] = kind if stat.S_ISDIR(facts.st_mode) else (*kind, facts.st_size, facts.st_mtime_ns)
    return found


def unlistable(*folders: Path) -> list[str]:
    """Folders that cannot be looked into now: a case may give up the right to, and what they hold is then not told."""
    inner = [where + os.sep + name for folder in folders for where, below, _ in os.walk(folder) for name in below]
    return [path for path in inner if not os.access(path, os.R_OK | os.X_OK)]


def changes(before: State, after: State, within: Callable[[str], bool] = lambda _: True) -> list[str]:
    """Paths that came, went or were changed."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path) and within(path))
