"""Operations by name, and several of them with random parameters: seeded, composable, written as text.

pipeline = Pipeline.parse("flip, rotate degrees=-15..15, noise probability=0.5")
y = pipeline(x, torch.Generator().manual_seed(0))
assert Pipeline.parse(str(pipeline)) == pipeline
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from simulacra import parallel
from simulacra.errors import ConfigError
from simulacra.operations import OPERATIONS, Operation, Parameter, Range, Step, operation, steps
from simulacra.transforms.geometry import Geometry


def function(chosen: Operation) -> Callable[..., Any]:
    """Return the function of an operation: that of its ``home`` below `simulacra.transforms`, or its own."""
    return _at_home(chosen.home) if chosen.function is None else chosen.function


def _at_home(home: str) -> Callable[..., Any]:
    module, _, name = home.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"simulacra.transforms.{module}"), name)
    return found


def movement(name: str, x: Tensor, generator: torch.Generator | None = None, **values: Any) -> Geometry:
    """The `Geometry` of a geometric operation for images ``(B, C, H, W)``. Raises `ConfigError` for others."""
    return moving(name, operation(name), x, generator, values)


def apply(name: str, x: Tensor, generator: torch.Generator | None = None, **values: Any) -> Tensor:
    """Apply an operation by name to images ``(B, C, H, W)`` in [-1, 1], e.g. ``apply("rotate", x, degrees=30)``.

    Values not given are the table's defaults; numbers may be tensors ``(B,)``. Raises `ConfigError`.
    """
    return applied(name, operation(name), x, generator, values)


def applied(
    name: str, chosen: Operation, x: Tensor, generator: torch.Generator | None, values: Mapping[str, Any]
) -> Tensor:
    """Apply an operation that has been looked up already; see `apply`."""
    if chosen.geometric:
        return moving(name, chosen, x, generator, values).image(x)
    result: Tensor = function(chosen)(x, **_arguments(name, chosen, values, generator))
    return result


def measured(
    name: str, chosen: Operation, parts: Iterable[Tensor], values: Mapping[str, Any]
) -> Callable[[Tensor], Tensor]:
    """Return what an operation does to each strip of an image, having seen all of them."""
    found: Callable[[Tensor], Tensor] = _at_home(chosen.measured)(parts, **_arguments(name, chosen, values, None))
    return found


def moving(
    name: str, chosen: Operation, x: Tensor, generator: torch.Generator | None, values: Mapping[str, Any]
) -> Geometry:
    """The `Geometry` of an operation that has been looked up already; see `movement`."""
    if not chosen.geometric:
        geometric = ", ".join(name for name, one in OPERATIONS.items() if one.geometric)
        raise ConfigError(f"{name} does not move pixels. Geometric operations: {geometric}.")
    found: Geometry = function(chosen)(x, **_arguments(name, chosen, values, generator))
    return found


def _arguments(
    name: str, chosen: Operation, values: Mapping[str, Any], generator: torch.Generator | None
) -> dict[str, Any]:
    unknown = next((key for key in values if key not in chosen.parameters), None)
    if unknown is not None:
        raise ConfigError(f"{name} has no parameter '{unknown}'. It has: {', '.join(chosen.parameters) or 'none'}.")
    arguments = {
        key: _plain(parameter, values.get(key, parameter.default), f"{name}: {key}")
        for key, parameter in chosen.parameters.items()
    }
    return {**arguments, "generator": generator} if chosen.draws else arguments


def _plain(parameter: Parameter, value: Any, name: str) -> Any:
    if value is None:
        raise ConfigError(f"{name} is missing; it must be a picture.")
    whole = parameter.kind == "whole" or (parameter.kind == "odd" and not isinstance(value, Tensor))
    return int(value) if whole else value


@dataclass(frozen=True)
class Moved:
    """Images after a pipeline, and the masks and points that went with them."""

    image: Tensor
    mask: Tensor | None = None
    points: Tensor | None = None


@dataclass(frozen=True)
class Pipeline:
    """Steps one after the other, each with values drawn anew for every image: same seed, same result.

    Every step keeps the size and the channels of the images.
    """

    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str | Sequence[str]) -> Pipeline:
        """Understand a list of steps or one text with commas between. Raises `ConfigError`."""
        return cls(steps(text))

    def __str__(self) -> str:
        return ", ".join(map(str, self.steps))

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change images ``(B, C, H, W)`` in [-1, 1]; the result has the same shape and range."""
        return self.moved(x, generator).image

    def moved(
        self, x: Tensor, generator: torch.Generator, mask: Tensor | None = None, points: Tensor | None = None
    ) -> Moved:
        """Change images, and move masks ``(B, 1, H, W)`` and points ``(B, N, 2)`` along where pixels are moved."""
        state = Moved(x, mask, points)
        for step in self.steps:
            state = _taken(step, state, generator)
        return state


def _taken(step: Step, state: Moved, generator: torch.Generator) -> Moved:
    """One step, for those images that it falls on."""
    count = len(state.image)
    if step.probability >= 1:
        return _changed(step, state, generator)
    everywhere = torch.rand(parallel.total(count), generator=generator) < step.probability
    if not everywhere.any():
        return state
    with parallel.among(everywhere) as chosen:
        parts = [None if x is None else x[chosen.to(x.device)] for x in (state.image, state.mask, state.points)]
        assert parts[0] is not None
        changed = _changed(step, Moved(parts[0], *parts[1:]), generator)
    if not parallel.own(everywhere).any():  # an image stood in
        return state
    return Moved(
        _put(state.image, chosen, changed.image),
        None if state.mask is None or changed.mask is None else _put(state.mask, chosen, changed.mask),
        None if state.points is None or changed.points is None else _put(state.points, chosen, changed.points),
    )


def _put(old: Tensor, chosen: Tensor, new: Tensor) -> Tensor:
    return old.index_put((chosen.to(old.device).nonzero().squeeze(1),), new)


def _changed(step: Step, state: Moved, generator: torch.Generator) -> Moved:
    values = drawn(step, len(state.image), generator)
    if not step.operation.geometric:
        return Moved(applied(step.name, step.operation, state.image, generator, values), state.mask, state.points)
    chosen = moving(step.name, step.operation, state.image, generator, values)
    return Moved(
        chosen.image(state.image),
        None if state.mask is None else chosen.mask(state.mask),
        None if state.points is None else chosen.points(state.points),
    )


def drawn(step: Step, count: int, generator: torch.Generator) -> dict[str, Any]:
    """The values of a step for so many images: its numbers as they are, its ranges as tensors ``(count,)``."""
    parameters = step.operation.parameters
    ranges = step.ranges
    random = parallel.drawn(lambda rows: torch.rand(len(ranges), rows, generator=generator), count, dim=1)
    return {
        **step.values,
        **{key: _within(parameters[key], ranges[key], row) for key, row in zip(ranges, random, strict=True)},
    }


def _within(parameter: Parameter, range_: Range, random: Tensor) -> Tensor:
    if parameter.kind == "odd":
        first, last = int(range_.low), int(range_.high)
        return first + 2 * (random * ((last - first) // 2 + 1)).floor()
    if parameter.ratio and range_.low > 0:
        return range_.low * (range_.high / range_.low) ** random
    return range_.low + (range_.high - range_.low) * random
