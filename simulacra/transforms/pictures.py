"""Operations on decoded files: transparency moved with the colours or kept, the same draw for all frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulacra.config.operations import OPERATIONS, Step
from simulacra.errors import ConfigError
from simulacra.images import from_unit, to_unit
from simulacra.images.files import Picture, over_white
from simulacra.transforms import compose
from simulacra.transforms.geometry import resize
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

        treat = {"moved": with_alpha, "kept": _beside_alpha, "counted": _of_visible}[OPERATIONS[step.name].alpha]
        picture = treat(picture, operate)
    return picture


def _beside_alpha(picture: Picture, operate: Callable[[Tensor], Tensor]) -> Picture:
    """Apply an operation that leaves transparency as it is; what is invisible is black to it."""
    if picture.alpha is None:
        return replace(picture, image=operate(picture.image))
    return replace(picture, image=operate(torch.where(picture.alpha < VISIBLE, -1.0, picture.image)))


def _of_visible(picture: Picture, operate: Callable[[Tensor], Tensor]) -> Picture:
    """Apply an operation that counts colours; those that are invisible do not count."""
    return replace(picture, image=operate(visible(picture)))


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
        return replace(picture, image=operate(picture.image))
    return _of_light(picture, operate(_light(picture)))


def _light(picture: Picture) -> Tensor:
    """Colours multiplied by alpha, and alpha as one more channel: ``(N, C + 1, H, W)`` in [-1, 1]."""
    alpha = torch.ones_like(picture.image[:, :1]) if picture.alpha is None else picture.alpha
    return from_unit(torch.cat([to_unit(picture.image) * alpha, alpha], 1))


def _of_light(picture: Picture, light: Tensor) -> Picture:
    """The picture with other colours and alpha, from what `_light` makes of them."""
    unit = to_unit(light).clamp(0, 1)
    colours, alpha = unit[:, :-1], unit[:, -1:]
    return replace(picture, image=from_unit(_unweighted(colours, alpha)), alpha=alpha)


def _unweighted(light: Tensor, alpha: Tensor) -> Tensor:
    """Colours in [0, 1] from colours that were multiplied by alpha."""
    return torch.where(alpha < VISIBLE, 0.0, light / alpha.clamp(min=VISIBLE)).clamp(0, 1)


# -------------------------------------------------------------------------------------------- composition


def composed(base: Picture, other: Picture, mask: Tensor | None, step: Step, seed: int) -> Picture:
    """Compose a picture with another by a step of the table of compositions; grey becomes colour beside colour.

    ``mask`` ``(1, 1, h, w)`` has the size of the other, which `over` and `clone` keep; for the rest it is
    brought to the size of the picture, cut to its proportions, with the mask.
    """
    generator = torch.Generator().manual_seed(seed)
    values = {key: value for key, value in drawn(step, 1, generator).items() if key not in ("with", "mask")}
    base, other = _in_like_colours(base, replace(other, image=other.image[:1], alpha=_first(other.alpha)))
    return COMPOSITIONS[step.name](base, other, mask, generator, **values)


def _in_like_colours(base: Picture, other: Picture) -> tuple[Picture, Picture]:
    channels = max(base.image.shape[1], other.image.shape[1])
    a, b = (replace(one, image=one.image.expand(-1, channels, -1, -1)) for one in (base, other))
    return a, b


def _first(alpha: Tensor | None) -> Tensor | None:
    return None if alpha is None else alpha[:1]


def _scaled(other: Picture, scale: float) -> Picture:
    if scale == 1:
        return other
    height, width = (max(1, round(side * float(scale))) for side in other.image.shape[-2:])
    return with_alpha(other, lambda x: resize(x, height, width))


def _over(base: Picture, other: Picture, _: Tensor | None, __: torch.Generator, *,
          top: int, left: int, scale: float, opacity: float) -> Picture:  # fmt: skip
    """Porter and Duff's over, where the picture below may be transparent too."""
    other = _scaled(other, scale)
    alpha = float(opacity) * (torch.ones_like(other.image[:, :1]) if other.alpha is None else other.alpha)
    if base.alpha is None:
        return replace(base, image=compose.over(base.image, other.image, alpha, int(top), int(left)))
    light = to_unit(base.image) * base.alpha
    light = compose.over(light, to_unit(other.image), alpha, int(top), int(left))
    union = compose.over(base.alpha, torch.ones_like(alpha), alpha, int(top), int(left))
    return replace(base, image=from_unit(_unweighted(light, union)), alpha=union)


def _clone(base: Picture, other: Picture, mask: Tensor | None, _: torch.Generator, *,
           top: int, left: int, scale: float, mixed: bool) -> Picture:  # fmt: skip
    if mask is None:
        mask = torch.ones_like(other.image[:, :1]) if other.alpha is None else (other.alpha > 0.5).float()
    _refuse_unlike(other, mask)
    height, width = (max(1, round(side * float(scale))) for side in other.image.shape[-2:])
    patch, inside = resize(over_white(other), height, width), resize(mask, height, width)
    return replace(base, image=compose.clone(base.image, patch, inside, int(top), int(left), mixed=mixed))


def _refuse_unlike(other: Picture, mask: Tensor) -> None:
    if mask.shape[-2:] != other.image.shape[-2:]:
        sizes = [" x ".join(map(str, one.shape[-2:])) for one in (mask, other.image)]
        raise ConfigError(f"The mask is of {sizes[0]} pixels and the other picture of {sizes[1]}; make them equal.")


def _covering(x: Tensor, height: int, width: int) -> Tensor:
    """The image at a size, cut to its proportions about the centre."""
    scale = max(height / x.shape[-2], width / x.shape[-1])
    wide = resize(x, max(height, round(x.shape[-2] * scale)), max(width, round(x.shape[-1] * scale)))
    top, left = (wide.shape[-2] - height) // 2, (wide.shape[-1] - width) // 2
    return wide[..., top : top + height, left : left + width]


def _joined(base: Picture, other: Picture, join: Callable[[Tensor, Tensor], Tensor]) -> Picture:
    """Join two pictures at the size of the first, and their transparency alike where the first has some."""
    own, others = (base.image, over_white(other)) if base.alpha is None else (_light(base), _light(other))
    joined = join(own, _covering(others, *own.shape[-2:]).expand_as(own))
    return replace(base, image=joined) if base.alpha is None else _of_light(base, joined)


def _blend(base: Picture, other: Picture, mask: Tensor | None, _: torch.Generator, *, levels: int) -> Picture:
    assert mask is not None
    _refuse_unlike(other, mask)
    height, width = base.image.shape[-2:]
    share = _covering(mask, height, width).clamp(0, 1)
    return _joined(base, other, lambda own, others: compose.blend(others, own, share, int(levels)))


def _mixup(base: Picture, other: Picture, _: Tensor | None, __: torch.Generator, *, weight: Any) -> Picture:
    return _joined(base, other, lambda own, others: compose.cross(own, others, weight))


def _cutmix(base: Picture, other: Picture, _: Tensor | None, generator: torch.Generator, *, share: Any) -> Picture:
    mask = compose.rectangles(base.image[:1], share, generator=generator)
    return _joined(base, other, lambda own, others: torch.where(mask, others, own))


COMPOSITIONS: dict[str, Callable[..., Picture]] = {
    "over": _over,
    "blend": _blend,
    "clone": _clone,
    "mixup": _mixup,
    "cutmix": _cutmix,
}
