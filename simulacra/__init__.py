"""simulacra: train, steer and measure the classic deep generative models of images.

    import simulacra

    run = simulacra.train("vae-2d", data="digits", out="runs/first")
    images = run.sample(64, seed=0)                  # float32 (64, 1, H, W) in [-1, 1]
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
    from simulacra.runs.run import Run
    from simulacra.training import Progress, Trainer
    from simulacra.training.session import Session, train

_HOMES = {
    "Config": "simulacra.config",
    "Dataset": "simulacra.data",
    "Progress": "simulacra.training",
    "Run": "simulacra.runs.run",
    "Session": "simulacra.training.session",
    "SimulacraError": "simulacra.errors",
    "Trainer": "simulacra.training",
    "train": "simulacra.training.session",
}

__all__ = ["Config", "Dataset", "Progress", "Run", "Session", "SimulacraError", "Trainer", "__version__", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'simulacra' has no attribute '{name}'")
