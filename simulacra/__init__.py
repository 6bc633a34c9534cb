"""simulacra: train, steer and measure the classic deep generative models of images.

    import simulacra

    run = simulacra.train("vae-2d", data="digits", out="runs/first")
    images = run.sample(64, seed=0)                  # float32 (64, 1, H, W) in [-1, 1]
    simulacra.show(images)                           # a Pillow picture, which a notebook displays
    run = simulacra.Run.open("runs/first")

Names are imported when first used, so that ``import simulacra`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from simulacra.version import __version__

if TYPE_CHECKING:
    from simulacra.config import Config
    from simulacra.data import Dataset
    from simulacra.errors import SimulacraError
    from simulacra.images.show import grid, show
    from simulacra.plugins import register
    from simulacra.runs.run import Run
    from simulacra.training import Progress, Trainer
    from simulacra.training.notebook import watch
    from simulacra.training.session import Session, train

_HOMES = {
    "Config": "simulacra.config",
    "Dataset": "simulacra.data",
    "Progress": "simulacra.training",
    "Run": "simulacra.runs.run",
    "Session": "simulacra.training.session",
    "SimulacraError": "simulacra.errors",
    "Trainer": "simulacra.training",
    "grid": "simulacra.images.show",
    "register": "simulacra.plugins",
    "show": "simulacra.images.show",
    "train": "simulacra.training.session",
    "watch": "simulacra.training.notebook",
}

__all__ = [
    "Config",
    "Dataset",
    "Progress",
    "Run",
    "Session",
    "SimulacraError",
    "Trainer",
    "__version__",
    "grid",
    "register",
    "show",
    "train",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'simulacra' has no attribute '{name}'")
