"""Stacked MNIST: what a stack is made of, the shares of its modes, its features, and the count of modes of a run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from simulacra import data, features, images
from simulacra.config import Data
from simulacra.data import Dataset, stacked
from simulacra.evaluation import modes
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.features import Classifier, Classifying, StackedDigits
from simulacra.training.session import Session
from tests.conftest import SHORT

PIXELS = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1).expand(10, 1, 4, 4)
PLAIN = Dataset("plain", PIXELS, torch.arange(10), tuple("0123456789"))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_label_names_the_digits_of_the_channels() -> None:
    found = stacked.stack(PLAIN, 500, seeded())
    assert found.images.shape == (500, 3, 4, 4)
    assert found.labels is not None
    digits = found.images[:, :, 0, 0].long()
    assert torch.equal(found.labels, digits @ torch.tensor([100, 10, 1]))
    assert found.classes[int(found.labels[0])] == "".join(map(str, digits[0].tolist()))
    assert abs(float(torch.corrcoef(digits.T.double())[0, 1:].abs().max())) < 0.15, "drawn independently"


def test_the_shares_of_modes_are_products_of_those_of_digits() -> None:
    shares = stacked.mode_shares(torch.tensor([0, 999, 999, 123]))  # of 12 digits: three 0, six 9, one each of 1, 2, 3
    assert float(shares.sum()) == pytest.approx(1)
    assert float(shares[909]) == pytest.approx(6 * 3 * 6 / 12**3)
    assert float(shares[321]) == pytest.approx(1 / 12**3)
    assert float(shares[4]) == 0


def test_the_set(data_root: Path) -> None:
    splits = data.load(Data(name="stacked-mnist"), data_root)
    assert splits.train.images.shape == (60_000, 3, 28, 28)
    assert splits.test.images.shape == (10_000, 3, 28, 28)
    for part in (splits.train, splits.test):
        assert part.labels is not None
        assert len(torch.unique(part.labels)) == 1000, "every mode occurs"
    again = data.load(Data(name="stacked-mnist"), data_root)
    assert torch.equal(again.test.images, splits.test.images)
    extractor = StackedDigits()
    few = images.from_bytes(splits.test.images[:1000])
    right = extractor.probabilities(few).argmax(1) == splits.test.labels[:1000]
    assert float(right.double().mean()) > 0.96, "three digits at 99.3 % each"


def test_it_is_where_mnist_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SIMULACRA_DATA", raising=False)
    assert data.SOURCES["stacked-mnist"].where(tmp_path) is data.SOURCES["mnist"].where(tmp_path) is None


def test_features_and_modes_are_read_channel_by_channel() -> None:
    x = torch.rand(5, 3, 28, 28, generator=seeded()) * 2 - 1
    extractor, digit = StackedDigits(), Classifier.load("mnist")
    assert isinstance(extractor, Classifying)
    found = extractor.features(x)
    assert found.shape == (5, extractor.dimensions)
    assert torch.allclose(found[:, 64:128], digit.features(x[:, 1:2]))
    probabilities = extractor.probabilities(x)
    assert torch.allclose(probabilities.sum(1), torch.ones(5), atol=1e-5)
    names = [digit.probabilities(x[:, c : c + 1]).argmax(1) for c in range(3)]
    assert torch.equal(probabilities.argmax(1), 100 * names[0] + 10 * names[1] + names[2])
    assert extractor.digest != digit.digest
    found = features.extractor("stacked-mnist", data.Splits(PLAIN, PLAIN))
    assert not isinstance(found, StackedDigits), "grey has no digits"


@pytest.mark.slow
def test_a_run_that_paints_one_mode_has_one_mode(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"data": {"name": "stacked-mnist"}, "train": SHORT["train"]}
    run = Session.start("gan-mlp", out=tmp_path / "run", changes=changes, data_root=data_root).run()
    real = images.from_bytes(run.splits.test.images[:260])
    assert run.splits.train.labels is not None
    assert run.splits.test.labels is not None
    share = float(stacked.mode_shares(run.splits.train.labels)[run.splits.test.labels[7]])

    def painting(pictures: Tensor) -> dict[str, Score]:
        monkeypatch.setattr(modes.generate, "sample", lambda model, n, seed, prior: pictures[:n])
        return {score.metric: score for score in modes.measure(Evidence(run, 100))}

    one, many = painting(real[7:8].repeat(260, 1, 1, 1)), painting(real)
    assert (one["modes"].value, one["modes"].n, one["modes"].unit) == (1, 260, "modes")
    assert one["reverse_kl"].value == pytest.approx(-math.log(share), rel=1e-6)
    assert many["modes"].value == pytest.approx(len(run.splits.test.labels[:260].unique()), abs=5)
    assert many["reverse_kl"].value < one["reverse_kl"].value / 2
