"""Evaluation: what each family is measured by, that a score says what it depends on, that it moves the right way."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import cli, data, evaluate, features, images
from simulacra.config import Data
from simulacra.data import shapes
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.evaluate import Score, comparable
from simulacra.features import CLASSIFIERS, Classifier, Classifying, Extractor, Pixels
from simulacra.metrics import frechet_distance
from simulacra.networks import Shape
from simulacra.run import Run
from simulacra.session import Session
from tests.conftest import SHORT

LIKELIHOOD = {"elbo", "reconstruction_nll", "kl", "nll", "bits_per_dimension"}
LATENTS = {"active_units", "kl_mutual_information", "kl_total_correlation", "kl_dimension_wise"}
ENCODER = {"l1", "psnr", "knn_accuracy", "linear_probe_accuracy"}
SAMPLES = {
    "frechet_distance", "frechet_distance_floor", "kernel_distance", "precision", "recall", "density", "coverage",
    "memorisation", "classifier_score", "class_coverage", "class_evenness",
    "perceptual_path_length",
}  # fmt: skip
SUPPORTED = {
    "vae": LIKELIHOOD | LATENTS | ENCODER | SAMPLES,
    "iwae": LIKELIHOOD | LATENTS | ENCODER | SAMPLES,
    "gan": SAMPLES,
    "autoencoder": ENCODER,
}
RANGES = {
    "nll": (0, math.inf), "kl": (0, math.inf), "active_units": (0, 4), "bits_per_dimension": (0, 8),
    "kl_mutual_information": (-0.1, math.log(297)), "l1": (0, 1), "psnr": (0, 100), "ssim": (-1, 1),
    "knn_accuracy": (0, 1), "linear_probe_accuracy": (0, 1), "frechet_distance": (0, math.inf),
    "frechet_distance_floor": (0, math.inf), "precision": (0, 1), "recall": (0, 1), "density": (0, math.inf),
    "coverage": (0, 1), "memorisation": (0, 1), "classifier_score": (1, 10), "class_coverage": (0.1, 1),
    "perceptual_path_length": (0, math.inf),
    "class_evenness": (0, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One short run of each family on the embedded digits."""
    folder = tmp_path_factory.mktemp("runs")
    common = {"data": SHORT["data"], "train": SHORT["train"]}
    small = {"network": {"kind": "mlp", "hidden": [16]}, "latent": 4}
    recipes = {
        "vae": ("vae", {"model": small}),
        "iwae": ("vae", {"model": {**small, "family": "iwae", "beta": 1.0, "warmup": 0, "samples": 3}}),
        "gan": ("gan-mlp", {}),
        "autoencoder": ("autoencoder", {"model": small}),
    }
    for name, (recipe, changes) in recipes.items():
        Session.start(recipe, out=folder / name, changes={**common, **changes}).run()
    return {name: folder / name for name in recipes}


@pytest.fixture(scope="module")
def scores(runs: dict[str, Path]) -> dict[str, dict[str, Score]]:
    """The scores of each family by their metric."""
    return {name: {score.metric: score for score in evaluate.evaluate(Run.open(path))} for name, path in runs.items()}


# ----------------------------------------------------------------------------------------------- evaluating


@pytest.mark.parametrize("family", SUPPORTED)
def test_a_family_is_measured_by_what_it_can_do(family: str, scores: dict[str, dict[str, Score]]) -> None:
    assert set(scores[family]) == SUPPORTED[family]


@pytest.mark.parametrize("family", SUPPORTED)
def test_scores_are_finite_in_range_and_say_what_they_depend_on(
    family: str, scores: dict[str, dict[str, Score]]
) -> None:
    for name, score in scores[family].items():
        low, high = RANGES.get(name, (-math.inf, math.inf))
        assert math.isfinite(score.value), name
        assert low <= score.value <= high, score
        assert score.n == 297, name
        assert score.seed == 0
        assert score.split in ("train", "test", "generated")
        assert (score.features is not None) == (name in SAMPLES), name


def test_likelihoods_agree_with_each_other(scores: dict[str, dict[str, Score]]) -> None:
    of = {name: score.value for name, score in scores["vae"].items()}
    assert of["elbo"] == pytest.approx(-(of["reconstruction_nll"] + of["kl"]), rel=1e-5)
    assert of["nll"] <= -of["elbo"] + 0.5, "more latents give a tighter bound"
    assert of["bits_per_dimension"] == pytest.approx(of["nll"] / (64 * math.log(2)))
    parts = of["kl_mutual_information"] + of["kl_total_correlation"] + of["kl_dimension_wise"]
    assert parts == pytest.approx(of["kl"], rel=0.2, abs=0.1)


def test_the_bound_is_that_of_the_log(runs: dict[str, Path], scores: dict[str, dict[str, Score]]) -> None:
    logged = [row for row in Run.open(runs["vae"]).history() if "test/negative_elbo" in row][-1]
    assert scores["vae"]["elbo"].value == pytest.approx(-logged["test/negative_elbo"], rel=0.01)


