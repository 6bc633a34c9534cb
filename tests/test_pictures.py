"""Pictures in files: read whole, changed, written; and the verbs `transform` and `compose` on folders of everything."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import cli
from simulacra.errors import ConfigError, DataError
from simulacra.images import batch, files, from_bytes, luma, to_bytes
from simulacra.images.files import Entry, Picture
from simulacra.operations import Step
from simulacra.transforms import layers, pictures

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import make_mixed_files

RNG = np.random.default_rng(0)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of every kind of file but the huge ones that are really there."""
    folder = tmp_path_factory.mktemp("mixed")
    make_mixed_files.make(folder, 40)
    for path in folder.glob("*-huge.png"):
        if path.stat().st_size > 1000:
            path.unlink()
    return folder


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def opened(content: bytes, name: str = "x.png", **options: object) -> Picture:
    return files.read(Entry(PurePosixPath(name), lambda: content), **options)  # type: ignore[arg-type]


def encoded(picture: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def folder_of(path: Path, **named: np.ndarray) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, array in named.items():
        Image.fromarray(array).save(path / f"{name}.png")
    return path


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


# ------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_every_pixel_survives_reading_and_writing(bands: int, tmp_path: Path) -> None:
    array = noise(7, 9, bands).squeeze()
    picture = opened(encoded(Image.fromarray(array)))
    assert picture.image.shape == (1, 1 if bands < 3 else 3, 7, 9)
    assert (picture.alpha is not None) == (bands in (2, 4))
    files.write(picture, tmp_path / "x.png")
    assert np.array_equal(pixels(tmp_path / "x.png")[..., :bands] if bands > 1 else pixels(tmp_path / "x.png"), array)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_of_grey_are_kept(ending: str, tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (5, 6), dtype=np.uint16)
    picture = opened(encoded(Image.fromarray(deep)))
    assert picture.bits == 16
    assert files.write(picture, tmp_path / f"x{ending}") == ()
    assert np.array_equal(pixels(tmp_path / f"x{ending}"), deep)
    assert files.write(picture, tmp_path / "x.jpg") == ("16 bits reduced to 8",)


def test_sixteen_bits_of_colour_are_named() -> None:
    picture = opened(make_mixed_files.png(noise(4, 5, 3).astype(np.uint16) * 257))
    assert picture.notes == ("16-bit colour read as 8 bits",)


def test_colours_of_a_profile_become_srgb() -> None:
    _, content, _ = make_mixed_files.profiled(17)
    picture = opened(content)
    assert picture.notes == ("colour profile converted to sRGB",)
    apart = to_bytes(picture.image)[0].permute(1, 2, 0).numpy().astype(int) - make_mixed_files.scene(17)
    assert np.abs(apart).mean() < 4


@pytest.mark.parametrize("orientation", range(2, 9))
def test_files_are_turned_upright(orientation: int) -> None:
    picture = Image.fromarray(np.repeat(np.repeat(noise(3, 4, 3), 16, 0), 16, 1))
    way = Image.Transpose
    stored = {2: way.FLIP_LEFT_RIGHT, 3: way.ROTATE_180, 4: way.FLIP_TOP_BOTTOM, 5: way.TRANSPOSE, 6: way.ROTATE_90,
              7: way.TRANSVERSE, 8: way.ROTATE_270}  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = picture.transpose(stored[orientation])
    found = opened(encoded(lying, "JPEG", exif=exif, quality=100, subsampling=0))
    apart = to_bytes(found.image)[0].permute(1, 2, 0).numpy().astype(int) - np.asarray(picture)
    assert "turned upright" in found.notes
    assert np.abs(apart).mean() < 3


def test_every_kind_of_mixed_file_shows_its_scene(mixed: Path) -> None:
    """What is read of each file is what was drawn: upright, in the right colours, at its size."""
    seen = set()
    for path in sorted(mixed.glob("*.*")):
        number, _, kind = path.stem.partition("-")
        if kind in ("", "corrupt", "huge"):
            continue
        picture = files.read(files.find(path)[0])
        size = (60, 48) if kind == "animated" else (0, 0)
        scene = torch.from_numpy(make_mixed_files.scene(int(number), *size)).permute(2, 0, 1).float()
        if picture.image.shape[1] == 1:
            scene = scene[1:2] if kind == "deep" else luma(scene[None])[0]
        alpha = torch.ones(()) if picture.alpha is None else picture.alpha[0]
        apart = ((to_bytes(picture.image[0]).float() - scene) * alpha).abs().mean()
        assert float(apart) < 8, path.name
        seen.add(kind)
    assert seen == {"plain", "palette", "transparent", "deep", "cmyk", "turned", "animated", "profiled"}


def test_first_or_all_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(6, 8, 3)) for _ in range(4)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=70, lossless=True)
    first, every = opened(content), opened(content, frames="all")
    assert first.notes == ("4 frames: the first is taken",)
    assert first.image.shape == (1, 3, 6, 8)
    assert every.notes == ("4 frames: all are kept",)
    assert every.image.shape == (4, 3, 6, 8)
    assert every.seconds == (0.07,) * 4
    files.write(every, tmp_path / "x.webp")
    assert Image.open(tmp_path / "x.webp").n_frames == 4
    assert files.write(every, tmp_path / "x.jpg") == ("JPEG holds the first frame only",)
    with pytest.raises(DataError, match=r"has 0\.0 megapixels; the limit is 0\.0001"):
        opened(content, frames="all", max_megapixels=0.0001)


