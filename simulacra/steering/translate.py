"""Image to image: translate batches, pictures of any size by overlapping tiles, and there and back again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.config import Data
from simulacra.config.grey import GreyRange
from simulacra.data import degradation as degradations
from simulacra.data import domains
from simulacra.data.dataset import Dataset
from simulacra.errors import ConfigError, DataError, IncompleteError
from simulacra.images import batch, files
from simulacra.images.files import Picture
from simulacra.models import Model
from simulacra.steering.capabilities import require_translator
from simulacra.steering.generate import finite

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
        return finite(tiled(lambda part: translating.redraw(part.to(device), to).cpu(), arranged, model.shape.size))
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


def translate_files(
    model: Model,
    path: Path,
    folder: Path,
    to: str,
    data: Data,
    *,
    convert: bool = False,
    size: int | None = None,
    max_megapixels: float | None = None,
    grey_range: str | None = None,
    force: bool = False,
    counted: batch.Counted | None = None,
) -> list[Path]:
    """Translate an image file, a folder or a zip into PNG files of the same names in a folder; return their paths.

    Pictures keep their size, or are brought to a shorter side of ``size`` first; where folders tell domains, those
    of the other one are taken. ``convert`` allows grey files for colour and the reverse. Transparency is laid over the
    background of ``data``, whose limit of megapixels and range of grey hold where no other is given. A file that cannot
    be used is left out. Raises `IncompleteError` then, once the others are written; `DataError` where none can be
    used, `ConfigError` where a file would be overwritten and ``force`` is off, `CapabilityError`.
    """
    require_translator(model, "translate", to)
    limit = data.max_megapixels if max_megapixels is None else max_megapixels
    jobs = batch.plan(domains.of_domain(files.find(path), OTHER[to]), folder, ending=".png", force=force)

    def change(picture: Picture) -> Picture:
        image = _arranged(model, picture, to, data, convert, size, limit)
        return replace(picture, pixels=translate(model, image, to), alpha=None, bits=8, notes=())

    stream = batch.convert(
        jobs, change, max_megapixels=limit, grey_range=GreyRange.parse(grey_range or data.range), workers=1
    )
    with closing(stream):  # waits for the file that is being written
        done = list(stream if counted is None else counted(stream, len(jobs), "translating"))
    batch.refuse_all_failed(done)
    problems = [one.problem for one in done if one.problem is not None]
    if problems:
        named = " ".join(f"{problem}" for problem in problems[:3])
        raise IncompleteError(f"{len(problems):,} of {len(jobs):,} files were left out, such as: {named}")
    return [job.out for job in jobs]


def _arranged(
    model: Model, picture: Picture, to: str, data: Data, convert: bool, size: int | None, max_megapixels: float
) -> Tensor:
    """A picture ``(1, C, H, W)`` in the channels of its domain, in its size or with a shorter side of ``size``.

    A model that enlarges gets it as many times as large.
    """
    channels = require_translator(model, "translate", to).domains[OTHER[to]].channels
    grey, degradation = picture.image.shape[1] == 1, degradations.of(data)
    if not convert and degradation is None and grey != (channels == 1):
        have, need = ("grey", "in colour") if grey else ("in colour", "grey")
        raise DataError(
            f"{picture.name} is {have}, and the images that this model was trained to translate are {need}. "
            "To translate it anyway: --convert"
        )
    shown = images.picture(files.over_white(picture, data.background / 127.5 - 1)[0])
    if size is not None:
        _refuse_huge_result(shown, picture, size, max_megapixels)
        scale = size / min(shown.size)
        width, height = (max(1, round(scale * side)) for side in shown.size)
        shown = shown.resize((width, height), Image.Resampling.LANCZOS)
    if degradation is not None and data.size is not None:
        shown = _enlarged(shown, picture, degradation.reduction(data.size), max_megapixels)
    return images.from_bytes(images.to_tensor(shown, channels)).unsqueeze(0)


def _enlarged(shown: Image.Image, picture: Picture, times: float, max_megapixels: float) -> Image.Image:
    """A picture so many times as large, by bicubic interpolation. Raises `DataError` for one that becomes too large."""
    width, height = (round(times * side) for side in shown.size)
    if times == 1:
        return shown
    if width * height > max_megapixels * 1e6:
        raise DataError(
            f"{times:g} times as large, {picture.name} would have {width * height / 1e6:,.1f} megapixels; the limit is "
            f"{max_megapixels:g}. Make it smaller first with --size, or raise the limit with --max-megapixels."
        )
    return shown.resize((width, height), Image.Resampling.BICUBIC)


def _refuse_huge_result(shown: Image.Image, picture: Picture, size: int, max_megapixels: float) -> None:
    """Refuse a shorter side that makes a picture too large."""
    ratio = max(shown.size) / min(shown.size)
    if size**2 * ratio > max_megapixels * 1e6:
        raise DataError(
            f"--size {size} would make {picture.name} a picture of {size**2 * ratio / 1e6:,.1f} megapixels; the limit "
            f"is {max_megapixels:g}. Choose --size {math.isqrt(int(max_megapixels * 1e6 / ratio))} or less, or raise "
            "the limit with --max-megapixels."
        )


def translate_test(model: Model, test: Dataset, folder: Path, to: str, *, force: bool = False) -> list[Path]:
    """Translate the test images of a data set into PNG files in a folder; return their paths.

    None is overwritten without ``force``. Raises `ConfigError`, `CapabilityError`.
    """
    require_translator(model, "translate", to)
    source = test.domains[OTHER[to]]
    names = [f"{name}.png" for name in source.names or map("{:05d}".format, range(len(source)))]
    paths = images.targets(folder, names)
    batch.refuse_taken(paths, force=force)
    for image, path in zip(translate(model, images.from_bytes(source.images), to), paths, strict=True):
        images.save(image, path)
    return paths


def can_return(model: Model, to: str) -> bool:
    """Whether what was translated to a domain can be translated back."""
    return OTHER[to] in require_translator(model, "translate").directions


def _ordered(dataset: Dataset, to: str) -> tuple[Dataset, Dataset]:
    """The domain to start from, and the one to translate to."""
    return dataset.domains[OTHER[to]], dataset.domains[to]
