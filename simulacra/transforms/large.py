"""Large pictures: changed in strips of rows, or one channel after the other, and kept in 8 bits between steps.

A picture of 40 megapixels is 120 MB in a file's 8 bits and 480 MB as float32; operations hold several such copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from simulacra.images import from_bytes, to_bytes
from simulacra.images.files import Picture
from simulacra.transforms.common import refuse_beyond_memory
from simulacra.transforms.elastic import Displacement
from simulacra.transforms.moving import LEVELS, Geometry, Sampling, looked_up
from simulacra.transforms.projective import Projective
from simulacra.transforms.resizing import Resizing

LARGE = 1 << 23  # values of a picture, from which on it is worked on in parts
STRIP = 1 << 21  # values of one strip
BAND = 1 << 18  # pixels of a result that are looked up at once

Operate = Callable[[Tensor], Tensor]


def is_large(picture: Picture) -> bool:
    """Whether an opaque picture of 8 bits is worked on in parts."""
    return picture.pixels.dtype == torch.uint8 and picture.alpha is None and picture.pixels.numel() >= LARGE


def strips(picture: Picture) -> Iterator[Tensor]:
    """Yield the strips of a picture, none of which overlap."""
    pixels = picture.pixels
    for part in torch.split(pixels, max(1, STRIP * pixels.shape[-2] // pixels.numel()), -2):
        yield from_bytes(part)


def by_strips(picture: Picture, operate: Operate, reach: int) -> Picture:
    """Change strips of rows, each with ``reach`` rows around it, which its results depend on."""
    pixels = picture.pixels
    height = pixels.shape[-2]
    rows = max(2 * reach, 1, STRIP * height // pixels.numel())
    result: Tensor | None = None
    for top in range(0, height, rows):
        first, last = max(0, top - reach), min(height, top + rows + reach)
        strip = to_bytes(operate(from_bytes(pixels[..., first:last, :])))[..., top - first : top - first + rows, :]
        if result is None:
            result = pixels.new_empty(*strip.shape[:2], height, strip.shape[-1])
        result[..., top : top + rows, :] = strip
    return picture if result is None else replace(picture, pixels=result)


def _bytes(image: Tensor) -> Tensor:
    """As `to_bytes`, without copies of the whole."""
    result = torch.empty(image.shape, dtype=torch.uint8)
    for target, row in zip(torch.split(result, 256, -2), torch.split(image, 256, -2), strict=True):
        target.copy_(to_bytes(row))
    return result


def by_movement(picture: Picture, movement: Geometry) -> Picture | None:
    """Move the bytes where whole pixels move or the size changes, else bands of rows of one channel after the other.

    Returns None for movements of another kind.
    """
    pixels = picture.pixels
    if isinstance(movement, Resizing):
        return replace(picture, pixels=movement.image(pixels))
    if not isinstance(movement, Projective | Displacement):
        return None
    refuse_beyond_memory(pixels, *movement.after)
    exact = movement.exactly(pixels) if isinstance(movement, Projective) else None
    return replace(picture, pixels=_sampled(pixels, movement) if exact is None else exact)


def _sampled(pixels: Tensor, movement: Sampling) -> Tensor:
    height, width = movement.after
    level, rows = LEVELS.get(movement.outside, 0.0), max(1, BAND // width)
    result = pixels.new_empty(*pixels.shape[:2], height, width)
    for source, target in zip(torch.split(pixels, 1, 1), torch.split(result, 1, 1), strict=True):
        x = from_bytes(source).sub_(level)
        for top in range(0, height, rows):
            places = movement.places(x, top, min(height, top + rows))
            target[..., top : top + rows, :] = to_bytes(looked_up(movement, x, places).add_(level))
    return result


def by_channels(picture: Picture, operate: Operate, generator: torch.Generator) -> Picture:
    """Move one channel after the other, all by the same draws."""
    state = generator.get_state()
    channels = []
    for channel in range(picture.pixels.shape[1]):
        generator.set_state(state)
        channels.append(_bytes(operate(from_bytes(picture.pixels[:, channel : channel + 1]))))
    return replace(picture, pixels=torch.cat(channels, 1))