def test_transparency_is_laid_over_white_where_there_is_none(tmp_path: Path) -> None:
    array = np.dstack([np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 51, np.uint8)])
    notes = files.write(opened(encoded(Image.fromarray(array))), tmp_path / "x.bmp")
    assert notes == ("transparency laid over white, as BMP has none",)
    assert np.array_equal(pixels(tmp_path / "x.bmp"), np.full((4, 4, 3), 204))


def test_invisible_colours_have_no_say() -> None:
    """Green that nobody sees must not bleed into what is blurred, resized or turned."""
    array = np.zeros((16, 16, 4), np.uint8)
    array[..., 1] = 255
    array[4:12, 4:12] = (255, 0, 0, 255)
    picture = opened(encoded(Image.fromarray(array)))
    cases = {"gaussian": {"sigma": 2.0}, "resize": {"height": 9, "width": 9}, "rotate": {"degrees": 30.0}, "median": {}}
    for name, values in cases.items():
        found = pictures.changed(picture, [Step(name, values)], 0)
        assert found.alpha is not None
        seen = found.alpha > 0.02
        red, green = (found.image[:, channel : channel + 1][seen] for channel in (0, 1))
        assert float(red.min()) > 0.9, name
        assert float(green.max()) < -0.9, name
    kept = pictures.changed(picture, [Step("brightness", {"amount": -0.2})], 0)
    assert torch.equal(kept.alpha, picture.alpha)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["contrast", "equalize", "transfer", "edges", "canny", "gamma"])
def test_invisible_colours_do_not_count(name: str) -> None:
    """What is seen comes out the same whatever lies hidden, also where all pixels of an image are counted."""
    array = noise(16, 18, 4)
    array[..., 3] = 255 * (RNG.random((16, 18)) < 0.5)
    given = {"reference": torch.rand(1, 3, 9, 9) * 2 - 1} if name == "transfer" else {}
    found = []
    for hidden in ((0, 255, 0), (255, 0, 255)):
        array[array[..., 3] == 0, :3] = hidden
        one = pictures.changed(opened(encoded(Image.fromarray(array))), [Step(name, {})], 0, given)
        found.append(torch.where(one.alpha > 0, one.image, 0.0))
    assert torch.equal(*found)
    if name == "transfer":
        shown = found[0][0][:, torch.from_numpy(array[..., 3] > 0)]
        wanted = given["reference"][0].flatten(1)
        assert float((shown.mean(1) - wanted.mean(1)).abs().max()) < 0.15


# ------------------------------------------------------------------------------------------------ planning


def entries(*names: str) -> list[Entry]:
    return [Entry(PurePosixPath(name), lambda: b"") for name in names]


