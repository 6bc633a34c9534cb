"""What the verbs are made of: a parser with one message a mistake, options that several verbs share, words read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from simulacra import __version__
from simulacra.errors import ConfigError, nearest

Verb = Callable[[argparse.Namespace], None]


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose mistakes are errors of this package."""

    def error(self, message: str) -> NoReturn:
        """Raise `ConfigError`."""
        raise ConfigError(f"{message}. See: {self.prog} --help")


class Verbs:
    """The program's parser, and the verbs that have been added to it."""

    def __init__(self) -> None:
        self.parser = Parser(
            prog="simulacra",
            description="Train, steer and measure the classic deep generative models of images.",
            epilog="Start with: simulacra quickstart",
            allow_abbrev=False,
        )
        self.parser.add_argument("--version", action="version", version=f"simulacra {__version__}")
        self.parser.set_defaults(verb=lambda _: self.parser.print_help())
        self._verbs = self.parser.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser)

    @property
    def choices(self) -> dict[str, Parser]:
        """The parser of each verb."""
        return dict(self._verbs.choices)

    def add(self, name: str, verb: Verb, help_: str) -> Parser:
        """Add a verb; return its parser, for its options."""
        sub: Parser = self._verbs.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        sub.set_defaults(verb=verb)
        return sub

    def add_on_run(self, name: str, verb: Verb, help_: str) -> Parser:
        """Add a verb that uses a run."""
        sub = self.add(name, verb, help_)
        sub.add_argument("run", metavar="RUN", help="a run folder, or a .safetensors file")
        add_data_root(sub)
        return sub

    def parse(self, arguments: list[str]) -> argparse.Namespace:
        """Understand a command line; ``pairs`` are the options of `train` that are keys of the config."""
        first = next((word for word in arguments if not word.startswith("-")), None)
        if first is not None and first not in self.choices:
            raise ConfigError(
                f"Unknown verb '{first}'.{nearest(first, self.choices)} Verbs: {', '.join(self.choices)}."
            )
        sub, words = self._addressed(arguments)
        if first is not None and first != "train" and first == arguments[0] and sub._subparsers is None:
            options, rest = sub.parse_known_intermixed_args(words)  # words and options in any order
        else:
            options, rest = self.parser.parse_known_args(arguments)
        if rest and first != "train":
            known = [name for action in sub._actions for name in action.option_strings if name.startswith("--")]
            what = f"Unknown option {rest[0]}" if rest[0].startswith("-") else f"Unexpected word '{rest[0]}'"
            hint = nearest(rest[0].lstrip("-"), [name.removeprefix("--") for name in known], prefix="--")
            raise ConfigError(f"{what}.{hint} Options: {', '.join(known)}.")
        options.pairs = pairs(rest)
        return options

    def _addressed(self, arguments: list[str]) -> tuple[argparse.ArgumentParser, list[str]]:
        """The parser of the verb, or of the verb's operation, that the first words name, and the words after."""
        parser: argparse.ArgumentParser = self.parser
        for place, word in enumerate(arguments):
            below = parser._subparsers._group_actions[0].choices if parser._subparsers else None
            if word.startswith("-") or not below:
                return parser, arguments[place:]
            names = dict(below)
            if word not in names:
                raise ConfigError(f"Unknown operation '{word}'.{nearest(word, names)} See: {parser.prog} --help")
            parser = names[word]
        return parser, []


class Operations:
    """The operations of a verb, each a parser of its own below it."""

    def __init__(self, verb: Parser, metavar: str = "OP") -> None:
        verb.set_defaults(verb=lambda _: verb.print_help())
        self._parsers = verb.add_subparsers(title="operations", metavar=metavar, parser_class=Parser)

    def add(self, name: str, verb: Verb, help_: str) -> Parser:
        """Add an operation; return its parser, for its options."""
        sub: Parser = self._parsers.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        sub.set_defaults(verb=verb, operation=name)
        sub._negative_number_matcher = re.compile(r"^-\.?\d")  # -15..15 is a value, not an option
        return sub


def add_data_root(parser: Parser) -> None:
    """Add the option --data-root."""
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where data sets are looked up first")


def add_out(parser: Parser, metavar: str, help_: str | None = None, *, required: bool = False) -> None:
    """Add the options --out and --force of verbs that write what a person names."""
    parser.add_argument("--out", type=Path, metavar=metavar, help=help_, required=required)
    parser.add_argument("--force", action="store_true", help="overwrite what is there")


def add_prior(parser: Parser) -> None:
    """Add the option --prior of verbs that draw samples."""
    parser.add_argument(
        "--prior",
        type=_prior,
        metavar="model|fitted|FILE",
        help="where latents are drawn from (the model's own prior, or where it has none the fitted one)",
    )


def pairs(words: list[str]) -> dict[str, str]:
    """Turn ``--a.b 1 --c.d=2`` into ``{"a.b": "1", "c.d": "2"}``."""
    found: dict[str, str] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"Unexpected word '{word}'. Options are written --KEY.SUBKEY VALUE.")
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise ConfigError(f"--{key} needs a value: --{key} VALUE")
            value = queue.pop(0)
        found[key.replace("-", "_")] = value
    return found


def changes(text: str) -> str:
    """A random pipeline of image operations that keep the shape of images, once it is known to be one."""
    from simulacra.config.operations import refuse_reshaping, steps

    if not steps(text):
        raise argparse.ArgumentTypeError("names no operation, such as affine or 'flip, rotate degrees=-15..15'")
    refuse_reshaping(text)
    return text


def count(text: str) -> int:
    value = natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text}")
    return value


def _prior(text: str) -> str:
    if text not in ("model", "fitted") and not text.endswith(".safetensors"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither model nor fitted nor a .safetensors file")
    return text


def natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2^63 - 1, not {value}")
    return value
