"""Enlarged data sets and few labels: classes are balanced, nothing is there twice, what is compared is fair."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from simulacra import data, images
from simulacra.config import Data
from simulacra.data import Dataset, Splits
from simulacra.errors import CapabilityError, ConfigError, DataError
from simulacra.evaluation import downstream
from simulacra.images import Shape
from simulacra.models import Coded
from simulacra.steering import enlarge, generate, synthetic
from simulacra.testing.small import noise_images
from simulacra.transforms import Pipeline
from tests import contract


def uneven() -> Dataset:
    """Eight even and three odd images of noise."""
    return noise_images(20, 1, 8).take(torch.tensor([0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5]))


def changed(real: Dataset, text: str = "affine") -> dict[str, enlarge.Make]:
    return {"classical": enlarge.changing(real, Pipeline.parse(text))}


def halves(count: int, seed: int) -> Dataset:
    """Noise whose class says which half is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 100, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    pixels[labels == 0, :, :, :4] += 150
    pixels[labels == 1, :, :, 4:] += 150
    return Dataset("halves", pixels, labels, ("left", "right"))


# -------------------------------------------------------------------------------------------------- enlarging


def test_every_class_is_brought_to_the_same_size_in_equal_shares() -> None:
    real = uneven()
    model = contract.build("vae", "mlp", Shape(1, 8))
    made = enlarge.enlarge(real, {**changed(real), "generated": enlarge.generating(real, model)}, 12, duplicate=1e-6)
    assert made.dataset.labels is not None
    assert made.dataset.labels.bincount().tolist() == [12, 12]
    assert len(made.records) == len(made.dataset) == 24
    counts = Counter((record.label, record.origin) for record in made.records)
    assert counts == {
        ("even", "real"): 8, ("odd", "real"): 3, ("even", "classical"): 2, ("even", "generated"): 2,
        ("odd", "classical"): 4, ("odd", "generated"): 5,
    }  # fmt: skip
    assert torch.equal(made.dataset.images[:11], real.images)
    assert [record.label for record in made.records] == [("even", "odd")[k] for k in made.dataset.labels.tolist()]
    assert not made.missing


def test_copies_are_not_added() -> None:
    real = uneven()
    copies: dict[str, enlarge.Make] = {"copied": lambda labels, _: (images.from_bytes(real.images[labels]), None)}
    made = enlarge.enlarge(real, copies, 10)
    assert len(made.dataset) == len(real)
    assert made.missing == {"even": 2, "odd": 7}

    def same(labels: Tensor, _: int) -> tuple[Tensor, None]:
        return torch.full((len(labels), 1, 8, 8), 0.5), None

    made = enlarge.enlarge(real, {"same": same}, 10)
    assert len(made.dataset) == len(real) + 1
    assert made.records[-1].distance == pytest.approx(
        float((images.to_unit(images.from_bytes(real.images)) - 0.75).square().mean((1, 2, 3)).min().sqrt()), abs=2e-3
    )