def planned(names: list[str], out: Path, **options: object) -> list[str]:
    return [job.out.relative_to(out).as_posix() for job in batch.plan(entries(*names), out, **options)]  # type: ignore[arg-type]


def test_results_have_the_names_of_their_files(tmp_path: Path) -> None:
    assert planned(["a.jpg", "b/c.png", "d.gif"], tmp_path) == ["a.jpg", "b/c.png", "d.png"]
    assert planned(["d.gif"], tmp_path, frames="all") == ["d.gif"]
    assert planned(["a.jpg", "a.png", "b.bmp"], tmp_path, ending=".png") == ["a.jpg.png", "a.png", "b.png"]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"b\.png exists already. Overwrite with --force"):
        batch.plan(entries("a.png", "b.png"), tmp_path)
    assert len(batch.plan(entries("a.png", "b.png"), tmp_path, force=True)) == 2


@pytest.mark.parametrize(
    ("names", "out", "message"),
    [
        (["a.png", "b.png"], "one.png", "is one file, but there are 2 images"),
        (["a.png"], "all.zip", "not a zip"),
    ],
)
def test_plans_that_cannot_be(names: list[str], out: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        batch.plan(entries(*names), tmp_path / out)


def test_each_keeps_the_order_and_holds_few() -> None:
    import threading

    waiting, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal waiting, most
        with lock:
            waiting += 1
            most = max(most, waiting)
        return number * number

    for number, found in enumerate(batch.each(range(100), work, workers=3)):
        assert found == number * number
        with lock:
            waiting -= 1
    assert most <= 8


# ------------------------------------------------------------------------------------------- the verbs


@pytest.mark.parametrize(
    "words",
    [
        ["transform", "rotate", "--degrees", "-30..30", "--expand", "true"],
        ["transform", "median"],
        ["transform", "noise", "--frames", "all"],
        ["transform", "pipeline", "--steps", "flip, affine, hue, salt-and-pepper"],
        ["transform", "resize", "--width", "40", "--format", "webp"],
        ["compose", "over", "--with", "OTHER", "--top", "-5", "--left", "9", "--scale", "0.3"],
        ["compose", "clone", "--with", "OTHER", "--top", "3", "--scale", "0.2", "--mixed", "true"],
        ["compose", "mixup", "--with", "OTHER"],
        ["compose", "cutmix", "--with", "OTHER", "--share", "0.1..0.5"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_every_file_is_right_or_named(
    words: list[str], mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = next(mixed.glob("*-transparent*"))
    words = [str(other) if word == "OTHER" else word for word in words]
    manifest = {row["file"]: row for row in json.loads((mixed / "MANIFEST.json").read_text())}
    status = run(*words[:2], mixed, *words[2:], "--out", tmp_path / "out", "--report", tmp_path / "report.json")
    assert status == 1
    rows = json.loads((tmp_path / "report.json").read_text())
    assert {row["file"] for row in rows} == {path.name for path in mixed.iterdir()} - {"MANIFEST.json"}
    said = capsys.readouterr().err
    for row in rows:
        if manifest[row["file"]]["readable"]:
            with Image.open(row["out"]) as picture:
                picture.load()
        else:
            assert row["problem"].startswith(row["file"])
            assert f"left out: {row['file']}" in said
    unreadable = sum("problem" in row for row in rows)
    assert f"{unreadable} of {len(rows)} files were left out" in said


def test_results_depend_on_the_seed_and_not_on_the_workers(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", **{f"n{k}": noise(12, 10, 3) for k in range(6)})
    for out, seed, workers in (("a", 1, 1), ("b", 1, 5), ("c", 2, 5)):
        words = ["--steps", "affine, noise", "--seed", seed, "--workers", workers, "--out", tmp_path / out]
        assert run("transform", "pipeline", source, *words) == 0
    a, b, c = ([pixels(tmp_path / out / f"n{k}.png") for k in range(6)] for out in "abc")
    assert all(map(np.array_equal, a, b))
    assert not any(map(np.array_equal, a, c))


def test_zips_single_files_and_several_paths(tmp_path: Path) -> None:
    import zipfile

    source = folder_of(tmp_path / "in", a=noise(4, 6, 3), b=noise(5, 5))
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, path.name)
    assert run("transform", "flip", tmp_path / "both.zip", "--out", tmp_path / "z") == 0
    assert np.array_equal(pixels(tmp_path / "z" / "a.png"), np.flip(pixels(source / "a.png"), 1))
    assert run("transform", "rotate", source / "a.png", "--expand", "true", "--out", tmp_path / "one.png") == 0
    assert np.array_equal(pixels(tmp_path / "one.png"), np.rot90(pixels(source / "a.png")))
    assert run("transform", "invert", source, source / "b.png", "--out", tmp_path / "both") == 0
    assert sorted(path.relative_to(tmp_path / "both").as_posix() for path in (tmp_path / "both").rglob("*.png")) == [
        "b.png", "in/a.png", "in/b.png"
    ]  # fmt: skip


def test_without_out_the_name_says_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "in", a=noise(4, 6))
    assert run("transform", "invert", "in") == 0
    assert run("transform", "invert", "in/a.png", "--format", "webp") == 0
    assert (tmp_path / "in-invert" / "a.png").is_file()
    assert (tmp_path / "a-invert.webp").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["transform", "rotat", "IN"], "Unknown operation 'rotat'. Did you mean 'rotate'?"),
        (["transform", "rotate", "IN", "--degres", "3"], "Unknown option --degres. Did you mean '--degrees'?"),
        (["transform", "rotate", "IN", "--degrees", "much"], "degrees must be a finite number"),
        (["transform", "median", "IN", "--size", "4"], "size must be an odd number from 1 to 255; got 4"),
        (["transform", "transfer", "IN"], "transfer needs --reference FILE"),
        (["transform", "pipeline", "IN", "--steps", "inpaint-telea"], "cannot be a step of a pipeline"),
        (["transform", "flip", "NOWHERE"], "There is no file or folder"),
        (["transform", "flip", "IN", "IN"], "say where the results go: --out DIR"),
        (["transform", "flip", "IN", "--preview", "sheet.txt"], "is not an image file name"),
        (["transform", "flip", "IN", "--report", "r.txt"], "must end in .json"),
        (["compose", "clone", "IN"], "clone needs --with FILE"),
        (["transform", "crop", "IN", "--height", "90"], "a.png: crop: 90 x 64 pixels do not fit into"),
        (["transform", "resize", "IN"], "resize needs --height N or --width N"),
        (["transform", "flip", "IN", "--preview", "x.txt"], "--preview x.txt is not an image file name"),
        (["transform", "canny", "TWO", "--low", "0.5"], "All 2 files failed for this reason; nothing was written."),
        (["augment", "TWO", "--classical", "crop", "--out", "x"], "crop changes the shape of images"),
        (["augment", "TWO", "--classical", "flip", "--preview", "TWO/a.png"], "TWO/a.png exists already"),
        (["augment", "TWO", "--classical", "flip", "--out", "x", "--data.fit", "cut"], "--data.fit must be"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "IN", a=noise(4, 6))
    folder_of(tmp_path / "TWO", a=noise(8, 9), b=noise(9, 8))
    before = sorted(tmp_path.rglob("*"))
    assert run(*words) == 2
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_overwriting_needs_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = folder_of(tmp_path / "in", a=noise(4, 6))
    assert run("transform", "invert", source, "--out", tmp_path / "out") == 0
    assert run("transform", "flip", source, "--out", tmp_path / "out") == 2
    assert np.array_equal(pixels(tmp_path / "out" / "a.png"), 255 - pixels(source / "a.png"))
    assert run("transform", "flip", source, "--out", tmp_path / "out", "--force") == 0
    assert np.array_equal(pixels(tmp_path / "out" / "a.png"), np.flip(pixels(source / "a.png"), 1))


def test_transparency_is_joined_like_the_colours() -> None:
    """What is put where a picture is transparent is seen, and what is transparent in both stays so."""
    clear = np.zeros((20, 20, 4), np.uint8)
    base, other = (
        opened(encoded(Image.fromarray(clear))),
        opened(encoded(Image.fromarray(np.full((20, 20), 200, np.uint8)))),
    )
    seam = torch.zeros(1, 1, 20, 20)
    seam[..., :10] = 1
    half = layers.composed(base, other, None, Step("mixup", {"weight": 0.25}), 0)
    assert half.alpha is not None
    assert torch.allclose(half.alpha, torch.full((1, 1, 20, 20), 0.75), atol=1e-5)
    assert torch.equal(to_bytes(half.image), torch.full((1, 3, 20, 20), 200, dtype=torch.uint8))
    for name, values in {"blend": {"levels": 0.0}, "cutmix": {"share": 0.5}}.items():
        found = layers.composed(base, other, seam, Step(name, values), 0)
        assert found.alpha is not None
        shown = found.alpha > 0.5
        assert float(shown.float().mean()) == pytest.approx(0.5, abs=0.02)
        assert set(to_bytes(found.image)[:, :1][shown].tolist()) == {200}
        both = layers.composed(base, base, seam, Step(name, values), 0)
        assert both.alpha is not None
        assert float(both.alpha.max()) == 0


def test_masks_of_the_same_names(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    source = folder_of(tmp_path / "in", a=np.full((12, 12), 90, np.uint8), b=np.full((12, 12), 90, np.uint8))
    hole = np.zeros((12, 12), np.uint8)
    hole[4:7, 4:7] = 255
    broken = pixels(source / "a.png").copy()
    broken[4:7, 4:7] = 0
    Image.fromarray(broken).save(source / "a.png")
    masks = folder_of(tmp_path / "masks", a=hole)
    assert run("transform", "inpaint-telea", source, "--mask", masks, "--out", tmp_path / "out") == 1
    assert np.abs(pixels(tmp_path / "out" / "a.png").astype(int) - 90).max() <= 2
    assert not (tmp_path / "out" / "b.png").exists(), "b has no mask, which is said"


def test_previews_are_one_sheet_and_nothing_else(mixed: Path, tmp_path: Path) -> None:
    assert run("transform", "elastic", mixed, "--preview", tmp_path / "sheet.png") == 0
    assert run("compose", "collage", mixed, "--out", tmp_path / "collage.png", "--width", 300) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collage.png", "sheet.png"]
    assert pixels(tmp_path / "collage.png").shape[1] == 300


def test_a_mixed_folder_is_enlarged_and_every_file_is_right_or_named(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["augment", mixed, "--classical", "flip, noise", "--size", 16, "--out", tmp_path / "more"]
    assert run(*words) == 2
    assert "--data.corrupt skip" in capsys.readouterr().err
    assert run(*words, "--data.corrupt", "skip") == 2
    assert "--data.channels 3" in capsys.readouterr().err
    assert run(*words, "--data.corrupt", "skip", "--data.channels", 3) == 0
    said = capsys.readouterr().out
    about = json.loads((tmp_path / "more" / "about.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "more" / "manifest.jsonl").read_text().splitlines()]
    real = {line["source"] for line in lines if line["origin"] == "real"}
    tested = len(list((tmp_path / "more" / "test").iterdir()))
    kinds = {row["file"]: row["readable"] for row in json.loads((mixed / "MANIFEST.json").read_text())}
    kinds = {name: readable for name, readable in kinds.items() if (mixed / name).exists()}
    readable = {name for name, good in kinds.items() if good}
    assert real <= readable
    assert len(real) + tested == len(readable)
    assert len(about["left_out"]) == len(kinds) - len(readable)
    for name in set(kinds) - readable:
        assert f"left out: {name}" in said
    assert len(lines) == 2 * len(real)
    assert pixels(tmp_path / "more" / lines[0]["file"]).shape == (16, 16, 3)


def test_frames_of_an_animation_are_changed_alike(tmp_path: Path) -> None:
    frame = noise(20, 20, 3)
    picture = Picture(
        PurePosixPath("x.gif"), from_bytes(torch.from_numpy(np.stack([frame, frame])).permute(0, 3, 1, 2))
    )
    found = pictures.changed(picture, [Step.parse("affine"), Step.parse("flip")], 3)
    assert torch.equal(found.image[0], found.image[1])
