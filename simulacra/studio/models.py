"""The models in memory: opened when first asked for, opened again when their weights change, few at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict

from simulacra.errors import RunError
from simulacra.runs.folder import MODEL
from simulacra.runs.run import Run
from simulacra.studio.gallery import Found
from simulacra.studio.settings import MODELS

Key = tuple[str, int, int]


class Models:
    """Opened runs, the least recently used of which is let go when there are too many."""

    def __init__(self, most: int = MODELS) -> None:
        self.most = most
        self._opened: OrderedDict[Key, Run] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, found: Found) -> Run:
        """Return the run, opened now or before. Raises `RunError`."""
        key = _key(found)
        with self._lock:
            run = self._opened.pop(key, None) or _opened(found)
            self._opened[key] = run
            for old in [other for other in self._opened if other[0] == key[0] and other != key]:
                del self._opened[old]
            while len(self._opened) > self.most:
                self._opened.popitem(last=False)
        return run

    def __len__(self) -> int:
        return len(self._opened)


def _opened(found: Found) -> Run:
    run = Run.open(found.path)
    run.model.eval().requires_grad_(False)  # so that threads may share it: no verb changes its mode or its gradients
    return run


def _key(found: Found) -> Key:
    file = found.folder.file(MODEL)
    if file is None:
        raise RunError(f"{found.name} has no weights yet. Wait for its training to write the first ones.")
    status = file.stat()
    return str(found.path), status.st_mtime_ns, status.st_size
