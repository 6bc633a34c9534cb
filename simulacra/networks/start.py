"""Where networks begin: encoders at images less the mean image, decoders at the mean image itself.

What every image has in common is then known before the first step, and training learns how images differ. Both are
biases, so the names of weights, and what a trained network means, stay as they are. Layers that are unknown here, as
those of other packages, are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

__all__ = ["begin_at", "centre"]

Dense, Convolution = nn.Linear, nn.Conv2d | nn.ConvTranspose2d


@torch.no_grad()
def centre(network: nn.Module, mean: Tensor) -> None:
    """Let a new network see images ``(B, C, H, W)`` less their mean ``(C, H, W)``: ``b <- b - W mean``.

    A dense layer ``W x + b`` becomes ``W (x - mean) + b`` exactly. A convolution has one bias for all places, so it
    loses the average of ``W * mean`` over places: its outputs have mean 0 over places and images together.
    """
    x = mean[None]
    for layer in _layers(network):
        if isinstance(layer, nn.Flatten):
            x = layer(x)
        elif isinstance(layer, nn.Linear | nn.Conv2d) and _takes(layer, x) and layer.bias is not None:
            training = layer.training
            seen: Tensor = layer.eval()(x)  # eval: the vectors of spectral normalisation stay as they are
            layer.train(training)
            layer.bias.sub_(seen.movedim(1, -1).flatten(0, -2).mean(0) - layer.bias)
            return
        else:
            return


@torch.no_grad()
def begin_at(network: nn.Module, mean: Tensor, output: Callable[[Tensor], Tensor]) -> None:
    """Let a new decoder's outputs spread around ``output(mean)``, of a mean image ``(C, H, W)``, by its last bias.

    Where one bias serves all places of a channel, it is the output of the channel's mean.
    """
    *_, last = (layer for layer in _layers(network) if not isinstance(layer, nn.Unflatten))
    if isinstance(last, Dense):
        value = output(mean).flatten()
    elif isinstance(last, Convolution):
        value = output(mean.mean((1, 2), keepdim=True)).flatten()
    else:
        return
    if last.bias is not None and last.bias.shape == value.shape:
        last.bias.copy_(value)


def _takes(layer: nn.Linear | nn.Conv2d, x: Tensor) -> bool:
    """Whether images, flattened before a dense layer, fit into a layer."""
    if isinstance(layer, nn.Linear):
        return x.shape[1:] == (layer.in_features,)
    return x.ndim == 4 and x.shape[1] == layer.in_channels


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the innermost parts of a network, in order; a layer with a normalised weight is one part."""
    if isinstance(network, Dense | Convolution) or not any(True for _ in network.children()):
        yield network
    else:
        for part in network.children():
            yield from _layers(part)
