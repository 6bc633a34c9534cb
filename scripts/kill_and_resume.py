"""Attack trainings, resume each of them, and compare its weights with those of an uninterrupted run, bit for bit.

python scripts/kill_and_resume.py [--families gan cyclegan infogan pictures] [--kills 20] [--aimed 10] [--signals 2]
    [--sizes 12]

Each family trains for a few hundred steps with tiny networks: a GAN with averaged weights, a CycleGAN with pools of
earlier translations, an InfoGAN with its memory of images, the recipe pictures with its gauge of overfitting. The
attacks: SIGKILL at random moments; SIGKILL between writing a file and renaming it; SIGINT, SIGTERM and SIGHUP; and a
disk that takes no file above a size from a random moment on. Trainings run in forked processes, on one thread. Exits
with status 1 if a single bit differs.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from simulacra import Run, images
from simulacra.errors import SimulacraError
from simulacra.runs.checkpoint import Checkpoints
from simulacra.training import interrupts
from simulacra.training.session import Session

TRIES = 5  # of an attack that came too late for a run: each on a new one
Attack = Callable[[], None]  # what a process does to itself before, or while, it trains

TRAIN = {"precision": "float32", "ema": 200, "log": 32, "sheet": 320, "score": 320, "checkpoint": 64, "device": "cpu"}
SMALL = {"widths": [4, 8], "dense": 16}
SMALL_TOO = {"widths": [4, 8], "strides": [2, 2]}
CASES: dict[str, dict[str, Any]] = {
    "gan": {
        "data": {"name": "digits", "size": 8},
        "model": {"latent": 8, "generator": SMALL, "discriminator": SMALL},
        "train": {**TRAIN, "images": 960, "batch": 16},
    },
    "infogan": {
        "data": {"name": "digits", "size": 8},
        "model": {"latent": 8, "memory": 64, "clusters": 10, "features": 16, "generator": SMALL,
                  "discriminator": {"widths": [4, 8]}},
        "train": {**TRAIN, "images": 640, "batch": 16},
    },
    "pictures": {
        "data": {"name": "digits", "size": 16, "channels": 3, "validation": 0.1},
        "model": {"latent": 4, "heads": 4, "start": 10, "overfitting": 0.1, "network": SMALL_TOO,
                  "discriminator": {"widths": [4, 8]}},
        "train": {**TRAIN, "images": 480, "batch": 16},
    },
    "cyclegan": {
        "model": {"pool": 16, "generator": {"width": 4, "blocks": 1},
                  "discriminator": {"width": 4, "downsamplings": 1}},
        "train": {**TRAIN, "images": 240, "batch": 4, "log": 16, "sheet": 160, "checkpoint": 32},
    },
}  # fmt: skip


def main() -> int:
    """Attack each family and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=CASES, default=list(CASES))
    for name, count in (("kills", 20), ("aimed", 10), ("signals", 2), ("sizes", 12)):
        parser.add_argument(f"--{name}", type=int, default=count)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="kill-and-resume-") as folder:
        results = [_attacked(family, Path(folder), options) for family in options.families]
    return 0 if all(results) else 1


def _attacked(family: str, root: Path, options: argparse.Namespace) -> bool:
    case = Case(family, root / family)
    chance = random.Random(0)
    plans = {
        "kill -9 at a random moment": [case.later(signal.SIGKILL, chance) for _ in range(options.kills)],
        "kill -9 before a renaming": [case.before_renaming(chance) for _ in range(options.aimed)],
        "SIGINT, SIGTERM, SIGHUP": [case.later(s, chance) for s in interrupts.SIGNALS for _ in range(options.signals)],
        "a full disk": list(case.full_disks(options.sizes, chance)),
    }
    results = {name: case.survives(name, attacks) for name, attacks in plans.items() if attacks}
    for name, (same, told) in results.items():
        print(f"{family}: {name}: {told}; {'identical to the last bit' if same else 'DIFFERENT'}", flush=True)
    return all(same for same, _ in results.values())


