"""Starting from another run's weights: every tensor that fits in name and shape is taken over, the rest stays random.

Features that tell real pictures from others are common to many sets, so that few pictures need less training.
Source: Transferring GANs: generating images from limited data (2018), https://arxiv.org/abs/1805.01677
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from simulacra.errors import ConfigError
from simulacra.models import Model
from simulacra.runs.run import Run
from simulacra.training import resample

NAMED = 3  # tensors that are named in a message


@dataclass(frozen=True)
class Inherited:
    """What a model took over: the run it is from, and the names of the tensors that fit and that did not."""

    origin: str  # what a person types for the run; a model of the hub with its commit
    taken: tuple[str, ...]
    left: tuple[str, ...]
    resampled: tuple[str, ...] = ()  # of those taken, the ones that were brought to another side

    def __str__(self) -> str:
        told = f"starts from {self.origin}: {len(self.taken)} of {len(self.taken) + len(self.left)} tensors fit"
        rest = len(self.left) - NAMED
        more = f" and {rest} more" if rest > 0 else ""
        told += f" ({len(self.resampled)} of them brought to another side)" if self.resampled else ""
        return told + (f"; new: {', '.join(self.left[:NAMED])}{more}" if self.left else "")


@torch.no_grad()
def inherit(model: Model, origin: str | Path) -> Inherited:
    """Copy into a model the averaged weights of a run, each tensor whose name and shape it has too.

    The dense layers beside convolutions, whose shape depends on the side of the images, are interpolated.
    Raises `ConfigError` where no parameter fits, `RunError` where there is no such run.
    """
    source = Run.open(origin)
    weights, own = source.model.state_dict(), model.state_dict()
    weights = {name: tensor for name, tensor in weights.items() if name not in source.model.left_out}
    resampled = resample.dense_layers(model, weights)
    weights |= resampled
    taken = tuple(name for name, tensor in own.items() if name in weights and weights[name].shape == tensor.shape)
    if not set(taken) & {name for name, _ in model.named_parameters()}:
        raise ConfigError(
            f"No weights of {origin} fit: it is a {source.config.model.family} of {source.shape} images. "
            "Start from a run of the same family and networks, or leave --init out."
        )
    for name in taken:
        own[name].copy_(weights[name])
    left = tuple(name for name in own if name not in taken)
    return Inherited(source.name, taken, left, tuple(resampled))
