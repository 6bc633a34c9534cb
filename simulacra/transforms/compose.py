"""Composition: several images made into one.

Images are ``(B, C, H, W)`` in [-1, 1], masks ``(B or 1, 1, h, w)`` in [0, 1]. A patch is placed by its first pixel: row
``top`` and column ``left`` of the target, which may be negative; what sticks out is cut off. Masks have the size of the
patch, may touch every border, and are never changed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.machine import refuse_more_than_memory
from simulacra.transforms import poisson
from simulacra.transforms.common import Amount, clamped, per_image, weigh
from simulacra.transforms.geometry import resize

COARSEST = 4  # pixels of a side of the smallest image of a pyramid: a seam as wide as the image would be none

# ------------------------------------------------------------------------------------------------ placing


@dataclass(frozen=True)
class _Overlap:
    """Where a patch lies on a target: the same pixels as slices of the one and of the other."""

    rows: slice
    columns: slice
    patch_rows: slice
    patch_columns: slice

    @classmethod
    def of(cls, target: Tensor, patch: Tensor, top: int, left: int) -> _Overlap | None:
        first, last = max(0, top), min(target.shape[-2], top + patch.shape[-2])
        start, end = max(0, left), min(target.shape[-1], left + patch.shape[-1])
        if first >= last or start >= end:
            return None
        return cls(
            slice(first, last), slice(start, end), slice(first - top, last - top), slice(start - left, end - left)
        )


def _refuse_unlike(target: Tensor, patch: Tensor, mask: Tensor, what: str) -> None:
    if target.shape[1] != patch.shape[1]:
        raise ConfigError(f"{what}: the images have {target.shape[1]} and {patch.shape[1]} channels; make them equal.")
    if mask.ndim != 4 or mask.shape[1] != 1 or mask.shape[-2:] != patch.shape[-2:]:
        raise ConfigError(
            f"{what}: a mask for patches of {patch.shape[-2]} x {patch.shape[-1]} must have the shape "
            f"(B or 1, 1, {patch.shape[-2]}, {patch.shape[-1]}), not {tuple(mask.shape)}."
        )


def over(target: Tensor, patch: Tensor, alpha: Tensor | None = None, top: int = 0, left: int = 0) -> Tensor:
    """Lay a patch ``(B or 1, C, h, w)`` over the target: alpha patch + (1 - alpha) target.

    Source: Compositing Digital Images (1984), https://doi.org/10.1145/964965.808606
    """
    alpha = patch.new_ones(1, 1, *patch.shape[-2:]) if alpha is None else alpha
    _refuse_unlike(target, patch, alpha, "over")
    place = _Overlap.of(target, patch, top, left)
    if place is None:
        return target
    result = target.clone()
    below = result[..., place.rows, place.columns]
    above = patch[..., place.patch_rows, place.patch_columns]
    share = alpha[..., place.patch_rows, place.patch_columns].to(target)
    result[..., place.rows, place.columns] = torch.lerp(below, above.expand_as(below), share)
    return result


# -------------------------------------------------------------------------------------------- multi-band


def blend(a: Tensor, b: Tensor, mask: Tensor, levels: int = 6) -> Tensor:
    """Join two images where ``mask`` says (1: ``a``), coarse structure over wide seams and fine over narrow ones.

    Laplacian pyramids of the images are joined level by level by the Gaussian pyramid of the mask. There are at most
    ``levels`` levels, as many as the size allows; 0 is a plain cut. The kernel has four taps where the paper's has
    five, so that coarse pixels lie in the middle of the fine ones and the seam stays in place for even sides too.
    Source: A Multiresolution Spline with Application to Image Mosaics (1983), https://doi.org/10.1145/245.247
    """
    if a.shape[-2:] != b.shape[-2:]:
        raise ConfigError(f"blend: the images are of {tuple(a.shape[-2:])} and {tuple(b.shape[-2:])}; make them equal.")
    _refuse_unlike(a, b, mask, "blend")
    return clamped(_joined(a, b, mask.to(a), levels))


def _joined(a: Tensor, b: Tensor, mask: Tensor, levels: int) -> Tensor:
    if levels == 0 or min(a.shape[-2:]) < 2 * COARSEST:
        return torch.lerp(b, a, mask)
    coarse_a, coarse_b = _halved(a), _halved(b)
    coarse = _joined(coarse_a, coarse_b, _halved(mask), levels - 1)
    details = torch.lerp(b - _doubled(coarse_b, b), a - _doubled(coarse_a, a), mask)
    return details + _doubled(coarse, a)


def _halved(x: Tensor) -> Tensor:
    """Half the size: each pixel lies in the middle of four, and weighs those around it by (1, 3, 3, 1) / 8 per axis."""
    kernel = x.new_tensor([[1, 2, 1]]) / 4
    return F.avg_pool2d(weigh(weigh(x, kernel, -2), kernel, -1), 2, ceil_mode=True)


def _doubled(x: Tensor, like: Tensor) -> Tensor:
    """Back to the size of ``like``, every pixel where it was: linear between the middles."""
    if not len(x):
        return like
    rows, columns = like.shape[-2:]
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[..., :rows, :columns]


# ---------------------------------------------------------------------------------------- Poisson cloning


def clone(target: Tensor, source: Tensor, mask: Tensor, top: int = 0, left: int = 0, *, mixed: bool = False) -> Tensor:
    """Paste the slopes of ``source`` where ``mask`` is above 0.5, with the target's colours at the seam.

    The pasted f solves laplacian(f) = div(v) inside, f = target at the seam; v is the slope of the source, or with
    ``mixed`` the steeper one of source and target. At the border of the target nothing is prescribed: slopes are the
    source's own. Beyond its sides the source goes on as at its edge. Where the mask has no seam at all, the source is
    pasted as it is.
    Source: Poisson Image Editing (2003), https://doi.org/10.1145/882262.882269
    """
    _refuse_unlike(target, source, mask, "clone")
    place = _Overlap.of(target, source, top, left)
    if place is None or not target.numel():
        return target
    inside = mask[..., place.patch_rows, place.patch_columns] > 0.5
    patch = source[..., place.patch_rows, place.patch_columns].double()
    around = [
        min(1, room) for room in (place.columns.start, target.shape[-1] - place.columns.stop,
                                  place.rows.start, target.shape[-2] - place.rows.stop)
    ]  # fmt: skip
    patch = F.pad(patch, around, mode="replicate").expand(len(target), -1, -1, -1)
    unknown = F.pad(inside, around).expand(len(target), -1, -1, -1)
    rows = slice(place.rows.start - around[2], place.rows.stop + around[3])
    columns = slice(place.columns.start - around[0], place.columns.stop + around[1])
    below = target[..., rows, columns].double()
    push = _mixed_push(patch, below) if mixed else torch.zeros_like(patch)
    correction = poisson.solve(below - patch, unknown, push)
    result = target.clone()
    pasted = clamped(patch + correction).to(target.dtype)
    result[..., rows, columns] = torch.where(unknown, pasted, target[..., rows, columns])
    return result


def _mixed_push(patch: Tensor, below: Tensor) -> Tensor:
    """How much more the steeper slopes flow out of each pixel than the patch's own: the right-hand side."""
    push = torch.zeros_like(patch)
    for dim in (-2, -1):
        ours, theirs = torch.diff(patch, dim=dim), torch.diff(below, dim=dim)
        extra = torch.where(theirs.abs() > ours.abs(), theirs - ours, 0.0)
        nothing = torch.zeros_like(push.narrow(dim, 0, 1))
        push = push - torch.diff(extra, dim=dim, prepend=nothing, append=nothing)
    return push


