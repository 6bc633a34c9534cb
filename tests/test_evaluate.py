"""Evaluation: what each family is measured by, that a score says what it depends on, that it moves the right way."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from simulacra import cli, data
from simulacra.config import Data
from simulacra.data import shapes
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.evaluation import Evidence, Part, declare, downstream, evaluate, register
from simulacra.evaluation.evidence import check
from simulacra.evaluation.factors import disentanglement
from simulacra.evaluation.scores import Score, comparable, load, save
from simulacra.features import Classifier, Pixels
from simulacra.metrics import meanings
from simulacra.runs.run import Run
from simulacra.training.session import Session
from tests.conftest import SHORT

LIKELIHOOD = {"elbo", "reconstruction_nll", "kl", "nll", "bits_per_dimension"}
LATENTS = {"active_units", "kl_mutual_information", "kl_total_correlation", "kl_dimension_wise"}
ENCODER = {"l1", "psnr", "class_agreement", "knn_accuracy", "linear_probe_accuracy"}
SAMPLES = {
    "frechet_distance", "frechet_distance_floor", "kernel_distance", "precision", "recall", "density", "coverage",
    "memorisation", "classifier_score", "class_coverage", "class_evenness", "features_self_test",
    "perceptual_path_length", "copy_ratio", "sample_variety",
}  # fmt: skip
BY_PIXELS = {"sharpness"}  # of samples, without features
SUPPORTED = {
    "vae": LIKELIHOOD | LATENTS | ENCODER | SAMPLES,
    "iwae": LIKELIHOOD | LATENTS | ENCODER | SAMPLES,
    "gan": SAMPLES,
    "vaegan": ENCODER | SAMPLES,
    "bigan": ENCODER | SAMPLES,
    "autoencoder": ENCODER,
    "cgan": SAMPLES | {"label_agreement"},
    "cvae": SAMPLES
    | {"conditional_elbo", "reconstruction_nll", "kl", "l1", "psnr", "class_agreement"}
    | {"label_agreement", "label_accuracy"},
}
RANGES = {
    "nll": (0, math.inf), "kl": (0, math.inf), "active_units": (0, 4), "bits_per_dimension": (0, 8),
    "kl_mutual_information": (-0.1, math.log(297)), "l1": (0, 1), "psnr": (0, 100), "ssim": (-1, 1),
    "knn_accuracy": (0, 1), "linear_probe_accuracy": (0, 1), "frechet_distance": (0, math.inf),
    "frechet_distance_floor": (0, math.inf), "precision": (0, 1), "recall": (0, 1), "density": (0, math.inf),
    "coverage": (0, 1), "memorisation": (0, 1), "classifier_score": (1, 10), "class_coverage": (0.1, 1),
    "class_evenness": (0, 1), "class_agreement": (0, 1), "features_self_test": (1, 1),
    "perceptual_path_length": (0, math.inf), "copy_ratio": (0, math.inf), "sample_variety": (0, math.inf),
    "sharpness": (0, math.inf), "label_agreement": (0, 1), "label_accuracy": (0, 1),
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
        "vaegan": ("vaegan", {"model": {**small, "layer": 1, "discriminator": small["network"]}}),
        "bigan": ("bigan", {"model": {**small, "discriminator": small["network"]}}),
        "autoencoder": ("autoencoder", {"model": small}),
        "cgan": ("cgan", {}),
        "cvae": ("cvae", {"model": small}),
    }
    for name, (recipe, changes) in recipes.items():
        Session.start(recipe, out=folder / name, changes={**common, **changes}).run()
    return {name: folder / name for name in recipes}


@pytest.fixture(scope="module")
def scores(runs: dict[str, Path]) -> dict[str, dict[str, Score]]:
    """The scores of each family by their metric."""
    return {
        name: {score.metric: score for score in evaluate.evaluate(Run.open(path)).scores} for name, path in runs.items()
    }


# ----------------------------------------------------------------------------------------------- evaluating


@pytest.mark.parametrize("family", SUPPORTED)
def test_a_family_is_measured_by_what_it_can_do(family: str, scores: dict[str, dict[str, Score]]) -> None:
    sampled = BY_PIXELS if "frechet_distance" in SUPPORTED[family] else set()
    assert set(scores[family]) == SUPPORTED[family] | sampled


@pytest.mark.parametrize("family", SUPPORTED)
def test_scores_are_finite_in_range_and_say_what_they_depend_on(
    family: str, scores: dict[str, dict[str, Score]]
) -> None:
    for name, score in scores[family].items():
        low, high = RANGES.get(name, (-math.inf, math.inf))
        assert math.isfinite(score.value), name
        assert low <= score.value <= high, score
        assert score.n == (500 if name == "features_self_test" else 297), name
        assert score.seed == 0
        assert score.split in ("train", "test", "generated")
        assert (score.features is not None) == (name in SAMPLES | {"class_agreement", "label_agreement"}), name


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
    first, second = (evaluate.evaluate(run, n=100, seed=3).scores for _ in range(2))
    assert first == second
    assert first != [replace(score, seed=3) for score in evaluate.evaluate(run, n=100, seed=4).scores]


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
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ConfigError, match=r"pip install 'simulacra\[evaluate\]'"):
        evaluate.evaluate(Run.open(runs["autoencoder"]), n=20)
    assert evaluate.evaluate(Run.open(runs["gan"]), n=20).scores, "a GAN needs no extra"


@pytest.mark.slow
def test_data_may_be_compared_by_pixels(tmp_path: Path) -> None:
    small = {"network": {"kind": "mlp", "hidden": [16]}, "latent": 4}
    changes = {"data": {"name": "shapes", "size": 16}, "model": small, "train": SHORT["train"]}
    run = Session.start("vae", out=tmp_path / "run", changes=changes).run()
    found = {score.metric: score for score in evaluate.evaluate(run, n=60, extractor=Pixels(run.shape)).scores}
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
    clean, mixed = (disentanglement(z, sprites, seed=1) for z in (codes, turned))
    for name in ("mutual_information_gap", "factor_vae", "dci_disentanglement", "dci_completeness"):
        assert clean[name] > 0.9, name
        assert mixed[name] < 0.8, name
    still = {**sprites.factors, "angle": torch.zeros(1000)}
    assert disentanglement(codes, replace(sprites, factors=still), seed=1) == clean, "the angle does not count"


def test_data_without_factors_has_no_disentanglement() -> None:
    digits = data.load(Data(name="digits"))
    with pytest.raises(DataError, match="digits has no known factors"):
        disentanglement(torch.zeros(len(digits.test), 2), digits.test)


# ------------------------------------------------------------------------------------------------- the file


def test_the_file_is_as_agreed(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(runs["gan"]), "--n", "50", "--seed", "2"]) == 0
    said = capsys.readouterr()
    assert "frechet_distance_floor" in said.out
    assert Classifier.load("digits").digest[:12] in said.out
    assert max(len(line) for line in said.out.splitlines() if "  " in line) <= 80, "the table"
    assert str(runs["gan"] / "evaluation.json") in said.out.replace("\n", "")
    content = json.loads((runs["gan"] / "evaluation.json").read_text())
    assert set(content) == {"scores"}
    for score in content["scores"]:
        interval = ["interval"] if score["metric"] == "kernel_distance" else []
        assert list(score) == ["metric", "value", "unit", "split", "n", "features", "seed", *interval]
    loaded = load(runs["gan"] / "evaluation.json")
    assert load(save(loaded, tmp_path / "again.json")) == loaded
    kernel = next(score for score in loaded if score.metric == "kernel_distance")
    assert kernel.interval is not None
    assert kernel.interval[0] < kernel.value < kernel.interval[1]
    assert content["scores"][0]["features"].startswith("digits:")
    assert (content["scores"][0]["n"], content["scores"][0]["seed"]) == (50, 2)


def test_a_single_file_of_weights_is_evaluated_too(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    assert cli.main(["evaluate", str(runs["gan"] / "model.safetensors"), "--n", "20", "--out", str(out)]) == 0
    assert load(out)


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


RECORD = {"metric": "l1", "value": 0.5, "unit": "share", "split": "test", "n": 9, "features": None, "seed": 0}
WRONG: list[dict[str, object]] = [
    {"value": "0.5"}, {"value": True}, {"value": None}, {"value": 10**400}, {"value": math.nan}, {"n": 9.5}, {"n": -1},
    {"n": 10**30}, {"metric": 1}, {"metric": "l1\x1b[31m"}, {"metric": "l" * 1000}, {"features": "a\nb"}, {"seed": "0"},
    {"interval": [1]}, {"interval": [0, "1"]}, {"prior": 0},
]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"scores": 1}', b'{"scores": []}', b'{"scores": [1]}',
        b'{"scores": [{"metric": "elbo"}]}', *(json.dumps({"scores": [RECORD | wrong]}).encode() for wrong in WRONG),
    ],
    ids=lambda content: content[:60].decode(errors="replace"),
)  # fmt: skip
def test_a_foreign_file_of_scores_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_bytes(content)
    with pytest.raises(RunError, match="is not a file of scores"):
        load(tmp_path / "scores.json")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["sparse", "pipe", "folder"])
def test_what_is_not_a_small_file_is_not_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    if kind == "sparse":
        path.touch()
        os.truncate(path, 20 * 2**30)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(RunError, match="is not a file of scores"):
        load(path)


def test_a_file_of_scores_by_hand_is_read(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(json.dumps({"scores": [RECORD, RECORD | {"interval": [0, 1], "value": 1}]}))
    plain, with_interval = load(tmp_path / "scores.json")
    assert (plain.value, plain.interval) == (0.5, None)
    assert with_interval.interval == (0.0, 1.0)


def test_a_named_file_is_overwritten_only_with_force(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mine.json", "mine.html"):
        (tmp_path / name).write_text("mine")
        command = ["evaluate", str(runs["gan"]), "--n", "20", "--out", str(tmp_path / "mine.json")]
        assert cli.main(command) == 2
        assert f"{tmp_path / name} exists already" in capsys.readouterr().err
        assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
        (tmp_path / name).unlink()
    (tmp_path / "mine.json").write_text("mine")
    assert cli.main([*command, "--force"]) == 0
    assert load(tmp_path / "mine.json")


# ------------------------------------------------------------------------------------------ what cannot be measured


@pytest.mark.parametrize(
    ("train", "test", "advice"),
    [
        (9, 2, "Train again on at least 20 images."), (18, 2, "--data.test 0.5"), (90, 5, "--data.test 0.11"),
        (9, 500, "Train again on more images."),
    ],
)  # fmt: skip
def test_the_advice_about_too_few_images_works(
    train: int, test: int, advice: str, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = data.load(Data(name="digits")).train
    images = digits.take(torch.arange(train + test))

    def run_on(share: float) -> Run:
        run = Run.open(runs["gan"])
        run.__dict__["splits"] = data.Splits(*images.divide(share, 0))
        return run

    with pytest.raises(DataError, match="at least 10 training and 10 test images") as caught:
        check(run_on(test / (train + test)), 10)
    assert advice in str(caught.value)
    if "--data.test" in advice:
        check(run_on(float(advice.split()[-1])), 10)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(value: float, runs: dict[str, Path]) -> None:
    run = Run.open(runs["cgan"])
    next(run.model.parameters()).view(-1)[0] = value
    for measured in (lambda: evaluate.evaluate(run, n=20), lambda: downstream.measure(run, repeats=1, steps=1)):
        with pytest.raises(RunError, match=r"weights .* are NaN or infinite"):
            measured()


@pytest.mark.parametrize("family", ["vae"])
def test_weights_that_give_nothing_finite_are_refused(family: str, runs: dict[str, Path]) -> None:
    run = Run.open(runs[family])
    for weights in run.model.parameters():
        weights.fill_(1e38)
    with pytest.raises(RunError, match=r"weights are unusable. Train it again."):
        evaluate.evaluate(run, n=20)


# ------------------------------------------------------------------------------------------------ a metric of one's own


def test_a_part_from_outside_is_measured(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_registered", {})
    monkeypatch.setattr(meanings, "MEANINGS", dict(meanings.MEANINGS))
    brightness = declare("brightness", "Mine", "share", "Mean brightness of the samples.", "higher")

    def measure(evidence: Evidence) -> Iterator[Score]:
        yield evidence.sample_score(brightness, float(evidence.samples.add(1).mean()) / 2, split="generated")

    part = register(Part("brightness", lambda evidence: evidence.can_sample, measure))
    (*_, last) = evaluate.evaluate(Run.open(runs["gan"]), n=20).scores
    assert (last.metric, last.unit, last.n, last.split) == ("brightness", "share", 20, "generated")
    assert 0 < last.value < 1
    assert meanings.by_group(["brightness", "l1"]) == {meanings.IMAGES: ["l1"], "Mine": ["brightness"]}
    assert "brightness" not in {score.metric for score in evaluate.evaluate(Run.open(runs["autoencoder"]), n=20).scores}
    register(part)
    with pytest.raises(ConfigError, match="has a part 'samples' already"):
        register(replace(part, name="samples"))
    with pytest.raises(ConfigError, match="A metric 'l1' is declared already"):
        declare("l1", "Mine", "share", "Something else.")


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