def test_an_untrained_generator_is_far_above_the_floor(scores: dict[str, dict[str, Score]]) -> None:
    of = scores["gan"]
    assert of["frechet_distance"].value > 5 * of["frechet_distance_floor"].value


def test_a_seed_gives_the_same_scores(runs: dict[str, Path]) -> None:
    run = Run.open(runs["vae"])
    first, second = (evaluate.evaluate(run, n=100, seed=3) for _ in range(2))
    assert first == second
    assert first != [replace(score, seed=3) for score in evaluate.evaluate(run, n=100, seed=4)]


def test_the_global_generator_is_left_alone(runs: dict[str, Path]) -> None:
    torch.manual_seed(0)
    evaluate.evaluate(Run.open(runs["vae"]), n=20)
    found = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(found, torch.rand(1))


def test_progress_names_the_parts(runs: dict[str, Path]) -> None:
    said: list[str] = []
    evaluate.evaluate(Run.open(runs["autoencoder"]), n=20, progress=said.append)
    assert said == ["reconstructions", "classes", "factors"]


def test_too_few_images_are_refused(runs: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="--n 10 or more"):
        evaluate.evaluate(Run.open(runs["gan"]), n=9)


def test_a_model_that_returns_nan_is_refused(runs: dict[str, Path]) -> None:
    run = Run.open(runs["vae"])
    for parameter in run.model.parameters():
        parameter.fill_(math.nan)
    with pytest.raises((RunError, ConfigError)):
        evaluate.evaluate(run, n=20)


def test_a_missing_extra_is_named(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    with pytest.raises(ConfigError, match=r"pip install 'simulacra\[evaluate\]'"):
        evaluate.evaluate(Run.open(runs["autoencoder"]), n=20)
    assert evaluate.evaluate(Run.open(runs["gan"]), n=20), "a GAN needs no extra"


def test_data_without_a_classifier_is_compared_by_pixels(tmp_path: Path) -> None:
    small = {"network": {"kind": "mlp", "hidden": [16]}, "latent": 4}
    changes = {"data": {"name": "shapes", "size": 16}, "model": small, "train": SHORT["train"]}
    run = Session.start("vae", out=tmp_path / "run", changes=changes).run()
    found = {score.metric: score for score in evaluate.evaluate(run, n=60)}
    assert found["frechet_distance"].features == f"pixels:{Pixels(run.shape).digest[:12]}"
    assert not {"classifier_score", "class_coverage"} & set(found)
    assert 0 < found["ssim"].value <= 1
    assert {name for name in found if name.startswith("dci")} == {
        "dci_disentanglement", "dci_completeness", "dci_informativeness"
    }  # fmt: skip
    assert found["latents_in_use"].value == found["active_units"].value


def test_codes_that_are_the_factors_are_disentangled_and_rotated_ones_are_not() -> None:
    sprites = shapes.generate(1000, 8, torch.Generator().manual_seed(0))
    assert sprites.factors is not None
    codes = torch.stack([sprites.factors[name].double() for name in shapes.VISIBLE], dim=1)
    codes = (codes - codes.mean(0)) / codes.std(0)
    turned = codes @ torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)).double()).Q
    clean, mixed = (evaluate.disentanglement(z, sprites, seed=1) for z in (codes, turned))
    for name in ("mutual_information_gap", "factor_vae", "dci_disentanglement", "dci_completeness"):
        assert clean[name] > 0.9, name
        assert mixed[name] < 0.8, name
    still = {**sprites.factors, "angle": torch.zeros(1000)}
    assert evaluate.disentanglement(codes, replace(sprites, factors=still), seed=1) == clean, "the angle does not count"


def test_data_without_factors_has_no_disentanglement(digits: data.Splits) -> None:
    with pytest.raises(DataError, match="digits has no known factors"):
        evaluate.disentanglement(torch.zeros(len(digits.test), 2), digits.test)


# ------------------------------------------------------------------------------------------------- the file


def test_the_file_is_as_agreed(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(runs["gan"]), "--n", "50", "--seed", "2"]) == 0
    said = capsys.readouterr()
    assert "frechet_distance_floor" in said.out
    assert Classifier.load("digits").digest[:12] in said.out
    assert max(map(len, said.out.splitlines()[:-1])) <= 80
    assert str(runs["gan"] / "evaluation.json") in said.out.replace("\n", "")
    content = json.loads((runs["gan"] / "evaluation.json").read_text())
    assert set(content) == {"scores"}
    for score in content["scores"]:
        assert list(score) == ["metric", "value", "unit", "split", "n", "features", "seed"]
    assert [asdict(score) for score in evaluate.load(runs["gan"] / "evaluation.json")] == content["scores"]
    assert content["scores"][0]["features"].startswith("digits:")
    assert (content["scores"][0]["n"], content["scores"][0]["seed"]) == (50, 2)


