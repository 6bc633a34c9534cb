"""Texts that people read: helps begin with a noun or a verb, and no text has a phrase that English has not."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from simulacra import config
from simulacra.cli.parser import Parser, Verbs
from simulacra.cli.verbs import GROUPS, PLACES
from simulacra.operations import COMPOSITIONS, OPERATIONS

PACKAGE = Path(__file__).parent.parent / "simulacra"
BEGINNINGS = {
    "of",
    "on",
    "in",
    "at",
    "by",
    "with",
    "for",
    "from",
    "to",
    "how",
    "what",
    "which",
    "whether",
    "that",
    "if",
}
PHRASES = {  # literal translations and private words: a pattern, and a text that it must find
    r"(?<!here )\bis no (?!longer|more|less|need|such|way|reason|point|better)[a-z]+": "runs is no run folder",
    r"\b(?:goes|going) on with\b": "Rolled back; going on with half the learning rate.",
    r"\bcomes? along\b": "a model that comes along",
    r"\bso it is with\b": "So it is with all 12 files; nothing was written.",
    r"\ball the same:": "To translate it all the same: --convert",
    r"\babsent:": "number of channels; absent: those of the data",
    r"\bdeceiv|\bdeceit\b": "weight of deceiving the critics",
    r"\bhalvings?\b": "the number of halvings",
    r"\bof which to\b": "cats has no classes, of which to keep 5",
    r"\bat the (?:left|right)\b": "the photo at the left",
    r"\bknows? not\b|\bhas not the\b": "x has not the published content",
    r"\bbeyond the memory\b": "one file for data beyond the memory",
    r"\bfound to be like\b|\bmeasured alike\b|\bevaluated alike\b": "runs that were evaluated alike",
    r"\bas such [a-z]+ are\b": "passed over, as such files are not read",
}


def parsers() -> Iterator[tuple[str, Parser]]:
    for verb, module in PLACES.items():
        verbs = Verbs()
        import_module(f"simulacra.cli.{module}").add_verbs(verbs)
        yield verb, verbs.parsers[verb].addressed([])[0]
        for name in {"transform": OPERATIONS, "compose": COMPOSITIONS}.get(verb, {}):
            yield f"{verb} {name}", verbs.parsers[verb].addressed([name])[0]


def descriptions(section: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        if field.description:
            yield f"{path}.{name}", field.description


def helps() -> Iterator[tuple[str, str]]:
    for verbs in GROUPS.values():
        for verb, (_, line) in verbs.items():
            yield f"--help: {verb}", line
    for verb, parser in parsers():
        yield verb, parser.description or ""
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction):
                yield f"{verb} {action.dest}", action.help or ""
    sections: list[tuple[str, Any]] = [("data", config.Data), ("train", config.Train), ("penalty", config.Penalty)]
    sections += [("optimizer", config.Optimizer), ("schedule", config.Schedule), ("patch", config.Patch)]
    sections += [*config.FAMILIES.items(), *config.NETWORKS.items(), *config.TRANSLATORS.items()]
    for name, section in sections:
        yield from descriptions(section, name)


def test_a_help_text_begins_with_a_noun_or_a_verb() -> None:
    found = dict(helps())
    assert len(found) > 400
    for place, text in found.items():
        first = text.split(" ")[0].strip("(").lower()
        assert first, f"{place} has no help"
        assert first not in BEGINNINGS, f"{place}: {text}"
        assert not first.startswith("default"), f"{place}: {text}"


def joined(path: Path) -> str:
    """A file in small letters, every text on one line, also those that the source breaks."""
    return " ".join(re.sub(r'"\n\s*f?"', "", path.read_text("utf-8").lower()).split())


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_that_is_not_english_is_found(phrase: str) -> None:
    assert re.search(phrase, PHRASES[phrase].lower())
    assert not re.search(phrase, "there is no file here, and the name is no longer in use.")


def test_texts_are_in_plain_english() -> None:
    files = {*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "docs").glob("*.md"), PACKAGE.parent / "README.md"}
    history = {
        PACKAGE / "config" / "renamed.py",
        *((PACKAGE.parent / "docs" / name) for name in ("log.md", "decisions.md")),
    }
    wrong = [
        f"{path.name}: {text[max(0, found.start() - 60) : found.end() + 40]}"
        for path in sorted(files - history)
        for text in [joined(path)]
        for phrase in PHRASES
        for found in re.finditer(phrase, text)
    ]
    assert not wrong, "\n".join(wrong)
