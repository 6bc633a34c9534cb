"""Recipes: tested configs with a name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from simulacra.config.tables import loads, merge
from simulacra.errors import ConfigError, nearest


class Recipe(BaseModel):
    """A tested config with a name, what it makes, and the score and time to expect."""

    name: str
    title: str
    expect: str
    time: str
    values: dict[str, Any]


def recipe_names() -> list[str]:
    """The names of the shipped recipes."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in (resources.files("simulacra") / "recipes").iterdir()
        if entry.name.endswith(".toml")
    )


def recipe(name: str) -> Recipe:
    """Load a shipped recipe by name, or a TOML file of the same form by path."""
    names = recipe_names()
    if name in names:
        text = (resources.files("simulacra") / "recipes" / f"{name}.toml").read_text("utf-8")
    elif name.endswith(".toml"):
        text = _read_recipe_file(Path(name))
    else:
        raise ConfigError(
            f"Unknown recipe '{name}'.{nearest(name, names)} Recipes: {', '.join(names)}; or the path of a .toml file."
        )
    values = loads(text, f"recipe {name}")
    about = values.pop("about", {})
    stem = Path(name).stem if name.endswith(".toml") else name
    return Recipe(
        name=stem,
        title=str(about.get("title", "")),
        expect=str(about.get("expect", "")),
        time=str(about.get("time", "")),
        values=merge({"recipe": stem}, values),
    )


def _read_recipe_file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Recipe file {path} cannot be read: {error}.") from None
