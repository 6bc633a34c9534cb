"""What comes from outside the package: families, networks, objectives, operations and metrics of other people.

`register` takes any of them. `load_file` runs a Python file that a person names on the command line, and
`load_installed` imports the entry points of installed packages. Neither is ever called for a name that stands in a
run, a recipe or a file of weights: what these name and nobody has registered is refused.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from simulacra.errors import ConfigError, SimulacraError

Thing = TypeVar("Thing")

GROUPS = ("families", "networks", "objectives", "transforms", "metrics")  # entry points: simulacra.families and so on

TRANSFORMS = "simulacra.transforms"


def register(thing: Thing) -> Thing:
    """Add something from outside the package, and return it; on classes it is used as a decorator.

    A `simulacra.models.Model` subclass with a ``section`` becomes a family, a `simulacra.networks.Kind` a network, a
    `simulacra.adversarial.Objective` an objective of adversarial families, a `simulacra.evaluation.Part` a part of
    ``evaluate``. Raises `ConfigError` for a name in use, and for anything else.
    """
    from simulacra import adversarial, evaluation, models, networks  # heavy, so only when something is registered

    rooms: tuple[tuple[bool, Any], ...] = (
        (isinstance(thing, type) and issubclass(thing, models.Model), models.register),
        (isinstance(thing, networks.Kind), networks.register),
        (isinstance(thing, evaluation.Part), evaluation.register),
        (not isinstance(thing, type) and isinstance(thing, adversarial.Objective), adversarial.register),
    )
    for is_one, add in rooms:
        if is_one:
            add(thing)
            return thing
    raise ConfigError(
        f"{thing!r} cannot be registered: give a Model subclass, a networks.Kind, an adversarial objective or an "
        "evaluation.Part."
    )


def load_file(path: Path) -> None:
    """Run a Python file that registers things, once. Raises `ConfigError` for a file that is not there or fails."""
    if path.suffix != ".py" or not path.is_file():
        raise ConfigError(f"--plugin {path} is not a Python file. Name an existing file that ends in .py.")
    name = f"simulacra_plugin_{abs(hash(path.resolve()))}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(sys.modules[name])
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        raise _failed(f"--plugin {path}", error) from error


def load_installed() -> None:
    """Import what installed packages offer as entry points, ``simulacra.families`` and so on, and register it.

    Raises `ConfigError` for one that fails.
    """
    for entry in installed():
        try:
            thing = entry.load()
            if entry.group != TRANSFORMS:  # these have registered themselves, by the decorator of `transforms.register`
                register(thing)
        except (Exception, SystemExit) as error:
            raise _failed(f"The plug-in {entry.name} ({entry.value})", error) from error


def installed() -> list[EntryPoint]:
    """Return the entry points of installed packages, without importing them."""
    found = entry_points()
    return [entry for group in GROUPS for entry in found.select(group=f"simulacra.{group}")]


def _failed(what: str, error: BaseException) -> ConfigError:
    reason = str(error) if isinstance(error, SimulacraError) else f"{type(error).__name__}: {error}"
    return ConfigError(f"{what} failed: {reason}")
