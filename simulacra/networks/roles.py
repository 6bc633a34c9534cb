"""Networks by role, of any kind: encoders, decoders, and the layers that families put between or behind them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from simulacra import config
from simulacra.images import Shape
from simulacra.networks import conv, mlp, resnet
from simulacra.networks.base import Network, activation, initialise, normalise

__all__ = ["KINDS", "Kind", "decoder", "dense", "embedding", "encoder", "head", "register", "table", "trunk"]


@dataclass(frozen=True)
class Kind:
    """A kind of network: the section of its options, and the functions that build its two roles.

    ``encoder(section, shape, outputs)`` maps images ``(B, C, H, W)`` to ``(B, outputs)``, and
    ``decoder(section, inputs, shape, channels)`` maps ``(B, inputs)`` to ``(B, channels, H, W)``, both in float32.
    """

    section: type[config.Network]
    encoder: Callable[[Any, Shape, int], Network]
    decoder: Callable[[Any, int, Shape, int], Network]


KINDS: dict[str, Kind] = {
    "mlp": Kind(config.Mlp, mlp.encoder, mlp.decoder),
    "conv": Kind(config.Conv, conv.encoder, conv.decoder),
    "resnet": Kind(config.Resnet, resnet.encoder, resnet.decoder),
}


def register(kind: Kind) -> Kind:
    """Add a kind of network from outside the package, under the name that its section gives it.

    Raises `ConfigError` for a kind in use.
    """
    KINDS[config.add_network(kind.section)] = kind
    return kind


def encoder(network: config.Network, shape: Shape, outputs: int) -> Network:
    """Build a network ``(B, C, H, W) -> (B, outputs)`` for images of a shape; its output is float32."""
    return KINDS[network.kind].encoder(network, shape, outputs)


def decoder(network: config.Network, inputs: int, shape: Shape, channels: int) -> Network:
    """Build a network ``(B, inputs) -> (B, channels, H, W)`` for images of a shape; its output is float32."""
    return KINDS[network.kind].decoder(network, inputs, shape, channels)


def trunk(network: config.Network, shape: Shape, features: int) -> nn.Module:
    """Build a network ``(B, C, H, W) -> (B, features)`` that ends in an activation."""
    return Network(encoder(network, shape, features), activation("leaky_relu"))


def embedding(classes: int, features: int, norm: str = "none") -> nn.Module:
    """Build a vector ``(features,)`` of length about 1 for each class, to be looked up by labels ``(B,)``."""
    layer = table(classes, features)
    if not layer.weight.is_meta:
        nn.init.normal_(layer.weight, 0.0, 1 / math.sqrt(features))
    return normalise(layer, norm)


def table(classes: int, features: int) -> nn.Embedding:
    """Build a vector ``(features,)`` of draws from N(0, 1) for each class; on the meta device nothing is drawn."""
    empty = torch.empty(classes, features)
    return nn.Embedding(classes, features, _weight=empty) if empty.is_meta else nn.Embedding(classes, features)


def dense(inputs: int, outputs: int, followed_by: str | None, norm: str = "none", *, bias: bool = True) -> nn.Module:
    """Build a dense layer ``(B, inputs) -> (B, outputs)``, initialised for the activation that follows it."""
    return normalise(initialise(nn.Linear(inputs, outputs, bias=bias), followed_by), norm)


def head(features: int, outputs: int, norm: str = "none") -> Network:
    """Build a network ``(B, features) -> (B, outputs)`` that reads a trunk: an activation and a dense layer.

    With ``norm`` "spectral" these layers are normalised, as `encoder` normalises its own.
    """
    return Network(activation("leaky_relu"), dense(features, outputs, None, norm))
