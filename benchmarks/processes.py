"""Several processes beside one, on the CPU, and what that predicts for more of them.

``python -m benchmarks.processes [--recipes gan vae] [--counts 1 2 4] [--steps 20]``. For each recipe and number of
processes, one thread each: processor seconds of a step, seconds in messages, bytes sent. On a machine that does other
things too, processor seconds say what a step costs; seconds on the clock say how busy the machine was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any

import torch
import torch.distributed as dist

from simulacra import config, data, models
from simulacra.training import Trainer
from simulacra.training.team import Team

WARM_UP = 3  # steps
LINKS = {"100 Gb/s": (12.5e9, 20e-6), "NVLink": (300e9, 5e-6)}  # bytes a second of each device, and seconds a message
WORKING = 20e12  # operations per second that a device is taken to do in training; an assumption, not a measurement


@dataclass(frozen=True)
class Measured:
    """A step of one process: processor seconds, seconds on the clock, those in messages, bytes and messages sent."""

    processor: float
    clock: float
    messages: float
    sent: int
    count: int


def trainer_of(recipe: str, team: Team) -> Trainer:
    """Return a trainer of a recipe on digits."""
    values = config.parse(config.recipe(recipe).values)
    family = models.FAMILIES[values.model.family]
    size, channels = values.data.size or 28, values.data.channels or 1
    chosen = values.data.model_copy(update={"name": "digits", "size": size, "channels": channels})
    pictures = data.load(chosen, None, family.batch).train
    torch.manual_seed(0)
    model = models.build(family.completed(values.model, pictures), pictures.shape)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trainer(model, data.loader(family.batch, pictures, chosen, values.train.batch), values.train, team=team)


def measure(rank: int, count: int, home: str, recipe: str, steps: int, results: Queue[Measured]) -> None:
    """Train a few steps as one of several processes; the first one reports."""
    torch.set_num_threads(1)
    if count > 1:
        dist.init_process_group("gloo", init_method=f"file://{home}/meeting", rank=rank, world_size=count)
    trainer = trainer_of(recipe, Team(rank, count))
    spent, sent, messages = [0.0], [0], [0]
    plain = dist.all_reduce

    def timed(tensor: torch.Tensor, *arguments: Any) -> Any:
        start = time.perf_counter()
        done = plain(tensor, *arguments)
        spent[0] += time.perf_counter() - start
        sent[0] += tensor.numel() * tensor.element_size()
        messages[0] += 1
        return done

    for _ in range(WARM_UP):
        trainer.advance()
    dist.all_reduce = timed  # type: ignore[assignment]
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        trainer.advance()
    took = (time.process_time() - processor, time.perf_counter() - clock)
    if rank == 0:
        each = (took[0] / steps, took[1] / steps, spent[0] / steps)
        results.put(Measured(*each, sent[0] // steps, messages[0] // steps))


def measured(recipe: str, count: int, steps: int) -> Measured:
    """Measure a recipe on so many processes."""
    context = multiprocessing.get_context("spawn")
    results: Queue[Measured] = context.Queue()
    with tempfile.TemporaryDirectory() as home:
        started = [
            context.Process(target=measure, args=(rank, count, home, recipe, steps, results)) for rank in range(count)
        ]
        for process in started:
            process.start()
        found = results.get(timeout=600)
        for process in started:
            process.join()
    return found


def work(recipe: str) -> tuple[float, int]:
    """Return the operations of a step for an image, and the parameters."""
    from torch.utils.flop_counter import FlopCounterMode

    trainer = trainer_of(recipe, Team())
    trainer.step = 1  # lazy penalties on slopes, which cannot be counted, come at step 0
    with FlopCounterMode(display=False) as counter:
        trainer.advance()
    parameters = sum(one.numel() for own in trainer.parameters.values() for one in own)
    return counter.get_total_flops() / trainer.values.batch, parameters


def predicted(work_of_step: float, sent: int, count: int, devices: int, link: tuple[float, float]) -> float:
    """Return the share of a step that is work on so many devices: the batch is divided, the messages are not.

    ``t = F / (N R) + 2 (N - 1) / N S / B + 2 m l log2 N`` with F operations per step, R operations per second,
    S bytes and m messages per step, B bytes and l seconds of a link; a ring sends each byte twice.
    """
    bandwidth, latency = link
    compute = work_of_step / devices / WORKING
    messages = 2 * (devices - 1) / devices * sent / bandwidth + 2 * count * latency * max(1, devices - 1).bit_length()
    return compute / (compute + messages)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of measurements, and that of predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["gan", "vae"])
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("| recipe | processes | processor s per step | of one | s on the clock | in messages | MB sent | messages |")
    print("|---|---|---|---|---|---|---|---|")
    found = {}
    for recipe in options.recipes:
        for count in options.counts:
            one = found[recipe, count] = measured(recipe, count, options.steps)
            share = one.processor / found[recipe, options.counts[0]].processor
            times = f"{one.processor:.3f} | {share:.2f} | {one.clock:.3f} | {one.messages:.3f}"
            print(f"| `{recipe}` | {count} | {times} | {one.sent / 1e6:.2f} | {one.count} |", flush=True)
    print("\n| recipe | Mflop an image | parameters | batch | link | 8 devices | 64 | 512 |")
    print("|---|---|---|---|---|---|---|---|")
    for recipe in options.recipes:
        image, parameters = work(recipe)
        several = found[recipe, options.counts[-1]]
        batch = config.parse(config.recipe(recipe).values).train.batch
        for factor in (1, 64):
            for name, link in LINKS.items():
                step, sent = image * batch * factor, (several.sent, several.count)
                shares = [f"{predicted(step, *sent, devices, link):.0%}" for devices in (8, 64, 512)]
                size = f"{image / 1e6:.1f} | {parameters:,} | {batch * factor:,}"
                print(f"| `{recipe}` | {size} | {name} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
