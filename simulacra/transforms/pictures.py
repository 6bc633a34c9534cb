"""Operations on decoded files: transparency moved with the colours or kept, the same draw for all frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulacra.config.operations import OPERATIONS, Step
from simulacra.files import Picture
from simulacra.images import from_unit, to_unit
from simulacra.transforms.pipeline import apply, drawn

VISIBLE = 1 / 512  # alpha below which a pixel has no colour


def changed(picture: Picture, steps: Sequence[Step], seed: int, given: Mapping[str, Any] | None = None) -> Picture:
    """Take steps on a picture, drawing from a seed; ``given`` are second pictures by the name of their parameter."""
    generator = torch.Generator().manual_seed(seed)
    for step in steps:
        if step.probability < 1 and float(torch.rand(1, generator=generator)) >= step.probability:
            continue
        values = {**drawn(step, 1, generator), **(given or {})}

        def operate(x: Tensor, name: str = step.name, values: dict[str, Any] = values) -> Tensor:
            return apply(name, x, generator, **values)

        moves = OPERATIONS[step.name].alpha == "moved"
        picture = with_alpha(picture, operate) if moves else replace(picture, image=operate(picture.image))
    return picture


def with_alpha(picture: Picture, operate: Callable[[Tensor], Tensor]) -> Picture:
    """Apply an operation on pixels and their neighbours; invisible colours have no say, as alpha multiplies them first.

    What comes in from outside, which is black, is transparent.
    """
    if picture.alpha is None:
        return replace(picture, image=operate(picture.image))
    colours = picture.image.shape[1]
    weighted = torch.cat([to_unit(picture.image) * picture.alpha, picture.alpha], 1)
    moved = to_unit(operate(from_unit(weighted))).clamp(0, 1)
    alpha = moved[:, colours:]
    image = torch.where(alpha < VISIBLE, 0.0, moved[:, :colours] / alpha.clamp(min=VISIBLE)).clamp(0, 1)
    return replace(picture, image=from_unit(image), alpha=alpha)
