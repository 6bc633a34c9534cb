"""What an image operation and its parameters are: allowed values, defaults, and what the random version draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulacra.errors import ConfigError, nearest

Kind = Literal["number", "whole", "odd", "choice", "switch", "picture"]


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, drawn anew for every image."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"


Value = float | str | bool | Range | None


@dataclass(frozen=True)
class Parameter:
    """One parameter: its default, its meaning, the numbers or words allowed, and what the random version draws.

    Numbers with ``ratio`` are drawn evenly on a logarithmic scale.
    """

    default: Value
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    random: Range | None = None
    kind: Kind = "number"
    choices: tuple[str, ...] = ()
    ratio: bool = False

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind == "picture":
            return "FILE"
        if self.kind == "switch":
            return "true or false"
        if self.choices:
            return ", ".join(self.choices)
        numbers = {"odd": "odd number, ", "whole": "whole number, "}.get(self.kind, "")
        if math.isinf(self.low) and math.isinf(self.high):
            return f"{numbers}any".removesuffix(", any")
        low = _plain(self.low)
        above = f"{low} to {_plain(self.high)}" if math.isfinite(self.high) else f"{low} or more"
        return numbers + above

    def parse(self, text: str, name: str) -> Value:
        """Understand a value as it is written. Raises `ConfigError`."""
        if self.kind == "picture":
            return text
        if self.kind == "switch":
            switches: dict[str, Value] = {"true": True, "false": False}
            return _one_of(text, switches, name)
        if self.choices:
            return _one_of(text, {choice: choice for choice in self.choices}, name)
        low, dots, high = text.partition("..")
        if dots and self.kind == "whole":
            raise ConfigError(f"{name} is the same for all images, so it cannot be drawn from {text}.")
        if not dots:
            return self._number(text, name)
        ends = Range(self._number(low, name), self._number(high, name))
        if ends.low > ends.high:
            raise ConfigError(f"{name}: {text} runs backwards; write {ends.high:g}..{ends.low:g}.")
        return ends

    def _number(self, text: str, name: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ConfigError(f"{name} must be {self._wanted()}, not '{text}'.") from None
        whole = self.kind in ("odd", "whole")
        wrong = math.isnan(value) or math.isinf(value) or not self.low <= value <= self.high
        if wrong or (whole and value != int(value)) or (self.kind == "odd" and value % 2 == 0):
            raise ConfigError(f"{name} must be {self._wanted()}; got {text}.")
        return value

    def _wanted(self) -> str:
        """The numbers that may be given, as the end of a sentence."""
        number = {"odd": "an odd number", "whole": "a whole number"}.get(self.kind, "a number")
        if math.isfinite(self.high):
            return f"{number} from {_plain(self.low)} to {_plain(self.high)}"
        if math.isfinite(self.low):
            return f"{number} of at least {_plain(self.low)}"
        return "a finite number" if self.kind == "number" else number


def _plain(number: float) -> str:
    """A number as people write it: 1,000,000, not 1e+06."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:g}"


def _one_of(text: str, allowed: Mapping[str, Value], name: str) -> Value:
    if text not in allowed:
        *others, last = allowed
        raise ConfigError(f"{name} must be {', '.join(others)} or {last}; got '{text}'.{nearest(text, allowed)}")
    return allowed[text]


@dataclass(frozen=True)
class Operation:
    """One operation.

    ``geometric`` operations move masks and points with the image. Those that ``reshapes`` marks change the size or the
    channels, so they have no place in a training batch; those that ``draws`` marks are random by themselves. ``alpha``
    says whether transparency is moved with the colours or stays as it is, and whether the colours of all visible
    pixels are counted. At least one of the parameters in ``one_of`` must be above 0. ``undo`` says how each parameter
    changes in the inverse; None stands for no inverse. ``home`` names the function, as ``MODULE.FUNCTION`` below
    `simulacra.transforms`; an operation from outside the package brings its ``function``. ``reach``
    says how many pixels around it decide a pixel of the result, so that a large picture can be changed in strips; None
    where all of them do. Where these decide only by what is ``measured`` of them, that names a function of strips which
    returns the function of one.
    """

    group: str
    meaning: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    geometric: bool = False
    reshapes: bool = False
    draws: bool = False
    alpha: Literal["moved", "kept", "counted"] = "kept"
    probability: float = 1.0
    one_of: tuple[str, ...] = ()
    undo: Mapping[str, Literal["negated", "inverted"]] | None = None
    home: str = ""
    measured: str = ""
    reach: Callable[[Mapping[str, Any]], int] | None = field(default=None, compare=False, repr=False)
    function: Callable[..., Any] | None = field(default=None, repr=False)

    @property
    def needs_picture(self) -> bool:
        """Whether it takes a second picture, a mask or a reference."""
        return any(parameter.kind == "picture" for parameter in self.parameters.values())
