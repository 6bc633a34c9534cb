"""The command line: each verb parses its options, calls the library, and says where the result is.

Nothing heavy is imported before a verb runs, so help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from simulacra.cli import anomaly, augment, bench, compare, evaluate, inpaint, invert, lookup, sample, train, transform
from simulacra.cli.parser import Verbs
from simulacra.errors import SimulacraError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 1 files left out, 2 bad input, 3 diverged, 4 disk, 130 interrupted."""
    try:
        options = parse(list(sys.argv[1:] if arguments is None else arguments))
        options.verb(options)
        sys.stdout.flush()
    except SimulacraError as error:
        print(f"simulacra: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("simulacra: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Understand a command line; raises `ConfigError`."""
    return _verbs().parse(train.explained(list(arguments)))


def verb_names() -> list[str]:
    """The verbs of the command line."""
    return list(_verbs().choices)


def _verbs() -> Verbs:
    verbs = Verbs()
    for module in (train, lookup, sample, invert, inpaint, anomaly, transform, augment, evaluate, compare, bench):
        module.add_verbs(verbs)
    return verbs
