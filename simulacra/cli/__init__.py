"""The command line: each verb parses its options, calls the library, and says where the result is.

Nothing heavy is imported before a verb runs, so help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback
from collections.abc import Sequence

from simulacra.cli import plugin, surroundings, verbs
from simulacra.cli.output import show, tell, unprinted

DEBUG = "--debug"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 1 files left out, 2 bad input, 3 diverged, 4 disk, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in words
    with surroundings.prepared(debug=debug):
        try:
            options = parse([word for word in words if word != DEBUG])
            surroundings.refuse_missing_folder()
            plugin.load_installed(options)
            options.verb(options)
        except SystemExit as end:  # the parser's, after a verb's help
            return _flushed(end.code if isinstance(end.code, int) else 0)
        except (Exception, KeyboardInterrupt) as error:
            return _told(error, debug=debug)
        return _flushed(0)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Understand a command line; raises `ConfigError`."""
    if not arguments or arguments[0] in ("-h", "--help"):
        return argparse.Namespace(verb=lambda _: list(map(show, verbs.overview())))
    if arguments[0] == "--version":
        return argparse.Namespace(verb=lambda _: show(verbs.version()))
    parser, words = verbs.parser(plugin.loaded(list(arguments)))
    return parser.understand(words)


def verb_names() -> list[str]:
    """The verbs of the command line."""
    return list(verbs.PLACES)


def _told(error: BaseException, *, debug: bool) -> int:
    """Report an error in one line; return the exit status."""
    line, status = surroundings.explained(error)
    if debug:
        with contextlib.suppress(OSError):
            traceback.print_exception(error)
    if line:
        tell(f"simulacra: {line}")
    return _flushed(status)


def _flushed(status: int) -> int:
    """Write what waits to be written; where that fails, say so unless there was a failure already."""
    try:
        sys.stdout.flush()
    except OSError as error:
        surroundings.discard_output()
        if status == 0:
            return _told(unprinted(error), debug=False)
    return status
