"""Translators turn images into images of the same side; they run on any side that their downsamplings divide.

Checkerboards are avoided by design: layers that halve have a kernel that their stride divides, and those that double
end in the mean of every 2 x 2 pixels, so that a plain surface stays plain, away from the border, whatever they learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.config import ResnetTranslator, Subpixel, Translator, Unet
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.networks.base import initialise
from simulacra.networks.subpixel import restorer

__all__ = ["stride_of", "translator"]

GROWTH = 8  # the first layer's channels, at most so many times
DEEP = 8  # pixels: the largest innermost side of a U-Net that was not asked for
INSIDE, GENTLE = 0.9, 0.1  # of a corrector: how near to 1 its images begin, and of its last layer's weights


class Painter(nn.Module):
    """``tanh(network(x))``: images in [-1, 1], drawn anew."""

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return images ``(B, C', H, W)`` in [-1, 1] for images ``(B, C, H, W)``."""
        return torch.tanh(self.network(x).float())


class Corrector(nn.Module):
    """``tanh(network(x) + artanh(0.9 x))``: images corrected, and at first nearly left as they are.

    Every pixel keeps a slope, also white and black ones, so nothing holds the translator at copying but its losses.
    """

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            for parameter in network[-1].parameters():
                parameter.mul_(GENTLE)

    def forward(self, x: Tensor) -> Tensor:
        """Return images ``(B, C, H, W)`` in [-1, 1] for images of that shape."""
        return torch.tanh(self.network(x).float() + torch.atanh(INSIDE * x.float()))


class _Reflected(torch.autograd.Function):
    """Reflection in place of ``F.pad``, which leaves bfloat16 and the memory layout: a fourth of a training step."""

    @staticmethod
    def forward(context: Any, x: Tensor, margin: int) -> Tensor:
        context.margin = margin
        shape = (*x.shape[:2], x.shape[2] + 2 * margin, x.shape[3] + 2 * margin)
        padded = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        padded[:, :, margin:-margin, margin:-margin] = x
        for dimension in (2, 3):
            for edge, mirrored in _mirrored(padded, dimension, margin):
                edge.copy_(mirrored)
        return padded

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        margin, gradient = context.margin, gradient.clone(memory_format=torch.channels_last)
        for dimension in (3, 2):
            for edge, mirrored in _mirrored(gradient, dimension, margin):
                mirrored.add_(edge)
        return gradient[:, :, margin:-margin, margin:-margin], None


def _mirrored(padded: Tensor, dimension: int, margin: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Each line of a padded image's margin along a dimension, and the line that it mirrors."""
    last = padded.shape[dimension] - 1
    for index in range(margin):
        yield padded.select(dimension, index), padded.select(dimension, 2 * margin - index)
        yield padded.select(dimension, last - index), padded.select(dimension, last - 2 * margin + index)


class Reflect(nn.Module):
    """Continue images by ``margin`` pixels of their mirror image on each side."""

    def __init__(self, margin: int) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, x: Tensor) -> Tensor:
        """Return images ``(B, C, H + 2 margin, W + 2 margin)`` for images ``(B, C, H, W)``."""
        padded: Tensor = _Reflected.apply(x, self.margin)  # type: ignore[no-untyped-call]
        return padded

    def extra_repr(self) -> str:
        """Say by how many pixels."""
        return f"{self.margin}"


