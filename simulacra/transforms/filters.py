"""Filters: smoothing, sharpening, edges. ``(B, C, H, W)`` in [-1, 1] in and out; borders are mirrored."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.images import luma
from simulacra.transforms.common import (
    Amount,
    by_value,
    clamped,
    framed,
    in_chunks,
    mirrored,
    per_image,
    refuse_even,
    weigh,
)
from simulacra.transforms.median import median
from simulacra.transforms.ridges import connected, ridges

__all__ = [
    "bilateral",
    "box",
    "canny",
    "closing",
    "dilate",
    "edges",
    "erode",
    "gaussian",
    "median",
    "non_local_means",
    "opening",
    "sharpen",
    "stroke",
    "total_variation",
]

STEP = 0.25  # of the dual: the largest that converges
NEGLIGIBLE = 4.0  # standard deviations after which a Gaussian is cut off


def box(x: Tensor, size: Amount = 3) -> Tensor:
    """Average over windows of ``size`` x ``size`` pixels, odd; keeps the mean of every image."""

    def same(x: Tensor, size: int) -> Tensor:
        refuse_even(size, "box: size")
        weights = x.new_full((1, size), 1 / size)
        return weigh(weigh(x, weights, -2), weights, -1)

    return by_value(x, size, same)


def gaussian(x: Tensor, sigma: Amount = 1.0) -> Tensor:
    """Blur with a Gaussian of standard deviation ``sigma`` pixels, at most 4 of which count; keeps the mean."""
    deviation = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).reshape(-1, 1)
    if (deviation < 0).any():
        raise ConfigError("gaussian: sigma must be 0 or more pixels.")
    per_image(sigma, x)
    reach = int(NEGLIGIBLE * float(deviation.max()) + 0.5) if deviation.numel() else 0
    place = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    weights = torch.exp(-0.5 * (place / deviation.clamp(min=1e-6)) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    return weigh(weigh(x, weights, -2), weights, -1)


def sharpen(x: Tensor, amount: Amount = 1.0, sigma: Amount = 1.0) -> Tensor:
    """Add ``amount`` times what a Gaussian blur of ``sigma`` pixels takes away (unsharp mask)."""
    return clamped(x + per_image(amount, x) * (x - gaussian(x, sigma)))


# ---------------------------------------------------------------------------------------------- denoising


def bilateral(x: Tensor, colour: Amount = 0.2, sigma: Amount = 1.5, size: int = 7) -> Tensor:
    """Average over neighbours near in place (``sigma`` pixels) and in value (``colour``, in [-1, 1]); edges stay.

    y_p = sum_q w_pq x_q / sum_q w_pq, w_pq = exp(-|p - q|^2 / (2 sigma^2) - |x_p - x_q|^2 / (2 colour^2)), where q runs
    over ``size`` x ``size`` pixels and the difference of colours is Euclidean over the channels.
    Source: Bilateral Filtering for Gray and Color Images (1998), https://doi.org/10.1109/ICCV.1998.710815
    """
    refuse_even(size, "bilateral: size")
    near, alike = per_image(sigma, x), per_image(colour, x)
    refuse_nothing(near, "bilateral: sigma")
    refuse_nothing(alike, "bilateral: colour")

    def weight(x: Tensor, neighbour: Tensor, apart: int, near: Tensor, alike: Tensor) -> Tensor:
        unlike = (neighbour - x).square().sum(1, keepdim=True)
        return torch.exp(-apart / (2 * near.square()) - unlike / (2 * alike.square()))

    return in_chunks(lambda *part: _average(size, weight, *part), x, near, alike)


def _average(size: int, weight: Callable[..., Tensor], x: Tensor, *beside: Tensor) -> Tensor:
    """The average over a window with weights that depend on the pixel, its neighbour, and how far apart they are."""
    reach, (height, width) = size // 2, x.shape[-2:]
    padded = framed(x, reach)
    total, weights = torch.zeros_like(x), torch.zeros_like(x[:, :1])
    for down, right in itertools.product(range(size), repeat=2):
        neighbour = padded[..., down : down + height, right : right + width]
        share = weight(x, neighbour, (down - reach) ** 2 + (right - reach) ** 2, *beside)
        total, weights = torch.addcmul(total, neighbour, share), weights + share
    return total / weights


def refuse_nothing(amount: Tensor, what: str) -> None:
    """Raise `ConfigError` for amounts that are not above 0."""
    if (amount <= 0).any():
        raise ConfigError(f"{what} must be above 0.")


def non_local_means(x: Tensor, strength: Amount = 0.2, patch: int = 5, search: int = 11) -> Tensor:
    """Average over pixels in a ``search`` x ``search`` window whose ``patch`` x ``patch`` surroundings look alike.

    w_pq = exp(-d_pq / strength^2), d_pq the mean squared difference of the patches around p and q on the [-1, 1] scale;
    ``strength`` is best near the standard deviation of the noise.
    Source: A Non-Local Algorithm for Image Denoising (2005), https://doi.org/10.1109/CVPR.2005.38
    """
    refuse_even(patch, "non_local_means: patch")
    refuse_even(search, "non_local_means: search")
    refuse_nothing(per_image(strength, x), "non_local_means: strength")

    def weight(x: Tensor, neighbour: Tensor, _: int, strength: Tensor) -> Tensor:
        return torch.exp(-box((neighbour - x).square().mean(1, keepdim=True), patch) / strength.square())

    return in_chunks(lambda *part: _average(search, weight, *part), x, per_image(strength, x))


def total_variation(x: Tensor, weight: Amount = 0.1, steps: int = 100) -> Tensor:
    """Return the image u that minimises sum |grad u| + |u - x|^2 / (2 weight), the range being [0, 1] for ``weight``.

    Channels are alone; ``steps`` of projected gradient descent on the dual.
    Source: An Algorithm for Total Variation Minimization and Applications (2004),
    https://doi.org/10.1023/B:JMIV.0000011325.36760.1e
    """
    amount = 2 * per_image(weight, x)  # [-1, 1] is twice as wide as [0, 1]
    refuse_nothing(amount, "total_variation: weight")
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(steps):
        u = x + _divergence(down, -2) + _divergence(right, -1)
        slope_down, slope_right = _slope(u, -2), _slope(u, -1)
        length = 1 + STEP / amount * torch.sqrt(slope_down.square() + slope_right.square() + 1e-12)
        down, right = (down + STEP * slope_down) / length, (right + STEP * slope_right) / length
    return clamped(x + _divergence(down, -2) + _divergence(right, -1))


def _slope(u: Tensor, dim: int) -> Tensor:
    """Forward differences, 0 at the end."""
    return torch.diff(u, dim=dim, append=u.narrow(dim, max(0, u.shape[dim] - 1), min(1, u.shape[dim])))


def _divergence(field: Tensor, dim: int) -> Tensor:
    """The negative adjoint of the forward differences."""
    nothing = torch.zeros_like(field.narrow(dim, 0, min(1, field.shape[dim])))
    inner = field.narrow(dim, 0, max(0, field.shape[dim] - 1))
    return torch.diff(inner, dim=dim, prepend=nothing, append=nothing) if field.numel() else field


# -------------------------------------------------------------------------------------------------- edges


def edges(x: Tensor) -> Tensor:
    """Return the length of each channel's slope (Sobel): -1 where flat, 1 at a step from black to white."""
    down, right = _slopes(x)
    return clamped(2 * torch.sqrt(down.square() + right.square() + 1e-12) - 1)


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """By how much each channel rises from a pixel to the next one, down and to the right (Sobel)."""
    smooth, slope = x.new_tensor([[0.25, 0.5, 0.25]]), x.new_tensor([[-0.5, 0.0, 0.5]])
    return weigh(weigh(x, slope, -2), smooth, -1), weigh(weigh(x, smooth, -2), slope, -1)


