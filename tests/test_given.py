"""Images given from Python: every kind that is taken, what is refused, and runs that need them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import TensorDataset

import simulacra
from simulacra import data
from simulacra.config import Data
from simulacra.data import Dataset, Given, Images, Pairs, Splits, Unpaired
from simulacra.errors import ConfigError, DataError
from tests.conftest import SHORT

PIXELS = torch.randint(0, 256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
GREY = PIXELS[:, :1]


def load(images: Any, labels: Any = None, batch: type[Images] = Images, **values: object) -> Splits:
    given = Given.of(images, labels)
    assert given is not None
    return data.load(Data.model_validate({"name": given.name, "test": 0.2, **values}), None, batch, given)


def whole(splits: Splits) -> Tensor:
    """All images, in any order: sorted by their first pixels."""
    images = torch.cat([splits.train.images, splits.test.images])
    return images[torch.argsort(images.flatten(1)[:, 0].long() * 256 + images.flatten(1)[:, 1].long())]


def expected(images: Tensor) -> Tensor:
    return images[torch.argsort(images.flatten(1)[:, 0].long() * 256 + images.flatten(1)[:, 1].long())]


class Items(TorchDataset[Any]):
    """A data set of PyTorch of these items, perhaps with names of classes."""

    def __init__(self, items: list[Any], *classes: str) -> None:
        self.items = items
        if classes:
            self.classes = list(classes)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


KINDS: dict[str, Callable[[], Any]] = {
    "tensor": lambda: PIXELS,
    "array": lambda: PIXELS.numpy(),
    "channels last": lambda: PIXELS.permute(0, 2, 3, 1).numpy(),
    "unit": lambda: PIXELS.double() / 255,
    "signed": lambda: PIXELS.float() / 127.5 - 1,
    "big-endian": lambda: (PIXELS.numpy() / 255).astype(">f4"),
    "half": lambda: (PIXELS.float() / 255).to(torch.float16),
    "reversed": lambda: PIXELS.numpy()[::-1],
    "needs a gradient": lambda: (PIXELS.float() / 255).requires_grad_(),
    "Dataset": lambda: Dataset("mine", PIXELS),
    "TensorDataset": lambda: TensorDataset(PIXELS),
    "pictures": lambda: Items([Image.fromarray(image.permute(1, 2, 0).numpy()) for image in PIXELS]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_images_becomes_the_same_bytes(kind: str) -> None:
    splits = load(KINDS[kind]())
    assert torch.equal(whole(splits), expected(PIXELS))
    assert len(splits.test) == 1
    assert splits.train.labels is None


def test_grey_images_need_no_channel() -> None:
    assert torch.equal(whole(load(GREY[:, 0])), expected(GREY))
    assert torch.equal(whole(load(GREY[:, 0].numpy())), expected(GREY))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (PIXELS.float(), r"reach from 0 to 255.*\[0, 1\]"),
        (PIXELS.float() / 100 - 1, "reach from -1 to 1.5"),
        (torch.full((4, 1, 8, 8), torch.nan), "reach from nan"),
        (PIXELS.long(), "type torch.int64. Give uint8"),
        (PIXELS > 3, "type torch.bool"),
        (torch.zeros(4, 4, 8, 8), r"shape \(4, 4, 8, 8\).*1 or 3 channels"),
        (torch.zeros(8, 8), r"shape \(8, 8\)"),
        (torch.zeros(9, 3, 4, 4), "at least 8 pixels"),
        (torch.zeros(0, 3, 8, 8), "No images"),
        (np.array(["a", "b"]), "an array of <U1"),
        ([1, 2], "a list.*Give a name, a path, a tensor"),
        (3, "a int"),
        (Items([]), "No images"),
        (Items([PIXELS[0], PIXELS[0, :, :, :7]]), r"Image 1 has the shape \(3, 8, 7\)"),
        (PIXELS[:1], "too few images"),
    ],
    ids=str,
)
def test_what_cannot_be_images_is_refused_in_one_sentence(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(images)
    assert "\n" not in str(caught.value)


def test_images_that_are_not_square_are_fitted_as_files_are() -> None:
    high = torch.zeros(4, 1, 16, 8, dtype=torch.uint8)
    high[:, :, 4:12] = 4  # the centre
    high[:, :, 12:] = 9
    crop = load(high, size=8).train.images
    assert torch.equal(crop, torch.full_like(crop, 4))
    pad = load(high, size=16, fit="pad", background=77).train.images
    assert torch.equal(pad[..., 4:12], high[: len(pad)])
    assert (pad[..., :4] == 77).all()
    assert (pad[..., 12:] == 77).all()
    stretch = load(high, size=8, fit="stretch").train.images
    assert [stretch[0, 0, row, 0].item() for row in (0, 4, 7)] == [0, 4, 9]
    assert load(high).train.images.shape[-1] == 64, "as files without one square size"


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1, 2, 0, 1, 2], ("0", "1", "2")),
        ([7, 30, 7, 30, 7, 30], ("7", "30")),
        (np.array(["cat", "dog"] * 3), ("cat", "dog")),
        (torch.tensor([1, 0] * 3), ("0", "1")),
        ([0] * 6, ()),
    ],
    ids=str,
)
def test_labels_are_numbers_or_names(labels: Any, classes: tuple[str, ...]) -> None:
    splits = load(PIXELS, labels)
    assert splits.train.classes == splits.test.classes == classes
    told = [str(label) for label in (labels.tolist() if hasattr(labels, "tolist") else labels)]
    of = {image.flatten()[:2].numpy().tobytes(): label for image, label in zip(PIXELS, told, strict=True)}
    for part in (splits.train, splits.test) if classes else ():
        assert part.labels is not None
        for image, label in zip(part.images, part.labels.tolist(), strict=True):
            assert of[image.flatten()[:2].numpy().tobytes()] == classes[label]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (PIXELS, [0, 1], "2 labels were given for 6 images"),
        (PIXELS, [0.0] * 6, "type float"),
        (PIXELS, [1, "a"] * 3, "type int, str"),
        (PIXELS, "cats", "one text"),
        (Dataset("mine", PIXELS), [0, 1] * 3, "which holds its own"),
        (None, [0], "without images"),
    ],
    ids=str,
)
def test_labels_that_do_not_fit_are_refused(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(images, labels)


def test_data_sets_of_pytorch_may_bring_labels_and_names_of_classes() -> None:
    items = [(image, torch.tensor(index % 2)) for index, image in enumerate(PIXELS)]
    assert load(Items(items)).train.classes == ("0", "1")
    assert load(Items(items, "cat", "dog", "bird")).train.classes == ("cat", "dog", "bird")
    assert load(Items(items), ["x", "y"] * 3).train.classes == ("x", "y")


def test_two_domains_are_a_data_set_with_another() -> None:
    two = Dataset("two", PIXELS, other=Dataset("other", GREY))
    assert load(two, batch=Pairs).train.paired
    assert not load(two, batch=Unpaired).train.paired
    for images, batch in ((PIXELS, Unpaired), (two, Images)):
        with pytest.raises(DataError, match=r"images of (one domain|two domains)"):
            load(images, batch=batch)
    with pytest.raises(DataError, match="A has 6, B has 5"):
        load(Dataset("two", PIXELS, other=Dataset("other", GREY[:5])), batch=Pairs)


def test_a_run_of_given_images_is_resumed_exactly_with_the_same_images_only(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(60, 8, 8, generator=generator).numpy()
    labels = [index % 2 for index in range(60)]
    lengths = {"images": 640, "batch": 32, "precision": "float32", "schedule": {"kind": "constant"}}
    changes = {"model": SHORT["model"], "train": lengths}
    half = {"model": SHORT["model"], "train": {**lengths, "images": 320}}

    def train(
        out: str, x: Any = images, y: Any = labels, *, short: bool = False, resume: bool = False
    ) -> simulacra.Run:
        values = half if short else changes
        return simulacra.train("vae", data=x, labels=y, out=tmp_path / out, changes=values, resume=resume)

    straight, _ = train("straight"), train("halves", short=True)
    for x, y in ((images[::-1], labels), (images, labels[::-1])):
        with pytest.raises(ConfigError, match="not those that"):
            train("halves", x, y, resume=True)
    resumed = train("halves", resume=True)
    weights, again = straight.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert straight.config.data.name == "python:images"
    assert straight.splits.train.classes == ("0", "1"), "a run that was just trained still has its images"

    opened = simulacra.Run.open(tmp_path / "straight")
    assert opened.sample(2).shape == (2, 1, 8, 8)
    with pytest.raises(DataError, match=r"given from Python.*Run.open\(path, data=images\)"):
        opened.examples(2)
    with pytest.raises(DataError, match="given from Python"):
        simulacra.train(str(tmp_path / "straight" / "config.toml"), out=tmp_path / "straight", resume=True)
    given = simulacra.Run.open(tmp_path / "straight", data=images, labels=labels)
    assert torch.equal(given.splits.test.images, straight.splits.test.images)
    with pytest.raises(DataError, match="not those that it was trained on"):
        simulacra.Run.open(tmp_path / "straight", data=images[::-1], labels=labels).examples(2)
