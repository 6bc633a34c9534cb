"""A quick look at a set of pictures: every finding on sets that were made to have it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from simulacra.data import Survey, survey
from simulacra.errors import DataError


def photo(seed: int, width: int = 40, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Soft blobs: no two seeds alike, no flat border."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def sprite(seed: int) -> Image.Image:
    """A blob on a transparent ground."""
    picture = photo(seed).convert("RGBA")
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    picture.putalpha(Image.fromarray(alpha))
    return picture


def made(folder: Path, count: int, make: Callable[[int], Image.Image], ending: str = ".png", first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        make(index).save(folder / f"{index:03}{ending}")
    return folder


def test_photos(tmp_path: Path) -> None:
    made(tmp_path / "train" / "a", 6, photo)
    made(tmp_path / "train" / "b", 4, lambda seed: photo(seed, 60, 40), first=10)
    made(tmp_path / "test" / "a", 2, photo, first=20)
    found = survey(tmp_path)
    assert (found.count, found.looked_at, found.splits) == (12, 12, {"test": 2, "train": 10})
    assert found.classes == {"a": 6, "b": 4}
    assert (found.smallest, found.typical, found.largest) == (40, 40, 40)
    assert (found.proportions, found.alike) == (1.0, pytest.approx(8 / 12))
    assert (found.colour, found.transparent, found.flat) == (1.0, 0.0, 0.0)
    assert (found.twins, found.twin, found.damaged, found.left_out) == (0, None, (), ())
    assert found.describe() == [
        "12 pictures: 2 for test, 10 for train",
        "2 classes of 4 to 6 training pictures",
        "shorter side 40 to 40 pixels, typically 40; width / height 1.00 in 67%",
        "in colour 100%, with transparency 0%, on a flat background 0%",
    ]


def test_sprites_are_transparent_on_a_flat_background(tmp_path: Path) -> None:
    found = survey(made(tmp_path, 5, sprite))
    assert (found.transparent, found.flat, found.colour) == (1.0, 1.0, 1.0)


def test_an_alpha_channel_that_hides_nothing_is_not_transparency(tmp_path: Path) -> None:
    assert survey(made(tmp_path, 3, lambda seed: photo(seed, mode="RGBA"))).transparent == 0


def test_grey_and_colour_are_counted(tmp_path: Path) -> None:
    made(tmp_path, 3, photo)
    made(tmp_path, 1, lambda seed: photo(seed, mode="L"), first=10)
    made(tmp_path, 1, lambda seed: Image.fromarray(np.asarray(photo(seed, mode="L")).astype(np.uint16) * 8), first=20)
    assert survey(tmp_path).colour == pytest.approx(3 / 5)


def test_a_picture_that_was_saved_again_smaller_or_softer_is_a_twin(tmp_path: Path) -> None:
    made(tmp_path, 6, photo)
    photo(0).save(tmp_path / "x.jpg", quality=60)
    photo(1).resize((24, 24)).save(tmp_path / "y.png")
    photo(2).filter(ImageFilter.GaussianBlur(0.7)).save(tmp_path / "z.png")
    photo(3).rotate(90).save(tmp_path / "turned.png")
    found = survey(tmp_path)
    assert found.twins == 3
    assert found.twin == ("000.png", "x.jpg")
    assert "3 show the same as another picture, such as x.jpg and 000.png" in found.describe()


def test_pictures_are_upright_and_damaged_ones_are_named(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made(tmp_path, 1, lambda seed: photo(seed, 60, 30))
    photo(1, 60, 30).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "b.heic").write_bytes(b"other")
    found = survey(tmp_path)
    assert found.proportions == pytest.approx((2 + 0.5) / 2)
    assert len(found.damaged) == 1
    assert found.damaged[0].startswith("bad.png is not an image file")
    assert "1 .heic" in found.left_out[0]


def test_large_sets_are_looked_at_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["simulacra.data.survey"], "LOOKED_AT", 4)
    found = survey(made(tmp_path, 10, photo))
    assert (found.count, found.looked_at) == (10, 4)
    assert found.describe()[0] == "10 pictures (4 of them were looked at): 10 for train"


def test_nothing_to_look_at_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"None of the pictures .* First: bad.png"):
        survey(tmp_path)


def test_the_drawings_at_hand(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["simulacra.data.survey"], "LOOKED_AT", 200)
    archive = data_root / "emoji-noto2twemoji.zip"
    if not archive.is_file():
        pytest.skip("emoji-noto2twemoji.zip is not there")
    found: Survey = survey(archive)
    assert found.colour == 1
    assert found.flat > 0.7, "some are drawn to the corners"
    assert (found.smallest, found.largest) == (64, 64)
