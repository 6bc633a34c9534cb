"""Operations from outside the package: one call, and the verbs, pipelines and training know them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from simulacra.errors import ConfigError
from simulacra.operations import COMPOSITIONS, OPERATIONS, Operation

NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
Function = TypeVar("Function", bound=Callable[..., Any])


def register(name: str, operation: Operation) -> Callable[[Function], Function]:
    """Add an operation under a name, as a decorator of its function.

        @transforms.register("posterize", Operation("colour and light", "Keep a few levels of each channel.",
                             {"levels": Parameter(4, "number of levels", 2, 256, kind="whole")}))
        def posterize(x, levels=4):
            return ((x + 1) / 2 * (levels - 1)).round() / (levels - 1) * 2 - 1

    The function takes images ``(B, C, H, W)`` in [-1, 1], the operation's parameters by name, and a ``generator`` where
    the operation draws; it returns images, or for a geometric operation a `Geometry`. Raises `ConfigError` for a name
    that is taken or cannot be typed, and for a function that does not take the operation's parameters.
    """

    def add(function: Function) -> Function:
        if not NAME.match(name):
            raise ConfigError(
                f"An operation is named in small letters, digits and hyphens, such as 'blur'; got '{name}'."
            )
        if name in OPERATIONS or name in COMPOSITIONS:
            raise ConfigError(f"There is an operation '{name}' already. Choose another name.")
        wanted = {*operation.parameters, *(["generator"] if operation.draws else [])}
        taken = set(list(inspect.signature(function).parameters)[1:])
        if wanted != taken:
            raise ConfigError(
                f"The function of '{name}' takes {', '.join(sorted(taken)) or 'no parameters'} beside the images, "
                f"and the operation has {', '.join(sorted(wanted)) or 'no parameters'}. Make them equal."
            )
        OPERATIONS[name] = replace(operation, function=function)
        return function

    return add