class Residual(nn.Module):
    """``x + branch(x)``."""

    def __init__(self, *branch: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch."""
        change: Tensor = self.branch(x)
        return x + change


class Level(nn.Module):
    """One side of a U-Net: halve, pass what is inside, double; the input is laid beside the output."""

    def __init__(self, down: nn.Module, inside: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down, self.inside, self.up = down, inside, up

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[x | up(inside(down(x)))]`` along the channels."""
        return torch.cat([x, self.up(self.inside(self.down(x)))], 1)


def translator(network: Translator, source: Shape, target: Shape) -> nn.Module:
    """Build a network from images of one domain to images ``(B, C', H, W)`` in [-1, 1] of another.

    Raises `ConfigError` for a side that cannot be halved as often, and for ``residual`` between different channels.
    """
    if not source.square:
        raise ConfigError(
            f"Translators are trained on square images, and these are {source.size} x {source.width}. Give "
            "--data.size N and no --data.width; translate takes pictures of any proportions."
        )
    stride = stride_of(network, source)
    if network.downsamplings is None and source.size / stride > DEEP:
        _refuse_shallow(source.size)
    if source.size % stride:
        lower = source.size // stride * stride
        raise ConfigError(
            f"The translator halves the side {stride.bit_length() - 1} times, but {source.size} is not a multiple of "
            f"{stride}. Choose --data.size {lower or stride} or {lower + stride}, or fewer "
            "--model.generator.downsamplings."
        )
    if isinstance(network, ResnetTranslator) and source.size == stride:
        raise ConfigError(
            f"The translator's residual blocks mirror images at their border, but {network.downsamplings} "
            f"downsamplings leave one pixel of {source.size}. Choose --data.size {2 * source.size}, or fewer "
            "--model.generator.downsamplings."
        )
    if isinstance(network, Subpixel):
        return restorer(network, source.channels, target.channels)
    if network.residual and source.channels != target.channels:
        raise ConfigError(
            f"model.generator.residual adds to the input, so both domains need the same number of channels, not "
            f"{source.channels} and {target.channels}. Leave it false, or give --data.channels and --data.channels_b "
            "the same value."
        )
    kind = Corrector if network.residual else Painter
    if isinstance(network, ResnetTranslator):
        return kind(_resnet(network, source, target.channels))
    assert isinstance(network, Unet)
    return kind(_unet(network, source, target.channels))


def _refuse_shallow(side: int) -> None:
    """Refuse a side that can be halved so seldom that the U-Net would be shallow, and name the next ones that fit."""
    fitting = [n for n in range(2, 2 * side + 2) if n / 2 ** _possible_downsamplings(n) <= DEEP]
    lower, upper = max(n for n in fitting if n < side), min(n for n in fitting if n > side)
    raise ConfigError(
        f"A U-Net halves the side down to {DEEP} pixels or fewer, but {side} cannot be halved that often. "
        f"Choose --data.size {lower} or {upper}, or set --model.generator.downsamplings."
    )


def stride_of(network: Translator, shape: Shape) -> int:
    """Return what must divide the side of an image: 2 to the power of the downsamplings."""
    count = network.downsamplings if network.downsamplings is not None else _possible_downsamplings(shape.size)
    return int(2**count)


def _resnet(network: ResnetTranslator, source: Shape, outputs: int) -> nn.Sequential:
    """``7 x 7``, downsamplings, residual blocks, upsamplings, ``7 x 7``."""
    width, norm, kernel = network.width, network.norm, network.kernel
    layers = [*_edge(source.channels, width, "relu"), *_after(width, norm)]
    for _ in range(network.downsamplings):
        halve = nn.Conv2d(width, 2 * width, kernel, 2, 1, bias=norm == "none")
        layers += [initialise(halve, "relu"), *_after(2 * width, norm)]
        width *= 2
    layers += [_block(width, norm) for _ in range(network.blocks)]
    for _ in range(network.downsamplings):
        layers += [*_double(width, width // 2, kernel, "relu", bias=norm == "none"), *_after(width // 2, norm)]
        width //= 2
    return nn.Sequential(*layers, *_edge(width, outputs, None))


def _edge(inputs: int, outputs: int, followed_by: str | None) -> list[nn.Module]:
    return [Reflect(3), initialise(nn.Conv2d(inputs, outputs, 7), followed_by)]


def _block(width: int, norm: str) -> nn.Module:
    first, second = (nn.Conv2d(width, width, 3, bias=norm == "none") for _ in range(2))
    return Residual(
        Reflect(1), initialise(first, "relu"), *_after(width, norm),
        Reflect(1), initialise(second, None), *_norm(width, norm),
    )  # fmt: skip


def _unet(network: Unet, source: Shape, outputs: int) -> nn.Sequential:
    """Levels inside each other, from the image itself down, and a ``3 x 3`` layer that sees both at full size."""
    times = stride_of(network, source).bit_length() - 1
    widths = [network.width * min(GROWTH, 2**index) for index in range(times)]
    inside: nn.Module = nn.Identity()
    for index in reversed(range(1, times)):
        inside = _level(network, widths[index - 1], widths[index], innermost=index == times - 1, inside=inside,
                        dropout=index >= max(1, times - 4) and index < times - 1)  # fmt: skip
    seen = 2 * widths[0] if times > 1 else widths[0]
    width, plain = network.width, network.norm == "none"
    first = initialise(nn.Conv2d(source.channels, width, 4, 2, 1), "leaky_relu")
    up = nn.Sequential(nn.ReLU(), *_double(seen, width, 4, "relu", bias=plain), *_after(width, network.norm))
    last = initialise(nn.Conv2d(source.channels + width, outputs, 3), None)
    return nn.Sequential(Level(first, inside, up), Reflect(1), last)


def _level(network: Unet, outer: int, inner: int, *, innermost: bool, inside: nn.Module, dropout: bool) -> Level:
    """A level between ``outer`` and ``inner`` channels; the innermost, of few pixels, is not normalised."""
    norm, plain = network.norm, innermost or network.norm == "none"
    halve = initialise(nn.Conv2d(outer, inner, 4, 2, 1, bias=plain), "leaky_relu")
    seen = inner if innermost else 2 * inner
    double = _double(seen, outer, 4, "relu", bias=norm == "none")
    down = nn.Sequential(nn.LeakyReLU(0.2), halve, *([] if plain else _norm(inner, norm)))
    drop = [nn.Dropout(network.dropout)] if dropout and network.dropout else []
    return Level(down, inside, nn.Sequential(nn.ReLU(), *double, *_norm(outer, norm), *drop))


def _double(inputs: int, outputs: int, kernel: int, followed_by: str | None, *, bias: bool = True) -> list[nn.Module]:
    """Double the side: a transposed convolution of kernel 3, then the mean of every 2 x 2 pixels.

    Its weights a, b, c along an axis become the kernel (a, a + b, b + c, c) / 2, of which even and odd pixels see the
    same sum. A pixel sees each of the nine weights once, a fourth of it: their fan in is that of 9 / 16 of the inputs.
    With a kernel of 3 asked for, the layer of the paper, without the mean.
    Source: Checkerboard-Artifacts Free Convolutional Neural Networks (2019), https://nowpublishers.com/article/Details/SIP-115
    """
    if kernel == 3:
        return [initialise(nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=bias), followed_by)]
    layer = nn.ConvTranspose2d(inputs, outputs, 3, 2, bias=bias)
    initialise(layer, followed_by)
    with torch.no_grad():
        layer.weight.mul_(2)
    return [layer, nn.AvgPool2d(2, 1)]


def _after(width: int, norm: str) -> list[nn.Module]:
    return [*_norm(width, norm), nn.ReLU()]


def _norm(width: int, norm: str) -> list[nn.Module]:
    return [nn.InstanceNorm2d(width)] if norm == "instance" else []


def _possible_downsamplings(side: int) -> int:
    """How often a side can be halved with 2 pixels or more left: 32 gives 4, 96 gives 5 (to 3), at least 1."""
    count = 0
    while side % 2 == 0 and side >= 4 and count < 8:
        side, count = side // 2, count + 1
    return max(1, count)
