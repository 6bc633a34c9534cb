"""Image operations by name, and steps of random pipelines as they are written.

A step is written ``NAME PARAMETER=VALUE ...``: ``rotate degrees=-15..15 probability=0.5``. ``LOW..HIGH`` is drawn anew
for every image. A name alone is the random version with the table's ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulacra.errors import ConfigError, nearest
from simulacra.operations.compositions import COMPOSITIONS
from simulacra.operations.operation import Operation, Parameter, Range, Value
from simulacra.operations.table import OPERATIONS

__all__ = [
    "COMPOSITIONS", "OPERATIONS", "PROBABILITY", "Operation", "Parameter", "Range", "Step", "Value", "markdown",
    "operation", "refuse_moving", "refuse_reshaping", "steps", "understood",
]  # fmt: skip

PROBABILITY = "probability"


def operation(name: str) -> Operation:
    """Look an operation or a composition up by name. Raises `ConfigError`."""
    found = OPERATIONS.get(name) or COMPOSITIONS.get(name)
    if found is None:
        known = ", ".join(OPERATIONS)
        raise ConfigError(f"Unknown operation '{name}'.{nearest(name, OPERATIONS)} Operations: {known}.")
    return found


@dataclass(frozen=True)
class Step:
    """An operation with its values: numbers, or ranges to draw from, for a share of the images."""

    name: str
    values: Mapping[str, Value]
    probability: float = 1.0
    operation: Operation = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Look the operation up once. Raises `ConfigError`."""
        object.__setattr__(self, "operation", operation(self.name))

    @classmethod
    def parse(cls, text: str) -> Step:
        """Understand ``NAME PARAMETER=VALUE ...``; what is not given is as in the random version.

        Raises `ConfigError`.
        """
        name, *words = text.split()
        chosen = operation(name)
        if chosen.needs_picture:
            raise ConfigError(f"{name} needs a second picture, so it cannot be a step of a pipeline.")
        given = dict(_assignment(word, name) for word in words)
        probability = given.pop(PROBABILITY, None)
        values = {key: parameter.random or parameter.default for key, parameter in chosen.parameters.items()}
        share = (
            Parameter(1.0, "", 0, 1)._number(probability, f"{name}: probability") if probability else chosen.probability
        )
        return cls(name, {**values, **understood(name, given)}, share)

    @property
    def ranges(self) -> dict[str, Range]:
        """The values that are drawn."""
        return {key: value for key, value in self.values.items() if isinstance(value, Range)}

    def __str__(self) -> str:
        words = [f"{key}={_written(value)}" for key, value in self.values.items() if value is not None]
        share = [] if self.probability == self.operation.probability else [f"{PROBABILITY}={self.probability:g}"]
        return " ".join([self.name, *words, *share])

    def inverse(self) -> Step:
        """The step that undoes this one. Raises `ConfigError` where there is none, or where values are drawn."""
        undo = self.operation.undo
        if undo is None:
            invertible = ", ".join(name for name, one in OPERATIONS.items() if one.undo is not None)
            hint = " The Geometry of an image has one." if self.operation.geometric else ""
            raise ConfigError(
                f"{self.name} has no inverse of its own kind.{hint} Operations that have one: {invertible}."
            )
        changed = dict(self.values)
        for key, how in undo.items():
            value = changed[key]
            if not isinstance(value, int | float):
                raise ConfigError(f"{self.name}: {key} is drawn anew for every image, so it cannot be undone.")
            changed[key] = -value if how == "negated" else 1 / value
        return Step(self.name, changed, self.probability)


def understood(name: str, given: Mapping[str, str]) -> dict[str, Value]:
    """Values of an operation's parameters as they are written. Raises `ConfigError` for unknown ones."""
    parameters = operation(name).parameters
    for key in given:
        if key not in parameters:
            allowed = ", ".join([*parameters, PROBABILITY])
            raise ConfigError(f"{name} has no parameter '{key}'.{nearest(key, [*parameters])} It has: {allowed}.")
    return {key: parameters[key].parse(text, f"{name}: {key}") for key, text in given.items()}


def steps(text: str | Sequence[str]) -> tuple[Step, ...]:
    """Understand several steps: a list, or one text with commas between. Raises `ConfigError`."""
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(Step.parse(part) for part in parts if part.strip())


def refuse_reshaping(text: str | Sequence[str]) -> None:
    """Raise `ConfigError` for steps that are wrong, or that change the size or the channels of a batch."""
    for step in steps(text):
        if step.operation.reshapes or step.values.get("expand") is True:
            hint = " Use affine width=1..1.3 height=1..1.3 to show a part of each image." if step.name == "crop" else ""
            raise ConfigError(f"{step.name} changes the shape of images, which must stay the same here.{hint}")


def refuse_moving(text: str | Sequence[str]) -> None:
    """Raise `ConfigError` for steps that are wrong, or after which an image and its original show different places."""
    for step in steps(text):
        if step.name != "resize" and step.operation.geometric:
            raise ConfigError(
                f"{step.name} moves pixels, so the two images of a pair would no longer show the same places. "
                "To change both alike, give it to data.augment."
            )
        if step.name == "resize" and step.probability < 1:
            raise ConfigError("resize changes the size of all images or of none: leave its probability out.")


def _assignment(word: str, name: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not value:
        raise ConfigError(f"{name}: '{word}' is not PARAMETER=VALUE. Steps are separated by commas.")
    return key, value


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def markdown(table: Mapping[str, Operation]) -> str:
    """The rows of a table of operations, as the documentation shows them."""
    lines = [
        "| operation | what it does | parameters (default; drawn from) | masks and points | inverse |",
        "|---|---|---|---|---|",
    ]
    for name, one in table.items():
        parameters = ", ".join(_described(key, parameter) for key, parameter in one.parameters.items())
        moved = "moved" if one.geometric else "-"
        inverse = "-" if one.undo is None else _undoing(one)
        lines.append(f"| `{name}` | {one.meaning} | {parameters or '-'} | {moved} | {inverse} |")
    return "\n".join(lines)


def _described(name: str, parameter: Parameter) -> str:
    if parameter.kind == "picture":
        return f"`{name}` (a picture)"
    drawn = "" if parameter.random is None else f"; {parameter.random}"
    return f"`{name}` ({_written(parameter.default)}{drawn})"


def _undoing(operation: Operation) -> str:
    words = {"negated": "-{}", "inverted": "1 / {}"}
    return (
        ", ".join(words[how].format(f"`{key}`") for key, how in operation.undo.items()) if operation.undo else "itself"
    )