def test_a_single_file_of_weights_is_evaluated_too(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    assert cli.main(["evaluate", str(runs["gan"] / "model.safetensors"), "--n", "20", "--out", str(out)]) == 0
    assert evaluate.load(out)


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--out", "scores.txt"], "must end in .json"), (["--n", "3"], "--n 10 or more"), (["--n", "0"], "at least 1")],
)
def test_a_mistake_gets_one_line(
    options: list[str], expected: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", str(runs["autoencoder"]), *options]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1
    assert not (runs["autoencoder"] / "evaluation.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"scores": [{"metric": "elbo"}]}', '{"scores": 1}'])
def test_a_foreign_file_of_scores_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(RunError, match="simulacra evaluate"):
        evaluate.load(tmp_path / "scores.json")


# -------------------------------------------------------------------------------------------------- compare

SCORE = Score("frechet_distance", 3.0, "squared", "test", 10_000, "mnist:abc", 0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(SCORE, metric="elbo"), "different metrics"),
        (replace(SCORE, n=5_000), "--n 5000"),
        (replace(SCORE, features="pixels:abc"), "different features"),
        (replace(SCORE, split="train"), "different splits"),
    ],
)
def test_scores_that_do_not_compare_say_why(other: Score, reason: str) -> None:
    assert reason in str(comparable(SCORE, other))
    assert reason.replace("--n 5000", "5,000") in str(comparable(other, SCORE))


def test_scores_of_other_values_and_seeds_compare() -> None:
    assert comparable(SCORE, replace(SCORE, value=4.0, seed=1)) is None


# ------------------------------------------------------------------------------------------------- features


@pytest.fixture(scope="module")
def digits() -> data.Splits:
    return data.load(Data(name="digits"))


def blurred(x: Tensor, passes: int) -> Tensor:
    for _ in range(passes):
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return x


@pytest.mark.parametrize("kind", ["noise", "blur"])
@pytest.mark.parametrize("extractor", [Classifier.load("digits"), Pixels(Shape(1, 8))], ids=lambda e: e.name)
def test_the_frechet_distance_rises_with_corruption(kind: str, extractor: Extractor, digits: data.Splits) -> None:
    x = images.from_bytes(digits.train.images)
    real, held = x[0::2], x[1::2]
    noise = torch.randn(held.shape, generator=torch.Generator().manual_seed(0))
    steps = {
        "noise": [(held + level * noise).clamp(-1, 1) for level in (0.0, 0.2, 0.4, 0.8)],
        "blur": [blurred(held, passes) for passes in (0, 1, 2, 4)],
    }[kind]
    known = extractor.features(real)
    distances = [frechet_distance(known, extractor.features(step)) for step in steps]
    assert distances == sorted(distances)
    assert distances[-1] > 5 * distances[0]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_as_accurate_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    root = None if name == "digits" else request.getfixturevalue("data_root")
    splits = data.load(Data(name=name), root)
    classifier = Classifier.load(name)
    probabilities = classifier.probabilities(images.from_bytes(splits.test.images))
    assert splits.test.labels is not None
    found = float((probabilities.argmax(1) == splits.test.labels).double().mean())
    assert found == pytest.approx(classifier.facts["test_accuracy"], abs=0.001)
    assert found >= {"digits": 0.94, "mnist": 0.988, "fashion-mnist": 0.90}[name]
    assert classifier.facts["data_sha256"] == splits.digest()
    assert classifier.classes == splits.test.classes


@pytest.mark.parametrize("shape", [(1, 8), (1, 28), (3, 40)], ids=str)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_takes_any_size_grey_or_colour(name: str, shape: tuple[int, int]) -> None:
    classifier = Classifier.load(name)
    x = torch.rand(3, shape[0], shape[1], shape[1], generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert classifier.features(x).shape == (3, classifier.dimensions)
    assert torch.allclose(classifier.probabilities(x).sum(1), torch.ones(3))
    assert isinstance(classifier, Classifying)
    assert len(classifier.digest) == 64


def test_features_have_one_scale(digits: data.Splits) -> None:
    found = Classifier.load("digits").features(images.from_bytes(digits.train.images))
    assert float(found.square().mean().sqrt()) == pytest.approx(1.0, abs=0.01)


def test_the_classifiers_are_small() -> None:
    for path in (Path(features.__file__).parent / "weights").iterdir():
        assert path.stat().st_size < 1_000_000
        assert path.stem in CLASSIFIERS


def test_pixels_are_raw_where_they_are_few() -> None:
    x = torch.rand(2, 1, 28, 28) * 2 - 1
    assert torch.equal(Pixels(Shape(1, 28)).features(x), x.flatten(1))
    large = Pixels(Shape(3, 64))
    assert large.features(torch.zeros(2, 3, 64, 64)).shape == (2, large.dimensions)
    assert large.dimensions <= 1024
    assert not isinstance(large, Classifying)
    assert Pixels(Shape(3, 64)).digest == large.digest != Pixels(Shape(1, 28)).digest


def test_an_unknown_classifier_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'mnist'"):
        Classifier.load("mnits")
    assert isinstance(features.extractor("photos/", Shape(3, 32)), Pixels)
