"""The data sets of the models in memory: each is read once, in a thread of its own, so that no picture waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from simulacra.data import Splits
from simulacra.errors import ConfigError, DataError
from simulacra.runs.run import Run
from simulacra.studio.settings import MODELS, SECONDS

MOMENT = 0.6  # seconds that a request waits for a data set which it can do without


class Sets:
    """Data sets by what was asked of them, the least recently used of which is let go."""

    def __init__(self, most: int = MODELS) -> None:
        self.most = most
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._read: OrderedDict[str, Future[Splits]] = OrderedDict()

    async def of(self, run: Run, seconds: float = SECONDS) -> bool:
        """Whether the data of a run is there, or cannot be had, after so many seconds; reading goes on meanwhile."""
        future = self._asked(run)
        try:
            run.splits = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)
        except TimeoutError:
            return False
        except (DataError, ConfigError):  # whoever needs it is told by the run
            return True
        return True

    def _asked(self, run: Run) -> Future[Splits]:
        key = f"{run.config.data.model_dump_json()} {run.model.batch.__name__} {run.data_root}"
        if key not in self._read or self._failed(key):
            self._read[key] = self.pool.submit(lambda: run.splits)
        self._read.move_to_end(key)
        while len(self._read) > self.most:
            self._read.popitem(last=False)
        return self._read[key]

    def _failed(self, key: str) -> bool:
        return self._read[key].done() and self._read[key].exception() is not None

    def close(self) -> None:
        """Begin nothing more."""
        self.pool.shutdown(wait=False, cancel_futures=True)
