"""Bytes, files and tensors: every mode and format of image files, writing that is whole or absent, sheets."""

from __future__ import annotations

import base64
import contextlib
import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from simulacra import images
from simulacra.errors import ConfigError, DataError, StorageError
from simulacra.storage import atomic

RNG = np.random.default_rng(0)


def encode(picture: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def noise(height: int, width: int, bands: int) -> np.ndarray:
    shape = (height, width) if bands == 1 else (height, width, bands)
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    """Colours that survive lossy compression."""
    row, column = np.mgrid[:height, :width]
    return np.stack([row * 255 / height, column * 255 / width, 255 - row * 255 / height], -1).astype(np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds no pixels."""
    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def pixels(source: Path | bytes, **options: int) -> np.ndarray:
    return np.asarray(images.read(source, "file", **options))


# ---------------------------------------------------------------------------------------------- conversions


def test_every_byte_survives_the_round_trip() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    x = images.from_bytes(levels)
    assert x.dtype == torch.float32
    assert (x[0].item(), x[255].item()) == (-1.0, 1.0)
    assert torch.allclose(x.diff(), torch.tensor(1 / 127.5), atol=1e-6)
    assert torch.equal(images.to_bytes(x), levels)
    assert torch.equal(levels, torch.arange(256, dtype=torch.uint8)), "the input is left alone"


def test_to_bytes_rounds_and_clamps() -> None:
    x = torch.tensor([-7.0, -1.0, 0.0039, 0.5, 1.0, 3.0])
    assert images.to_bytes(x).tolist() == [0, 0, 128, 191, 255, 255]


@given(st.floats(-1, 1, width=32))
def test_unit_range_and_back(value: float) -> None:
    unit = images.to_unit(torch.tensor(value))
    assert 0 <= unit <= 1
    assert images.from_unit(unit).item() == pytest.approx(value, abs=1e-6)


def test_resize_keeps_constants_and_order_of_brightness() -> None:
    flat = torch.full((3, 1, 10, 14), 77, dtype=torch.uint8)
    assert torch.equal(images.resize(flat, 5), torch.full((3, 1, 5, 5), 77, dtype=torch.uint8))
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8).expand(1, 3, 32, 32)
    small = images.resize(ramp, 8)
    assert small.shape == (1, 3, 8, 8)
    assert (small[0, 0, 0].int().diff() > 20).all()
    assert small.float().mean() == pytest.approx(ramp.float().mean(), abs=1)


def test_resize_averages_when_it_shrinks_and_does_not_overshoot() -> None:
    grain = torch.from_numpy(noise(64, 64, 1))[None, None]
    assert images.resize(grain, 16).float().std() < 0.35 * grain.float().std(), "antialiased, not sampled"
    edge = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    edge[..., 4:] = 255
    large = images.resize(edge, 64)
    assert large[..., 0].max() == 0, "bicubic undershoot is clamped, not wrapped around"
    assert large[..., -1].min() == 255


def test_resize_to_the_same_size_is_the_identity() -> None:
    same = torch.from_numpy(noise(6, 6, 1))[None, None]
    assert torch.equal(images.resize(same, 6), same)


def test_grey_is_luma_and_colour_repeats_grey() -> None:
    primaries = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [90, 90, 90]], dtype=torch.uint8)
    colour = primaries.view(5, 3, 1, 1).expand(5, 3, 2, 2)
    grey = images.with_channels(colour, 1)
    assert grey[:, 0, 0, 0].tolist() == [76, 150, 29, 255, 90]
    back = images.with_channels(grey, 3)
    assert back.shape == (5, 3, 2, 2)
    assert torch.equal(back[:, 0], grey[:, 0])
    assert torch.equal(back[:, 2], grey[:, 0])
    assert images.with_channels(grey, 1) is grey


# ------------------------------------------------------------------------------------------ reading: formats


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("bands", [1, 3])
def test_lossless_formats_give_the_exact_pixels(format_: str, bands: int, tmp_path: Path) -> None:
    expected = noise(9, 7, bands)
    file = tmp_path / "a"
    file.write_bytes(encode(Image.fromarray(expected), format_))
    picture = images.read(file, "a")
    assert picture.mode == ("L" if bands == 1 else "RGB")
    assert np.array_equal(np.asarray(picture), expected)
    assert np.array_equal(pixels(file.read_bytes()), expected), "from bytes as from a path"


@pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
def test_lossy_formats_give_nearly_the_pixels(format_: str) -> None:
    found = pixels(encode(Image.fromarray(smooth()), format_, quality=95))
    assert found.shape == (24, 32, 3)
    assert np.abs(found.astype(int) - smooth()).mean() < 4


def test_first_frame_of_an_animation() -> None:
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (40, 130, 220)]
    gif = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    webp = encode(
        frames[0].convert("RGB"), "WEBP", save_all=True, append_images=[f.convert("RGB") for f in frames[1:]],
        lossless=True,
    )  # fmt: skip
    assert Image.open(io.BytesIO(gif)).n_frames == 3
    assert (pixels(gif) == 40).all()
    assert (pixels(webp) == 40).all()


def test_alpha_is_laid_over_the_background() -> None:
    rgba = np.array([[[200, 10, 30, 255], [200, 10, 30, 0], [200, 100, 0, 128]]], np.uint8)
    png = encode(Image.fromarray(rgba), "PNG")
    white, black = pixels(png, background=255), pixels(png, background=0)
    assert white[0, 0].tolist() == black[0, 0].tolist() == [200, 10, 30]
    assert white[0, 1].tolist() == [255, 255, 255]
    assert black[0, 1].tolist() == [0, 0, 0]
    assert np.abs(white[0, 2].astype(int) - [227, 177, 127]).max() <= 1
    assert np.abs(black[0, 2].astype(int) - [100, 50, 0]).max() <= 1


def test_grey_with_alpha_stays_grey() -> None:
    la = np.array([[[50, 255], [50, 0]]], np.uint8)
    picture = images.read(encode(Image.fromarray(la, "LA"), "PNG"), "la.png", background=200)
    assert picture.mode == "L"
    assert np.asarray(picture).tolist() == [[50, 200]]


def palette(colours: list[tuple[int, int, int]]) -> Image.Image:
    picture = Image.fromarray(np.arange(len(colours), dtype=np.uint8)[None], "L").convert("P")
    picture.putpalette([value for colour in colours for value in colour])
    picture.putdata(range(len(colours)))
    return picture


def test_palette_without_transparency() -> None:
    colours = [(255, 0, 0), (0, 200, 0), (7, 8, 9)]
    assert pixels(encode(palette(colours), "PNG"))[0].tolist() == [list(colour) for colour in colours]
    grey = images.read(encode(palette([(5, 5, 5), (90, 90, 90)]), "PNG"), "grey.png")
    assert grey.mode == "RGB", "a palette is colour, whatever its colours are"
    assert np.asarray(grey).tolist() == [[[5] * 3, [90] * 3]]


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_palette_with_transparency(format_: str) -> None:
    file = encode(palette([(255, 0, 0), (0, 200, 0), (7, 8, 9)]), format_, transparency=1)
    assert pixels(file, background=255)[0].tolist() == [[255, 0, 0], [255, 255, 255], [7, 8, 9]]
    assert pixels(file, background=0)[0].tolist() == [[255, 0, 0], [0, 0, 0], [7, 8, 9]]


def test_one_transparent_colour_in_grey_colour_and_one_bit_files() -> None:
    grey = encode(Image.fromarray(np.array([[0, 100, 250]], np.uint8)), "PNG", transparency=100)
    assert pixels(grey, background=9).tolist() == [[0, 9, 250]]
    colour = encode(Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)), "PNG", transparency=(4, 5, 6))
    assert pixels(colour, background=9).tolist() == [[[1, 2, 3], [9, 9, 9]]]
    bits = encode(Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1"), "PNG", transparency=0)
    assert pixels(bits, background=128).tolist() == [[128, 255]]


def test_one_bit() -> None:
    board = (np.indices((6, 10)).sum(0) % 2 * 255).astype(np.uint8)
    picture = images.read(encode(Image.fromarray(board).convert("1"), "PNG"), "bits.png")
    assert picture.mode == "L"
    assert np.array_equal(np.asarray(picture), board)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_their_full_range(format_: str) -> None:
    deep = np.array([[0, 257, 1000, 32896, 64250, 65535]], np.uint16)
    picture = images.read(encode(Image.fromarray(deep), format_), "deep.png")
    assert picture.mode == "L"
    assert np.asarray(picture).tolist() == [[0, 1, 4, 128, 250, 255]]


def test_floating_point_is_scaled_from_the_unit_interval() -> None:
    values = np.array([[0.0, 0.5, 1.0, 1.0005, np.nan]], np.float32)
    assert pixels(encode(Image.fromarray(values), "TIFF")).tolist() == [[0, 128, 255, 255, 0]]


def test_cmyk_jpeg() -> None:
    cmyk = np.zeros((16, 16, 4), np.uint8)
    cmyk[:, :8] = (0, 255, 255, 0)  # red ink on the left, paper on the right
    found = pixels(encode(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95))
    assert found.shape == (16, 16, 3)
    assert np.abs(found[8, 2].astype(int) - [255, 0, 0]).max() < 12
    assert np.abs(found[8, 13].astype(int) - [255, 255, 255]).max() < 12


UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_exif_orientation_is_applied(orientation: int, format_: str) -> None:
    stored, exif = smooth(16, 24), Image.Exif()
    exif[0x0112] = orientation
    found = pixels(encode(Image.fromarray(stored), format_, exif=exif))
    expected = UPRIGHT[orientation](stored)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < (1 if format_ == "PNG" else 6)


def test_draft_reduces_large_jpegs_but_not_below_what_is_asked() -> None:
    file = encode(Image.fromarray(smooth(512, 768)), "JPEG")
    assert images.read(file, "a.jpg", draft=128).size == (192, 128)
    assert images.read(file, "a.jpg", draft=1024).size == (768, 512)


# ------------------------------------------------------------------------------------------ reading: refusals


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image file"),
        (b"these are words, not pixels\n" * 20, "not an image file"),
        (encode(Image.fromarray(noise(64, 64, 3)), "PNG")[:-3000], "damaged"),
        (encode(Image.fromarray(noise(64, 64, 3)), "JPEG")[:-2000], "damaged"),
        (encode(Image.fromarray(noise(64, 64, 3)), "WEBP")[:-600], "."),
        (encode(Image.fromarray(noise(64, 64, 3)), "PNG")[:20], "."),
        (png_header(100, 100), "damaged"),
    ],
    ids=["empty", "text", "truncated-png", "truncated-jpeg", "truncated-webp", "header-only", "no-pixels"],
)
def test_files_that_cannot_be_read_are_named(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "holiday.png"
    file.write_bytes(content)
    for source in (file, content):
        with pytest.raises(DataError) as caught:
            images.read(source, "holiday.png")
        assert str(caught.value).startswith("holiday.png ")
        assert reason in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^gone.png "):
        images.read(tmp_path / "gone.png", "gone.png")


def test_too_many_megapixels_are_refused_by_the_header_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    with pytest.raises(DataError) as caught:
        images.read(png_header(8000, 6000), "big.png")
    assert str(caught.value).startswith("big.png has 48.0 megapixels; the limit is 32.")
    assert "--data.max_megapixels 48" in str(caught.value), "what to type is enough"
    with pytest.raises(DataError, match="decoded"):
        images.read(png_header(8000, 6000), "big.png", max_megapixels=48)


def test_more_megapixels_than_pillow_takes_are_not_called_damage() -> None:
    with pytest.raises(DataError, match=r"^huge.png has more megapixels than .* Shrink the file"):
        images.read(png_header(30_000, 30_000), "huge.png", max_megapixels=1000)


def test_damaged_bytes_only_ever_raise_data_errors() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    dice = random.Random(0)
    picture = Image.fromarray(noise(12, 10, 3))
    for format_ in ("PNG", "JPEG", "WEBP"):
        whole = encode(picture, format_, exif=exif)
        for _ in range(150):
            damaged = bytearray(whole)
            for _ in range(3):
                damaged[dice.randrange(min(150, len(whole)))] = dice.randrange(256)
            with warnings.catch_warnings(), contextlib.suppress(DataError):
                warnings.simplefilter("ignore")
                assert images.read(bytes(damaged), "x").mode in ("L", "RGB")


def test_errors_of_every_kind_inside_a_decoder_are_data_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise struct.error("required argument is not an integer")

    monkeypatch.setattr("PIL.Image.Image.getexif", broken)
    with pytest.raises(DataError, match=r"^a.png is damaged"):
        images.read(encode(Image.fromarray(noise(4, 4, 1)), "PNG"), "a.png")


# ---------------------------------------------------------------------------------------- squares and tensors


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """Black with a white middle square."""
    array = np.zeros((height, width), np.uint8)
    array[:, width // 4 : width // 4 * 3] = 255
    return Image.fromarray(array)


def test_crop_keeps_the_centre() -> None:
    assert (np.asarray(images.square(halves(), 20, "crop")) == 255).all()
    assert (np.asarray(images.square(halves().transpose(Image.Transpose.ROTATE_90), 20, "crop")) == 255).all()


def test_pad_keeps_the_whole_on_the_background() -> None:
    found = np.asarray(images.square(halves(), 20, "pad", background=99))
    assert found.shape == (20, 20)
    assert (found[:5] == 99).all()
    assert (found[15:] == 99).all()
    assert found[10, 1] == 0
    assert found[10, 10] == 255
    colour = np.asarray(images.square(halves().convert("RGB"), 20, "pad", background=99))
    assert (colour[:5] == 99).all()
    assert colour[10, 10].tolist() == [255, 255, 255]


def test_stretch_keeps_everything_distorted() -> None:
    found = np.asarray(images.square(halves(), 20, "stretch"))
    assert found.shape == (20, 20)
    assert found[:, [1, 18]].max() == 0
    assert found[:, 7:13].min() >= 250


@given(st.integers(1, 80), st.integers(1, 80), st.sampled_from(["crop", "pad", "stretch"]))
@settings(max_examples=40, deadline=None)
def test_square_is_square_for_any_shape(width: int, height: int, fit: images.Fit) -> None:
    assert images.square(Image.new("RGB", (width, height)), 16, fit).size == (16, 16)


def test_to_tensor_has_channels_first() -> None:
    array = noise(5, 8, 3)
    colour = images.to_tensor(Image.fromarray(array), 3)
    assert colour.dtype == torch.uint8
    assert torch.equal(colour, torch.from_numpy(array).permute(2, 0, 1))
    grey = images.to_tensor(Image.fromarray(array), 1)
    luma = images.with_channels(colour[None], 1)[0]
    assert grey.shape == (1, 5, 8)
    assert (grey.int() - luma.int()).abs().max() <= 1, "the same grey as with_channels"
    assert torch.equal(images.to_tensor(Image.fromarray(array[..., 0]), 3)[2], torch.from_numpy(array[..., 0]))


# ------------------------------------------------------------------------------------------------- writing


def test_atomic_replaces_the_file_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with atomic(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == target.parent
        assert not target.exists()
    assert target.read_text() == "new"
    assert [file.name for file in target.parent.iterdir()] == ["file.txt"]
    assert target.stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file(error: BaseException, tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught, atomic(target) as temporary:
        temporary.write_text("ha")
        raise error
    if expected is StorageError:
        assert "file.txt could not be written: No space left on device" in str(caught.value)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_target_whose_name_cannot_be_written_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("a file")
    for target in (tmp_path / "folder", tmp_path / "plain" / "below.txt"):
        with (
            pytest.raises(ConfigError, match=r"cannot be written: .* Choose another"),
            atomic(target) as temporary,
        ):
            temporary.write_text("x")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "plain"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", [".png", ".PNG", ".jpg", ".jpeg", ".webp", ".gif"])
def test_save_and_read_back(channels: int, ending: str, tmp_path: Path) -> None:
    image = images.from_bytes(torch.from_numpy(smooth()).permute(2, 0, 1)[:channels])
    path = images.save(image, tmp_path / f"a{ending}")
    with Image.open(path) as opened:
        assert opened.format == {".jpg": "JPEG"}.get(ending, ending[1:].upper())
    found = images.to_tensor(images.read(path, "a"), channels)
    difference = (found.int() - images.to_bytes(image).int()).abs().float().mean()
    assert difference <= (0 if ending.lower() == ".png" else 12)


@pytest.mark.parametrize("name", ["a.tga", "a", "a.npz", "png"])
def test_save_of_an_unknown_ending(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"'{name}'.*\.png.*\.webp"):
        images.save(torch.zeros(1, 4, 4), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_animation_has_every_frame_and_its_time(tmp_path: Path) -> None:
    levels = torch.tensor([0, 120, 240], dtype=torch.uint8)
    frames = images.from_bytes(levels.view(3, 1, 1, 1).expand(3, 1, 8, 8))
    path = images.save_animation(frames, tmp_path / "a.gif", seconds=0.2)
    with Image.open(path) as opened:
        assert opened.size == (224, 224)
        assert opened.info["loop"] == 0
        found = []
        for index in range(opened.n_frames):
            opened.seek(index)
            found.append(opened.convert("L").getpixel((3, 3)))
            assert opened.info["duration"] == 200
    assert found == [0, 120, 240, 120], "there and back"


def test_data_url_is_a_png_of_the_pixels() -> None:
    image = images.from_bytes(torch.from_numpy(noise(5, 6, 3)).permute(2, 0, 1))
    kind, content = images.data_url(image).split(",")
    assert kind == "data:image/png;base64"
    found = images.to_tensor(images.read(base64.b64decode(content), "page"), 3)
    assert torch.equal(found, images.to_bytes(image))


# -------------------------------------------------------------------------------------------------- sheets


def test_enlarge_repeats_whole_pixels() -> None:
    x = torch.arange(4.0).view(1, 1, 2, 2)
    large = images.magnified(x, 5)
    assert large.shape == (1, 1, 6, 6)
    assert torch.equal(large[0, 0, ::3, ::3], x[0, 0])
    assert torch.equal(large[0, 0, 2::3, 2::3], x[0, 0])
    assert torch.equal(images.magnified(torch.zeros(1, 1, 64, 64)), torch.zeros(1, 1, 64, 64))


@pytest.mark.parametrize(("count", "columns", "expected"), [(7, 3, (3, 3)), (6, None, (2, 3)), (2, 8, (1, 2))])
@pytest.mark.parametrize("gap", [0, 2])
def test_grid_lays_images_out_row_by_row(count: int, columns: int | None, expected: tuple[int, int], gap: int) -> None:
    x = torch.linspace(-1, 0.9, count).view(count, 1, 1, 1).expand(count, 3, 4, 5)
    sheet = images.grid(x, columns, gap)
    rows, across = expected
    assert sheet.shape == (3, gap + rows * (4 + gap), gap + across * (5 + gap))
    covered = torch.zeros(sheet.shape[1:], dtype=torch.bool)
    for index in range(count):
        top, left = gap + index // across * (4 + gap), gap + index % across * (5 + gap)
        assert (sheet[:, top : top + 4, left : left + 5] == x[index, 0, 0, 0]).all()
        covered[top : top + 4, left : left + 5] = True
    assert (sheet[:, ~covered] == 1).all(), "white between, around and after the last"


def test_labelled_rows_draw_the_images_right_of_their_captions() -> None:
    black, grey = torch.full((3, 1, 28, 28), -1.0), torch.zeros(2, 3, 28, 28)
    sheet = images.labelled_rows([("originals", black), ("copies", grey)])
    assert isinstance(sheet, Image.Image)
    assert sheet.mode == "RGB"
    found = np.asarray(sheet)
    left = found.shape[1] - (3 * 58 + 2)
    assert found.shape[0] == 2 * 60
    assert (found[2:58, left + 2 : left + 58] == 0).all()
    assert (found[62:118, left + 2 : left + 58] == 128).all()
    assert (found[62:118, left + 2 * 58 + 2 :] == 255).all(), "the shorter row ends in paper"
    for top in (0, 60):
        caption = found[top : top + 60, :left]
        assert 20 < (caption < 128).all(-1).sum() < caption[..., 0].size / 2
