"""What a training is made of: recipes and their options, data sets at hand, the words of a command line."""

from __future__ import annotations

import itertools
import re
import typing
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel

from simulacra import config, data
from simulacra.cli.train import refuse_unknown
from simulacra.errors import ConfigError, nearest
from simulacra.studio import asks
from simulacra.studio.commands import command
from simulacra.studio.gallery import Found
from simulacra.studio.jobs import refuse_name
from simulacra.studio.uploads import Upload

NOT_ASKED = ("recipe", "seed", "data.name", "train.device", "train.tensorboard", "train.compile")
BOUNDS: dict[type, str] = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}
QUICKSTART = "quickstart"


def recipes() -> list[dict[str, str]]:
    """Every recipe with what it makes and what to expect."""
    found = (config.recipe(name) for name in config.recipe_names())
    return [
        {"name": one.name, "title": one.title, "expect": one.expect, "time": one.time,
         "data": one.values["data"]["name"], "family": one.values["model"]["family"]}
        for one in found
    ]  # fmt: skip


def form(name: str) -> list[dict[str, Any]]:
    """Every option of a recipe with its value, its meaning, its choices and its bounds."""
    values = config.parse(_shipped(name).values)
    bounds = dict(_bounds(values))
    return [
        {"key": one.key, "value": _shown(one.value), "meaning": one.meaning,
         "choices": [_shown(choice) for choice in one.choices], **bounds.get(one.key, {})}
        for one in config.options(values) if one.key not in NOT_ASKED
    ]  # fmt: skip


def _shipped(name: str) -> config.Recipe:
    """A recipe by name; never a file. Raises `ConfigError`."""
    names = config.recipe_names()
    if name not in names:
        raise ConfigError(f"There is no recipe '{name}'.{nearest(name, names)}")
    return config.recipe(name)


def _shown(value: Any) -> Any:
    """A value as an option takes it."""
    if isinstance(value, tuple | list):
        return ", ".join(str(_shown(part)) for part in value)
    return str(value).lower() if isinstance(value, bool) else value


def _bounds(section: BaseModel, prefix: str = "") -> typing.Iterator[tuple[str, dict[str, Any]]]:
    """The kind of each key's value and the numbers allowed."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _bounds(value, f"{prefix}{name}.")
            continue
        marks = [*field.metadata, *(mark for part in _parts(field.annotation) for mark in part)]
        limits = {BOUNDS[type(mark)]: getattr(mark, BOUNDS[type(mark)]) for mark in marks if type(mark) in BOUNDS}
        kind = "switch" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"
        yield f"{prefix}{name}", {"kind": kind, "whole": isinstance(value, int), **limits}


def _parts(annotation: Any) -> typing.Iterator[list[Any]]:
    """What an annotation, or a part of its union, is marked with."""
    for part in (annotation, *typing.get_args(annotation)):
        marks = getattr(part, "__metadata__", ())
        yield [inner for mark in marks for inner in (*getattr(mark, "metadata", ()), mark)]


def data_sets() -> list[dict[str, str]]:
    """The named data sets that are on this machine."""
    return [
        {"name": name, "title": one.title, "images": one.images}
        for name, one in data.SOURCES.items()
        if one.where(None) is not None
    ]


# -------------------------------------------------------------------------------------------- command lines


def training(ask: asks.Job, runs: Path, upload: Upload | None) -> tuple[list[str], str, str]:
    """Return the words of a training's command line, the name of its run and its title. Raises `ConfigError`."""
    recipe = _shipped(ask.recipe)
    stem = upload.name if upload is not None else ask.recipe if ask.data is None else f"{ask.recipe}-{ask.data}"
    name = unused(runs, ask.name or stem)
    out = ["--out", str(runs / name)]
    if upload is not None and ask.minutes is not None:
        words = ["quickstart", str(upload.path), "--minutes", f"{ask.minutes:g}", *out, "--data.corrupt", "skip"]
        return words, name, upload.name
    if ask.recipe == QUICKSTART and ask.data is None and not ask.options:
        return ["quickstart", *out], name, QUICKSTART
    source = str(upload.path) if upload is not None else _known(ask.data)
    options = _options(ask, recipe)
    words = ["train", ask.recipe, *(["--data", source] if source else []), *out, *options]
    return words, name, ask.recipe


def _options(ask: asks.Job, recipe: config.Recipe) -> list[str]:
    """The options of a recipe that were changed; those that name files are not taken. Raises `ConfigError`."""
    refused = next((key for key in ask.options if key in NOT_ASKED), None)
    if refused is not None:
        raise ConfigError(f"{refused} cannot be set from the page.")
    given = {**ask.options, **({} if ask.minutes is None else {"train.minutes": f"{ask.minutes:g}"})}
    refuse_unknown(dict(given), recipe)
    seed = [] if ask.seed is None else [f"--seed={ask.seed}"]
    return [*(f"--{key}={value}" for key, value in given.items()), *seed]


def _known(name: str | None) -> str | None:
    """The name of a data set on this machine; never a path. Raises `ConfigError`."""
    names = [one["name"] for one in data_sets()]
    if name is not None and name not in names:
        raise ConfigError(f"There is no data set '{name}' on this machine.{nearest(name, names)}")
    return name


def resuming(found: Found, images: int | None) -> list[str]:
    """The words that continue a run."""
    longer = [] if images is None else [f"--train.images={images}"]
    return ["train", str(found.path / "config.toml"), "--out", str(found.path), "--resume", *longer]


def unused(runs: Path, name: str) -> str:
    """The name itself, or the first of name-2, name-3, ... that no run has. Raises `ConfigError`."""
    refuse_name(name)
    names = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    return next(one for one in names if not (runs / one).exists())


def component_of(name: str) -> str:
    """A run's name, which may hold the folders that it lies in, as a name without them."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:70]


def written(words: list[str] | tuple[str, ...]) -> str:
    """A job's command line as it is typed."""
    return command(*words)
