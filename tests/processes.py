"""Several processes on this machine that train together, for tests; they are forked from a server that has torch."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from simulacra.training.team import Team

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.processes", "simulacra.testing.small", "simulacra.training.session", "pytest"])


def together(count: int, work: Callable[..., Any], *arguments: Any, seconds: float = 300.0) -> list[Any]:
    """Call ``work(team, *arguments)`` in ``count`` processes; return what each returned."""
    with tempfile.TemporaryDirectory() as home:
        started = [CONTEXT.Process(target=_run, args=(home, rank, count, work, arguments)) for rank in range(count)]
        for process in started:
            process.start()
        for process in started:
            process.join(seconds)
        alive = [process for process in started if process.is_alive()]
        for process in alive:
            process.kill()
        assert not alive, f"{len(alive)} processes did not end"
        assert [process.exitcode for process in started] == [0] * count
        return [torch.load(Path(home) / str(rank), weights_only=False) for rank in range(count)]


def _run(home: str, rank: int, count: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    if count > 1:
        dist.init_process_group("gloo", init_method=f"file://{home}/meeting", rank=rank, world_size=count)
    torch.save(work(Team(rank, count), *arguments), Path(home) / str(rank))
    if count > 1:
        dist.barrier()
        dist.destroy_process_group()
