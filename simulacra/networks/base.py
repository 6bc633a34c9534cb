"""What the networks share: the shape of images, activations, initialisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from simulacra.errors import ConfigError

__all__ = ["Network", "split"]

SLOPE = 0.2  # of leaky ReLU, as in DCGAN and after

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Network(nn.Sequential):
    """Layers in a row; whatever the precision inside, the output is float32, where the maths of losses is done."""

    def forward(self, input: Tensor) -> Tensor:
        """Run the layers."""
        output: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
        return output.float()


class Resize(nn.Module):
    """Bring images to a size: by averages over 2 x 2 pixels when it is smaller, else by bilinear interpolation."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        """Resample."""
        if x.shape[-1] > self.width or x.shape[-2] > self.height:
            return F.avg_pool2d(x, 2, ceil_mode=True)
        return F.interpolate(x, (self.height, self.width), mode="bilinear", align_corners=False)

    def extra_repr(self) -> str:
        """Say to which size."""
        return f"{self.height} x {self.width}"


def split(network: Network, layer: int | None) -> tuple[Network, Network]:
    """Cut a network after the activation of a hidden layer, counted from the input; None is the last one.

    Raises `ConfigError` where there is no such layer.
    """
    ends = [place + 1 for place, part in enumerate(network) if isinstance(part, tuple(ACTIVATIONS.values()))]
    layer = len(ends) if layer is None else layer
    if not 1 <= layer <= len(ends):
        raise ConfigError(
            f"There is no hidden layer {layer}: this network has {len(ends)}. Choose --model.layer from 1 to "
            f"{len(ends)}."
        )
    end = ends[layer - 1]
    parts = list(network)
    return Network(*parts[:end]), Network(*parts[end:])


def activation(name: str) -> nn.Module:
    """Return a new activation layer."""
    return nn.LeakyReLU(SLOPE) if name == "leaky_relu" else ACTIVATIONS[name]()


def initialise(layer: nn.Module, followed_by: str | None) -> nn.Module:
    """Draw weights so that activations keep their variance: ``std = gain / sqrt(fan in)``; biases are zero.

    ``followed_by`` is the activation after the layer, None for an output layer. A transposed convolution's
    output pixel sees ``kernel^2 / stride^2`` positions of every input channel, which is its fan in.
    Source: Delving Deep into Rectifiers (2015), equation 10, https://arxiv.org/abs/1502.01852
    """
    assert isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    if layer.weight.is_meta:  # nothing to draw, and drawing would import torch's compiler, for seconds
        return layer
    if isinstance(layer, nn.ConvTranspose2d):
        fan_in = layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
    else:
        fan_in = layer.weight[0].numel()
    with torch.no_grad():
        layer.weight.normal_(0.0, _gain(followed_by) / math.sqrt(fan_in))
        if layer.bias is not None:
            layer.bias.zero_()
    return layer


def normalise(layer: nn.Module, norm: str) -> nn.Module:
    """With ``norm`` "spectral", divide a layer's weight by its largest singular value, found by power iteration.

    The estimate's vectors are buffers and move with each pass in training mode.
    Source: Spectral Normalization for Generative Adversarial Networks (2018), algorithm 1,
    https://arxiv.org/abs/1802.05957
    """
    return parametrizations.spectral_norm(layer) if norm == "spectral" else layer


def _gain(name: str | None) -> float:
    if name in ("relu", "silu"):
        return math.sqrt(2.0)
    return math.sqrt(2.0 / (1 + SLOPE**2)) if name == "leaky_relu" else 1.0
