"""Grey of more than 8 bits: which values are black and white, or a refusal where nobody knows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from simulacra import images
from simulacra.cli import main
from simulacra.errors import ConfigError, DataError
from simulacra.images import GreyRange, files
from simulacra.images.files import Entry


def tiff(values: np.ndarray, **tags: int) -> bytes:
    """A TIFF of the values, with tags by number such as ``t262``."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for key, value in tags.items():
        info[int(key[1:])] = value
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF", tiffinfo=info)
    return buffer.getvalue()


def relabelled(content: bytes, **tags: int) -> bytes:
    """A TIFF whose short tags of these numbers have other values: kinds of file that Pillow does not write."""
    changed = bytearray(content)
    start = int.from_bytes(changed[4:8], "little")
    for place in range(start + 2, start + 2 + 12 * int.from_bytes(changed[start : start + 2], "little"), 12):
        key = f"t{int.from_bytes(changed[place : place + 2], 'little')}"
        if key in tags:
            changed[place + 8 : place + 10] = tags[key].to_bytes(2, "little")
    return bytes(changed)


def levels(content: bytes, wanted: str | None = None) -> list[int]:
    found = images.read(content, "x.tif", grey_range=GreyRange.parse(wanted))
    return np.asarray(found).flatten().tolist()


UNKNOWN = {
    "float": (tiff(np.array([[0.0, 51.0, 255.0]], np.float32)), "floating point 32-bit", "0 to 255", "0..255"),
    "signed": (
        relabelled(tiff(np.array([[-1000, 0, 1000]], np.int32)), t258=32), "signed 32-bit", "-1,000 to 1,000",
        "-1000..1000",
    ),
    "12 in 16": (tiff(np.array([[0, 819, 4095]], np.uint16)), "unsigned 16-bit", "0 to 4,095", "0..4095"),
    "32": (tiff(np.array([[0, 13107, 65535]], np.int32)), "signed 32-bit", "0 to 65,535", "0..65535"),
    "unsigned 32": (
        relabelled(tiff(np.array([[0, 2**31 - 1, -1]], np.int32)), t339=1), "unsigned 32-bit", "0 to 4,294,967,295",
        "0..4294967295",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNKNOWN)
def test_values_of_unknown_range_are_refused_with_the_range_found(kind: str) -> None:
    content, stored, found, remedy = UNKNOWN[kind]
    with pytest.raises(DataError) as caught:
        levels(content)
    message = str(caught.value)
    assert f"x.tif holds {stored} grey values from {found}" in message
    assert f"--data.range {remedy}" in message
    assert "--data.range auto" in message
    black, middle, white = levels(content, "auto")
    assert (black, white) == (0, 255)
    assert levels(content, remedy) == [black, middle, white]
    assert 50 <= middle <= 128


def test_a_range_is_clipped() -> None:
    assert levels(tiff(np.array([[-1.0, 0.5, 9.0]], np.float32)), "0..1") == [0, 128, 255]
    assert levels(tiff(np.array([[0, 1000, 5000]], np.uint16)), "1000..3000") == [0, 0, 255]


def test_full_ranges_are_known() -> None:
    assert levels(tiff(np.array([[0, 257, 65535]], np.uint16))) == [0, 1, 255]
    assert levels(tiff(np.zeros((1, 2), np.uint16))) == [0, 0]
    assert levels(tiff(np.array([[0.0, 0.2, 1.0]], np.float32))) == [0, 51, 255]


def test_twelve_bits_that_say_so_fill_their_range() -> None:
    packed = bytes([0xFF, 0xF0, 0x00, 0x80, 0x00, 0x00])  # 4095, 0, 2048, 0 of 12 bits each
    content = relabelled(tiff(np.zeros((1, 4), np.uint16)), t258=12)
    place = int.from_bytes(content[4:8], "little")
    offset = next(
        int.from_bytes(content[at + 8 : at + 12], "little")
        for at in range(place + 2, place + 200, 12)
        if content[at : at + 2] == (273).to_bytes(2, "little")
    )
    content = content[:offset] + packed + content[offset + len(packed) :]
    assert levels(content) == [255, 0, 128, 0]


def test_white_as_zero_is_turned_round() -> None:
    assert levels(tiff(np.array([[0, 65535, 32768]], np.uint16), t262=0)) == [255, 0, 127]
    assert levels(tiff(np.array([[0.0, 1.0]], np.float32), t262=0)) == [255, 0]
    assert levels(tiff(np.array([[0, 255]], np.uint8), t262=0)) in ([255, 0], [0, 255])


@pytest.mark.parametrize("text", ["1..0", "a..b", "3", "0..inf", "nan..1", "1..1", ""])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="A range of grey values"):
        GreyRange.parse(text)


def test_notes_name_the_kind_of_depth(tmp_path: Path) -> None:
    def notes(content: bytes, wanted: str | None = None) -> tuple[str, ...]:
        entry = Entry(files.find(_saved(tmp_path, content))[0].name, lambda: content)
        return files.read(entry, grey_range=GreyRange.parse(wanted)).notes

    assert notes(tiff(np.array([[0.0, 1.0]], np.float32))) == ("floating point, 32 bits read as [0, 1]",)
    assert notes(tiff(np.array([[0, 65535]], np.uint16))) == ("16 bits",)
    assert notes(UNKNOWN["signed"][0], "auto") == ("signed, 32 bits read as [least, greatest]",)
    assert notes(UNKNOWN["12 in 16"][0], "0..4095") == ("16 bits read as [0, 4095]",)


def _saved(folder: Path, content: bytes) -> Path:
    path = folder / "x.tif"
    path.write_bytes(content)
    return path


def test_transform_scales_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _saved(tmp_path, UNKNOWN["12 in 16"][0])
    out = tmp_path / "y.png"
    assert main(["transform", "invert", str(path), "--out", str(out)]) == 2
    assert "--range 0..4095" in capsys.readouterr().err
    assert not out.exists()
    assert main(["transform", "invert", str(path), "--range", "0..4095", "--out", str(out)]) == 0
    with Image.open(out) as picture:
        assert np.asarray(picture).tolist() == [[65535, 52428, 0]]


def test_sixteen_bits_come_back_exactly() -> None:
    deep = torch.arange(0, 65536, 7).to(torch.int32).numpy().astype(np.uint16)[None]
    picture = files.read(Entry(files.PurePosixPath("x.tif"), lambda: tiff(deep)))
    assert np.array_equal(images.to_unit(picture.image)[0, 0].mul(65535).round().numpy().astype(np.uint16), deep)
