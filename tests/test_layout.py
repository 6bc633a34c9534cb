"""Where splits and classes lie: the layouts that sets are published in, and those that have to be refused."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from simulacra.data import layout
from simulacra.errors import DataError
from simulacra.images.files import Entry


def of(*names: str) -> layout.Layout:
    return layout.of([Entry(PurePosixPath(name), lambda: b"") for name in names], "set")


def told(*names: str) -> list[tuple[str, str | None]]:
    """Split and class of each file, in the order of the names that were placed."""
    return [(item.split, item.label) for item in of(*names).placed]


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"), ("Training", "train"), ("training_set", "train"), ("TRAIN-SET", "train"),
        ("train images", "train"), ("test", "test"), ("Testing", "test"), ("test_set", "test"), ("testset", "test"),
        ("val", "validation"), ("valid", "validation"), ("Validation_Set", "validation"), ("trains", None),
        ("contest", None), ("value", None), ("training wheels", None), ("", None),
    ],
)  # fmt: skip
def test_the_usual_names_of_splits(folder: str, split: str | None) -> None:
    assert layout.split_of(folder) == split


@pytest.mark.parametrize("wrapper", ["", "dataset/", "download/dataset/", "a/b/c/"])
@pytest.mark.parametrize(
    "names", [("train", "test", "val"), ("training_set", "test_set", "valid"), ("Training", "Testing", "Validation")]
)
def test_splits_are_found_below_any_number_of_wrapping_folders(wrapper: str, names: tuple[str, ...]) -> None:
    files = [f"{wrapper}{split}/{label}/1.png" for split in names for label in ("cats", "dogs")]
    splits = ("train", "train", "test", "test", "validation", "validation")
    assert told(*files) == list(zip(splits, ["cats", "dogs"] * 3, strict=True))


def test_a_split_whose_folder_repeats_its_name() -> None:
    files = [f"{s}_set/{s}_set/{label}/1.png" for s in ("training", "test") for label in ("cats", "dogs")]
    assert told(*files) == [("train", "cats"), ("train", "dogs"), ("test", "cats"), ("test", "dogs")]


def test_splits_below_classes() -> None:
    files = ["cats/train/1.png", "cats/test/1.png", "dogs/train/1.png", "dogs/test/1.png"]
    assert told(*files) == [("train", "cats"), ("test", "cats"), ("train", "dogs"), ("test", "dogs")]


def test_a_picture_beside_the_wrapping_folder_hides_no_split() -> None:
    found = of("sample.png", "set/train/1.png", "set/train/2.png", "set/test/3.png")
    assert [(str(item.entry.name), item.split) for item in found.placed] == [
        ("set/train/1.png", "train"), ("set/train/2.png", "train"), ("set/test/3.png", "test"),
    ]  # fmt: skip
    assert found.left_out == ("1 image beside the folders train and test, such as sample.png",)


def test_what_lies_beside_train_is_counted_and_one_is_named() -> None:
    found = of("train/a/1.png", "train/b/2.png", "extra/3.png", "extra/4.png")
    assert found.left_out == ("2 images beside the folders train and test, such as extra/3.png",)
    assert [item.label for item in found.placed] == ["a", "b"]


def test_a_class_of_trains_is_a_class() -> None:
    assert told("train/1.png", "bus/1.png", "car/1.png") == [("train", "train"), ("train", "bus"), ("train", "car")]


def test_without_train_everything_outside_the_other_splits_is_for_training() -> None:
    assert told("a/1.png", "b/2.png", "test/a/3.png", "val/b/4.png") == [
        ("train", "a"), ("train", "b"), ("test", "a"), ("validation", "b"),
    ]  # fmt: skip


def test_loose_files_beside_folders_leave_no_classes_and_that_is_said() -> None:
    found = of("1.png", "2.png", "female/3.png")
    assert [item.label for item in found.placed] == [None] * 3
    assert found.remarks == ("no classes, since 2 images (such as 1.png) lie beside the folders (female)",)
    assert of("1.png", "a/2.png", "b/3.png").remarks[0].endswith("lie beside the folders (a, b)")
    assert of("1.png", "2.png").remarks == of("a/1.png", "b/2.png").remarks == ()


def test_test_images_without_a_class_are_left_out_where_training_images_have_one() -> None:
    found = of("train/a/1.png", "train/b/2.png", "test/3.png", "test/4.png")
    assert [(item.split, item.label) for item in found.placed] == [("train", "a"), ("train", "b")]
    assert found.left_out == ("2 images of test without a class, such as test/3.png",)


def test_classes_of_test_images_alone_count_for_nothing() -> None:
    assert told("train/1.png", "test/a/2.png", "test/b/3.png") == [("train", None), ("test", None), ("test", None)]
    assert told("train/photos/1.png", "test/pictures/2.png") == [("train", None), ("test", None)]


@pytest.mark.parametrize("split", ["test", "val"])
def test_a_class_without_training_images_is_refused(split: str) -> None:
    with pytest.raises(DataError, match=r"the class 'bird' has (test|validation) images, such as .*bird/3.png"):
        of("train/cat/1.png", "train/dog/2.png", f"{split}/bird/3.png")
    with pytest.raises(DataError, match=r"the class 'Dogs' .* Did you mean 'dogs'\?"):
        of("train/cats/1.png", "train/dogs/2.png", "test/cats/3.png", "test/Dogs/3.png")


def test_held_out_images_alone_are_refused() -> None:
    with pytest.raises(DataError, match=r"set holds test and validation images only; put training images beside them"):
        of("test/1.png", "val/2.png")
