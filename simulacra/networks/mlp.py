"""Multilayer perceptrons over flattened images."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from torch import nn

from simulacra.config import Mlp
from simulacra.networks.base import Network, Shape, activation, initialise, normalise


def encoder(network: Mlp, shape: Shape, outputs: int) -> Network:
    """``(B, C, H, W) -> (B, outputs)`` through the hidden widths."""
    widths = (shape.pixels, *network.hidden)
    hidden = list(_hidden(network, widths))
    return Network(nn.Flatten(), *hidden, normalise(initialise(nn.Linear(widths[-1], outputs), None), network.norm))


def decoder(network: Mlp, inputs: int, shape: Shape, channels: int) -> Network:
    """``(B, inputs) -> (B, channels, H, W)`` through the hidden widths backwards."""
    widths = (inputs, *reversed(network.hidden))
    output = normalise(initialise(nn.Linear(widths[-1], channels * shape.size**2), None), network.norm)
    return Network(*_hidden(network, widths), output, nn.Unflatten(1, (channels, shape.size, shape.size)))


def _hidden(network: Mlp, widths: tuple[int, ...]) -> Iterable[nn.Module]:
    for inputs, outputs in itertools.pairwise(widths):
        yield normalise(initialise(nn.Linear(inputs, outputs), network.activation), network.norm)
        yield activation(network.activation)
        if network.norm == "batch":
            yield nn.BatchNorm1d(outputs, momentum=network.norm_momentum)
