"""Keys that had another name: old configs, recipes and command lines stay readable."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

OPTIMIZER = {"rate": "learning_rate", "decay": "weight_decay"}
NETWORK = {"halvings": "downsamplings", "correct": "residual", "waves": "fourier_features"}
RENAMED = {  # by the table that holds them
    "data": {"draw": "per_class_seed"},
    "train.optimizer": OPTIMIZER,
    "train.players.*": OPTIMIZER,
    "model.network": NETWORK,
    "model.generator": NETWORK,
    "model.discriminator": NETWORK,
}


def modern(tables: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return nested tables with the present name of every key; a key that is there under both names stays as it is."""
    names = _names(path)
    found: dict[str, Any] = {}
    for key, value in tables.items():
        name = names.get(key, key)
        if name in tables:
            name = key
        inside = f"{path}.{key}" if path else str(key)
        found[name] = modern(value, inside) if isinstance(value, Mapping) else value
    return found


def original(tables: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return nested tables with the first name that every key had, by which digests of configs stay as they were."""
    names = {new: old for old, new in _names(path).items()}
    found: dict[str, Any] = {}
    for key, value in tables.items():
        inside = f"{path}.{key}" if path else str(key)
        found[names.get(key, key)] = original(value, inside) if isinstance(value, Mapping) else value
    return found


def _names(path: str) -> Mapping[str, str]:
    """The present name of each renamed key of a table."""
    return next((names for pattern, names in RENAMED.items() if fnmatch(path, pattern)), {})