def test_a_data_set_is_written_with_the_origin_of_every_image(tmp_path: Path) -> None:
    real = uneven()
    splits = Splits(real, noise_images(6, 1, 8, seed=1))
    for name in ("a", "b"):
        made = enlarge.enlarge(real, changed(real), 10, seed=3)
        enlarge.write(made, splits, tmp_path / name, {"seed": 3})
    lines = [json.loads(line) for line in (tmp_path / "a" / enlarge.MANIFEST).read_text().splitlines()]
    files = {path.relative_to(tmp_path / "a").as_posix() for path in (tmp_path / "a" / "train").rglob("*.png")}
    assert {line["file"] for line in lines} == files
    assert all(line["source"] is not None for line in lines)
    assert all(line["distance"] > enlarge.DUPLICATE for line in lines if line["origin"] == "classical")
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    loaded = data.load(Data(name=str(tmp_path / "a")))
    assert (len(loaded.train), len(loaded.test)) == (20, 6)
    assert loaded.train.classes == ("even", "odd")
    again = enlarge.changing(real, Pipeline.parse("affine"))
    line = next(line for line in lines if line["origin"] == "classical")
    count = sum(other["seed"] == line["seed"] for other in lines)
    drawn, sources = again(torch.full((count,), ("even", "odd").index(line["label"])), line["seed"])
    index = loaded.train.names.index(line["file"])
    assert torch.equal(images.to_bytes(drawn[line["place"]]), loaded.train.images[index])
    assert sources is not None
    assert int(sources[line["place"]]) == line["source"]


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    real = uneven()
    made, splits = enlarge.enlarge(real, changed(real), 9), Splits(real, real)
    enlarge.write(made, splits, tmp_path / "more", {})
    with pytest.raises(ConfigError, match="--force"):
        enlarge.write(made, splits, tmp_path / "more", {})
    enlarge.write(made, splits, tmp_path / "more", {}, force=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="is not an enlarged data set"):
        enlarge.write(made, splits, tmp_path / "mine", {}, force=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_makes_no_sense_is_refused() -> None:
    real = uneven()
    with pytest.raises(ConfigError, match="New images need a source"):
        enlarge.enlarge(real, {}, 10)
    with pytest.raises(ConfigError, match="3 images or more"):
        enlarge.enlarge(real, changed(real), 3)
    with pytest.raises(DataError, match="trained on the classes even, odd"):
        enlarge.refuse_other_classes(halves(4, 0), contract.build("cgan", "mlp", Shape(1, 8)))


# -------------------------------------------------------------------------------------- images with classes


@pytest.mark.parametrize("family", ["cgan", "cvae"])
def test_a_model_that_is_told_classes_is_asked_for_them(family: str) -> None:
    model, labels = contract.build(family, "mlp", Shape(1, 8)), torch.tensor([1, 0, 1])
    assert isinstance(model, Coded)
    made = synthetic.generated(model, uneven(), labels, seed=2)
    z = generate.latents(model, 3, seed=2)
    z[:, model.codes.noise :] = torch.eye(2)[labels]
    assert torch.equal(made, generate.decode(model, z))


def test_between_one_image_and_itself_is_its_reconstruction() -> None:
    model, labels = contract.build("autoencoder", "mlp", Shape(1, 8)), torch.tensor([0, 1, 1])
    real = noise_images(2, 1, 8)
    made = synthetic.generated(model, real, labels)
    assert torch.allclose(made, generate.reconstruct(model, images.from_bytes(real.images[labels])), atol=1e-5)
    drawn = synthetic.generated(contract.build("vae", "mlp", Shape(1, 8)), real, labels, seed=1)
    assert not torch.equal(drawn[1], drawn[2])


def test_images_with_classes_need_a_model_that_can() -> None:
    with pytest.raises(CapabilityError, match="cgan, cvae"):
        synthetic.generated(contract.build("gan", "mlp", Shape(1, 8)), uneven(), torch.tensor([0]))
    with pytest.raises(DataError, match=r"--data.size"):
        synthetic.generated(contract.build("vae", "mlp", Shape(1, 9)), uneven(), torch.tensor([0]))
    plain = Dataset("plain", uneven().images)
    made = synthetic.generated(contract.build("gan", "mlp", Shape(1, 8)), plain, torch.zeros(3, dtype=torch.int64))
    assert made.shape == (3, 1, 8, 8)


# ------------------------------------------------------------------------------------------------ few labels


def test_few_images_of_each_class_are_kept() -> None:
    real = noise_images(40, 1, 8)
    few, same, other = real.few(3, 0), real.few(3, 0), real.few(3, 1)
    assert few.labels is not None
    assert few.labels.bincount().tolist() == [3, 3]
    assert torch.equal(few.images, same.images)
    assert not torch.equal(few.images, other.images)
    assert len(uneven().few(5, 0)) == 8
    with pytest.raises(DataError, match="no classes"):
        Dataset("plain", real.images).few(2, 0)
    loaded = data.load(Data(name="digits", per_class=4, per_class_seed=7))
    assert len(loaded.train) == 40
    assert len(loaded.test) == len(data.load(Data(name="digits")).test)


def test_each_arm_learns_from_what_it_says() -> None:
    """Labels of one source are wrong: the arms that see only the other learn what is right."""
    right, test = halves(20, 0), halves(60, 1)
    assert right.labels is not None
    wrong = Dataset("wrong", right.images, 1 - right.labels, right.classes)
    settings = {"steps": 20, "seed": 0}
    assert downstream.accuracy(right, wrong, test, "real", **settings) > 0.95
    assert downstream.accuracy(right, wrong, test, "synthetic", **settings) < 0.05
    assert downstream.accuracy(wrong, right, test, "synthetic", **settings) > 0.95
    equal = [downstream.accuracy(right, wrong, test, "generated", **settings) for _ in range(2)]
    assert equal[0] == equal[1]
    mirrored = downstream.accuracy(right, right, test, "classical", augment="flip probability=1", **settings)
    assert mirrored < 0.05


def test_scores_say_what_generated_images_add() -> None:
    scores = downstream.scores({"classical": [0.5, 0.7], "both": [0.6, 0.9]}, 100, 0)
    found = {score.metric: score for score in scores}
    assert found["downstream_gain"].value == pytest.approx(0.15)
    assert found["downstream_gain"].interval == pytest.approx((0.15 - 12.706 * 0.05, 0.15 + 12.706 * 0.05), rel=1e-3)
    assert downstream.scores({"real": [0.5]}, 100, 0)[0].interval is None
