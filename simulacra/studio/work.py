"""Where models work: a few threads beside the server's own, requests for one model joined, none waiting for ever.

Quick work (a picture for a slider) and slow work (an inversion) wait in two lines, so that a slider moves while an
inversion goes on. Latents that arrive while a model decodes are decoded together as soon as it is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from simulacra.runs.run import Run
from simulacra.studio.settings import IMAGES, SECONDS, WAITING

Result = TypeVar("Result")


class Busy(Exception):
    """So many requests wait already that another would wait too long."""


class Line:
    """Work that is done in the order in which it comes, by one thread; ``most`` may wait."""

    def __init__(self, name: str, most: int = WAITING, threads: int = 1) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.most = most
        self.waiting = 0

    async def run(self, work: Callable[[], Result], seconds: float = SECONDS) -> Result:
        """Return what ``work`` returns. Raises `Busy`, `TimeoutError`, and what the work raises."""
        if self.waiting >= self.most:
            raise Busy
        self.waiting += 1
        task = asyncio.get_running_loop().run_in_executor(self.pool, work)
        task.add_done_callback(lambda _: self._done())
        return await asyncio.wait_for(asyncio.shield(task), seconds)

    def _done(self) -> None:
        self.waiting -= 1

    def close(self) -> None:
        """Begin nothing more."""
        self.pool.shutdown(wait=False, cancel_futures=True)


class Decoder:
    """Decodes latents of several requests at once: those for one model that wait are joined."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._waiting: dict[int, list[tuple[Tensor, asyncio.Future[Tensor]]]] = {}
        self._busy: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def decode(self, run: Run, z: Tensor) -> Tensor:
        """Return the images ``(n, C, H, W)`` of latents ``(n, D)``."""
        waiting = self._waiting.setdefault(id(run), [])
        if len(waiting) >= self.line.most:
            raise Busy
        future: asyncio.Future[Tensor] = asyncio.get_running_loop().create_future()
        waiting.append((z, future))
        if id(run) not in self._busy:
            self._busy.add(id(run))
            task = asyncio.create_task(self._serve(run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _serve(self, run: Run) -> None:
        """Decode what waits for a model until nothing does."""
        try:
            while self._waiting.get(id(run)):
                await self._serve_some(run, _some(self._waiting[id(run)]))
        finally:
            self._busy.discard(id(run))
            self._waiting.pop(id(run), None)

    async def _serve_some(self, run: Run, asked: list[tuple[Tensor, asyncio.Future[Tensor]]]) -> None:
        z = torch.cat([one for one, _ in asked])
        try:
            images = await self.line.run(lambda: run.decode(z).cpu())
        except Exception as error:  # whoever asked is told, and the next ones are served
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        for part, (_, future) in zip(torch.split(images, [len(one) for one, _ in asked]), asked, strict=True):
            if not future.done():
                future.set_result(part)


def _some(waiting: list[tuple[Tensor, asyncio.Future[Tensor]]]) -> list[tuple[Tensor, asyncio.Future[Tensor]]]:
    """Take what fits into one batch, at least one request."""
    taken = [waiting.pop(0)]
    while waiting and len(waiting[0][0]) + sum(len(z) for z, _ in taken) <= IMAGES:
        taken.append(waiting.pop(0))
    return taken
