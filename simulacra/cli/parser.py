"""What the verbs are made of: a parser with one message a mistake, options that several verbs share, words read."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from simulacra import __version__
from simulacra.errors import ConfigError, nearest

CHANGES = ("flip", "shift", "affine", "stroke")  # of images at random, by simulacra.data.augment
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
        options, rest = self.parser.parse_known_args(arguments)
        if rest and first != "train":
            sub = self.choices.get(first or "", self.parser)
            known = [name for action in sub._actions for name in action.option_strings if name.startswith("--")]
            raise ConfigError(f"Unknown option {rest[0]}.{nearest(rest[0], known)} Options: {', '.join(known)}.")
        options.pairs = pairs(rest)
        return options


def add_data_root(parser: Parser) -> None:
    """Add the option --data-root."""
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where data sets are looked up first")


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


def changes(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    wrong = next((name for name in names if name not in CHANGES), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"'{wrong}' is none.{nearest(wrong, CHANGES)} There are: {', '.join(CHANGES)}")
    return names


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
