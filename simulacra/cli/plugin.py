"""The option --plugin FILE.py of every verb, and what installed packages offer."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulacra import plugins
from simulacra.errors import ConfigError

OPTION = "--plugin"
META = "FILE.py"
HELP = "Python file that registers families, networks, objectives or metrics of your own; may be repeated"


def loaded(words: list[str]) -> list[str]:
    """Run the files that --plugin names, and return the other words, which may name what these files register."""
    kept, queue = [], list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if name != OPTION:
            kept.append(word)
            continue
        if not equals and not queue:
            raise ConfigError(f"{OPTION} needs a value: {OPTION} {META}")
        plugins.load_file(Path(value if equals else queue.pop(0)))
    return kept


def load_installed(options: argparse.Namespace) -> None:
    """Register what installed packages offer, unless only a shipped recipe is explained, which needs none of it."""
    if getattr(options, "explain", False) and not options.recipe.endswith(".toml"):
        return
    plugins.load_installed()
