"""A small convolutional network that has seen photographs of twenty classes: what it sees is what people see first.

It is shipped with the package (``weights/pictures.safetensors``, made by ``scripts/train_pictures.py``) and is never
trained further. Its activations compare an image with its reconstruction, place by place; their means over the picture
compare sets of pictures.
Source: Perceptual Losses for Real-Time Style Transfer and Super-Resolution (2016), section 3.2,
https://arxiv.org/abs/1603.08155
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib import resources
from itertools import pairwise

import torch
from safetensors.torch import load as deserialise
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra.images import on_black, on_white

WIDTHS = (3, 32, 64, 96, 128, 128)  # channels before the first convolution and after each
STRIDES = (2, 2, 1, 2, 1)
SEEN = (2, 4)  # convolutions whose means are features
DIMENSIONS = sum(WIDTHS[layer + 1] for layer in SEEN)
SIDES = (32, 64)  # pixels: smaller pictures are enlarged, larger ones reduced
LARGEST = 10.0  # standard deviations: beyond them a feature is cut off, so that no single one decides


class PictureNetwork(nn.Module):
    """Five convolutions; the features ``(N, 224)`` are means over the outputs of the third and the fifth.

    Each feature is standardised over the photographs, so that none outweighs the others.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 5 if index == 0 else 3, stride, 2 if index == 0 else 1)
            for index, ((inputs, outputs), stride) in enumerate(zip(pairwise(WIDTHS), STRIDES, strict=True))
        )
        self.register_buffer("mean", torch.zeros(DIMENSIONS))
        self.register_buffer("deviation", torch.ones(DIMENSIONS))

    def activations(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the output ``(N, C, H, W)`` of each convolution for images ``(N, 1, 3 or 4, H, W)`` in [-1, 1].

        Of images with an opacity it sees how they look on white.
        """
        side = min(max(*x.shape[-2:], SIDES[0]), SIDES[1])
        x = on_white(x).expand(-1, 3, -1, -1)
        if tuple(x.shape[-2:]) != (side, side):
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
            yield x

    def forward(self, x: Tensor) -> Tensor:
        """Return standardised features ``(N, 224)`` of images ``(N, 1 or 3, H, W)`` in [-1, 1]."""
        means = [seen.mean((2, 3)) for layer, seen in enumerate(self.activations(x)) if layer in SEEN]
        return ((torch.cat(means, 1) - self.mean) / self.deviation).clamp(-LARGEST, LARGEST)


def perceptual_distance(x: Tensor, y: Tensor) -> Tensor:
    """Return how different two images look, place by place: ``(N, C, H, W)`` twice, in [-1, 1], to ``(N,)``.

    ``sum_l mean_p |a_l(x)_p / |a_l(x)_p| - a_l(y)_p / |a_l(y)_p| |^2`` over layers l and places p, with the activations
    a of the shipped network: at most 4 a layer, 0 for equal images. Differentiable. For images with an opacity this is
    the mean of the distances on white and on black.
    Source: The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (2018), equation 1 with equal
    weights, https://arxiv.org/abs/1801.03924
    """
    if x.shape[1] == 4:
        return (perceptual_distance(on_white(x), on_white(y)) + perceptual_distance(on_black(x), on_black(y))) / 2
    network = on(x.device)
    pairs = zip(network.activations(x), network.activations(y), strict=True)
    parts = [(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2)) for a, b in pairs]
    return torch.stack(parts).sum(0)


@cache
def on(device: torch.device) -> PictureNetwork:
    """Return the network with its shipped weights on a device; each device has its own copy, which is never moved."""
    return deepcopy(shipped()[0]).to(device)


@cache
def shipped() -> tuple[PictureNetwork, str]:
    """Return the network with its shipped weights on the CPU, and the SHA-256 of their file."""
    content = (resources.files("simulacra") / "weights" / "pictures.safetensors").read_bytes()
    with torch.device("meta"):
        network = PictureNetwork()
    network.load_state_dict({key: tensor.float() for key, tensor in deserialise(content).items()}, assign=True)
    return network.requires_grad_(False).eval(), hashlib.sha256(content).hexdigest()
