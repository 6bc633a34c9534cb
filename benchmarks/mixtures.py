"""Does a GAN find every mode? Two mixtures of Gaussians whose modes are known, with the model and trainer of images.

    python -m benchmarks.mixtures                    # ten seeds of each mixture, the recipes of the ledger's rows
    python -m benchmarks.mixtures ring --seeds 2 --plain

See `simulacra.bench.mixtures` for the mixtures and how modes are counted.
"""

from __future__ import annotations

import argparse
import time

import torch

from simulacra import config, machine
from simulacra.bench.mixtures import MIXTURES, Mixture, modes, trainer
from simulacra.bench.rows import rows
from simulacra.config import Config
from simulacra.metrics import MixtureModes

MODERN = {name: rows()[name].values for name in MIXTURES}
PLAIN = {"model": {"loss": "non_saturating", "penalty": {"kind": "none"}}}


def measure(mixture: Mixture, values: Config) -> MixtureModes:
    """Train a GAN on a mixture and count what its samples find."""
    play = trainer(mixture, values)
    for _ in play.train():
        pass
    return modes(play, mixture)


def main() -> None:
    """Train, count, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixtures", nargs="*", default=list(MIXTURES), help="ring, grid")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--plain", action="store_true", help="the non-saturating loss without penalty instead")
    options, pairs = parser.parse_known_args()
    changes = config.override(dict(zip([p[2:] for p in pairs[::2]], pairs[1::2], strict=True)))
    print(f"{machine.processor()}, {torch.get_num_threads()} threads\n")
    print("| mixture | seed | modes | high quality | CPU seconds |\n| --- | ---: | ---: | ---: | ---: |")
    for name in options.mixtures:
        values = config.merge(config.merge(MODERN[name], PLAIN if options.plain else {}), changes)
        found = []
        for seed in range(options.seeds):
            start = time.process_time()
            found.append(measure(MIXTURES[name](), config.parse({**values, "seed": seed})))
            spent = time.process_time() - start
            print(f"| {name} | {seed} | {found[-1].covered} | {found[-1].high_quality:.1%} | {spent:.0f} |", flush=True)
        modes = sum(one.covered for one in found) / len(found)
        quality = sum(one.high_quality for one in found) / len(found)
        print(f"| **{name}** | mean of {len(found)} | {modes:.1f} | {quality:.1%} | |", flush=True)


if __name__ == "__main__":
    main()