class Case:
    """A family's training, its uninterrupted run, and ways to disturb it."""

    def __init__(self, family: str, root: Path) -> None:
        self.family = family
        self.root = root
        self.changes = CASES[family]
        if "data" not in self.changes:
            self.changes = {**self.changes, "data": {"name": str(_two_domains(root / "pictures"))}}
        start = time.monotonic()
        assert _wait(self._process(root / "whole")) == 0
        self.seconds = time.monotonic() - start
        self.largest = max(path.stat().st_size for path in (root / "whole").rglob("*") if path.is_file())
        self.whole = _final(root / "whole")
        print(f"{family}: uninterrupted: {self.seconds:.1f} s", flush=True)

    def _process(self, out: Path, attack: Attack | None = None, at: int = -1) -> int:
        """Fork a process that trains into ``out``, or continues there; it attacks itself at a log line (-1: before)."""
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        status = 99
        try:
            status = self._train(out, attack, at)
        except SimulacraError as error:
            status = error.exit_status
        except KeyboardInterrupt:  # before the training began
            status = 130
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _train(self, out: Path, attack: Attack | None, at: int) -> int:
        if attack is not None and at < 0:
            attack()
        session = Session.start(self.family, out=out, changes=self.changes, resume=True)
        for line, _ in enumerate(session):
            if attack is not None and line == at:
                attack()
        return 0

    def later(self, number: signal.Signals, chance: random.Random) -> tuple[Attack, int]:
        """Send a signal to itself after a random time."""
        moment = chance.uniform(0.02, 0.5) * self.seconds

        def attack() -> None:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), number))
            signal.setitimer(signal.ITIMER_REAL, moment)

        return attack, -1

    def before_renaming(self, chance: random.Random) -> tuple[Attack, int]:
        """Kill itself when a file has been written, and not yet been renamed."""
        left = [chance.randint(1, 30)]

        def attack() -> None:
            rename = Path.replace

            def replace(self: Path, target: Any) -> Path:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return rename(self, target)

            Path.replace = replace  # type: ignore[assignment, method-assign]

        return attack, -1

    def full_disks(self, count: int, chance: random.Random) -> Iterator[tuple[Attack, int]]:
        """From some log line on, let no file grow above a size: sizes up to the largest that the run writes."""
        for index in range(count):
            size = round(self.largest ** ((index + 1) / (count + 1)))
            yield _limited(size), chance.randint(0, 5)

    def survives(self, name: str, attacks: list[tuple[Attack, int]]) -> tuple[bool, str]:
        """Attack one run after another, each until it is finished; return whether all end as if undisturbed."""
        runs = [self.root / f"{name} 1".replace(" ", "-")]
        ends: dict[int, int] = {}
        for attack, at in attacks:
            for _ in range(TRIES):
                status = _wait(self._process(runs[-1], attack, at))
                ends[status] = ends.get(status, 0) + 1
                if status != 0:
                    break
                runs.append(self.root / f"{name} {len(runs) + 1}".replace(" ", "-"))  # it was faster than the attack
        assert all(_wait(self._process(run)) == 0 for run in runs)
        same = all(_equal(self.whole, _final(run)) for run in runs)
        leftovers = [path for run in runs for path in run.rglob("*.part")]
        told = ", ".join(f"{count} x {_told(status)}" for status, count in sorted(ends.items()))
        landed = sum(count for status, count in ends.items() if status)
        return (
            same and not leftovers and 99 not in ends,
            f"{landed} of {len(attacks)} attacks landed ({told}) on {len(runs)} runs",
        )


def _limited(size: int) -> Attack:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _told(status: int) -> str:
    if status < 0:
        return signal.Signals(-status).name
    return {0: "finished first", 4: "storage refused", 130: "saved and stopped"}.get(status, f"status {status}")


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _two_domains(folder: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    for name, level in (("trainA", -0.5), ("trainB", 0.5), ("testA", -0.5), ("testB", 0.5)):
        for index in range(12):
            pixels = (level + 0.3 * torch.randn(3, 16, 16, generator=generator)).clamp(-1, 1)
            images.save(pixels, folder / name / f"{name}-{index}.png")
    return folder


def _final(run: Path) -> dict[str, torch.Tensor]:
    """All tensors of the last state of a run, and of its model ready for use."""
    newest = Checkpoints(run / "checkpoints").newest()
    assert newest is not None
    found: dict[str, torch.Tensor] = {}

    def walk(value: object, name: str) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = value
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{name}.{key}")

    walk(newest[1], "state")
    walk(dict(Run.open(run).model.state_dict()), "ready")
    return found


def _equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


if __name__ == "__main__":
    sys.exit(main())
