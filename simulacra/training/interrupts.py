"""Signals that end a training after its present step: Ctrl-C, a request to terminate, a terminal that was closed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
HANGUP = getattr(signal, "SIGHUP", None)  # which Windows has not


@contextlib.contextmanager
def deferred(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first signal call ``stop`` and not end the process; a second one does what it always did.

    A closed terminal that is to be ignored, as under ``nohup``, stays ignored. Outside the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before.get(HANGUP) == signal.SIG_IGN:
        del before[HANGUP]

    def handle(number: int, _: object) -> None:
        stop()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