# ---------------------------------------------------------------------------------------- mixing a batch


@dataclass(frozen=True)
class Mixed:
    """Images mixed with partners of the same batch: ``weight`` ``(B,)`` of the image itself, the rest of ``partner``.

    A label is mixed alike: weight y + (1 - weight) y[partner].
    """

    image: Tensor
    partner: Tensor
    weight: Tensor


def mixup(x: Tensor, alpha: float = 0.4, *, generator: torch.Generator) -> Mixed:
    """Average each image with another of the batch; weights are drawn from Beta(alpha, alpha).

    Source: mixup: Beyond Empirical Risk Minimization (2018), https://arxiv.org/abs/1710.09412
    """
    weight, partner = _beta(alpha, len(x), generator), torch.randperm(len(x), generator=generator)
    return Mixed(cross(x, x[partner.to(x.device)], weight), partner, weight)


def cutmix(x: Tensor, alpha: float = 1.0, *, generator: torch.Generator) -> Mixed:
    """Replace a rectangle of each image by that of another; its share is drawn from Beta(alpha, alpha).

    ``weight`` is the share that was really left. Source: CutMix (2019), https://arxiv.org/abs/1905.04899
    """
    share, partner = 1 - _beta(alpha, len(x), generator), torch.randperm(len(x), generator=generator)
    mask = rectangles(x, share, generator=generator)
    return Mixed(torch.where(mask, x[partner.to(x.device)], x), partner, 1 - mask.float().mean((1, 2, 3)).cpu())


