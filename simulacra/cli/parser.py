"""What the verbs are made of: a parser with one message per mistake, and the options that several verbs share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from simulacra.cli import plugin
from simulacra.cli.output import show
from simulacra.cli.words import path, prior, source
from simulacra.errors import ConfigError, nearest

Verb = Callable[[argparse.Namespace], None]
PLAIN = [  # the parser's own messages, and the same in sentences
    (r"argument ([^:]+): expected one argument", r"\1 needs a value"),
    (r"argument ([^:]+): expected at least one argument", r"\1 needs at least one value"),
    (r"argument ([^:]+): ignored explicit argument .*", r"\1 takes no value"),
    (r"argument ([^:]+): invalid choice: (.+) \(choose from (.+)\)", r"\1 cannot be \2. Choose one of \3"),
    (r"the following arguments are required: (.+)", r"Missing: \1"),
    (r"argument ([^:]+): (.*)", r"\1 \2"),
]


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose mistakes are errors of this package; a verb may have operations below it.

    Words and options may stand in any order. ``rewrite`` changes the words before they are understood; with ``keys``,
    unknown options are keys of a config and end in ``pairs``.
    """

    def __init__(self, name: str, verb: Verb, help_: str) -> None:
        self.known: list[str] = []
        self.operations: dict[str, Parser] = {}
        self.rewrite: Callable[[list[str]], list[str]] = list
        self.keys = False
        super().__init__(prog=f"simulacra {name}", description=help_, allow_abbrev=False)
        self.register("type", Path, path)  # whoever asks for a Path gets one that was looked at
        self.set_defaults(verb=verb)
        self.add_argument(plugin.OPTION, metavar=plugin.META, help=plugin.HELP)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an argument, and remember the option's name for suggestions."""
        self.known += [name for name in names if name.startswith("--") and settings.get("help") != argparse.SUPPRESS]
        return super().add_argument(*names, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise `ConfigError`, with the parser's message in plain words."""
        for pattern, replacement in PLAIN:
            message, found = re.subn(f"^{pattern}$", replacement, message, flags=re.DOTALL)
            if found:
                break
        raise ConfigError(f"{message}. See: {self.prog} --help")

    def format_help(self) -> str:
        """Return the help, with a line for each operation."""
        width = max(map(len, self.operations), default=0) + 2
        lines = [f"  {name:<{width}}{sub.description}" for name, sub in self.operations.items()]
        return super().format_help() + ("\noperations:\n" + "\n".join(lines) + "\n" if lines else "")

    def print_help(self, file: object = None) -> None:  # noqa: ARG002 - argparse passes none
        """Print the help, or raise `StorageError`; argparse would swallow that."""
        for line in self.format_help().splitlines():
            show(line)

    def addressed(self, words: list[str]) -> tuple[Parser, list[str]]:
        """Return the parser of the operation that the first word names, or this one, and the words after."""
        if not self.operations or not words or words[0].startswith("-"):
            return self, words
        name, *rest = words
        if name not in self.operations:
            raise ConfigError(f"Unknown operation '{name}'.{nearest(name, self.operations)} See: {self.prog} --help")
        return self.operations[name], rest

    def understand(self, words: list[str]) -> argparse.Namespace:
        """Parse words; raises `ConfigError` for those that nothing is known of."""
        words = _with_negative_values(self.rewrite(words))
        keys, words = _parted(words) if self.keys else ([], words)
        options, rest = self.parse_known_intermixed_args(words)
        if rest and not self.keys:
            self.refuse(rest[0])
        options.pairs = pairs(keys + rest)
        return options

    def refuse(self, word: str) -> NoReturn:
        """Raise `ConfigError` for an option, or a word, that this parser does not know."""
        if not word.startswith("-"):
            raise ConfigError(f"Unexpected word '{word}'. See: {self.prog} --help")
        name = word.partition("=")[0]
        hint = nearest(name.lstrip("-"), [known.removeprefix("--") for known in self.known], prefix="--")
        raise ConfigError(f"Unknown option {name}.{hint} Options: {', '.join(self.known)}.")


class Verbs:
    """The verbs of a module, as it adds them."""

    def __init__(self) -> None:
        self.parsers: dict[str, Parser] = {}

    def add(self, name: str, verb: Verb, help_: str) -> Parser:
        """Add a verb; return its parser, for its options."""
        return self.parsers.setdefault(name, Parser(name, verb, help_))

    def add_on_run(self, name: str, verb: Verb, help_: str) -> Parser:
        """Add a verb that uses a run."""
        sub = self.add(name, verb, help_)
        sub.add_argument(
            "run",
            type=source,
            metavar="RUN",
            help="a run folder, a .safetensors file, zoo:NAME for a model in the package, or hub:OWNER/NAME@REVISION",
        )
        add_data_root(sub)
        return sub


class Operations:
    """The operations of a verb, each a parser of its own below it."""

    def __init__(self, verb: Parser, metavar: str = "OP") -> None:
        self.verb = verb
        verb.usage = f"{verb.prog} {metavar} ...  ({verb.prog} {metavar} --help explains an operation)"
        verb.set_defaults(verb=lambda _: verb.print_help())

    def add(self, name: str, verb: Verb, help_: str) -> Parser:
        """Add an operation; return its parser, for its options."""
        sub = Parser(f"{self.verb.prog.removeprefix('simulacra ')} {name}", verb, help_)
        sub.set_defaults(operation=name)
        self.verb.operations[name] = sub
        return sub


def add_data_root(parser: Parser) -> None:
    """Add the option --data-root."""
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="folder that is searched first for data sets")


def add_out(parser: Parser, metavar: str, help_: str | None = None, *, required: bool = False) -> None:
    """Add the options --out and --force of verbs that write what a person names."""
    parser.add_argument("--out", type=Path, metavar=metavar, help=help_, required=required)
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def add_prior(parser: Parser) -> None:
    """Add the option --prior of verbs that draw samples."""
    parser.add_argument(
        "--prior",
        type=prior,
        metavar="model|fitted|FILE",
        help="distribution to draw latents from (default: the model's own prior; if it has none, the fitted one)",
    )


def _with_negative_values(words: Iterable[str]) -> list[str]:
    """Write ``--key -15..15`` as ``--key=-15..15``, as a value that begins with a minus sign is not an option."""
    joined: list[str] = []
    for word in words:
        if joined and re.match(r"--[^=]+$", joined[-1]) and re.match(r"-\.?(\d|inf|nan)", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """Part words into options of a config's keys, ``--A.B VALUE``, and all others."""
    keys: list[str] = []
    others: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        is_key = re.match(r"--\w+\.", word) is not None
        (keys if is_key else others).append(word)
        if is_key and "=" not in word and queue and not queue[0].startswith("--"):
            keys.append(queue.pop(0))
    return keys, others


def pairs(words: list[str]) -> dict[str, str | None]:
    """Turn ``--a.b 1 --c.d=2 --e`` into ``{"a.b": "1", "c.d": "2", "e": None}``."""
    found: dict[str, str | None] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"Unexpected word '{word}'. Options are written --KEY.SUBKEY VALUE.")
        key, equals, value = word[2:].partition("=")
        given = value if equals else queue.pop(0) if queue and not queue[0].startswith("--") else None
        found[key.replace("-", "_")] = given
    return found
