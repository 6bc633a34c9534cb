"""Odd surroundings of a process, made ordinary before a verb runs, and what is left of errors in one line."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from simulacra.errors import DISK, ConfigError, SimulacraError

UNMAPPED = ("failed to map segment", "cannot allocate memory", "cannot create shared object")  # says a loader
INTERRUPTED = 130
PIPE_CLOSED = 141  # what a shell reports of a program that a closed pipe ended


@contextlib.contextmanager
def prepared(*, debug: bool) -> Iterator[None]:
    """Give the process its three streams, streams that can write any name, and quiet libraries (unless ``debug``)."""
    _open_streams()
    _name_user()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings(), _ended_in_order():
        if not debug:
            warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let a request to terminate and a closed terminal end a verb as Ctrl-C does, so that no half file is left.

    What is ignored, as a closed terminal under ``nohup``, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    ending = False

    def end(_number: int, _: object) -> None:
        nonlocal ending
        if not ending:  # a second one would interrupt the tidying up
            ending = True
            raise KeyboardInterrupt

    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, handler)


def _open_streams() -> None:
    """Let no file that is opened later become standard output: closed streams lead to nowhere instead."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123


def _name_user() -> None:
    """Name a user whom the system does not know (a container's ``--user``): PyTorch asks for the name at import."""
    if not {"LOGNAME", "USER", "LNAME", "USERNAME"} & set(os.environ):
        os.environ["LOGNAME"] = f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"


def refuse_missing_folder() -> None:
    """Refuse to work in a folder that was deleted. Raises `ConfigError`."""
    try:
        os.getcwd()  # noqa: PTH109 - the cheapest question
    except OSError:
        raise ConfigError("The working folder no longer exists. Change to one that does: cd FOLDER") from None


def explained(error: BaseException) -> tuple[str, int]:
    """Return the line that tells of any error, and its exit status."""
    if isinstance(error, SimulacraError):
        return str(error), error.exit_status
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return "", PIPE_CLOSED
    if isinstance(error, ImportError) and any(words in str(error) for words in UNMAPPED):
        return "There is not enough memory to load the program. Raise the limit: ulimit -v unlimited", 2
    if isinstance(error, MemoryError) or _is_of_allocation(error):
        return "There is not enough memory for this. Ask for fewer or smaller images, or a smaller batch.", 2
    if _is_of_handles(error):
        return "This process may not open enough files at once. Raise the limit: ulimit -n 256", 2
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}.", 4 if error.errno in DISK else 2
    if isinstance(error, RecursionError):
        return "Something that was read is nested too deeply. Add --debug to see where.", 2
    if isinstance(error, UnicodeError):
        return f"A name or a text is not valid in UTF-8: {error}. Rename the file, or save the text as UTF-8.", 2
    return (
        f"This is a bug in simulacra: {type(error).__name__} {_place(error)}: {error}. Add --debug to see more.",
        2,
    )


def _is_of_allocation(error: BaseException) -> bool:
    """Whether PyTorch could not allocate: it says so in a `RuntimeError`."""
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def _is_of_handles(error: BaseException) -> bool:
    found = getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE)
    return found or (isinstance(error, ImportError) and os.strerror(errno.EMFILE) in str(error))


def _place(error: BaseException) -> str:
    """The innermost line of this package that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}simulacra{os.sep}" in frame.filename]
    return f"in {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""


def discard_output() -> None:
    """Point standard output to nowhere, so that Python does not try once more to write what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
