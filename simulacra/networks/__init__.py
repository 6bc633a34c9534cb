"""Networks by role: an encoder maps images to vectors, a decoder vectors to images, a translator images to images.

All kinds, `mlp`, `conv` and `resnet`, offer the same two functions, so every family runs on every network. Translators,
of kinds `resnet` and `unet`, and critics of patches are convolutions alone.
"""

from __future__ import annotations

import math

from torch import nn

from simulacra import config
from simulacra.images import Shape
from simulacra.networks import conv, mlp, resnet
from simulacra.networks.base import Network, activation, initialise, normalise, split
from simulacra.networks.patch import critic
from simulacra.networks.translators import stride_of, translator

__all__ = [
    "Shape",
    "critic",
    "decoder",
    "dense",
    "embedding",
    "encoder",
    "head",
    "split",
    "stride_of",
    "translator",
    "trunk",
]


def encoder(network: config.Network, shape: Shape, outputs: int) -> Network:
    """Build a network ``(B, C, H, W) -> (B, outputs)`` for images of a shape; its output is float32."""
    if isinstance(network, config.Mlp):
        return mlp.encoder(network, shape, outputs)
    if isinstance(network, config.Resnet):
        return resnet.encoder(network, shape, outputs)
    return conv.encoder(network, shape, outputs)


def decoder(network: config.Network, inputs: int, shape: Shape, channels: int) -> Network:
    """Build a network ``(B, inputs) -> (B, channels, H, W)`` for images of a shape; its output is float32."""
    if isinstance(network, config.Mlp):
        return mlp.decoder(network, inputs, shape, channels)
    if isinstance(network, config.Resnet):
        return resnet.decoder(network, inputs, shape, channels)
    return conv.decoder(network, inputs, shape, channels)


def trunk(network: config.Network, shape: Shape, features: int) -> nn.Module:
    """Build a network ``(B, C, H, W) -> (B, features)`` that ends in an activation."""
    return Network(encoder(network, shape, features), activation("leaky_relu"))


def embedding(classes: int, features: int, norm: str = "none") -> nn.Module:
    """Build a vector ``(features,)`` of length about 1 for each class, to be looked up by labels ``(B,)``."""
    layer = nn.Embedding(classes, features)
    nn.init.normal_(layer.weight, 0.0, 1 / math.sqrt(features))
    return normalise(layer, norm)


def dense(inputs: int, outputs: int, followed_by: str | None, norm: str = "none", *, bias: bool = True) -> nn.Module:
    """Build a dense layer ``(B, inputs) -> (B, outputs)``, initialised for the activation that follows it."""
    return normalise(initialise(nn.Linear(inputs, outputs, bias=bias), followed_by), norm)


def head(features: int, outputs: int, norm: str = "none") -> Network:
    """Build a network ``(B, features) -> (B, outputs)`` that reads a trunk: an activation and a dense layer.

    With ``norm`` "spectral" these layers are normalised, as `encoder` normalises its own.
    """
    return Network(activation("leaky_relu"), dense(features, outputs, None, norm))
