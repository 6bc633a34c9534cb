"""The processes of one training, which ``torchrun`` or a scheduler starts: the first one leads, the others follow.

The leader runs the `Session`: it decides, measures, draws and writes, and nobody else does. Followers play the same
steps on their parts of each batch. Between two reports the leader tells them how to go on (`Team.tell`); during steps
they share gradients, and whether one of them was asked to stop.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from simulacra.errors import ConfigError, LostProcess, SimulacraError, UserError
from simulacra.parallel import Part, sent

PATIENCE = timedelta(days=1)  # of a process that waits for the others: those who died are noticed at once, see `Pulse`
POLL = 0.05  # seconds between two looks for processes that join
HASHED = 8  # bytes of a digest that are compared


@dataclass(frozen=True)
class Team:
    """One of ``count`` processes; alone there is one, and nothing is sent."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process decides and writes."""
        return self.rank == 0

    def parts(self, batch: int, accumulate: int = 1) -> list[Part]:
        """Return this process's part of a batch of so many images, divided into ``accumulate`` parts."""
        count = self.count * accumulate
        places = range(self.rank * accumulate, (self.rank + 1) * accumulate)
        return [Part(place, count, batch // count, apart=accumulate > 1) for place in places]

    # ----------------------------------------------------------------------------------------------- in a step

    def average_gradients(self, parameters: Sequence[nn.Parameter], stop: bool) -> bool:
        """Replace the gradients by their means over the processes, in one message; return whether anyone wants to stop.

        A parameter without a gradient in every process stays without one.
        """
        if self.count == 1:
            return stop
        given = [parameter.grad is not None for parameter in parameters]
        like = parameters[0]
        flags = torch.tensor([*given, stop], dtype=like.dtype, device=like.device)
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        flat = torch.cat([*(part.reshape(-1) for part in parts), flags])
        sent(lambda: dist.all_reduce(flat))
        values, flags = flat[: -len(flags)] / self.count, flat[-len(flags) :]
        for index, (one, mean) in enumerate(
            zip(parameters, torch.split(values, [one.numel() for one in parameters]), strict=True)
        ):
            if one.grad is not None:
                one.grad.copy_(mean.view(one.shape))
            elif flags[index] > 0:
                one.grad = torch.empty_like(one).copy_(mean.view(one.shape))
        return bool(flags[-1] > 0)

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the means over the processes of scalars with names."""
        if self.count == 1 or not values:
            return dict(values)
        names = sorted(values)
        stacked = torch.stack([values[name].double() for name in names])
        sent(lambda: dist.all_reduce(stacked))
        return dict(zip(names, stacked / self.count, strict=True))

    def refuse_differences(self, state: Mapping[str, Tensor]) -> None:
        """Raise `LostProcess` naming the first tensor that is not bit-identical in all processes."""
        names = list(state)
        own = torch.tensor([_hash(tensor) for tensor in state.values()])
        everywhere = [torch.empty_like(own) for _ in range(self.count)]
        sent(lambda: dist.all_gather(everywhere, own))
        for rank, other in enumerate(everywhere):
            for name, same in zip(names, (other == everywhere[0]).tolist(), strict=True):
                if not same:
                    raise LostProcess(f"Process {rank} of {self.count} has another {name} than process 0.")

    # ----------------------------------------------------------------------------------------------- orders

    def tell(self, order: Mapping[str, Any]) -> None:
        """Send numbers, texts and tensors from the leader to all others."""
        if self.count > 1 and self.leads:
            buffer = io.BytesIO()
            torch.save(dict(order), buffer)
            content = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
            sent(lambda: dist.broadcast(torch.tensor([len(content)]), 0))
            sent(lambda: dist.broadcast(content, 0))

    def told(self) -> dict[str, Any]:
        """Wait for what the leader sends; no code is ever read from it."""
        length = torch.zeros(1, dtype=torch.int64)
        sent(lambda: dist.broadcast(length, 0))
        content = torch.empty(int(length), dtype=torch.uint8)
        sent(lambda: dist.broadcast(content, 0))
        order: dict[str, Any] = torch.load(io.BytesIO(content.numpy().tobytes()), weights_only=True)
        return order

    def agree(self, prepare: Callable[[], Any]) -> Any:
        """Do something in every process; where it fails in one, raise its error in all.

        Every process calls this at the same moment. Raises `UserError`.
        """
        found, error = None, ""
        try:
            found = prepare()
        except SimulacraError as caught:
            error = str(caught)
        content = torch.zeros(2_048, dtype=torch.uint8)
        text = error.encode()[:2_048]
        content[: len(text)] = torch.frombuffer(bytearray(text or b"\0"), dtype=torch.uint8)[: len(text)]
        everywhere = [torch.empty_like(content) for _ in range(self.count)]
        sent(lambda: dist.all_gather(everywhere, content))
        for rank, other in enumerate(everywhere):
            said = bytes(other.tolist()).rstrip(b"\0").decode("utf-8", "replace")
            if said:
                raise UserError(said if rank == 0 else f"Process {rank} of {self.count}: {said}")
        return found


ALONE = Team()


def asked_for() -> bool:
    """Whether ``torchrun`` or a scheduler has started this program as one of several processes."""
    if "RANK" not in os.environ or whole("WORLD_SIZE", 1, least=1) == 1:
        return False
    whole("RANK", 0, most=whole("WORLD_SIZE", 1) - 1)
    whole("MASTER_PORT", 0, most=65_535)
    if "MASTER_ADDR" not in os.environ or "MASTER_PORT" not in os.environ:
        raise ConfigError("RANK and WORLD_SIZE are set, but not MASTER_ADDR and MASTER_PORT. Start it with torchrun.")
    return True


def whole(name: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
    """Return the whole number that an environment variable of a job holds. Raises `ConfigError`."""
    text = os.environ.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and least <= int(text) <= most):
        raise ConfigError(
            f"The environment variable {name} must be a whole number from {least} to {most}, not '{text}'. torchrun "
            f"sets it; to train in one process: unset {name}"
        )
    return int(text)


def adopt_slurm(environment: MutableMapping[str, str]) -> None:
    """Give a task that ``srun`` started the variables that PyTorch looks for, unless they are there."""
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "1")
    if "RANK" in environment or not tasks.isdecimal() or int(tasks) < 2:
        return
    first = re.match(r"[^\[,]+(?:\[\d+)?", environment.get("SLURM_STEP_NODELIST", "localhost"))
    job = environment.get("SLURM_JOB_ID", "0")
    for name, value in {
        "RANK": environment.get("SLURM_PROCID", "0"),
        "WORLD_SIZE": tasks,
        "LOCAL_RANK": environment.get("SLURM_LOCALID", "0"),
        "MASTER_ADDR": first[0].replace("[", "") if first else "localhost",
        "MASTER_PORT": str(20_000 + int(job) % 20_000 if job.isdecimal() else 20_000),
    }.items():
        environment.setdefault(name, value)


def join() -> Team:
    """Meet the other processes. Raises `LostProcess` where they do not come."""
    if not dist.is_initialized():
        several_cards = torch.cuda.is_available() and torch.cuda.device_count() >= int(
            os.environ.get("LOCAL_WORLD_SIZE", "1")
        )
        if several_cards:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl" if several_cards else "gloo"
        sent(lambda: _meet(backend))
    return Team(dist.get_rank(), dist.get_world_size())


def _meet(backend: str) -> None:
    store, rank, count = next(rendezvous("env://", timeout=PATIENCE))
    store = PrefixStore(agreed_name(store, rank, count), store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)


def agreed_name(store: Store, rank: int, count: int) -> str:
    """Agree with the other processes on a name that no attempt before has used.

    torchrun keeps one store for all its attempts (torch 2.13), and nobody can tell the addresses of processes that
    are dead from those of the living, so every attempt needs a part of the store for itself. The first process answers
    whoever asks by a name of his own, also those who ask while it is listening, until all have taken the answer.
    """
    own = uuid.uuid4().hex
    if rank == 0:
        while store.add(own, 0) < count - 1:
            asking = [f"asking {other}" for other in range(1, count)]
            for name in [store.get(key).decode() for key in asking if store.check([key])]:
                store.set(name, own)
            time.sleep(POLL)
        return own
    store.set(f"asking {rank}", own)
    while not store.check([own]):
        time.sleep(POLL)
    agreed: str = store.get(own).decode()
    store.add(agreed, 1)
    return agreed


def _hash(tensor: Tensor) -> int:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return int.from_bytes(hashlib.blake2b(content, digest_size=HASHED).digest(), "little", signed=True)
