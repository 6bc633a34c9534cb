"""Images of your own: folders and zips of every layout, the policies for what cannot be read, hostile archives."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import data, images
from simulacra.config import Data
from simulacra.data import folders, reading
from simulacra.errors import DataError
from simulacra.images import Shape, batch, files

RNG = np.random.default_rng(0)
Make = Callable[[Mapping[str, bytes]], Path]
TEXT = b"these are words, not pixels\n" * 20


def encode(array: np.ndarray, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format_, **options)
    return buffer.getvalue()


def grey(level: int, width: int = 8, height: int = 8) -> bytes:
    return encode(np.full((height, width), level, np.uint8))


def colour(red: int, width: int = 8, height: int = 8) -> bytes:
    return encode(np.full((height, width, 3), (red, 20, 30), np.uint8))


def noisy(size: int = 64) -> bytes:
    return encode(RNG.integers(0, 256, (size, size), dtype=np.uint8))


def huge_png(side: int) -> bytes:
    """A PNG that declares a size and holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def folder_of(path: Path, members: Mapping[str, bytes]) -> Path:
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def zip_of(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(params=["folder", "zip"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Put members into a folder or a zip, by the parameter; returns a function that gives its path."""

    def make(members: Mapping[str, bytes]) -> Path:
        if request.param == "zip":
            return zip_of(tmp_path / "set.zip", members)
        (tmp_path / "set").mkdir()
        return folder_of(tmp_path / "set", members)

    return make


def load(path: Path, **values: object) -> tuple[data.Dataset, data.Dataset | None, tuple[str, ...]]:
    found = folders.load(path, Data.model_validate({"name": str(path), **values}))
    return found.train, found.test, found.skipped


def levels(dataset: data.Dataset | None) -> list[int]:
    """The top left value of each image."""
    assert dataset is not None
    return dataset.images[:, 0, 0, 0].tolist()


def labels(dataset: data.Dataset | None) -> list[str]:
    assert dataset is not None
    assert dataset.labels is not None
    assert dataset.labels.dtype == torch.int64
    return [dataset.classes[label] for label in dataset.labels.tolist()]


def everything_below(path: Path) -> set[Path]:
    return {file for file in path.rglob("*") if file.is_file()}


# ---------------------------------------------------------------------------------------------------- layout


def test_flat_images_in_the_order_of_their_names(made: Make) -> None:
    train, test, skipped = load(made({"b.png": grey(20), "a.png": grey(10), "c.PNG": grey(30), "notes.txt": b"x"}))
    assert (levels(train), test, skipped) == ([10, 20, 30], None, ())
    assert train.images.shape == (3, 1, 8, 8)
    assert train.images.dtype == torch.uint8
    assert train.names == ("a.png", "b.png", "c.PNG")
    assert train.labels is None
    assert train.classes == ()
    assert train.name == "set"


def test_classes_are_subfolders(made: Make) -> None:
    members = {"dogs/1.png": grey(1), "cats/2.png": grey(2), "dogs/small/3.png": grey(3), "cats/4.png": grey(4)}
    train, _, _ = load(made(members))
    assert train.classes == ("cats", "dogs")
    assert train.names == ("cats/2.png", "cats/4.png", "dogs/1.png", "dogs/small/3.png")
    assert levels(train) == [2, 4, 1, 3]
    assert labels(train) == ["cats", "cats", "dogs", "dogs"]


def test_one_subfolder_is_no_class(made: Make) -> None:
    train, _, _ = load(made({"cats/1.png": grey(1), "cats/2.png": grey(2)}))
    assert train.labels is None
    assert train.classes == ()


def test_train_and_test_at_the_top_are_splits(made: Make) -> None:
    train, test, _ = load(
        made({"train/a/1.png": grey(1), "train/b/2.png": grey(2), "Test/b/3.png": grey(3), "test/b/4.png": grey(4)})
    )
    assert levels(train) == [1, 2]
    assert labels(train) == ["a", "b"]
    assert sorted(levels(test)) == [3, 4]
    assert labels(test) == ["b", "b"], "class indices are common to both splits"
    assert test is not None
    assert test.classes == train.classes == ("a", "b")


def test_validation_images_are_held_out_and_never_trained_on(made: Make) -> None:
    members = {"train/a/1.png": grey(1), "train/b/2.png": grey(2), "val/a/3.png": grey(3), "test/a/4.png": grey(4)}
    splits = data.load(Data(name=str(made(members | {"extra/5.png": grey(5)}))))
    assert [levels(part) for part in (splits.train, splits.validation, splits.test)] == [[1, 2], [3], [4]]
    assert splits.train.classes == ("a", "b")
    assert splits.describe() == [
        "2 classes: a 1, b 1",
        "images for testing: 1, the source's own test split",
        "images for validation: 1, the source's own split, not trained on",
        "left out: 1 image beside the folders train and test, such as extra/5.png",
    ]


def test_where_held_out_images_come_from_is_said(made: Make) -> None:
    path = made({f"{'ab'[i % 2]}/{i:02}.png": grey(i) for i in range(40)})
    assert data.load(Data(name=str(path), validation=0.25)).describe() == [
        "2 classes: a 13, b 14",
        "images for testing: 4, held out (0.1 of all, data.test)",
        "images for validation: 9, held out (0.25 of the training images, data.validation)",
    ]


def test_without_train_everything_outside_test_is_for_training(made: Make) -> None:
    train, test, skipped = load(made({"a/1.png": grey(1), "b/2.png": grey(2), "test/a/3.png": grey(3)}))
    assert (levels(train), labels(train)) == ([1, 2], ["a", "b"])
    assert (levels(test), labels(test)) == ([3], ["a"])
    assert skipped == ()


def test_test_images_alone_are_refused(made: Make) -> None:
    with pytest.raises(DataError, match=r"holds test images only.*train/"):
        load(made({"test/1.png": grey(1)}))


def test_a_zip_of_a_folder_is_read_as_that_folder(tmp_path: Path) -> None:
    classes = {"photos/cats/1.png": grey(1), "photos/dogs/2.png": grey(2), "__MACOSX/photos/._1.png": b"x"}
    assert labels(load(zip_of(tmp_path / "classes.zip", classes))[0]) == ["cats", "dogs"]
    splits = {"photos/train/1.png": grey(1), "photos/test/2.png": grey(2)}
    train, test, _ = load(zip_of(tmp_path / "splits.zip", splits))
    assert (levels(train), levels(test)) == ([1], [2])
    deep = {"a/b/c/d/1.png": grey(1), "a/b/c/e/2.png": grey(2), "a/f/3.png": grey(3)}
    assert labels(load(zip_of(tmp_path / "deep.zip", deep))[0]) == ["b", "b", "f"]


def test_hidden_files_and_what_macs_add_are_ignored(made: Make) -> None:
    members = {
        "1.png": grey(1), "2.png": grey(2), ".3.png": grey(3), ".cache/4.png": grey(4), "__MACOSX/5.png": TEXT,
        "._2.png": TEXT, "Thumbs.db": TEXT,
    }  # fmt: skip
    assert levels(load(made(members))[0]) == [1, 2]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path: Path) -> None:
    assert levels(load(folder_of(tmp_path, {"x.png/1.png": grey(1), "2.png": grey(2)}))[0]) == [2, 1]


def test_unicode_names(made: Make) -> None:
    members = {"Äpfel/grün 1.png": grey(1), "梨/二.png": grey(2), "🍒/🍒.png": grey(3)}
    train, _, _ = load(made(members))
    assert set(train.classes) == {"Äpfel", "梨", "🍒"}
    assert dict(zip(labels(train), levels(train), strict=True)) == {"Äpfel": 1, "梨": 2, "🍒": 3}


@pytest.mark.skipif(os.name != "posix", reason="names that are no text exist on POSIX only")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")).write_bytes(grey(1))
    except OSError:
        pytest.skip("this file system takes text only")
    folder_of(tmp_path, {"b.png": grey(2)})
    assert sorted(levels(load(tmp_path)[0])) == [1, 2]


# ----------------------------------------------------------------------------------------- sizes and channels


def test_equal_squares_keep_their_size_and_pixels(tmp_path: Path) -> None:
    arrays = RNG.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    train, _, _ = load(folder_of(tmp_path, {f"{i}.png": encode(a) for i, a in enumerate(arrays)}))
    assert torch.equal(train.images, torch.from_numpy(arrays).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    "sizes", [[(20, 20), (30, 30)], [(20, 10), (10, 20)], [(300, 300), (300, 300)], [(4, 4), (4, 4)]]
)
def test_mixed_large_or_tiny_files_become_64(sizes: list[tuple[int, int]], tmp_path: Path) -> None:
    train, _, _ = load(folder_of(tmp_path, {f"{i}.png": grey(100, *size) for i, size in enumerate(sizes)}))
    assert train.images.shape == (2, 1, 64, 64)
    assert (train.images == 100).all()


def test_the_size_asked_for_is_the_size(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": grey(50, 30, 30), "b.jpg": encode(np.full((700, 900), 90, np.uint8), "JPEG")})
    train, _, _ = load(tmp_path, size=16)
    assert train.images.shape == (2, 1, 16, 16)
    assert (train.images[0] == 50).all()
    assert (train.images[1].int() - 90).abs().max() <= 1


@pytest.mark.parametrize("values", [{"size": 64}, {"size": 32}])
def test_fit_is_applied(values: dict[str, int], tmp_path: Path) -> None:
    oblong = np.zeros((40, 80), np.uint8)
    oblong[:, 20:60] = 255
    folder_of(tmp_path, {"a.png": encode(oblong), "b.png": encode(oblong)})
    crop = load(tmp_path, fit="crop", **values)[0].images
    assert (crop >= 200).all()
    pad = load(tmp_path, fit="pad", background=90, **values)[0].images
    side = pad.shape[-1]
    assert (pad[..., : side // 4 - 1, :] == 90).all()
    assert (pad[..., side // 2, :2] == 0).all()
    assert (pad[..., side // 2, side // 2] == 255).all()
    stretch = load(tmp_path, fit="stretch", **values)[0].images
    assert (stretch[..., :2] == 0).all()
    assert (stretch[..., side // 2] == 255).all()


def test_background_is_applied_behind_transparency(tmp_path: Path) -> None:
    clear = encode(np.dstack([np.full((8, 8, 3), (250, 0, 0)), np.zeros((8, 8))]).astype(np.uint8))
    folder_of(tmp_path, {"a.png": clear, "b.png": clear})
    assert (load(tmp_path, background=77)[0].images == 77).all()


def test_grey_and_colour_together_need_a_decision(made: Make) -> None:
    path = made({"a.png": colour(200), "b.png": grey(100), "c.png": colour(10)})
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert "2 images are in colour and 1 are grey (such as b.png)" in message
    assert "--data.channels 3 or --data.channels 1" in message
    three = load(path, channels=3)[0].images
    assert three[:, :, 0, 0].tolist() == [[200, 20, 30], [100, 100, 100], [10, 20, 30]]
    one = load(path, channels=1)[0].images
    assert one[:, 0, 0, 0].tolist() == [75, 100, 18]


def test_colour_wins_where_nearly_all_are_in_colour_and_that_is_said(made: Make) -> None:
    path = made({f"{i:03}.png": colour(i) for i in range(98)} | {"x.png": grey(100), "y.png": grey(50)})
    splits = data.load(Data(name=str(path)))
    assert splits.train.images.shape[1] == 3
    assert "2 of 100 pictures are grey, and are treated as colour" in splits.describe()
    assert not data.load(Data(name=str(path), channels=3)).remarks[:-1], "said only where it was not asked for"


@pytest.mark.parametrize(("fit", "width", "told"), [("crop", 30, True), ("crop", 22, False), ("pad", 30, False)])
def test_a_crop_of_more_than_a_tenth_is_said(fit: str, width: int, told: bool, tmp_path: Path) -> None:
    path = folder_of(tmp_path, {f"{i}.png": grey(i, width, 20) for i in range(3)})
    lines = data.load(Data(name=str(path), fit=fit, size=20)).describe()
    line = "the pictures are cut to squares and lose 33% of their pixels (to keep all: --data.fit pad)"
    assert (line in lines) == told
    assert any("cut to squares" in line for line in lines) == told


def test_deep_grey_is_read_by_the_range_that_is_asked_for(tmp_path: Path) -> None:
    for index in range(3):
        Image.fromarray(np.full((8, 8), 1000.0 * index, np.float32)).save(tmp_path / f"{index}.tif")
    with pytest.raises(DataError, match=r"2.tif.*--data.range"):
        load(tmp_path)
    assert levels(load(tmp_path, range="0..2000")[0]) == [0, 128, 255]
    with pytest.raises(ValueError, match=r"auto or LOW\.\.HIGH"):
        Data.model_validate({"range": "black"})


def test_pictures_of_kinds_that_are_not_read_are_counted_by_ending(made: Make) -> None:
    members = {f"{i}.webp": encode(np.full((8, 8, 3), i, np.uint8), "WEBP", lossless=True) for i in range(3)}
    splits = data.load(Data(name=str(made(members | {"a.heic": TEXT, "b.heic": TEXT, "c.avif": TEXT, "d.txt": TEXT}))))
    assert [
        line for line in splits.describe() if line.startswith("left out: 3 pictures are of kinds that are not read")
    ]
    assert "2 .heic, 1 .avif (such as a.heic)" in splits.skipped[0]


@pytest.mark.skipif(os.name != "posix", reason="links to folders need rights on Windows")
def test_classes_that_are_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    folder_of(tmp_path, {"store/x/1.png": grey(1), "store/x/2.png": grey(2), "set/dogs/3.png": grey(3)})
    (tmp_path / "set" / "cats").symlink_to(tmp_path / "store" / "x")
    (tmp_path / "set" / "dogs" / "again").symlink_to(tmp_path / "set")
    train, _, _ = load(tmp_path / "set")
    assert sorted(labels(train)) == ["cats", "cats", "dogs"]


def test_channels_follow_the_files(tmp_path: Path) -> None:
    assert load(folder_of(tmp_path / "grey", {"a.png": grey(1)}))[0].images.shape[1] == 1
    assert load(folder_of(tmp_path / "colour", {"a.png": colour(1)}))[0].images.shape[1] == 3


# ------------------------------------------------------------------------------------ files that cannot be read

BAD = {
    "text.png": (TEXT, "not an image file"),
    "empty.jpg": (b"", "not an image file"),
    "truncated.jpg": (encode(RNG.integers(0, 256, (64, 64), dtype=np.uint8), "JPEG")[:-900], "damaged"),
    "truncated.png": (noisy()[:-2000], "damaged"),
    "large.png": (huge_png(9000), "has 81.0 megapixels; the limit is 32"),
    "enormous.png": (huge_png(30_000), "megapixels"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_read_stops_the_loading_by_name(name: str, made: Make) -> None:
    content, reason = BAD[name]
    path = made({"a.png": grey(1), name: content, "z.png": grey(2)})
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert name in message
    assert reason in message
    assert "--data.corrupt skip" in message
    assert "a.png" not in message


def test_several_are_named_and_the_others_counted(made: Make) -> None:
    path = made({"good.png": grey(1), **{f"bad{i}.png": TEXT for i in range(5)}})
    with pytest.raises(DataError, match=r"bad0.png .*bad1.png .*bad2.png .*\(and 2 more files\) .*--data.corrupt skip"):
        load(path)


def test_skipped_files_are_left_out_and_reported(made: Make) -> None:
    path = made({f"{level:03}.png": grey(level) for level in range(20)} | {n: bad for n, (bad, _) in BAD.items()})
    splits = data.load(Data(name=str(path), corrupt="skip", test=0.25))
    assert sorted(levels(splits.train) + levels(splits.test)) == list(range(20))
    assert len(splits.test) == 5
    assert len(splits.skipped) == len(BAD)
    for name, (_, reason) in BAD.items():
        assert any(line.startswith(f"{name} ") and reason in line for line in splits.skipped)


def test_nothing_left_after_skipping_is_refused(made: Make) -> None:
    with pytest.raises(DataError, match=r"None of the training images in .* can be read. First: a.png "):
        load(made({"a.png": TEXT, "b.png": b""}), corrupt="skip")


def test_the_megapixel_limit_can_be_chosen(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": grey(1, 200, 100), "b.png": grey(2, 10, 10)})
    with pytest.raises(DataError, match=r"a.png has 0.0 megapixels; the limit is 0.01"):
        load(tmp_path, max_megapixels=0.01)
    assert len(load(tmp_path, max_megapixels=0.02)[0]) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": grey(1), "secret.png": grey(2)})
    (tmp_path / "secret.png").chmod(0)
    with pytest.raises(DataError, match=r"secret\.png"):
        load(tmp_path)


def test_a_link_to_nowhere_is_no_image(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": grey(1)})
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    assert levels(load(tmp_path)[0]) == [1]


def test_loading_leaves_the_filters_of_warnings_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, {f"{i}.png": grey(i) for i in range(batch.PARALLEL)})
    together, original = threading.Barrier(batch.PARALLEL, timeout=30), Image.open

    def open_at_the_same_time(source: Path, **options: Any) -> Image.Image:
        together.wait()
        return original(source, **options)

    monkeypatch.setattr(Image, "open", open_at_the_same_time)
    before = list(warnings.filters)
    load(tmp_path, size=8)
    assert warnings.filters == before


# ------------------------------------------------------------------------------------------ nothing to be read


def test_an_empty_folder_is_refused(made: Make) -> None:
    with pytest.raises(DataError, match=r"set.* holds no images. Image files end in .*\.png"):
        load(made({}))


def test_a_folder_of_other_files_is_refused(made: Make) -> None:
    with pytest.raises(DataError, match="holds no images"):
        load(made({"a.txt": TEXT, "b.npz": TEXT, ".hidden.png": grey(1)}))


def test_a_missing_path_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set or path 'mnits'\. Did you mean 'mnist'\?.*a folder or a zip"):
        data.load(Data(name="mnits"))
    with pytest.raises(DataError, match="gone"):
        data.load(Data(name=str(tmp_path / "gone")))
    with pytest.raises(DataError, match=r"There is no file or folder .*gone"):
        load(tmp_path / "gone")


@pytest.mark.parametrize("name", ["emoji-noto2twemoji", "facades"])
def test_a_set_of_two_domains_is_refused_with_the_families_that_it_is_for(name: str) -> None:
    with pytest.raises(DataError, match=f"{name} has two domains.*cyclegan and pix2pix.*train cyclegan --data {name}"):
        data.load(Data(name=name))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_to_split_are_refused(count: int, made: Make) -> None:
    path = made({f"{i}.png": grey(i) for i in range(count)})
    validation = 0.1 if count == 2 else 0.0
    with pytest.raises(DataError, match=rf"too few images .*\({count}\): at least {count + 1} are needed"):
        data.load(Data(name=str(path), validation=validation))


def test_the_smallest_sets_that_can_be_split(made: Make) -> None:
    path = made({f"{i}.png": grey(i) for i in range(3)})
    splits = data.load(Data(name=str(path), validation=0.1))
    assert splits.validation is not None
    parts = [levels(part) for part in (splits.train, splits.validation, splits.test)]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert sorted(level for part in parts for level in part) == [0, 1, 2]


def test_one_image_file_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(grey(42))
    names, images = reading.read_all(tmp_path / "one.png", Shape(3, 16), Data())
    assert names == ["one.png"]
    assert images.shape == (1, 3, 16, 16)
    assert (images == 42).all()


def test_read_all_brings_everything_to_one_size_and_names_what_it_cannot_read(made: Make) -> None:
    path = made({"b/2.png": colour(9, 30, 20), "a.png": grey(5, 12, 12)})
    names, images = reading.read_all(path, Shape(1, 8), Data())
    assert images.shape == (2, 1, 8, 8)
    assert names[0] == "a.png"
    assert names[1].endswith("2.png")
    assert levels(data.Dataset("x", images)) == [5, 18]


def test_read_all_names_what_it_cannot_read(made: Make) -> None:
    with pytest.raises(DataError, match=r"^b.png is not an image .* Remove them"):
        reading.read_all(made({"a.png": grey(1), "b.png": TEXT}), Shape(1, 8), Data())


# ---------------------------------------------------------------------------------------------- hostile archives


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set"])
@pytest.mark.parametrize("content", [b"", TEXT, b"PK\x03\x04" + bytes(40)], ids=["empty", "text", "head-only"])
def test_a_file_that_is_no_zip_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} is neither a folder, nor an image, nor a zip"):
        load(tmp_path / name)


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "set.zip", {"a.png": noisy(), "b.png": noisy()})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match="nor a zip that can be read"):
        load(path)


@pytest.mark.parametrize("change", ["version", "name"])
def test_a_damaged_list_of_members_is_refused(change: str, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "set.zip", {"ä.png": grey(1)})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + (6 if change == "version" else 46)] = 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="nor a zip that can be read"):
        load(path)


def damaged_member(path: Path, kind: str) -> Path:
    """A zip of a good member and of one that is encrypted, of an unknown method, or corrupt."""
    zip_of(path, {"good.png": grey(7), "bad.png": noisy()})
    content = bytearray(path.read_bytes())
    local, central = content.rindex(b"PK\x03\x04"), content.rindex(b"PK\x01\x02")
    if kind == "encrypted":
        content[local + 6] |= 1
        content[central + 8] |= 1
    elif kind == "method":
        content[local + 8] = content[central + 10] = 77
    elif kind == "checksum":
        content[local + 14] ^= 1
        content[central + 16] ^= 1
    else:
        content[local + 60 : local + 90] = bytes(30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["encrypted", "method", "checksum", "stream"])
def test_a_member_that_cannot_be_unpacked_is_named_or_skipped(kind: str, tmp_path: Path) -> None:
    path = damaged_member(tmp_path / "set.zip", kind)
    with pytest.raises(DataError, match=r"^bad.png (cannot be unpacked|is damaged): .*--data.corrupt skip"):
        load(path)
    train, _, skipped = load(path, corrupt="skip")
    assert levels(train) == [7]
    assert len(skipped) == 1
    assert skipped[0].startswith("bad.png ")


def test_a_member_that_declares_to_be_huge_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_of(tmp_path / "set.zip", {"good.png": grey(7), "bomb.png": grey(8)})
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", 3 << 30)
    path.write_bytes(content)
    opened: list[str] = []
    original = zipfile.ZipFile.open

    def spy(self: zipfile.ZipFile, member: zipfile.ZipInfo, *rest: object) -> object:
        opened.append(member.filename)
        return original(self, member, *rest)

    monkeypatch.setattr(zipfile.ZipFile, "open", spy)
    train, _, skipped = load(path, corrupt="skip")
    assert levels(train) == [7]
    assert set(opened) == {"good.png"}
    assert skipped == ("bomb.png unpacks to 3072 MB; the limit is 256 MB.",)


def test_a_member_that_lies_about_its_size_is_not_unpacked_further(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "set.zip", {"good.png": grey(7), "liar.png": bytes(1 << 20)})
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", 100)
    path.write_bytes(content)
    train, _, skipped = load(path, corrupt="skip")
    assert levels(train) == [7]
    assert skipped[0].startswith("liar.png cannot be unpacked")


def test_hostile_names_are_never_written_anywhere(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    hostile = ["../../x.png", "/etc/x.png", "..\\..\\y.png", "C:\\z.png", "good/../../w.png", "a\nb.png"]
    path = zip_of(home / "set.zip", {name: grey(i) for i, name in enumerate(hostile)} | {"good.png": grey(99)})
    before = everything_below(tmp_path)
    train, _, _ = load(path)
    assert 99 in levels(train)
    assert not any(".." in Path(name).parts for name in train.names)
    assert everything_below(tmp_path) == before
    assert not Path("/etc/x.png").exists()


def test_an_uncompressed_zip_is_read(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "set.zip", {"a.png": grey(3), "b.png": grey(4)}, zipfile.ZIP_STORED)
    assert levels(load(path)[0]) == [3, 4]


# -------------------------------------------------------------------------------------- through the front door


def test_splits_are_the_same_every_time_and_share_nothing(made: Make) -> None:
    path = made({f"{'ab'[i % 2]}/{i:03}.png": grey(i) for i in range(40)})
    values = Data(name=str(path), validation=0.2)
    splits, again = data.load(values), data.load(values)
    assert splits.validation is not None
    parts = [levels(part) for part in (splits.train, splits.validation, splits.test)]
    assert sorted(level for part in parts for level in part) == list(range(40))
    assert [len(part) for part in parts] == [29, 7, 4]
    assert torch.equal(splits.train.images, again.train.images)
    assert torch.equal(splits.test.images, again.test.images)
    for part in (splits.train, splits.validation, splits.test):
        assert labels(part) == ["ab"[level % 2] for level in levels(part)]
        assert [int(name[-7:-4]) for name in part.names] == levels(part)


def test_the_splits_of_the_source_are_kept(made: Make) -> None:
    path = made({f"train/{i}.png": grey(i) for i in range(5)} | {"test/9.png": grey(9)})
    splits = data.load(Data(name=str(path), test=0.5, size=16, channels=3))
    assert levels(splits.train) == [0, 1, 2, 3, 4]
    assert levels(splits.test) == [9]
    assert splits.train.images.shape[1:] == splits.test.images.shape[1:] == (3, 16, 16)


# ----------------------------------------------------------------------------------------------- what formats hold


def moving_picture(frames: int, seconds: float) -> files.Picture:
    pixels = torch.zeros(frames, 1, 4, 4, dtype=torch.uint8)
    return files.Picture(PurePosixPath("x.gif"), pixels, seconds=(seconds,) * frames)


@pytest.mark.parametrize(("ending", "seconds"), [(".gif", 65.53), (".webp", 65.535), (".png", 65.535)])
def test_a_frame_lasts_as_long_as_a_format_can_say(ending: str, seconds: float, tmp_path: Path) -> None:
    pixels = torch.arange(3, dtype=torch.uint8).mul(90).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    picture = files.Picture(PurePosixPath("x.gif"), pixels, seconds=(655.35, 0.1, 1e9))
    notes = files.write(picture, tmp_path / f"x{ending}")
    assert "frames of more than 66 seconds shortened" in notes
    with Image.open(tmp_path / f"x{ending}") as opened:
        opened.seek(2)
        opened.load()
        assert opened.info["duration"] / 1000 == pytest.approx(seconds, abs=0.01)


def test_frames_that_no_format_holds_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'x\.gif' cannot be written as GIF: .* --frames first"):
        files.write(moving_picture(20, 65.0), tmp_path / "out" / "x.gif")  # equal ones, which GIF joins to one
    assert not (tmp_path / "out").exists()


def test_a_tiff_of_many_frames_is_read_and_written_in_seconds(tmp_path: Path) -> None:
    start = time.process_time()
    files.write(moving_picture(500, 0.1), tmp_path / "x.tif")
    (entry,) = batch.find_with_others(tmp_path / "x.tif")[0]
    assert len(files.read(entry, frames="all").pixels) == 500
    assert time.process_time() - start < 5, "it used to take more than 10 seconds"
    with pytest.raises(DataError, match=r"1,001 frames; a TIFF is written with at most 1,000"):
        files.write(moving_picture(1_001, 0.1), tmp_path / "y.tif")


@pytest.mark.parametrize(("ending", "longest"), [(".webp", 16_383), (".gif", 65_535), (".jpg", 65_500)])
def test_sides_that_a_format_cannot_hold_are_refused(ending: str, longest: int, tmp_path: Path) -> None:
    long = torch.zeros(1, 1, longest + 1)
    for write in (
        lambda path: files.write(files.Picture(PurePosixPath("x.png"), long[None]), path),
        lambda path: images.save(long, path),
    ):
        with pytest.raises(DataError, match=rf"sides of at most {longest:,} pixels, not {longest + 1:,} x 1\."):
            write(tmp_path / f"x{ending}")
    assert not list(tmp_path.iterdir())
    images.save(long[..., :longest], tmp_path / f"x{ending}")
    assert Image.open(tmp_path / f"x{ending}").size == (longest, 1)


def test_libtiff_says_nothing_on_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "x.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "x.tif").read_bytes())
    content[40:900] = b"\xff" * 860
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.tif is damaged"):
        images.read(tmp_path / "x.tif", "x.tif")
    assert capfd.readouterr().err == ""
