"""Anomaly detection: scores are the error of what the model redraws, thresholds keep their promise, folders tell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from simulacra import Run, cli, images
from simulacra.errors import ConfigError
from simulacra.steering import anomaly
from simulacra.training.session import train
from tests.conftest import SHORT
from tests.test_invert import Linear


def test_the_score_is_the_squared_error_that_the_model_leaves() -> None:
    """A linear decoder inverts to the orthogonal projection; where one pixel differs by 1 the map spreads 1 over 9."""
    model = Linear()
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    x = model.decode(z).detach()
    x[0, 0, 4, 4] += 1
    found = anomaly.anomaly(model, x, steps=400)
    expected = (x - found.redrawn).square().mean(1, keepdim=True) / 4
    assert found.scores.argmax() == 0
    assert torch.allclose(found.heat[:, :, 4, 4].square(), expected[:, :, 3:6, 3:6].mean((2, 3)), atol=1e-7)
    assert torch.allclose(found.scores, found.heat.square().mean((1, 2, 3)))


def test_a_threshold_is_the_kth_highest_of_normal_scores() -> None:
    scores = torch.arange(99.0)
    assert anomaly.threshold(scores, 0.01) == 98
    assert anomaly.threshold(scores, 0.05) == 94
    with pytest.raises(ConfigError, match=r"at least 199. Choose --rate 0\.01 or more"):
        anomaly.threshold(scores, 0.005)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        anomaly.threshold(scores, 1.0)


def test_new_normal_images_exceed_a_threshold_as_rarely_as_promised() -> None:
    generator = torch.Generator().manual_seed(1)
    rates = []
    for _ in range(500):
        limit = anomaly.threshold(torch.rand(199, generator=generator), 0.1)
        rates.append((torch.rand(200, generator=generator) > limit).double().mean())
    assert float(torch.stack(rates).mean()) == pytest.approx(0.1, abs=0.005)


def test_folders_say_what_is_anomalous() -> None:
    labels = anomaly.truth(["good/1.png", "crack/1.png", "set/good/2.png", "set/hole/1.png"])
    assert labels is not None
    assert labels.tolist() == [0, 1, 0, 1]
    assert anomaly.truth(["a.png", "b.png"]) is None
    assert anomaly.truth(["good/a.png", "good/b.png"]) is None


def test_separation_of_known_scores() -> None:
    """Of the four pairs of an anomalous and a normal image three are in order; precision is 1 and 2/3 at the hits."""
    scores, labels = torch.tensor([0.9, 0.5, 0.4, 0.1]), torch.tensor([1, 0, 1, 0])
    found = anomaly.separation(scores, labels)
    assert found["auroc"] == pytest.approx(3 / 4)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("quickstart", out=tmp_path_factory.mktemp("runs") / "vae", changes=SHORT)


def test_the_verb_writes_a_sheet_and_a_table(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, image in enumerate(-run.examples(3)):
        images.save(image, tmp_path / "in" / "bad" / f"{index}.png")
    for index, image in enumerate(run.examples(5)):
        images.save(image, tmp_path / "in" / "good" / f"{index}.png")
    words = ["anomaly", str(run.path), str(tmp_path / "in"), "--rate", "0.05", "--out", str(tmp_path / "a.png")]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "a.csv").open(encoding="utf-8")))
    scores = torch.tensor([float(row["score"]) for row in rows])
    assert len(rows) == 8
    assert torch.equal(scores, scores.sort(descending=True).values)
    flagged = sum(row["anomalous"] == "1" for row in rows)
    assert f"{flagged} of 8 pictures score above" in said
    labels = anomaly.truth([row["name"] for row in rows])
    assert labels is not None
    assert f"auroc {anomaly.separation(scores, labels)['auroc']:.3f}" in said
    assert (tmp_path / "a.png").is_file()
    assert cli.main(words) == 2
    assert "--force" in capsys.readouterr().err


def test_too_few_normal_pictures_are_said(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images.save(run.examples(1)[0], tmp_path / "1.png")
    words = ["anomaly", str(run.path), str(tmp_path / "1.png"), "--rate", "0.0001", "--out", str(tmp_path / "a.png")]
    assert cli.main(words) == 2
    assert "Choose --rate" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
