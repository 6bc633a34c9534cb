"""Colour and light. ``(B, C, H, W)`` in [-1, 1] in and out, grey or RGB; results beyond the range are clamped."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from simulacra import parallel
from simulacra.errors import ConfigError
from simulacra.images import from_unit, luma, to_bytes, to_unit
from simulacra.transforms import lab
from simulacra.transforms.common import CHUNK, Amount, clamped, in_chunks, per_image

Operate = Callable[[Tensor], Tensor]

LEVELS = 256
BLACK = 1e-6  # on [0, 1]
FLAT = 1e-3  # a spread of colours that is rounding and must not be stretched, in Lab (0 to 100) or [-1, 1]
STRIP = 256  # rows of a second picture that are looked at at once
POINTWISE = 1 << 20  # numbers worked on at once where each is seen once or twice only


def _refuse_other_channels(x: Tensor) -> None:
    if x.shape[1] not in (1, 3):
        raise ConfigError(f"Colour operations need 1 or 3 channels, not {x.shape[1]}.")


def grey(x: Tensor) -> Tensor:
    """Take the colour away and keep the channels."""
    return luma(x).expand_as(x).clone()


def invert(x: Tensor) -> Tensor:
    """The negative; its own inverse."""
    return -x


def brightness(x: Tensor, amount: Amount = 0.1) -> Tensor:
    """Add ``amount``, where 1 is the way from black to white."""
    return clamped(x + 2 * per_image(amount, x))


def contrast(x: Tensor, factor: Amount = 1.2) -> Tensor:
    """Multiply the distance of every pixel from the image's mean luma."""
    return _pointwise(lambda x, factor: _stretched(x, luma(x.mean((2, 3), keepdim=True)), factor), x, factor)


def contrast_of(parts: Iterable[Tensor], factor: Amount = 1.2) -> Operate:
    """`contrast` of an image that is seen in strips of rows."""
    middle = luma(_moments(parts)[0].float())
    return lambda x: _pointwise(lambda x, factor: _stretched(x, middle, factor), x, factor)


def saturation(x: Tensor, factor: Amount = 1.5) -> Tensor:
    """Multiply the distance of every pixel from its grey; 0 is `grey`. Grey images stay."""
    return x if x.shape[1] == 1 else _pointwise(lambda x, factor: _stretched(x, luma(x), factor), x, factor)


def _stretched(x: Tensor, middle: Tensor, factor: Amount) -> Tensor:
    """``factor`` times as far from the middle; a number for all takes one pass less than one for each."""
    start = middle * (1 - factor)
    if isinstance(factor, Tensor):
        return torch.addcmul(start, x, factor).clamp_(-1, 1)
    return torch.add(start, x, alpha=factor).clamp_(-1, 1)


def _pointwise(
    function: Callable[[Tensor, Amount], Tensor], x: Tensor, amount: Amount, size: int = POINTWISE
) -> Tensor:
    """Apply a function of images and an amount, as a number for all or as ``(B, 1, 1, 1)``, to a few at a time."""
    if not x.numel():
        return x
    if isinstance(amount, Tensor):
        return in_chunks(function, x, per_image(amount, x), size=size)
    return in_chunks(lambda part: function(part, amount), x, size=size)


def hue(x: Tensor, degrees: Amount = 30.0) -> Tensor:
    """Turn the hue (HSV); turned back by the negative angle. Grey images stay.

    With value v = max, chroma c = v - min and hue h in sixths of the circle, channel n of red 5, green 3, blue 1 is
    v - c max(0, min(k, 4 - k, 1)), k = (n + h) mod 6.
    Source: Color Gamut Transform Pairs (1978), https://doi.org/10.1145/965139.807361
    """
    _refuse_other_channels(x)
    if x.shape[1] == 1 or not x.numel():
        return x
    return in_chunks(_turned, x, per_image(degrees, x) / 60)


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    red, green, blue = x.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    width = torch.where(chroma > 0, chroma, 1.0)
    sixth = torch.where(
        value == red,
        (green - blue) / width,
        torch.where(value == green, (blue - red) / width + 2, (red - green) / width + 4),
    )
    place = sixth + turn[:, 0]
    steps = ((place + n).remainder(6) for n in (5, 3, 1))
    return torch.stack([value - chroma * torch.minimum(k, 4 - k).clamp(0, 1) for k in steps], 1)


def gamma(x: Tensor, exponent: Amount = 1.2) -> Tensor:
    """Raise pixels on [0, 1] to a power: above 1 darkens; undone by 1 / ``exponent``."""
    if (per_image(exponent, x) <= 0).any():
        raise ConfigError("gamma: exponent must be above 0.")

    def raised(x: Tensor, power: Amount) -> Tensor:
        darkest = BLACK if x.requires_grad else 0.0  # where the slope is finite
        unit = torch.add(x.new_tensor(0.5), x, alpha=0.5).clamp_(min=darkest)
        return torch.add(x.new_tensor(-1.0), torch.exp(power * torch.log(unit)), alpha=2)  # twice as fast as pow

    return _pointwise(raised, x, exponent, size=CHUNK)


