"""All cases, and how they are run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.hostile import archives, options, outsider, pictures, surroundings, texts, weights, worker
from tests.hostile.case import Case
from tests.hostile.store import make
from tests.hostile.verdict import Verdict

DAMAGED, VALUES = 100, 0.075  # of the short suite: files at random, share of the values of options
QUICK = 1 / 6  # of the short suite: in the slow test suite
EACH = 3  # of the quick cases of a kind: in the test suite
STEPS = {"picture": 3, "zip": 3, "model": 2, "lines": 2, "scores": 1, "environment": 3, "variable": 4, "streams": 3,
         "limit": 3, "run": 2}  # of the short suite: of so many cases of a kind one  # fmt: skip
SHARES = {pictures: 0.45, archives: 0.2, texts: 0.2, weights: 0.15}  # of the cases at random


def cases(count: int, seed: int, share: float = 1.0) -> Iterator[Case]:
    """The cases made by hand, ``count`` damaged at random, and a share of the values of options."""
    for module in (pictures, archives, texts, weights, surroundings, outsider):
        yield from module.cases()
    for module, part in SHARES.items():
        yield from module.random_cases(round(part * count), seed)
    yield from options.cases(seed, share)


def short() -> list[Case]:
    """What fits into a minute: of each kind every so manieth case, and all that concerns safety."""
    found, seen = [], Counter[str]()
    for case in cases(DAMAGED, 0, VALUES):
        kind = case.name.partition("/")[0]
        seen[kind] += 1
        if "escape-" in case.name or seen[kind] % STEPS.get(kind, 1) == 0:
            found.append(case)
    return found


def quick() -> list[Case]:
    """What the slow test suite tries: of the short cases a sixth at random, and all of escapes."""
    chance = Random(0)
    return [case for case in short() if "escape-" in case.name or (chance.random() < QUICK and not case.alone)]


def brief() -> list[Case]:
    """A few of each kind of the quick cases, for every run of the test suite: none that measures a machine's speed."""
    kinds: dict[str, list[Case]] = {}
    for case in quick():
        kind, _, rest = case.name.partition("/")
        if not rest.startswith("quickstart"):
            kinds.setdefault("escape" if "escape-" in case.name else kind, []).append(case)
    return [case for some in kinds.values() for case in some[:: -(-len(some) // EACH)]]


def run(chosen: Sequence[Case], folder: Path) -> Iterator[Verdict]:
    """Make what is sound below ``folder``, then run the cases."""
    import torch

    torch.set_num_threads(1)
    os.environ.pop("SIMULACRA_DATA", None)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    main = _main()
    make(folder / "store", main)
    folder.chmod(0o755)
    yield from worker.run(chosen, folder, main)


def _main() -> worker.Main:
    """The program, with everything imported that it imports when needed: workers inherit that."""
    import importlib
    import pkgutil

    import simulacra
    from simulacra.cli import main

    for module in pkgutil.walk_packages(simulacra.__path__, "simulacra."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return main
