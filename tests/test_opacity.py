"""Pictures with an opacity: four channels, of which the first three are the colours on white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import config, images
from simulacra.cli import main
from simulacra.errors import ConfigError
from simulacra.networks.pictures import PictureNetwork, perceptual_distance

RED = (255, 0, 0, 255)


def sprites(folder: Path, count: int = 20, side: int = 16) -> Path:
    """Discs of a colour each on nothing; what cannot be seen is blue in the files."""
    folder.mkdir()
    rows, columns = np.mgrid[:side, :side]
    for index in range(count):
        pixels = np.zeros((side, side, 4), np.uint8)
        pixels[..., 2] = 255
        inside = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (3 + index % 4) ** 2
        pixels[inside] = (255, 13 * index % 256, 0, 255)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


def test_what_cannot_be_seen_is_white_and_the_fourth_channel_is_the_opacity() -> None:
    picture = Image.new("RGBA", (8, 8), (0, 0, 255, 0))
    picture.putpixel((3, 2), RED)
    picture.putpixel((4, 2), (255, 0, 0, 51))
    pixels = images.to_tensor(picture, 4)
    assert pixels[:, 0, 0].tolist() == [255, 255, 255, 0]
    assert pixels[:, 2, 3].tolist() == list(RED)
    assert pixels[:, 2, 4].tolist() == [255, 204, 204, 51]  # a fifth of red, four fifths of white
    back = images.picture(images.from_bytes(pixels))
    assert back.mode == "RGBA"
    assert [back.getpixel((x, y)) for x, y in ((0, 0), (3, 2), (4, 2))] == [(255, 255, 255, 0), RED, (255, 0, 0, 51)]


def test_grounds() -> None:
    x = images.from_bytes(torch.tensor([255, 204, 204, 51], dtype=torch.uint8)).view(1, 4, 1, 1)
    assert torch.equal(images.on_white(x), x[:, :3])
    assert torch.equal(images.to_bytes(images.on_black(x)).flatten(), torch.tensor([51, 0, 0], dtype=torch.uint8))
    grey = torch.full((2, 1, 8, 8), 7, dtype=torch.uint8)
    four = images.with_channels(grey, 4)
    assert four.shape == (2, 4, 8, 8)
    assert int(four[:, 3].min()) == 255
    assert torch.equal(images.with_channels(four, 3), grey.expand(-1, 3, -1, -1))
    assert torch.equal(images.with_channels(four, 1), grey)


def test_the_shipped_network_sees_pictures_on_white_and_the_distance_sees_the_opacity() -> None:
    white = torch.ones(1, 4, 32, 32)  # white paint
    nothing = white.clone()
    nothing[:, 3, 8:24, 8:24] = -1  # a hole through which the white ground is seen
    network = PictureNetwork().eval()
    for ours, theirs in zip(network.activations(nothing), network.activations(nothing[:, :3]), strict=True):
        assert torch.equal(ours, theirs)
    assert perceptual_distance(white, nothing) > 0.1
    assert perceptual_distance(nothing, nothing) == 0


@pytest.mark.parametrize("recipe", ["vae", "pictures"])
def test_sprites_are_trained_sampled_and_written_with_their_opacity(recipe: str, tmp_path: Path) -> None:
    data, run = sprites(tmp_path / "sprites"), tmp_path / "run"
    network = ["--model.network.widths", "8,8,8"] if recipe == "vae" else []
    words = ["train", recipe, "--data", str(data), "--out", str(run), "--train.images", "16", "--train.batch", "8"]
    assert main([*words, "--data.channels", "4", "--data.augment", "flip", "--train.score", "16", *network]) == 0
    assert main(["sample", str(run), "--n", "3", "--out", str(tmp_path / "drawn")]) == 0
    assert Image.open(tmp_path / "drawn" / "00000.png").mode == "RGBA"
    assert main(["sample", str(run), "--n", "3", "--out", str(tmp_path / "sheet.png")]) == 0
    assert Image.open(tmp_path / "sheet.png").mode == "RGB"
    assert main(["reconstruct", str(run), "--images", str(data), "--out", str(tmp_path / "again.png")]) == 0


def test_steps_that_would_part_colours_from_opacities_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.augment: noise does not apply to images with an opacity"):
        config.parse(config.merge(config.recipe("vae").values, {"data": {"channels": 4, "augment": "flip,noise"}}))
    with pytest.raises(ConfigError, match=r"need data.channels 1 or 3"):
        config.parse(config.merge(config.recipe("vae").values, {"data": {"channels": 4, "binarize_once": True}}))


def test_translators_refuse_an_opacity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "cyclegan", "--data", "shapes", "--data.channels", "4", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "set data.channels to 1 or 3" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
