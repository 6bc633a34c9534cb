"""Small promises of the verbs that other files do not hold: names of results, shapes of pairs, odd pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra import cli
from tests import studio


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("promises")
    studio.untrained(folder / "run", "vae", latent=2)
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    (folder / "pictures").mkdir()
    for ending in ("png", "jpg", "tif"):
        Image.fromarray(noise).save(folder / "pictures" / f"x.{ending}")
    hole = np.zeros((8, 8), np.uint8)
    hole[2:4, 2:4] = 255
    Image.fromarray(hole).save(folder / "mask.png")
    return folder


@pytest.mark.parametrize("verb", ["repair", "inpaint"])
def test_pictures_of_one_name_stay_several(verb: str, home: Path, tmp_path: Path) -> None:
    words = [verb, str(home / "run"), str(home / "pictures"), "--steps", "1", "--out", str(tmp_path / "out")]
    assert cli.main([*words, *(["--mask", str(home / "mask.png")] if verb == "inpaint" else [])]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x.jpg.png", "x.png", "x.tif.png"]


def refused(words: list[str], capsys: pytest.CaptureFixture[str], out: Path) -> str:
    assert cli.main([*words, "--out", str(out)]) == 2
    assert not out.exists()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_pairs_of_unlike_proportions_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for domain, size in (("A", (16, 16)), ("B", (16, 40))):
        for split in ("train", "test"):
            (tmp_path / "pairs" / f"{split}{domain}").mkdir(parents=True)
            for index in range(2):
                Image.new("RGB", size).save(tmp_path / "pairs" / f"{split}{domain}" / f"{index}.png")
    words = ["train", "pix2pix", "--data", str(tmp_path / "pairs"), "--data.size", "16", "--train.images", "4"]
    told = refused(words, capsys, tmp_path / "run")
    assert "has 16 x 16 pixels and its counterpart" in told
    assert "has 16 x 40: cut to squares they would no longer show the same. Give both the same proportions" in told


def test_a_collage_of_a_line_and_a_column_asks_for_no_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.new("L", (1, 20_000)).save(tmp_path / "in" / "column.png")
    Image.new("L", (20_000, 1)).save(tmp_path / "in" / "line.png")
    told = refused(["compose", "collage", str(tmp_path / "in")], capsys, tmp_path / "x.png")
    assert "would take about" in told
    assert "Leave out pictures that are very narrow, or choose a smaller --width." in told


def test_a_mask_of_another_size_is_told_in_sides(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.eye(9, 12, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    words = ["transform", "inpaint-telea", str(home / "pictures" / "x.png"), "--mask", str(tmp_path / "mask.png")]
    told = refused(words, capsys, tmp_path / "o.png")
    assert "the mask mask.png has 12 x 9 pixels and the picture x.png 8 x 8. Make their sizes equal." in told


def test_black_and_white_in_jpeg_is_said_to_blur(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["transform", "binarize", str(home / "pictures" / "x.png"), "--out"]
    assert cli.main([*words, str(tmp_path / "b.jpg")]) == 0
    assert "black and white blurred by JPEG; --format png keeps them" in capsys.readouterr().out
    assert cli.main([*words, str(tmp_path / "b.png")]) == 0
    assert set(np.asarray(Image.open(tmp_path / "b.png")).ravel().tolist()) <= {0, 255}


def test_true_is_not_a_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = '[about]\ntitle = "x"\n[data]\nname = "digits"\n[model]\nfamily = "vae"\n[train]\nimages = 10\n'
    (tmp_path / "x.toml").write_text(f"seed = true\n{recipe}")
    told = refused(["train", str(tmp_path / "x.toml")], capsys, tmp_path / "run")
    assert "seed must be a valid integer; got True." in told
