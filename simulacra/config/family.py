"""What the sections of all families share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from simulacra.config.base import Section
from simulacra.config.networks import with_kind

__all__ = ["Family"]


class Family(Section):
    """What the sections of all families share: a network's table without a kind changes the default network."""

    family: str

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_kind(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {name: with_kind(defaults.get(name), given) for name, given in values.items()}


def refuse_no_terms(values: Family, *weights: str) -> None:
    """Raise ValueError where all weights of a family's loss are 0."""
    if not any(getattr(values, weight) for weight in weights):
        raise ValueError(f"without {' or '.join(weights)} nothing is learned: set one of them above 0")
