"""What a step costs with many devices, from counted operations, bytes and messages and from a device's constants.

``python -m benchmarks.scaling [--recipes gan gan-large] [--rate 2e13] [--own-time 5e-3]``. Operations are counted in
one step of each recipe, messages and bytes in one that is divided among processes which are not there: nothing is sent.
Then, with N devices at the same batch,

    t(N) = F B / (N R) + o + 2 (N - 1) / N S / W + 2 m l log2 N

with F operations an image, B images a batch, R operations a second of a device in training, o seconds of a step that do
not become less (launching, optimizer, seeds), S bytes and m messages of all-reduce, W bytes and l seconds of a link. A
ring sends each byte twice; nothing overlaps, since gradients are sent when a player's backward pass is complete.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from simulacra import config, data, models
from simulacra.testing import small
from simulacra.training import Trainer
from simulacra.training.team import Team

LINKS = {"100 Gb/s": (12.5e9, 20e-6), "NVLink": (300e9, 5e-6)}  # bytes a second of each device, and seconds a message
DEVICES = (8, 64, 512)
SIDES = {"mnist": 28, "fashion-mnist": 28}  # of the sets that recipes are for; others have 32 where none is said
BATCH = 8  # images of the step whose operations are counted, by image
PAYS = 0.5  # share of a device's time that must be work


@dataclass(frozen=True)
class Step:
    """A step of a recipe: images, operations and input bytes of each, parameters, and what a process sends."""

    batch: int
    work: float
    read: int
    parameters: int
    sent: int
    messages: int


@dataclass(frozen=True)
class Device:
    """A device: operations a second in training, and seconds of a step that do not become less."""

    rate: float
    own: float


def trainer_of(recipe: str, batch: int, team: Team) -> Trainer:
    """Return a trainer of a recipe in the size of its images, on digits, or on two domains of noise."""
    values = config.parse(config.recipe(recipe).values)
    family = models.FAMILIES[values.model.family]
    size, channels = values.data.size or SIDES.get(values.data.name, 32), values.data.channels or 1
    chosen = values.data.model_copy(update={"name": "digits", "size": size, "channels": channels})
    if family.batch in (data.Unpaired, data.Pairs) and not chosen.pairs:
        pictures = small.noise_domains(64, channels, values.data.channels_b or channels, size)
    else:
        pictures = data.load(chosen, None, family.batch).train
    torch.manual_seed(0)
    model = models.build(family.completed(values.model, pictures), pictures.shape)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train = values.train.model_copy(update={"batch": batch, "precision": "float32"})
    return Trainer(model, data.loader(family.batch, pictures, chosen, batch), train, team=team)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Let all messages be answered by oneself; yield their bytes, one number a message."""
    sent: list[int] = []

    def all_reduce(tensor: torch.Tensor, *_: Any) -> None:
        sent.append(tensor.numel() * tensor.element_size())

    def all_gather(parts: list[torch.Tensor], own: torch.Tensor) -> None:
        sent.append(len(parts) * own.numel() * own.element_size())
        for part in parts:
            part.copy_(own)

    before: tuple[Callable[..., Any], Callable[..., Any]] = dist.all_reduce, dist.all_gather
    dist.all_reduce, dist.all_gather = all_reduce, all_gather  # type: ignore[assignment]
    try:
        yield sent
    finally:
        dist.all_reduce, dist.all_gather = before


class Operations(TorchDispatchMode):
    """Counts the operations of products and convolutions, also within gradients of gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do an operation, and count it where it is one of these."""
        out = func(*args, **(kwargs or {}))
        work = flop_registry.get(func._overloadpacket)
        self.total += work(*args, **(kwargs or {}), out_val=out) if work else 0
        return out


def step_of(recipe: str) -> Step:
    """Count a step: operations in one that is whole, messages in one of two processes of which one is there."""
    alone = trainer_of(recipe, BATCH, Team())
    with Operations() as operations:
        alone.advance()
    seen = alone.loader.batch(0)
    pictures = [seen.image, *([seen.other] if isinstance(seen, data.Unpaired | data.Pairs) else [])]
    read = sum(one[0].numel() for one in pictures)  # a byte a value
    divided = trainer_of(recipe, BATCH, Team(0, 2))
    with counted() as sent:
        divided.advance()
    parameters = sum(one.numel() for own in alone.parameters.values() for one in own)
    batch = config.parse(config.recipe(recipe).values).train.batch
    return Step(batch, operations.total / BATCH, read, parameters, sum(sent), len(sent))


def seconds(step: Step, device: Device, count: int, link: tuple[float, float]) -> tuple[float, float]:
    """Return the seconds of a step on so many devices: all of them, and those of work."""
    bandwidth, latency = link
    work = step.work * step.batch / count / device.rate
    ring = 2 * (count - 1) / count * step.sent / bandwidth + 2 * step.messages * latency * math.log2(count)
    return work + device.own + (ring if count > 1 else 0.0), work


def pays_to(step: Step, device: Device, link: tuple[float, float]) -> int:
    """Return the largest number of devices, a power of two, of whose time half is work; 0 where one has less."""
    count = 1
    while count <= step.batch and (found := seconds(step, device, count, link))[1] >= PAYS * found[0]:
        count *= 2
    return count // 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what a step takes, and images a second on many devices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=config.recipe_names())
    parser.add_argument("--rate", type=float, default=20e12, help="operations a second of a device (default: 2e13)")
    parser.add_argument("--own-time", type=float, default=5e-3, help="seconds of a step beside (default: 0.005)")
    parser.add_argument("--factor", type=int, default=1, help="batches that a step is made of (default: 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device = Device(options.rate, options.own_time)
    steps = {recipe: step_of(recipe) for recipe in options.recipes}
    print("| recipe | batch | Mflop an image | parameters | MB sent a step | messages | kB read an image |")
    print("|---|---|---|---|---|---|---|")
    for recipe, one in steps.items():
        told = (
            f"{one.work / 1e6:,.1f} | {one.parameters:,} | {one.sent / 1e6:.2f} | {one.messages} | {one.read / 1e3:.1f}"
        )
        print(f"| `{recipe}` | {one.batch} | {told} |")
    print("\n| recipe | link | images/s on 1 | 8 | 64 | 512 | MB/s read on 8 | pays up to |")
    print("|---|---|---|---|---|---|---|---|")
    for recipe, one in steps.items():
        one = Step(one.batch * options.factor, one.work, one.read, one.parameters, one.sent, one.messages)
        for name, link in LINKS.items():
            rates = [one.batch / seconds(one, device, count, link)[0] for count in (1, *DEVICES)]
            several = " | ".join(f"{rate:,.0f}" for rate in rates)
            print(
                f"| `{recipe}` | {name} | {several} | {rates[1] * one.read / 1e6:,.0f} | {pays_to(one, device, link)} |"
            )


if __name__ == "__main__":
    main()
