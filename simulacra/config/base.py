"""What all sections of the config share: strict numbers, words with commas for tuples, tables that can be extended."""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationInfo, field_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from simulacra.errors import ConfigError

__all__ = ["NameOf", "OneOf", "Section"]

PositiveInt = Annotated[int, Field(gt=0)]
Width = Annotated[int, Field(gt=0, le=65_536)]  # of a layer or a latent: far beyond what the field uses
Fraction = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]

NUMBERS = {int, float, tuple, dict, type(None)}


class Section(BaseModel):
    """A table of the config: immutable, unknown keys refused, no NaN or infinity, numbers only where they are meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """Split words at commas where a tuple is meant; refuse text and truth values where numbers are."""
        kinds = _kinds(cast(Hashable, cls.model_fields[str(info.field_name)].annotation))
        if tuple in kinds:
            value = _as_tuple(value, of_words=str in kinds)
        if kinds <= NUMBERS and any(isinstance(part, bool | str) for part in _scalars(value)):
            kind = "number" if float in kinds else "integer"
            wanted = f"valid {kind}s" if tuple in kinds else f"a valid {kind}"
            raise PydanticCustomError("number", "Input should be {wanted}", {"wanted": wanted})
        return value


def _as_tuple(value: Any, *, of_words: bool) -> Any:
    """One word or number is a tuple of one, words with commas are several; numbers become words if these are meant."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if isinstance(value, int | float):
        value = (value,)
    if of_words and isinstance(value, list | tuple):
        return tuple(_word(part) if isinstance(part, int) else part for part in value)
    return value


def _word(value: int) -> str:
    """A number or a truth value as it is written in TOML."""
    return str(value).lower()


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _scalars(part)
    else:
        yield value


def leaves(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation of unions, dictionaries and `Annotated` consists of."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, Annotated, dict):
        for inner in typing.get_args(annotation):
            yield from leaves(inner)
    else:
        yield annotation


@cache
def _kinds(annotation: Hashable) -> frozenset[Any]:
    """The plain types of the values that an annotation allows, those inside tuples and dictionaries among them."""
    found: set[Any] = set()
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return frozenset(map(type, arguments))
    if origin is tuple or origin is dict:
        found.add(origin)
        arguments = arguments[1:] if origin is dict else arguments
    elif origin is Annotated:
        arguments = arguments[:1]
    elif origin is None:
        return frozenset({annotation})
    for inner in arguments:
        found |= _kinds(inner) if inner is not Ellipsis else frozenset()
    return frozenset(found)


@dataclass(frozen=True, eq=False)
class OneOf:
    """A table that is validated as the section which its ``tag`` names; sections from outside can be added."""

    tag: str
    sections: dict[str, type[Section]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic how to validate."""
        return core_schema.no_info_plain_validator_function(self.validate)

    def validate(self, value: Any) -> Section:
        """Return the section of a table, or a section as it is."""
        if isinstance(value, tuple(self.sections.values())):
            return cast(Section, value)
        if not isinstance(value, Mapping):
            raise PydanticCustomError("table", "Input should be a table")
        name = value.get(self.tag)
        if name is None:
            raise PydanticCustomError("tag_missing", "tag missing", {"tag": self.tag})
        if not isinstance(name, str) or name not in self.sections:
            raise PydanticCustomError("tag_unknown", "tag unknown", {"tag": self.tag, "name": str(name)})
        return self.sections[name].model_validate(value)

    def add(self, section: type[Section]) -> str:
        """Add a section under the default of its tag; return that name. Raises `ConfigError` for a name in use."""
        name = section.model_fields[self.tag].default if self.tag in section.model_fields else None
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(
                f'{section.__name__} needs a name of its own: {self.tag}: Literal["my_name"] = "my_name", in letters, '
                "digits and underscores."
            )
        taken = self.sections.get(name)
        if taken is not None and (taken.__module__, taken.__qualname__) != (section.__module__, section.__qualname__):
            raise ConfigError(f"The {self.tag} '{name}' exists already; choose another name for {section.__name__}.")
        self.sections[name] = section
        return name


@dataclass(frozen=True, eq=False)
class NameOf:
    """One of the names that a field offers, or of those in ``more``, which were added from outside."""

    names: tuple[str, ...]
    more: dict[str, Any]

    @property
    def choices(self) -> tuple[str, ...]:
        """Every name that is allowed now."""
        return (*self.names, *self.more)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic how to validate."""
        return core_schema.no_info_plain_validator_function(self.validate)

    def validate(self, value: Any) -> str:
        """Return the name."""
        if not isinstance(value, str) or value not in self.choices:
            *first, last = map(repr, self.choices)
            raise PydanticCustomError("name", "Input should be {names}", {"names": f"{', '.join(first)} or {last}"})
        return value
