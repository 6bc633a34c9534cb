"""Recipes: tested configs with a name."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from simulacra import storage
from simulacra.config.tables import loads, merge
from simulacra.errors import ConfigError, nearest

__all__ = ["Recipe", "recipe", "recipe_names"]

LARGEST_FILE = 1 << 20  # bytes of a recipe, a thousand times the largest shipped one
LARGE = "large"  # the table of what a longer, wider training changes, for a GPU


class Recipe(BaseModel):
    """A tested config with a name, what it makes, and the score and time to expect."""

    name: str
    title: str
    expect: str
    time: str
    values: dict[str, Any]


def recipe_names() -> list[str]:
    """The names of the shipped recipes; a file with a table ``[large]`` holds two."""
    return sorted(_shipped())


def recipe(name: str) -> Recipe:
    """Load a shipped recipe by name, or a TOML file of the same form by path.

    ``NAME-large`` is the recipe NAME with its table ``[large]`` laid over the others.
    """
    shipped = _shipped()
    if name in shipped:
        values = deepcopy(shipped[name])
    elif name.endswith(".toml"):
        values = loads(_text(Path(name)), f"recipe {name}")
        values.pop(LARGE, None)
    else:
        raise ConfigError(
            f"Unknown recipe '{name}'.{nearest(name, shipped)} Recipes: {', '.join(sorted(shipped))}; "
            "or the path of a .toml file."
        )
    about = values.pop("about", {})
    if not isinstance(about, dict):
        raise ConfigError(f"recipe {name}: about must be a table [about] with title, expect and time, not {about!r}.")
    stem = Path(name).stem if name.endswith(".toml") else name
    return Recipe(
        name=stem,
        title=str(about.get("title", "")),
        expect=str(about.get("expect", "")),
        time=str(about.get("time", "")),
        values=merge({"recipe": stem}, values),
    )


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    found = {}
    for entry in (resources.files("simulacra") / "recipes").iterdir():
        if not entry.name.endswith(".toml"):
            continue
        name = entry.name.removesuffix(".toml")
        values = loads(entry.read_text("utf-8"), f"recipe {name}")
        large = values.pop(LARGE, None)
        found[name] = values
        if large is not None:
            found[f"{name}-{LARGE}"] = merge(values, large)
    return found


def _text(path: Path) -> str:
    """The content of a recipe file; devices, pipes and files too large to be recipes are not read."""
    try:
        return storage.read(path, LARGEST_FILE).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"The recipe {path} cannot be read: {error}. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"The recipe {path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise ConfigError(f"{str(error).removesuffix('.')}, so it cannot be a recipe.") from None
