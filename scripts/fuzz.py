"""Give every verb damaged files and absurd values, and report what it may never do.

python scripts/fuzz.py [--cases N] [--seed S] [--share S] [--short | --quick] [--only WORD] [--json FILE] [--keep DIR]

Exits with status 1 if a case has a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"

from tests.hostile import fuzzing


def main() -> int:
    """Run the cases, and print one line for each with a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300, help="damaged files at random, besides those made by hand")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="share of the option values that is tried")
    parser.add_argument("--only", default="", help="cases whose name holds this word")
    parser.add_argument("--short", action="store_true", help="a thousand cases of all kinds, instead of all")
    parser.add_argument("--quick", action="store_true", help="the cases of the test suite, instead of all")
    parser.add_argument("--json", type=Path, help="file for the verdicts, one JSON object per line")
    parser.add_argument("--keep", type=Path, help="a new folder for the files of cases with a fault")
    options = parser.parse_args()
    found = fuzzing.cases(options.cases, options.seed, options.share)
    if options.short or options.quick:
        found = iter(fuzzing.short() if options.short else fuzzing.quick())
    chosen = [case for case in found if options.only in case.name]
    folder = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    start = time.monotonic()
    lines, faults, count = [], Counter[str](), 0
    for verdict in fuzzing.run(chosen, folder):
        count += 1
        lines.append(json.dumps(verdict.record()) + "\n")
        faults.update(verdict.faults.keys())
        if verdict.faults:
            print(verdict.line(), flush=True)
    if options.json:
        options.json.write_text("".join(lines))
    used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{count} cases, {time.monotonic() - start:.0f} s, {used:.0f} s of processor time; faults: {dict(faults)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
