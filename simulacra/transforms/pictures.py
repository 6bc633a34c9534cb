"""Operations on one decoded file: transparency moves with the colours or stays, and all frames change alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulacra.images import from_unit, to_unit
from simulacra.images.files import Picture
from simulacra.operations import Step
from simulacra.transforms.large import by_channels, by_movement, by_strips, is_large, strips
from simulacra.transforms.pipeline import applied, drawn, measured, moving

VISIBLE = 1 / 512  # alpha below which a pixel has no colour


def changed(picture: Picture, steps: Sequence[Step], seed: int, given: Mapping[str, Any] | None = None) -> Picture:
    """Take steps on a picture, drawing from a seed; ``given`` are second pictures by the name of their parameter."""
    generator = torch.Generator().manual_seed(seed)
    for step in steps:
        if step.probability < 1 and float(torch.rand(1, generator=generator)) >= step.probability:
            continue
        values = {**drawn(step, 1, generator), **(given or {})}

        def operate(x: Tensor, step: Step = step, values: dict[str, Any] = values) -> Tensor:
            return applied(step.name, step.operation, x, generator, values)

        if is_large(picture) and step.operation.reach is not None:
            picture = by_strips(picture, operate, step.operation.reach(values))
            continue
        if is_large(picture) and step.operation.measured:
            of_strip = measured(step.name, step.operation, strips(picture), values)
            picture = by_strips(picture, of_strip, 0)
            continue
        if is_large(picture) and step.operation.geometric:
            picture = _moved(picture, step, values, operate, generator)
            continue
        treat = {"moved": with_alpha, "kept": _beside_alpha, "counted": _of_visible}[step.operation.alpha]
        picture = treat(picture, operate)
    return picture


def _moved(
    picture: Picture,
    step: Step,
    values: Mapping[str, Any],
    operate: Callable[[Tensor], Tensor],
    generator: torch.Generator,
) -> Picture:
    """Move a large picture; one that an operation from outside moves may have to be seen by it."""
    if step.operation.function is None:
        shape = torch.zeros(()).expand(picture.pixels.shape)
        moved = by_movement(picture, moving(step.name, step.operation, shape, generator, values))
        if moved is not None:
            return moved
    return by_channels(picture, operate, generator)


def _beside_alpha(picture: Picture, operate: Callable[[Tensor], Tensor]) -> Picture:
    """Apply an operation that leaves transparency as it is; what is invisible is black to it."""
    if picture.alpha is None:
        return replace(picture, pixels=operate(picture.image))
    return replace(picture, pixels=operate(torch.where(picture.alpha < VISIBLE, -1.0, picture.image)))


def _of_visible(picture: Picture, operate: Callable[[Tensor], Tensor]) -> Picture:
    """Apply an operation that counts colours; those that are invisible do not count."""
    return replace(picture, pixels=operate(visible(picture)))


def visible(picture: Picture) -> Tensor:
    """The image ``(N, C, H, W)`` with every invisible pixel replaced by a visible one, each of which is as frequent."""
    if picture.alpha is None:
        return picture.image
    image = picture.image.clone()
    for frame, shown in zip(image, picture.alpha[:, 0] >= VISIBLE, strict=True):
        hidden, known = int((~shown).sum()), frame[:, shown]
        if known.numel():
            frame[:, ~shown] = known[:, torch.arange(hidden) * known.shape[1] // max(1, hidden)]
    return image


def with_alpha(picture: Picture, operate: Callable[[Tensor], Tensor]) -> Picture:
    """Apply an operation on pixels and their neighbours; invisible colours have no say, as alpha multiplies them first.

    What comes in from outside, which is black, is transparent.
    """
    if picture.alpha is None:
        return replace(picture, pixels=operate(picture.image))
    return of_light(picture, operate(light(picture)))


def light(picture: Picture) -> Tensor:
    """Colours multiplied by alpha, and alpha as one more channel: ``(N, C + 1, H, W)`` in [-1, 1]."""
    alpha = torch.ones_like(picture.image[:, :1]) if picture.alpha is None else picture.alpha
    return from_unit(torch.cat([to_unit(picture.image) * alpha, alpha], 1))


def of_light(picture: Picture, changed: Tensor) -> Picture:
    """The picture with other colours and alpha, from what `light` makes of them."""
    unit = to_unit(changed).clamp(0, 1)
    colours, alpha = unit[:, :-1], unit[:, -1:]
    return replace(picture, pixels=from_unit(unweighted(colours, alpha)), alpha=alpha)


def unweighted(weighted: Tensor, alpha: Tensor) -> Tensor:
    """Colours in [0, 1] from colours that were multiplied by alpha."""
    return torch.where(alpha < VISIBLE, 0.0, weighted / alpha.clamp(min=VISIBLE)).clamp(0, 1)
