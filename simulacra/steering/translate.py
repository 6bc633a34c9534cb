"""Image to image: translate batches, pictures of any size by overlapping tiles, and there and back again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.data.dataset import Dataset
from simulacra.errors import ConfigError
from simulacra.models import Model
from simulacra.steering.capabilities import require_translator

PIXELS = 2**17  # translated at a time: more would not fit the cache
OTHER = {"A": "B", "B": "A"}


@torch.no_grad()
def translate(model: Model, x: Tensor, to: str = "B") -> Tensor:
    """Return images ``(n, C', H, W)`` in [-1, 1] of domain ``to`` for images ``(n, C, H, W)`` of the other one.

    Sides beyond the training size are translated in tiles of that size, see `tiled`. Raises `CapabilityError`.
    """
    translating = require_translator(model, "translate", to)
    channels = translating.domains[OTHER[to]].channels
    if x.ndim != 4 or x.shape[1] != channels:
        raise ConfigError(
            f"Images of domain {OTHER[to]} have {channels} channels (n, {channels}, H, W), not {tuple(x.shape)}."
        )
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        arranged = translating.arrange(x, to)
        return tiled(lambda part: translating.redraw(part.to(device), to).cpu(), arranged, model.shape.size)
    finally:
        model.train(training)


def tiled(function: Callable[[Tensor], Tensor], x: Tensor, side: int) -> Tensor:
    """Apply a function of images ``(n, C, side, side)`` to images ``(n, C, H, W)`` of any size, without seams.

    Tiles overlap by half a side and are weighed by ``sin^2``, over its sum, which is nearly zero at a tile's border,
    where the network saw no surroundings. Images are first filled up to whole tiles by reflection.
    """
    if tuple(x.shape[2:]) == (side, side):
        return torch.cat([function(part) for part in torch.split(x, max(1, PIXELS // side**2))])
    height, width = x.shape[2:]
    padded = _filled(x, *(_whole(length, side) for length in (height, width)))
    step, total = side // 2, padded.shape[2:]
    window = torch.sin(math.pi * (torch.arange(side) + 0.5) / side).square()
    weight = window.unsqueeze(1) * window
    places = list(itertools.product(*(range(0, length - side + 1, step) for length in total)))
    canvas, weights = torch.zeros(()), x.new_zeros(total)
    for some in _at_most(places, max(1, PIXELS // (len(x) * side**2))):
        tiles = torch.cat([padded[:, :, top : top + side, left : left + side] for top, left in some])
        for (top, left), tile in zip(some, torch.split(function(tiles), len(x)), strict=True):
            if canvas.ndim == 0:
                canvas = tile.new_zeros(*tile.shape[:2], *total)
            canvas[:, :, top : top + side, left : left + side] += weight * tile
            weights[top : top + side, left : left + side] += weight
    return (canvas / weights)[:, :, :height, :width].clamp(-1, 1)


def _whole(length: int, side: int) -> int:
    """The least length from ``length`` on that tiles with half a side of overlap fill."""
    step = side // 2
    return side + step * max(0, math.ceil((length - side) / step))


def _filled(x: Tensor, height: int, width: int) -> Tensor:
    """Continue images by reflection at the bottom and the right, as often as needed."""
    for dimension, wanted in ((2, height), (3, width)):
        while (have := x.shape[dimension]) < wanted:
            x = torch.cat([x, x.flip(dimension).narrow(dimension, 0, min(have, wanted - have))], dimension)
    return x


def _at_most(places: list[tuple[int, ...]], count: int) -> Iterator[list[tuple[int, ...]]]:
    for start in range(0, len(places), count):
        yield places[start : start + count]


def sheet(model: Model, dataset: Dataset, count: int) -> Image.Image:
    """Draw test images of each domain, translated, perhaps back, and beside the truth where it is known: rows."""
    rows: list[tuple[str, Tensor]] = []
    for to in require_translator(model, "sheet").directions:
        source, target = (images.from_bytes(part.images[:count]) for part in _ordered(dataset, to))
        there = translate(model, source, to)
        rows += [(OTHER[to], source), (f"to {to}", there)]
        if can_return(model, to):
            rows.append((f"back to {OTHER[to]}", translate(model, there, OTHER[to])))
        if dataset.paired:
            rows.append((f"true {to}", target))
    return images.labelled_rows(rows)


def can_return(model: Model, to: str) -> bool:
    """Whether what was translated to a domain can be translated back."""
    return OTHER[to] in require_translator(model, "translate").directions


def _ordered(dataset: Dataset, to: str) -> tuple[Dataset, Dataset]:
    """The domain to start from, and the one to translate to."""
    return dataset.domains[OTHER[to]], dataset.domains[to]
