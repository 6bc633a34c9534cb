"""What the operations share: numbers that may differ from image to image, borders, sums along an axis.

Outside its border an image goes on as its mirror image (d c b a | a b c d): the only border with which a symmetric
kernel keeps the mean of every image.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.machine import refuse_more_than_memory

Amount = float | Tensor  # one number for all images, or a tensor (B,) with one for each
CHUNK = 1 << 17  # numbers that are worked on at once: what fits a processor's cache
LARGE = 64 << 20  # bytes from which the free memory is looked at
TAPS_PER_SIDE = 12  # a kernel of 1 / 12 of the side or longer is applied as a matrix


def per_image(value: Amount, x: Tensor) -> Tensor:
    """Return a parameter as ``(B, 1, 1, 1)``, beside images ``(B, C, H, W)``. Raises `ConfigError`."""
    amount = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if amount.ndim > 1 or (amount.ndim == 1 and len(amount) not in (1, len(x))):
        raise ConfigError(
            f"A parameter must be one number or one for each of the {len(x)} images, not {tuple(amount.shape)}."
        )
    return amount.reshape(-1, 1, 1, 1).expand(len(x), 1, 1, 1)


def by_value(x: Tensor, value: Amount, function: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Apply a function with a whole-number parameter to the images that share its value."""
    if not isinstance(value, Tensor):
        return function(x, int(value))
    values = per_image(value, x).flatten().round().long()
    distinct = sorted(set(values.tolist()))
    if len(distinct) <= 1:
        return function(x, distinct[0]) if distinct else x
    y = torch.empty_like(x)
    for one in distinct:
        y[values == one] = function(x[values == one], one)
    return y


def in_chunks(function: Callable[..., Tensor], x: Tensor, *beside: Tensor, size: int = CHUNK) -> Tensor:
    """Apply a function of images, and of what lies beside each, to a few at a time: what fits the cache is faster."""
    count = max(1, size // max(1, x[:1].numel()))
    if len(x) <= count:
        return function(x, *beside)
    parts = zip(*(torch.split(part, count) for part in (x, *beside)), strict=True)
    return torch.cat([function(*part) for part in parts])


def refuse_beyond_memory(x: Tensor, height: int, width: int) -> None:
    """Refuse to make images of another size that do not fit the memory, before they are. Raises `ConfigError`."""
    needed = 2 * x.shape[0] * x.shape[1] * height * width * x.element_size()
    if needed > LARGE:
        refuse_more_than_memory(needed, f"A result of {width:,} x {height:,} pixels", "Choose a smaller size.")


def clamped(x: Tensor) -> Tensor:
    """Keep [-1, 1]."""
    return x.clamp(-1, 1)


def refuse_even(size: int, what: str) -> None:
    """Windows have a middle pixel."""
    if size < 1 or size % 2 == 0:
        raise ConfigError(f"{what} must be an odd number of pixels such as 3 or 5, not {size}.")


def mirrored(x: Tensor, reach: int, dim: int) -> Tensor:
    """Continue ``x`` along an axis by ``reach`` mirrored entries on either side."""
    size = x.shape[dim]
    if reach == 0:
        return x
    if not x.numel():
        return x.new_zeros([n + 2 * reach if axis == dim % x.ndim else n for axis, n in enumerate(x.shape)])
    if reach > size:
        return x.index_select(dim, mirror_index(size, reach, x.device))
    before, after = x.narrow(dim, 0, reach).flip(dim), x.narrow(dim, size - reach, reach).flip(dim)
    return torch.cat([before, x, after], dim)


def mirror_index(size: int, reach: int, device: torch.device) -> Tensor:
    """Indices into an axis of ``size``, from ``-reach`` to ``size + reach``, mirrored as often as needed."""
    index = torch.arange(-reach, size + reach, device=device) % (2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)


def framed(x: Tensor, reach: int) -> Tensor:
    """Continue images ``(..., H, W)`` by mirrored pixels on all four sides."""
    return mirrored(mirrored(x, reach, -2), reach, -1)


def weigh(x: Tensor, weights: Tensor, dim: int) -> Tensor:
    """Replace each pixel of ``(B, C, H, W)`` by the weighted sum of its neighbours along one axis, -1 or -2.

    ``weights`` is ``(B or 1, 2 r + 1)``. Long kernels are multiplied as a matrix (B or 1, side, side), whose cost does
    not depend on their length; short ones are summed tap by tap.
    """
    if x.numel() == 0:
        return x
    side = x.shape[dim]
    if side <= TAPS_PER_SIDE * weights.shape[1]:
        matrix = _matrix(weights, side).unsqueeze(1)
        return matrix @ x if dim == -2 else x @ matrix.mT
    if len(weights) == 1:
        return in_chunks(lambda part: _taps(part, weights, dim), x)
    return in_chunks(lambda part, own: _taps(part, own, dim), x, weights)


def _matrix(weights: Tensor, side: int) -> Tensor:
    """The sum along a mirrored axis as a matrix ``(B or 1, side, side)``."""
    reach = weights.shape[1] // 2
    source = mirror_index(side, reach, weights.device).unfold(0, side, 1)  # (taps, side): where each tap reads
    rows = torch.arange(side, device=weights.device).expand_as(source)
    flat = (rows * side + source).flatten()
    values = weights.repeat_interleave(side, 1)
    matrix = weights.new_zeros(len(weights), side * side)
    return matrix.index_add(1, flat, values).view(-1, side, side)


def _taps(x: Tensor, weights: Tensor, dim: int) -> Tensor:
    side, padded = x.shape[dim], mirrored(x, weights.shape[1] // 2, dim)
    factors = weights.T[:, :, None, None, None]
    total = padded.narrow(dim, 0, side) * factors[0]
    for tap in range(1, weights.shape[1]):
        total = torch.addcmul(total, padded.narrow(dim, tap, side), factors[tap])
    return total
