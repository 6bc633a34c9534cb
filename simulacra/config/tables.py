"""Config as text and tables: TOML, changes laid over a recipe, options of a command line."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel

from simulacra.config.base import NameOf, leaves
from simulacra.config.renamed import modern
from simulacra.config.whole import Config
from simulacra.errors import ConfigError

__all__ = ["Option", "dumps", "flat", "loads", "merge", "options", "override"]

DEEPEST = 16  # levels of nested tables and lists; a config has 4


def loads(text: str, origin: str = "config") -> dict[str, Any]:
    """Parse TOML text into tables; ``origin`` names the file in the error."""
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # also of numbers with thousands of digits
        raise ConfigError(f"{origin} is not valid TOML: {error}.") from None
    except RecursionError:
        raise ConfigError(f"{origin} is not valid TOML: its brackets are nested too deeply.") from None
    refuse_deep(tables, origin)
    return tables


def refuse_deep(tables: Any, origin: str) -> None:
    """Raise `ConfigError` for tables and lists that are nested deeper than those of any config."""
    level = [tables]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, Mapping | list)
            for inner in (value.values() if isinstance(value, Mapping) else value)
        ]
        if not level:
            return
    raise ConfigError(f"{origin}: its tables are nested more than {DEEPEST} levels deep; those of a config are not.")


def dumps(config: Config) -> str:
    """Return the config as TOML, such that ``parse(loads(dumps(config))) == config``."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one: ``{"train": {"batch": 64}}`` becomes ``{"train.batch": 64}``."""
    found: dict[str, Any] = {}
    for name, value in tables.items():
        found.update(flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value})
    return found


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the nested ``changes`` laid over it; a changed network kind or family starts afresh."""
    return _merged(modern(base), modern(changes))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            switched = any(tag in value and value[tag] != old.get(tag) for tag in ("kind", "family") if tag in old)
            keep = key not in ("model", "network", "generator", "discriminator") or not switched
            merged[key] = _merged(old, value) if keep else dict(value)
        else:
            merged[key] = value
    return merged


def override(pairs: Mapping[str, str]) -> dict[str, Any]:
    """Turn ``{"train.batch": "64"}`` into nested tables; values are TOML, or plain words, or numbers with commas."""
    tables: dict[str, Any] = {}
    for dotted, text in pairs.items():
        *path, last = dotted.split(".")
        table = tables
        if len(path) >= DEEPEST:
            raise ConfigError(f"Unknown key '--{dotted}': no key has {len(path) + 1:,} parts.")
        for name in path:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise ConfigError(f"--{dotted} contradicts another option that sets --{name} itself.")
        table[last] = _value(text)
    return tables


@dataclass(frozen=True)
class Option:
    """One key of a config: its dotted name, its present value, what it means."""

    key: str
    value: Any
    meaning: str
    choices: tuple[Any, ...] = ()


def options(section: BaseModel, prefix: str = "") -> Iterator[Option]:
    """List every key that a config of this family and these networks has."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from options(value, f"{prefix}{name}.")
        else:
            offered = [found.choices for found in field.metadata if isinstance(found, NameOf)]
            choices = offered[0] if offered else tuple(c for leaf in leaves(field.annotation) for c in _choices(leaf))
            yield Option(f"{prefix}{name}", value, field.description or "", choices if len(choices) > 1 else ())


def _choices(annotation: Any) -> tuple[Any, ...]:
    """What a literal, or a tuple of literals, may be."""
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    inner = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else ()
    return tuple(choice for part in inner for choice in _choices(part))


def _value(text: str) -> Any:
    for written in (text, f"[{text}]") if "," in text else (text,):
        try:
            value = tomllib.loads(f"value = {written}")["value"]
        except (ValueError, RecursionError):
            continue
        refuse_deep(value, f"'{text}'")
        return value
    return text
