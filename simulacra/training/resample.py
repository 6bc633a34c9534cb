"""Dense layers beside convolutions for images of another side: their weights are maps, which can be interpolated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from simulacra.models import Model
from simulacra.networks.base import Network
from simulacra.networks.conv import ToImage, ToVector


def dense_layers(model: Model, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a model's dense layers beside convolutions, interpolated from those of another side.

    A layer that reads a map keeps the size of its output: its weights become smaller as there are more of them.
    """
    own, found = model.state_dict(), {}
    for place, channels, axis in _places(model):
        for name, tensor in own.items():
            given = weights.get(name)
            if not name.startswith(f"{place}.") or given is None or given.ndim <= axis or given.shape == tensor.shape:
                continue
            brought = _interpolated(given.movedim(axis, 0), tensor.movedim(axis, 0), channels)
            if brought is not None:
                found[name] = brought.movedim(0, axis) * (given.shape[1] / tensor.shape[1] if axis else 1.0)
    return found


def _places(model: Model) -> Iterator[tuple[str, int, int]]:
    """The name of each dense layer beside a map, the map's channels, and the axis of the weights that it is on."""
    for name, network in model.named_modules():
        layers = list(network) if isinstance(network, Network) else []
        for index, layer in enumerate(layers):
            if isinstance(layer, ToImage):
                yield f"{name}.{index - 1}", layer.channels, 0
            if isinstance(layer, ToVector):
                inside = [part for before in layers[:index] for part in before.modules()]
                widths = [part.out_channels for part in inside if isinstance(part, nn.Conv2d)]
                yield f"{name}.{index + 1}", widths[-1], 1


def _interpolated(given: Tensor, own: Tensor, channels: int) -> Tensor | None:
    """Values ``(H W C, ...)`` as ``(H' W' C, ...)``; None where they are not square maps of so many channels."""
    sides = [math.isqrt(len(values) // channels) for values in (given, own)]
    if given.shape[1:] != own.shape[1:] or [side**2 * channels for side in sides] != [len(given), len(own)]:
        return None
    maps = given.reshape(sides[0], sides[0], -1).permute(2, 0, 1).unsqueeze(0)
    brought = F.interpolate(maps, (sides[1], sides[1]), mode="bilinear", align_corners=False)
    return brought[0].permute(1, 2, 0).reshape(own.shape)
