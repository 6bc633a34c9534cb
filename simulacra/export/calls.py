"""A call of one of PyTorch's functions, as it was seen while a part ran, and what a program makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Step = tuple[str, Sequence[Tensor], dict[str, Any]] | None  # None: the same values under another name


class Unknown(Exception):
    """A function is used in a way that programs have no operation for; the text says which."""


@dataclass(frozen=True)
class Call:
    """A call of a function: the last part of its name, what it was given and what it returned."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Tensor]

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)

    def tensor(self, place: int) -> Tensor:
        """Return an argument that is a tensor."""
        value = self.args[place] if place < len(self.args) else next(iter(self.kwargs.values()))
        if not isinstance(value, Tensor):
            raise Unknown("with a number in place of an array")
        return value


Translation = Callable[[Call], list[Step]]
