"""The whole config, parsed: nested tables in, a `Config` or one clear message out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from simulacra.config.base import OneOf, Section, leaves
from simulacra.config.data import Data
from simulacra.config.models import FAMILIES, ModelConfig
from simulacra.config.renamed import modern
from simulacra.config.training import Train
from simulacra.errors import ConfigError, nearest

__all__ = ["Config", "model_sections", "parse"]


class Config(Section):
    """Everything that determines a run."""

    recipe: str = Field("custom", description="recipe that these values come from")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="random seed of weights, order and noise")
    data: Data = Data()
    model: ModelConfig
    train: Train = Train()

    @model_validator(mode="after")
    def _packs_are_full(self) -> Config:
        packing = getattr(self.model, "packing", 1)
        if self.train.batch % packing:
            raise ValueError(
                f"train.batch must be a multiple of model.packing: {self.train.batch} images "
                f"cannot be divided into packs of {packing}"
            )
        return self


def model_sections() -> list[type[Section]]:
    """Return the config section of every family."""
    return list(FAMILIES.values())


def parse(values: Mapping[str, Any], *, prefix: str = "") -> Config:
    """Validate nested tables into a `Config`; raises `ConfigError` naming the first wrong key and the remedy.

    ``prefix`` is what stands before a key where it was written: "--" on a command line.
    """
    values = modern(values)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, values, prefix)) from None


def _explain(error: ValidationError, values: Mapping[str, Any], prefix: str) -> str:
    problem = error.errors()[0]
    path, section = _locate(problem["loc"], values)
    dotted = prefix + ".".join(path) if path else "config"
    if problem["type"] == "extra_forbidden":
        allowed = [key for key in section.model_fields if key not in ("family", "kind")]
        hint = nearest(path[-1], allowed, prefix=dotted.removesuffix(path[-1]))
        return f"Unknown key '{dotted}'.{hint} Allowed here: {', '.join(allowed)}."
    if problem["type"] == "missing":
        return f"'{dotted}' is missing."
    if problem["type"] in ("tag_unknown", "tag_missing"):
        return _explain_tag(problem["ctx"], dotted, [str(_tag(member)) for member in _members(section, path[-1])])
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if problem["type"] == "value_error":
        return f"{dotted}: {message}." if path else f"{message}."
    given = problem["input"]
    return f"{dotted} must be {message}; got {given!r}."


def _explain_tag(context: Mapping[str, Any], dotted: str, tags: list[str]) -> str:
    key, allowed = f"{dotted}.{context['tag']}", ", ".join(tags)
    if "name" not in context:
        return f"{key} is missing. Allowed: {allowed}."
    hint = nearest(context["name"], tags)
    own = "One of your own must be registered first: give --plugin FILE.py, or import its module."
    return f"{key} is '{context['name']}'.{hint} Allowed: {allowed}. {own}"


def _locate(location: tuple[int | str, ...], values: Any) -> tuple[list[str], type[BaseModel]]:
    """Follow a pydantic location; return the dotted path and the section that holds its end."""
    path: list[str] = []
    section: type[BaseModel] = Config
    holder: type[BaseModel] = Config
    for part in location:
        if isinstance(part, int):
            path.append(str(part))
            continue
        holder = section
        path.append(part)
        values = values.get(part) if isinstance(values, Mapping) else None
        section = _choose(section, part, values)
    return path, holder


def _members(section: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """The sections that a field of a section may hold."""
    field = section.model_fields.get(name)
    if field is None:
        return []
    for found in field.metadata:
        if isinstance(found, OneOf):
            return list(found.sections.values())
    return [leaf for leaf in leaves(field.annotation) if isinstance(leaf, type) and issubclass(leaf, BaseModel)]


def _choose(section: type[BaseModel], name: str, values: Any) -> type[BaseModel]:
    """The section of a field: of a union the member that the values name, else the default's; or stay here."""
    members = _members(section, name)
    given = [values.get("family"), values.get("kind")] if isinstance(values, Mapping) else []
    default = section.model_fields[name].default if members else None
    fallback = type(default) if isinstance(default, BaseModel) else (members or [section])[0]
    return next((member for member in members if _tag(member) in given), fallback)


def _tag(section: type[BaseModel]) -> str | None:
    for name in ("family", "kind"):
        field = section.model_fields.get(name)
        if field is not None:
            return str(field.default)
    return None