def canny(x: Tensor, low: float = 0.1, high: float = 0.2, sigma: float = 1.0) -> Tensor:
    """Return thin edges, 1 on -1, of the grey image: slopes above ``high``, and those above ``low`` that touch them.

    Slopes are Sobel's, of values in [0, 1], so a step from black to white has a slope of 4 before smoothing.
    Source: A Computational Approach to Edge Detection (1986), https://doi.org/10.1109/TPAMI.1986.4767851
    """
    if not 0 < low < high:
        raise ConfigError(f"canny: low must lie between 0 and high, not {low:g} and {high:g}.")
    if not x.numel():
        return x[:, :1]
    down, right = (8 * slope for slope in _slopes(luma(gaussian((x + 1) / 2, sigma))))
    length = torch.sqrt(down.square() + right.square())
    ridge = ridges(length, down, right)
    return 2 * connected(ridge & (length > high), ridge & (length > low)).to(x.dtype) - 1


# --------------------------------------------------------------------------------------------- morphology


def dilate(x: Tensor, size: Amount = 3) -> Tensor:
    """Replace each pixel by the brightest in a window of ``size`` x ``size`` pixels, odd."""

    def same(x: Tensor, size: int) -> Tensor:
        refuse_even(size, "size")
        return in_chunks(lambda part: _brightest(_brightest(part, size, -2), size, -1), x)

    return by_value(x, size, same)


def _brightest(x: Tensor, size: int, dim: int) -> Tensor:
    """The running maximum along an axis, in about log2(size) maxima: of windows twice as long each time."""
    side, padded, length = x.shape[dim], mirrored(x, size // 2, dim), 1
    while length < size:
        step = min(length, size - length)
        count = padded.shape[dim] - step
        padded = torch.maximum(padded.narrow(dim, 0, count), padded.narrow(dim, step, count))
        length += step
    return padded.narrow(dim, 0, side)


def erode(x: Tensor, size: Amount = 3) -> Tensor:
    """Replace each pixel by the darkest in a window of ``size`` x ``size`` pixels, odd."""
    return -dilate(-x, size)


def opening(x: Tensor, size: Amount = 3) -> Tensor:
    """Erode, then dilate: bright spots smaller than the window go."""
    return dilate(erode(x, size), size)


def closing(x: Tensor, size: Amount = 3) -> Tensor:
    """Dilate, then erode: dark spots smaller than the window go."""
    return erode(dilate(x, size), size)


def stroke(x: Tensor, amount: Amount = 0.5) -> Tensor:
    """Thicken (up to 1) or thin (down to -1) bright strokes: a blend with the 3 x 3 dilation or erosion."""
    share = per_image(amount, x)
    return x + (dilate(x) - x) * share.clamp(min=0) + (x - erode(x)) * share.clamp(max=0)
