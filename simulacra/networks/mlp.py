"""Multilayer perceptrons over flattened images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from simulacra.config import Mlp
from simulacra.images import Shape
from simulacra.networks.base import Network, activation, initialise, normalise


class FourierFeatures(nn.Module):
    """``x -> [x, sin(2^k pi x), cos(2^k pi x)]`` for octaves k, 0 to K - 1: ``(B, D) -> (B, (1 + 2 K) D)``.

    High frequencies over few inputs are learned early from these features, and late from the inputs alone.
    Source: Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains (2020),
    section 6.1, https://arxiv.org/abs/2006.10739
    """

    def __init__(self, octaves: int) -> None:
        super().__init__()
        self.octaves = octaves

    def forward(self, x: Tensor) -> Tensor:
        """Append the features of ``(B, D)``."""
        phases = [2**k * math.pi * x for k in range(self.octaves)]
        return torch.cat([x, *(phase.sin() for phase in phases), *(phase.cos() for phase in phases)], dim=1)


def encoder(network: Mlp, shape: Shape, outputs: int) -> Network:
    """``(B, C, H, W) -> (B, outputs)`` through the hidden widths."""
    seen = [nn.Flatten(), FourierFeatures(network.fourier_features)] if network.fourier_features else [nn.Flatten()]
    widths = (shape.pixels * (1 + 2 * network.fourier_features), *network.hidden)
    hidden = list(_hidden(network, widths))
    return Network(*seen, *hidden, normalise(initialise(nn.Linear(widths[-1], outputs), None), network.norm))


def decoder(network: Mlp, inputs: int, shape: Shape, channels: int) -> Network:
    """``(B, inputs) -> (B, channels, H, W)`` through the hidden widths backwards."""
    widths = (inputs, *reversed(network.hidden))
    output = normalise(initialise(nn.Linear(widths[-1], channels * math.prod(shape.sides)), None), network.norm)
    return Network(*_hidden(network, widths), output, nn.Unflatten(1, (channels, *shape.sides)))


def _hidden(network: Mlp, widths: tuple[int, ...]) -> Iterable[nn.Module]:
    for inputs, outputs in itertools.pairwise(widths):
        yield normalise(initialise(nn.Linear(inputs, outputs), network.activation), network.norm)
        yield activation(network.activation)
        if network.norm == "batch":
            yield nn.BatchNorm1d(outputs, momentum=network.norm_momentum)