def binarize(x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw each pixel as white or black, white with the probability of its grey level (dynamic binarisation)."""
    drawn = parallel.drawn(lambda rows: torch.rand(rows, *x.shape[1:], generator=generator), len(x))
    white = drawn.to(x.device) < to_unit(x)
    return white.to(x.dtype) * 2 - 1


def equalize(x: Tensor) -> Tensor:
    """Spread the 256 levels of each channel so that their cumulative histogram is a straight line.

    Level v becomes (cdf(v) - cdf_min) / (1 - cdf_min), cdf_min being that of the darkest level there is. A channel of
    one level stays.
    """
    return in_chunks(_equalized, x) if x.numel() else x


def equalize_of(parts: Iterable[Tensor]) -> Operate:
    """`equalize` of images that are seen in strips of rows."""
    table = _straightening(sum((_counts(_levels(part)) for part in parts), torch.zeros((), dtype=torch.int64)))
    return lambda x: table.to(x.dtype).take(_levels(x)).view_as(x)


def _equalized(x: Tensor) -> Tensor:
    levels = _levels(x)
    return _straightening(_counts(levels)).to(x.dtype).take(levels).view_as(x)


def _levels(x: Tensor) -> Tensor:
    """The levels of each channel ``(B C, H W)``, 256 more with every channel: places in a table of all."""
    levels = to_bytes(x).flatten(0, 1).flatten(1).long()
    return levels.add_(LEVELS * torch.arange(len(levels), device=x.device).unsqueeze(1))


def _counts(levels: Tensor) -> Tensor:
    return torch.bincount(levels.flatten(), minlength=LEVELS * len(levels)).view(-1, LEVELS)


def _straightening(counts: Tensor) -> Tensor:
    """The new value of each level ``(channels, 256)``."""
    below = counts.cumsum(-1)
    darkest = below.gather(-1, (counts > 0).int().argmax(-1, keepdim=True))
    spread = below[:, -1:] - darkest
    straight = (255 * (below - darkest) / spread.clamp(min=1)).round().clamp(min=0)
    return torch.where(spread > 0, straight, torch.arange(LEVELS, device=counts.device)) / 127.5 - 1


def transfer(x: Tensor, reference: Tensor) -> Tensor:
    """Give each image the mean and the standard deviation of the colours of ``reference``, ``(B or 1, C, H, W)``.

    In CIE Lab for RGB, of luma for grey. Source: Color Transfer between Images (2001), https://doi.org/10.1109/38.946629
    """
    if x.shape[1] == 1 or not x.numel():
        return clamped(_like(x, luma(reference))) if x.numel() else x
    _refuse_other_channels(x)
    wanted = lab.from_rgb(to_unit(reference).clamp(0, 1).expand(-1, 3, -1, -1))
    return clamped(from_unit(lab.to_rgb(_like(lab.from_rgb(to_unit(x).clamp(0, 1)), wanted))))


def transfer_of(parts: Iterable[Tensor], reference: Tensor) -> Operate:
    """`transfer` to an image that is seen in strips of rows."""

    def seen(x: Tensor) -> Tensor:
        return x if x.shape[1] == 1 else lab.from_rgb(to_unit(x).clamp(0, 1))

    first, others = _peeked(parts)
    grey = first.shape[1] == 1
    _refuse_other_channels(first)
    mean, spread = _moments(map(seen, others))
    rows = torch.split(reference, STRIP, -2)
    wanted = _moments(luma(part) if grey else seen(part.expand(-1, 3, -1, -1)) for part in rows)
    factor = (wanted[1] / spread.clamp(min=FLAT)).float()
    start = (wanted[0] - mean * factor).float()

    def operate(x: Tensor) -> Tensor:
        found = torch.addcmul(start, seen(x), factor)
        return clamped(found if grey else from_unit(lab.to_rgb(found)))

    return operate


def _peeked(parts: Iterable[Tensor]) -> tuple[Tensor, Iterable[Tensor]]:
    """The first part, and all of them."""
    others = iter(parts)
    first = next(others)
    return first, itertools.chain([first], others)


def _moments(parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of each channel over all pixels of the parts, ``(B, C, 1, 1)`` as float64."""
    count, total, square = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        count += part.shape[-2] * part.shape[-1]
        x = part.double()
        total, square = total + x.sum((2, 3), keepdim=True), square + x.square().sum((2, 3), keepdim=True)
    mean = total / count
    return mean, (square / count - mean.square()).clamp(min=0).sqrt()


def _like(values: Tensor, wanted: Tensor) -> Tensor:
    space = (2, 3)
    spread = values.std(space, keepdim=True, correction=0).clamp(min=FLAT)
    scaled = (values - values.mean(space, keepdim=True)) * (wanted.std(space, keepdim=True, correction=0) / spread)
    return scaled + wanted.mean(space, keepdim=True)
