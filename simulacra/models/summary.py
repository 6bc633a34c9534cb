"""What a model consists of: its players, their layers and parameters, before the first step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra.models.base import Model


@dataclass(frozen=True)
class Layer:
    """One layer: whose it is, where it stands, what it does, how many parameters it has."""

    player: str
    place: str
    description: str
    parameters: int


def layers(model: Model) -> list[Layer]:
    """List every layer without children of every player, with the parameters it holds itself."""
    places = {module: name for name, module in model.named_modules()}
    return [
        Layer(player, places.get(layer, ""), _describe(layer), sum(p.numel() for p in layer.parameters(recurse=False)))
        for player, module in model.players().items()
        for layer in module.modules()
        if not list(layer.children()) or list(layer.parameters(recurse=False))
    ]


def totals(model: Model) -> dict[str, int]:
    """Count the parameters of each player."""
    return {player: sum(p.numel() for p in module.parameters()) for player, module in model.players().items()}


def _describe(layer: nn.Module) -> str:
    name, inside = type(layer).__name__.removeprefix("Parametrized"), layer.extra_repr()
    if isinstance(layer, nn.Linear):
        inside = f"{layer.in_features} -> {layer.out_features}"
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        stride = f", stride {layer.stride[0]}" if layer.stride[0] > 1 else ""
        inside = f"{layer.in_channels} -> {layer.out_channels}, {layer.kernel_size[0]} x {layer.kernel_size[1]}{stride}"
    if isinstance(layer, _BatchNorm):
        inside = f"{layer.num_features}"
    return f"{name}({inside})"
