"""The one training loop, its optimizers and averaged weights; it plays any game of `simulacra.models`."""

from simulacra.training.average import Average
from simulacra.training.progress import Progress
from simulacra.training.trainer import Trainer

__all__ = ["Average", "Progress", "Trainer"]
