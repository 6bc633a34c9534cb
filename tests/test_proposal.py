"""From a folder of pictures to a plan, and from the plan to a run with pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from simulacra import cli, images
from simulacra.errors import DataError
from simulacra.training import proposal

TINY = {
    "model": {"latent": 4, "network": {"kind": "conv", "widths": [4, 8], "strides": [2, 2]}},
    "train": {"batch": 16, "precision": "float32"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-eight colour pictures of 24 x 24 pixels: squares of one colour on white."""
    path, generator = tmp_path_factory.mktemp("squares"), torch.Generator().manual_seed(0)
    for index in range(48):
        x = torch.ones(3, 24, 24)
        top, left = torch.randint(2, 12, (2,), generator=generator).tolist()
        x[:, top : top + 10, left : left + 10] = torch.rand(3, 1, 1, generator=generator) * 2 - 1
        images.save(x, path / f"{index:02}.png")
    return path


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal, "PROBED", 0.05)


def test_the_proposal_follows_the_pictures_and_the_time(folder: Path) -> None:
    found = proposal.propose(folder, 0.05, TINY)
    assert found.changes["data"] == {"size": 24, "channels": 3}
    assert found.images <= 0.05 * 60 * found.rate
    assert found.images % 10 == 0 or found.images < 100
    lines = "\n".join(found.lines(Path("runs/squares")))
    assert "48 pictures" in lines
    assert "few to learn from" in lines
    assert "That is short" in lines
    assert f"{found.images:,} images" in lines
    assert "simulacra train pictures --data" in lines


def test_lengths_are_bounded_by_passes(folder: Path) -> None:
    found = proposal.propose(folder, 60 * 24, TINY)
    assert found.passes <= proposal.MOST_PASSES
    assert found.changes["data"]["size"] == 24


def test_damaged_files_are_named_and_left_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "set")
    (tmp_path / "set" / "00.png").write_bytes(b"damaged")
    found = proposal.propose(tmp_path / "set", 1, {**TINY, "train": {**TINY["train"], "images": 64}})
    said = "\n".join(found.lines(Path("out")))
    assert "00.png" in said
    assert "Files that cannot be read are left out." in said
    assert "about a minute" in said
    assert "--data.corrupt=skip" in said


def test_every_choice_can_be_overridden(folder: Path) -> None:
    changes = {**TINY, "data": {"size": 16, "channels": 1}, "train": {**TINY["train"], "images": 64}}
    found = proposal.propose(folder, 5, changes)
    assert found.changes["data"] == {"size": 16, "channels": 1}
    assert found.images == 64
    assert 0 < found.changes["model"]["start"] < 64 / 16, "the discriminator joins in"
    assert "16 x 16 pixels in grey" in "\n".join(found.lines(Path("out")))


@pytest.mark.parametrize(
    ("count", "said"),
    [(50, "few to learn from"), (255, "not new designs"), (5_000, "resemble"), (50_000, "mixed anew")],
)
def test_what_to_expect_depends_on_the_count(count: int, said: str) -> None:
    assert said in proposal.expectation(count)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    for index in range(3):
        images.save(torch.zeros(3, 16, 16), tmp_path / f"{index}.png")
    with pytest.raises(DataError, match="at least 16"):
        proposal.propose(tmp_path, 1, TINY)


WORDS = [
    "--model.latent",
    "4",
    "--model.network.widths",
    "4,8",
    "--model.network.strides",
    "2,2",
    "--train.batch",
    "16",
]


def test_quickstart_of_a_folder_ends_with_pictures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["quickstart", str(folder), "--minutes", "0.02", *WORDS, "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "The same as: simulacra train pictures" in said
    assert not (tmp_path / "run").exists()
    assert cli.main(words) == 0
    assert (tmp_path / "run" / "walk.gif").is_file()
    assert (tmp_path / "run" / "report.html").is_file()
    command = said.split("The same as: simulacra ")[1].splitlines()[0].split()
    assert command[:3] == ["train", "pictures", "--data"]
    _writes_its_report_again(tmp_path / "run", capsys)


def _writes_its_report_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "report.html").unlink()
    assert cli.main(["report", str(run)]) == 0
    assert "nearest training images" in (run / "report.html").read_text()
    capsys.readouterr()
    assert cli.main(["report", str(run / "model.safetensors")]) == 2
    assert "Name the run folder" in capsys.readouterr().err


@pytest.mark.slow
def test_train_auto_is_the_same(folder: Path, tmp_path: Path) -> None:
    words = ["train", "auto", "--data", str(folder), "--minutes", "0.02", *WORDS, "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    assert (tmp_path / "run" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["quickstart", "absent"], "There is no folder or zip absent"),
        (["quickstart", "--minutes", "3"], "simulacra quickstart PATH --minutes"),
        (["quickstart", "--model.latent", "3"], "simulacra quickstart PATH --model.latent"),
        (["train", "auto"], "train auto --data PATH"),
        (["train", "vae", "--minutes", "3"], "--train.images N"),
    ],
)
def test_mistakes_are_answered(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err
