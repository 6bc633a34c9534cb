"""Kill a training at random moments, resume it each time, and compare its weights with an uninterrupted run's.

python scripts/kill_and_resume.py [RECIPE] [--kills 10] [--train.images N ...]

Exits with status 1 if a single bit differs.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from simulacra.runs import checkpoint


def main() -> int:
    """Run the comparison and print one line per kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="quickstart")
    parser.add_argument("--kills", type=int, default=10)
    arguments, options = parser.parse_known_args()  # the rest are options of simulacra train
    folder = Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    command = [sys.executable, "-m", "simulacra", "train", arguments.recipe, *options, "--out"]
    start = time.monotonic()
    subprocess.run([*command, str(folder / "whole")], check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - start
    print(f"uninterrupted: {whole:.1f} s")
    chance = random.Random(0)
    for kill in range(arguments.kills):
        process = subprocess.Popen([*command, str(folder / "killed"), "--resume"], stdout=subprocess.DEVNULL)
        moment = chance.uniform(1.0, 4.0 + whole / arguments.kills)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            print(f"the run ended before kill {kill + 1}: make it longer with --train.images N")
            return 1
        latest = folder / "killed" / "checkpoints" / "latest"
        at = latest.read_text().strip() if latest.exists() else "no checkpoint yet"
        print(f"kill {kill + 1} after {moment:.2f} s, latest {at}", flush=True)
    subprocess.run([*command, str(folder / "killed"), "--resume"], check=True, stdout=subprocess.DEVNULL)
    same = _same(folder / "whole", folder / "killed")
    print("identical to the last bit" if same else "DIFFERENT")
    return 0 if same else 1


def _same(first: Path, second: Path) -> bool:
    """Whether the final weights, averages and optimizer states of two runs are equal."""
    a, b = (_final(run) for run in (first, second))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _final(run: Path) -> dict[str, torch.Tensor]:
    latest = checkpoint.Checkpoints(run / "checkpoints").latest()
    assert latest is not None
    found: dict[str, torch.Tensor] = {}

    def walk(value: object, name: str) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = value
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{name}.{key}")

    walk(checkpoint.load(latest), "")
    return found


if __name__ == "__main__":
    sys.exit(main())
