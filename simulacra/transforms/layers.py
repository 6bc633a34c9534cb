"""Compositions of two decoded files, by their transparency and at their sizes: the functions of the verb `compose`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.images import from_unit, to_unit
from simulacra.images.files import Picture, over_white
from simulacra.operations import Step
from simulacra.transforms import compose
from simulacra.transforms.geometry import resize
from simulacra.transforms.pictures import light, of_light, unweighted, with_alpha
from simulacra.transforms.pipeline import drawn, function


def composed(base: Picture, other: Picture, mask: Tensor | None, step: Step, seed: int) -> Picture:
    """Compose a picture with another by a step of the table of compositions; grey becomes colour beside colour.

    ``mask`` ``(1, 1, h, w)`` has the size of the other, which `over` and `clone` keep; for the rest it is
    brought to the size of the picture, cut to its proportions, with the mask.
    """
    generator = torch.Generator().manual_seed(seed)
    values = {key: value for key, value in drawn(step, 1, generator).items() if key not in ("with", "mask")}
    base, other = _in_like_colours(base, replace(other, pixels=other.pixels[:1], alpha=_first(other.alpha)))
    result: Picture = function(step.operation)(base, other, mask, generator, **values)
    return result


def _in_like_colours(base: Picture, other: Picture) -> tuple[Picture, Picture]:
    channels = max(base.image.shape[1], other.image.shape[1])
    a, b = (replace(one, pixels=one.image.expand(-1, channels, -1, -1)) for one in (base, other))
    return a, b


def _first(alpha: Tensor | None) -> Tensor | None:
    return None if alpha is None else alpha[:1]


def _scaled(other: Picture, scale: float) -> Picture:
    if scale == 1:
        return other
    height, width = (max(1, round(side * float(scale))) for side in other.image.shape[-2:])
    return with_alpha(other, lambda x: resize(x, height, width))


def over(base: Picture, other: Picture, _: Tensor | None, __: torch.Generator, *,
          top: int, left: int, scale: float, opacity: float) -> Picture:  # fmt: skip
    """Porter and Duff's over, where the picture below may be transparent too."""
    other = _scaled(other, scale)
    alpha = float(opacity) * (torch.ones_like(other.image[:, :1]) if other.alpha is None else other.alpha)
    if base.alpha is None:
        return replace(base, pixels=compose.over(base.image, other.image, alpha, int(top), int(left)))
    under = to_unit(base.image) * base.alpha
    laid = compose.over(under, to_unit(other.image), alpha, int(top), int(left))
    union = compose.over(base.alpha, torch.ones_like(alpha), alpha, int(top), int(left))
    return replace(base, pixels=from_unit(unweighted(laid, union)), alpha=union)


def clone(base: Picture, other: Picture, mask: Tensor | None, _: torch.Generator, *,
           top: int, left: int, scale: float, mixed: bool) -> Picture:  # fmt: skip
    if mask is None:
        mask = torch.ones_like(other.image[:, :1]) if other.alpha is None else (other.alpha > 0.5).float()
    _refuse_unlike(other, mask)
    height, width = (max(1, round(side * float(scale))) for side in other.image.shape[-2:])
    patch, inside = resize(over_white(other), height, width), resize(mask, height, width)
    return replace(base, pixels=compose.clone(base.image, patch, inside, int(top), int(left), mixed=mixed))


def _refuse_unlike(other: Picture, mask: Tensor) -> None:
    if mask.shape[-2:] != other.image.shape[-2:]:
        sizes = [" x ".join(map(str, one.shape[-2:])) for one in (mask, other.image)]
        raise ConfigError(f"The mask has {sizes[0]} pixels and the other picture {sizes[1]}; make their sizes equal.")


def _covering(x: Tensor, height: int, width: int) -> Tensor:
    """The image at a size, cut to its proportions about the centre."""
    scale = max(height / x.shape[-2], width / x.shape[-1])
    wide = resize(x, max(height, round(x.shape[-2] * scale)), max(width, round(x.shape[-1] * scale)))
    top, left = (wide.shape[-2] - height) // 2, (wide.shape[-1] - width) // 2
    return wide[..., top : top + height, left : left + width]


def _joined(base: Picture, other: Picture, join: Callable[[Tensor, Tensor], Tensor]) -> Picture:
    """Join two pictures at the size of the first, and their transparency alike where the first has some."""
    own, others = (base.image, over_white(other)) if base.alpha is None else (light(base), light(other))
    joined = join(own, _covering(others, *own.shape[-2:]).expand_as(own))
    return replace(base, pixels=joined) if base.alpha is None else of_light(base, joined)


def blend(base: Picture, other: Picture, mask: Tensor | None, _: torch.Generator, *, levels: int) -> Picture:
    assert mask is not None
    _refuse_unlike(other, mask)
    height, width = base.image.shape[-2:]
    share = _covering(mask, height, width).clamp(0, 1)
    return _joined(base, other, lambda own, others: compose.blend(others, own, share, int(levels)))


def mixup(base: Picture, other: Picture, _: Tensor | None, __: torch.Generator, *, weight: Any) -> Picture:
    return _joined(base, other, lambda own, others: compose.cross(own, others, weight))


def cutmix(base: Picture, other: Picture, _: Tensor | None, generator: torch.Generator, *, share: Any) -> Picture:
    mask = compose.rectangles(base.image[:1], share, generator=generator)
    return _joined(base, other, lambda own, others: torch.where(mask, others, own))
