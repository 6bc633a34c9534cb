"""The verb studio."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra.cli.parser import Verbs
from simulacra.cli.words import natural
from simulacra.errors import ConfigError

PORTS = 65_535


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add(
        "studio", _studio, "Open a page in the browser for training models, steering them and drawing with them. It "
                           "works offline.",
    )  # fmt: skip
    sub.add_argument(
        "runs", nargs="?", type=Path, default=Path("runs"), metavar="RUNS",
        help="folder of runs, or one run (default: runs)",
    )  # fmt: skip
    sub.add_argument(
        "--port", type=natural, default=0, metavar="N", help="port (default: the first free one from 8420)"
    )
    sub.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on; any other than this machine's own requires a token (default: 127.0.0.1)",
    )  # fmt: skip
    sub.add_argument(
        "--view", action="store_true", help="allow only viewing, for a classroom: nobody can train, upload or write"
    )
    sub.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")


def _studio(options: argparse.Namespace) -> None:
    if options.port > PORTS:
        raise ConfigError(f"--port must be from 1 to {PORTS}, not {options.port}.")
    if not options.host.strip():
        raise ConfigError("--host is empty. Type an address, such as 127.0.0.1 for this machine alone.")
    if options.runs.exists() and not options.runs.is_dir():
        raise ConfigError(f"{options.runs} is not a folder. Name the folder that holds your runs.")
    _refuse_without_extra()
    from simulacra.studio.serve import serve
    from simulacra.studio.settings import Settings

    settings = Settings(options.runs, host=options.host, port=options.port, view=options.view)
    serve(settings, browser=not options.no_browser)


def _refuse_without_extra() -> None:
    from simulacra import machine

    for module in ("fastapi", "uvicorn", "python_multipart"):
        machine.extra(module, "studio", "studio")
