"""Images that are not square: every family of one domain on every network, files in a set's own proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import Run, cli, config, data, images
from simulacra.config import Data
from simulacra.data import given, reading
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models import FAMILIES, Generative, Inferential
from simulacra.steering import generate
from simulacra.testing import small
from simulacra.training.session import Session
from tests.conftest import SHORT

TALL = Shape(3, 24, 16)
ODD = Shape(1, 9, 14)
FAMILIES_OF_ONE_DOMAIN = sorted(family for family in FAMILIES if not small.translates(family))


def pictures(folder: Path, count: int, size: tuple[int, int]) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


@pytest.mark.parametrize("shape", [TALL, ODD], ids=str)
@pytest.mark.parametrize("network", ["mlp", "conv", "resnet", "conv-group-norm"])
@pytest.mark.parametrize("family", FAMILIES_OF_ONE_DOMAIN)
def test_a_family_trains_and_draws(family: str, network: str, shape: Shape) -> None:
    model = small.build(family, network, shape)
    trainer = small.trainer(model)
    trainer.advance()
    assert all(np.isfinite(value) for value in trainer.drain().values())
    model.eval()
    if isinstance(model, Generative):
        assert generate.sample(model, 3, seed=0).shape == (3, shape.channels, *shape.sides)
    if isinstance(model, Inferential):
        x = torch.zeros(2, shape.channels, *shape.sides)
        assert generate.reconstruct(model, x).shape == x.shape


def test_translators_say_that_they_need_squares() -> None:
    with pytest.raises(ConfigError, match="trained on square images, and these are 24 x 16"):
        small.build("pix2pix", "unet", TALL)


@pytest.mark.parametrize(
    ("asked", "sides"),
    [
        ({}, (96, 64)),  # own proportions, two to three
        ({"size": 24}, (24, 24)),
        ({"size": 24, "width": 16}, (24, 16)),
        ({"width": 16}, (16, 16)),
    ],
)
def test_files_have_the_size_asked_for_or_their_own_proportions(
    tmp_path: Path, asked: dict[str, int], sides: tuple[int, int]
) -> None:
    source = pictures(tmp_path / "set", 10, (40, 60))
    splits = data.load(Data(name=str(source), **asked))  # type: ignore[arg-type]
    assert splits.train.shape == Shape(3, *sides)
    assert any("cut to" in line for line in splits.remarks) == (sides[0] == sides[1])


def test_proportions_are_kept_where_most_share_them_and_a_square_would_cut_much() -> None:
    assert reading.by_proportions(1.5, 0.95, 64) == (64, 96)
    assert reading.by_proportions(0.5, 1.0, 32) == (64, 32)
    assert reading.by_proportions(1.5, 0.8, 64) == (64, 64)
    assert reading.by_proportions(1.05, 1.0, 64) == (64, 64)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_pictures_are_cut_padded_or_stretched(fit: images.Fit) -> None:
    picture = Image.fromarray(np.full((30, 30), 200, dtype=np.uint8))
    pixels = np.asarray(images.fitted(picture, 24, 16, fit, 0))
    assert pixels.shape == (24, 16)
    assert bool((pixels == 200).all()) == (fit != "pad")
    if fit == "pad":
        assert (pixels[4:20] == 200).all()
        assert not pixels[:4].any()


def test_images_from_python_are_brought_to_a_height_and_a_width() -> None:
    x = torch.zeros(12, 3, 20, 20, dtype=torch.uint8)
    x[..., 5:15] = 255
    parts = given.load(given.Given(x), Data(size=20, width=10))
    assert parts.train.shape == Shape(3, 20, 10)
    assert int(parts.train.images.min()) == 255
    padded = given.load(given.Given(x), Data(size=10, width=20, fit="pad", background=7))
    assert padded.train.shape == Shape(3, 10, 20)
    assert int(padded.train.images[..., 0].float().mean()) == 7


def test_a_run_keeps_its_size_and_is_sampled_and_resumed(tmp_path: Path) -> None:
    source = pictures(tmp_path / "set", 40, (40, 60))
    changes = config.merge(SHORT, {"data": {"size": 24, "width": 16}, "train": {"images": 64, "batch": 32}})
    Session.start("quickstart", data_name=str(source), out=tmp_path / "run", changes=changes).run()
    run = Run.open(tmp_path / "run")
    assert run.shape == Shape(run.shape.channels, 24, 16)
    assert run.config.data.width == 16
    assert run.read(source)[1].shape[2:] == (24, 16)
    assert cli.main(["sample", str(run.path), "--n", "4", "--out", str(tmp_path / "sheet.png")]) == 0
    assert cli.main(["inpaint", str(run.path), str(source), "--out", str(tmp_path / "in.png"), "--steps", "2"]) == 0