def cross(a: Tensor, b: Tensor, weight: Amount = 0.5) -> Tensor:
    """``weight`` times ``a`` plus the rest of ``b``."""
    return torch.lerp(b, a, per_image(weight, a))


def rectangles(x: Tensor, share: Amount = 0.25, *, generator: torch.Generator) -> Tensor:
    """Masks ``(B, 1, H, W)`` of one rectangle each, of the image's proportions and of a share of its area, anywhere."""
    height, width = x.shape[-2:]
    side = per_image(share, x).clamp(0, 1).sqrt()
    inside = []
    for dim, length in ((2, height), (3, width)):
        extent = (side * length).round()
        first = (torch.rand(len(x), 1, 1, 1, generator=generator).to(x) * (length - extent + 1)).floor()
        place = torch.arange(length, device=x.device).view([-1 if axis == dim else 1 for axis in range(4)])
        inside.append((place >= first) & (place < first + extent))
    return inside[0] & inside[1]


def _beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    if alpha <= 0:
        raise ConfigError("alpha must be above 0.")
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()


# ------------------------------------------------------------------------------------------------ collage


def collage(images: Sequence[Tensor], width: int = 1200, rows: int = 0, gap: int = 4) -> Tensor:
    """Lay images ``(C, h, w)`` of any sizes out in rows of one width, each uncut and in its own proportions.

    With 0 ``rows`` there are as many as make the whole near square; ``gap`` white pixels lie between. Returns
    ``(C, H, width)``.
    """
    if not images or width < 1:
        raise ConfigError("collage needs at least one image, and a width of at least 1 pixel.")
    proportions = [image.shape[-1] / image.shape[-2] for image in images]
    rows = min(len(images), rows or max(1, round(math.sqrt(sum(proportions)))))
    ends = _breaks(proportions, rows)
    parts = [slice(first, last) for first, last in itertools.pairwise([0, *ends])]
    total = sum(_height(proportions[part], width, gap) for part in parts) + gap * (len(parts) - 1)
    refuse_more_than_memory(
        3 * images[0].shape[0] * total * width * images[0].element_size(),
        f"A sheet of {width:,} x {total:,} pixels",
        "Leave out pictures that are very narrow, or choose a smaller --width.",
    )
    strips = [_strip(images[part], proportions[part], width, gap) for part in parts]
    between = strips[0].new_ones(strips[0].shape[0], gap, width)
    return torch.cat([part for strip in strips for part in (between, strip)][1:], dim=1)


def _breaks(proportions: Sequence[float], rows: int) -> list[int]:
    """Where rows end so that they are about equally long and none is empty."""
    total, sums = sum(proportions), np.cumsum(proportions)
    count, ends = len(proportions), [0]
    for row in range(1, rows):
        nearest = int(np.abs(sums - row * total / rows).argmin()) + 1
        ends.append(min(max(nearest, ends[-1] + 1), count - rows + row))
    return [*ends[1:], count]


def _room(proportions: Sequence[float], width: int, gap: int) -> int:
    """Pixels of a row that pictures fill."""
    return max(len(proportions), width - gap * (len(proportions) - 1))


def _height(proportions: Sequence[float], width: int, gap: int) -> int:
    """The height at which pictures of these proportions fill a row."""
    return max(1, round(_room(proportions, width, gap) / sum(proportions)))


def _strip(images: Sequence[Tensor], proportions: Sequence[float], width: int, gap: int) -> Tensor:
    """Images side by side at one height that fills the width."""
    room, height = _room(proportions, width, gap), _height(proportions, width, gap)
    edges = [round(room * float(part) / sum(proportions)) for part in np.cumsum([0.0, *proportions])]
    cells = [
        resize(image.unsqueeze(0), height, max(1, end - start))[0]
        for image, start, end in zip(images, edges, edges[1:], strict=False)
    ]
    between = cells[0].new_ones(cells[0].shape[0], height, gap)
    strip = torch.cat([part for cell in cells for part in (between, cell)][1:], dim=2)
    return F.pad(strip, (0, width - strip.shape[-1]), value=1.0)
