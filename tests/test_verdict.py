"""Noise, one repeated picture, blurred copies and copies of the training images are each called what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from simulacra import Run, images
from simulacra.evaluation import samples, verdict
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.features import Pictures
from simulacra.features.corruption import blur
from simulacra.training.session import train

SMALL = {"kind": "conv", "widths": [4], "norm": "none"}
CHANGES = {
    "data": {"size": 32, "channels": 3},
    "model": {"latent": 4, "generator": SMALL, "discriminator": SMALL},
    "train": {"images": 32, "batch": 16, "log": 16, "precision": "float32", "ema": 0},
}


def small_run(data: str, out: Path) -> Run:
    return train("gan", data=data, out=out, changes=CHANGES)


@pytest.fixture(scope="module", params=["shapes", pytest.param("emoji", marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = "shapes"
    if request.param == "emoji":
        root = request.getfixturevalue("data_root")
        data = str(extracted(root / "emoji-noto2twemoji.zip", tmp_path_factory.mktemp("emoji")))
    return small_run(data, tmp_path_factory.mktemp("runs") / "gan")


def extracted(archive: Path, folder: Path) -> Path:
    """One style of the emoji: a training split, and test pictures of other code points."""
    import zipfile

    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            part, _, rest = name.partition("/")
            split = {"trainA": "train", "testA": "test", "valA": "test"}.get(part)
            if split and rest:
                (folder / split).mkdir(exist_ok=True)
                (folder / split / rest).write_bytes(file.read(name))
    return folder


def judged(run: Run, fake: Tensor) -> tuple[dict[str, Score], list[str]]:
    evidence = Evidence(run, 250, 0, Pictures(), None, lambda _: None)
    evidence.__dict__["samples"] = fake[: len(evidence.x)]
    found = list(samples.measure(evidence))
    return {score.metric: score for score in found}, verdict.faults(found)


def training_images(run: Run, count: int = 250) -> Tensor:
    return images.from_bytes(run.splits.train.images[:count])


def test_pictures_of_the_same_kind_have_no_faults(run: Run) -> None:
    """Other real pictures: those of the test split that were not measured would be too few, so half of the training."""
    evidence = Evidence(run, 250, 0, Pictures(), None, lambda _: None)
    known = evidence.known
    half = len(known) // 2
    evidence.__dict__["known"] = known[half:]
    evidence.__dict__["samples"] = training_images(run, half)[: len(evidence.x)]
    assert verdict.faults(samples.measure(evidence)) == []


def test_noise_is_called_noise(run: Run) -> None:
    noise = torch.randn(250, 3, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    scores, faults = judged(run, noise)
    assert any("noisy" in fault for fault in faults)
    assert any("do not look like the pictures" in fault for fault in faults)
    assert scores["recall"].value == 0


def test_one_picture_repeated_is_called_alike(run: Run) -> None:
    fake = training_images(run, 1).expand(250, -1, -1, -1)
    _, faults = judged(run, fake + 0.01 * torch.randn(250, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert any("look alike" in fault for fault in faults)


def test_blurred_copies_are_called_blurred(run: Run) -> None:
    _, faults = judged(run, blur(training_images(run), 2, torch.Generator()))
    assert any("blurred" in fault for fault in faults)


def test_copies_are_called_copies(run: Run) -> None:
    scores, faults = judged(run, training_images(run))
    assert scores["copy_ratio"].value == pytest.approx(0, abs=1e-4)
    assert scores["memorisation"].value == 1
    assert len(faults) == 1
    assert "copies of training pictures" in faults[0]


def test_few_test_images_are_warned_of() -> None:
    distance = Score("frechet_distance", 3.0, "distance^2", "test", 100, None, 0)
    floor = Score("frechet_distance_floor", 1.0, "distance^2", "test", 100, None, 0)
    assert "read the kernel distance" in verdict.sentences([distance, floor])[0]
    many = [Score(score.metric, score.value, score.unit, "test", 1000, None, 0) for score in (distance, floor)]
    assert verdict.sentences(many) == []
