"""Translators for repair: residual blocks on an image whose pixels were folded into channels, added to the input.

Sources: Enhanced Deep Residual Networks for Single Image Super-Resolution (2017), https://arxiv.org/abs/1707.02921;
FFDNet: Toward a Fast and Flexible Solution for CNN-based Image Denoising (2018), https://arxiv.org/abs/1710.04026
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simulacra.config import Subpixel
from simulacra.networks.base import initialise

__all__ = ["restorer"]

GENTLE = 0.1  # of the weights of each last layer at the start: at first the input is nearly left as it is


class Restorer(nn.Module):
    """``x + network(x)``: the input, grey where the target has colour, and what is missing from it.

    In training the sum may leave [-1, 1], so that white and black pixels keep a slope; in use it is cut off there.
    """

    def __init__(self, network: nn.Module, outputs: int) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return images ``(B, C', H, W)`` for images ``(B, C, H, W)`` in [-1, 1]."""
        plain = x if x.shape[1] == self.outputs else x.mean(1, keepdim=True).expand(-1, self.outputs, -1, -1)
        restored: Tensor = plain + self.network(x).float()
        return restored if self.training else restored.clamp(-1, 1)


class Block(nn.Module):
    """``x + conv(relu(conv(x)))``: a residual block without normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = initialise(nn.Conv2d(width, width, 3, padding=1), "relu")
        self.second = _gentle(initialise(nn.Conv2d(width, width, 3, padding=1), None))

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions find."""
        found: Tensor = self.second(torch.relu(self.first(x)))
        return x + found


def restorer(network: Subpixel, inputs: int, outputs: int) -> Restorer:
    """Build a network from images of ``inputs`` channels to images of ``outputs`` channels and the same size."""
    fold = 2**network.downsamplings
    layers = [
        nn.PixelUnshuffle(fold),
        initialise(nn.Conv2d(inputs * fold**2, network.width, 3, padding=1), None),
        *(Block(network.width) for _ in range(network.blocks)),
        _gentle(initialise(nn.Conv2d(network.width, outputs * fold**2, 3, padding=1), None)),
        nn.PixelShuffle(fold),
    ]
    return Restorer(nn.Sequential(*layers), outputs)


def _gentle(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(GENTLE)
    return layer
