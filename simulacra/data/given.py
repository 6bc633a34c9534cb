"""Images given from Python: tensors, arrays, and data sets of this package or of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset as TorchDataset

from simulacra import images
from simulacra.config import Data
from simulacra.data.dataset import Dataset, Images, Pairs, Parts, Unpaired
from simulacra.data.reading import default_size
from simulacra.errors import DataError

PREFIX = "python:"  # of the name that the config of such a run has
SMALLEST = 8  # pixels per side, by which an axis of the image is told from one of channels
CHUNK = 4096  # images converted at once

Source: TypeAlias = Tensor | npt.NDArray[Any] | Dataset | TorchDataset[Any]
Labels: TypeAlias = Tensor | npt.NDArray[Any] | Sequence[int] | Sequence[str]


@dataclass(frozen=True)
class Given:
    """Images, and perhaps the class of each, to train on instead of a data set with a name or a path.

    ``images`` is a tensor or an array ``(N, C, H, W)``, ``(N, H, W, C)`` or ``(N, H, W)``, with 1 or 3 channels, or a
    `Dataset`, or a data set of PyTorch that yields an image or (image, label). They are uint8, or floating point in
    [0, 1] or, where any value is negative, in [-1, 1]. ``labels`` are whole numbers or names, one for each image.
    """

    images: Source
    labels: Labels | None = None

    @classmethod
    def of(cls, images: Source | Given | None, labels: Labels | None = None) -> Given | None:
        """Return images and labels as one value, or None without images. Raises `DataError` for labels alone."""
        if images is None and labels is not None:
            raise DataError("Labels were given without images. Give the images too: data=images, labels=labels.")
        return images if images is None or isinstance(images, Given) else cls(images, labels)

    @property
    def name(self) -> str:
        """The name that the config of a run has for these images."""
        return PREFIX + (self.images.name.removeprefix(PREFIX) if isinstance(self.images, Dataset) else "images")


def refuse_absent(name: str) -> None:
    """Raise `DataError` for the name of images that were given from Python, where they are needed and not given."""
    if name.startswith(PREFIX):
        raise DataError(
            "The images of this run were given from Python and are stored nowhere else. Give them again: "
            "simulacra.Run.open(path, data=images), or simulacra.train(recipe, data=images, resume=True)."
        )


def load(given: Given, data: Data, batch: type[Images] = Images) -> Parts:
    """Return the images as training images, square and in bytes, in two domains where batches have two.

    Raises `DataError` for what cannot be images.
    """
    dataset = _fitted(_dataset(given), data)
    if (dataset.other is not None) != (batch in (Unpaired, Pairs)):
        need = "one domain" if dataset.other is not None else "two domains: Dataset(name, a, other=Dataset(name, b))"
        raise DataError(f"This family is trained on images of {need}.")
    return Parts(_paired(dataset) if batch is Pairs else dataset)


def _paired(dataset: Dataset) -> Dataset:
    """Images without names in both domains are pairs by their place. Raises `DataError` for other counterparts."""
    a, b = dataset.domains.values()
    if not (a.names or b.names) and len(a) == len(b):
        names = tuple(f"{index:05d}" for index in range(len(a)))
        return replace(dataset, names=names, other=replace(b, names=names))
    if not dataset.paired:
        raise DataError(
            f"Pairs need as many images in both domains, of the same names in the same order; A has {len(a):,}, B has "
            f"{len(b):,}."
        )
    return dataset


def _dataset(given: Given) -> Dataset:
    source, labels = given.images, given.labels
    if isinstance(source, Dataset):
        if labels is not None:
            raise DataError("Labels were given beside a Dataset, which holds its own. Leave labels out.")
        return replace(source, name=given.name)
    classes: Sequence[str] = ()
    if isinstance(source, TorchDataset):
        source, own = _collected(source)
        classes = tuple(map(str, getattr(given.images, "classes", ())))
        labels = own if labels is None else labels
    dataset = Dataset(given.name, _bytes(_channels_first(_tensor(source))))
    return dataset if labels is None else _labelled(dataset, labels, classes)


def _fitted(dataset: Dataset, data: Data) -> Dataset:
    """The data set with square images, of a moderate size unless another size or width is asked for."""
    pixels = _bytes(_channels_first(dataset.images))
    if not len(pixels):
        raise DataError("No images were given.")
    height, width = pixels.shape[-2:]
    rows = data.size or data.width or default_size(width, height)
    columns = data.width or rows
    pixels = images.resize(_proportioned(pixels, columns / rows, data), rows, columns)
    return replace(dataset, images=pixels, other=None if dataset.other is None else _fitted(dataset.other, data))


def _tensor(source: Tensor | npt.NDArray[Any]) -> Tensor:
    if isinstance(source, Tensor):
        return source.detach().cpu()
    if not isinstance(source, np.ndarray) or source.dtype.kind not in "buif":
        told = f"an array of {source.dtype}" if isinstance(source, np.ndarray) else f"a {type(source).__name__}"
        raise DataError(
            f"data is {told}. Give a name, a path, a tensor or an array of images, a simulacra.Dataset, or a data set "
            "of PyTorch."
        )
    return torch.from_numpy(np.ascontiguousarray(source, dtype=source.dtype.newbyteorder("=")))


def _channels_first(x: Tensor) -> Tensor:
    """Bring images to ``(N, C, H, W)``. Raises `DataError` for shapes that are not images of 1 or 3 channels."""
    if x.ndim == 3:
        x = x.unsqueeze(1)
    if x.ndim == 4 and x.shape[1] in (1, 3) and min(x.shape[2:]) >= SMALLEST:
        return x
    if x.ndim == 4 and x.shape[3] in (1, 3) and min(x.shape[1:3]) >= SMALLEST:
        return x.permute(0, 3, 1, 2)
    raise DataError(
        f"The images have the shape {tuple(x.shape)}. It must be (N, C, H, W), (N, H, W, C) or (N, H, W), with 1 or 3 "
        f"channels and at least {SMALLEST} pixels per side."
    )


def _bytes(x: Tensor) -> Tensor:
    """Convert images to uint8 by the range of their values. Raises `DataError` for a range that is not known."""
    if x.dtype == torch.uint8 or not x.numel():
        return x.to(torch.uint8)
    if not x.is_floating_point():
        raise DataError(f"The images are of type {x.dtype}. Give uint8 in [0, 255], or floating point in [0, 1].")
    low, high = float(x.min()), float(x.max())
    if not (low >= -1 and high <= 1):  # also where a value is not a number
        raise DataError(
            f"The images reach from {low:g} to {high:g}. Floating point must lie in [0, 1], or in [-1, 1] where any "
            "value is negative; values up to 255 must be uint8."
        )
    signed: Callable[[Tensor], Tensor] = images.from_unit if low >= 0 else torch.clone
    whole = torch.empty(x.shape, dtype=torch.uint8)
    for start in range(0, len(x), CHUNK):
        whole[start : start + CHUNK] = images.to_bytes(signed(x[start : start + CHUNK].float()))
    return whole


def _proportioned(x: Tensor, ratio: float, data: Data) -> Tensor:
    """Cut or pad images to a ratio of width to height, as files are; stretching is left to the resizing."""
    height, width = x.shape[-2:]
    if data.fit == "stretch" or round(height * ratio) == width:
        return x
    if data.fit == "crop":
        rows, columns = min(height, round(width / ratio)), min(width, round(height * ratio))
        top, left = (height - rows) // 2, (width - columns) // 2
        return x[..., top : top + rows, left : left + columns]
    rows, columns = max(height, round(width / ratio)), max(width, round(height * ratio))
    top, left = (rows - height) // 2, (columns - width) // 2
    return F.pad(x, (left, columns - width - left, top, rows - height - top), value=data.background)


def _collected(source: TorchDataset[Any]) -> tuple[Tensor, list[Any] | None]:
    """The images of a data set of PyTorch as one tensor, and their labels where it yields any."""
    if not hasattr(source, "__len__"):
        raise DataError(
            "A data set of PyTorch needs a length (__len__) to be trained on: take a fixed number of its images first."
        )
    items = [source[index] for index in range(len(source))]
    labels = [item[1] for item in items if isinstance(item, tuple | list) and len(item) > 1]
    x = [_tensor(_array(item[0] if isinstance(item, tuple | list) else item)) for item in items]
    odd = next((index for index, image in enumerate(x) if image.shape != x[0].shape or image.dtype != x[0].dtype), None)
    if odd is not None:
        raise DataError(
            f"Image {odd} has the shape {tuple(x[odd].shape)} and type {x[odd].dtype}, the first one "
            f"{tuple(x[0].shape)} and {x[0].dtype}. Make them equal in the data set's transform."
        )
    if not x:
        raise DataError("No images were given.")
    return torch.stack(x), labels if len(labels) == len(items) else None


def _array(image: Any) -> Any:
    """A picture of Pillow as an array; others as they are."""
    return np.array(image) if hasattr(image, "getbands") else image


def _labelled(dataset: Dataset, labels: Labels, classes: Sequence[str]) -> Dataset:
    """The data set with classes: the names given, or the numbers as names. One class for all is none."""
    values = _listed(labels)
    if len(values) != len(dataset):
        raise DataError(f"{len(values):,} labels were given for {len(dataset):,} images. Give one for each.")
    kinds = {type(value) for value in values}
    if kinds not in ({int}, {str}):
        told = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(f"The labels are of type {told}. Give whole numbers, or names, for all images.")
    if classes and kinds == {int} and 0 <= min(values) <= max(values) < len(classes):
        return replace(dataset, labels=torch.tensor(values), classes=tuple(classes))
    known = sorted(set(values))
    if len(known) < 2:
        return dataset
    places = {value: place for place, value in enumerate(known)}
    return replace(dataset, labels=torch.tensor([places[v] for v in values]), classes=tuple(map(str, known)))


def _listed(labels: Labels | Iterable[Any]) -> list[Any]:
    if isinstance(labels, str):
        raise DataError("labels is one text. Give a list with a label for each image.")
    values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    return [value.item() if isinstance(value, Tensor | np.generic) and value.ndim == 0 else value for value in values]
