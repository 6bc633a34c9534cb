"""Models in the package: small, true to their cards, usable wherever a run is, and never written to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts import zoo as building
from simulacra import Run, cli
from simulacra.runs import zoo


def test_shipped_models_are_small_and_say_what_they_are() -> None:
    found = [zoo.shipped(name) for name in zoo.names()]
    assert found
    assert all(one.size <= building.LARGEST for one in found)
    assert sum(one.size for one in found) <= 6_000_000
    for one in found:
        assert one.licence
        assert not building.MODELS[one.name].misses(one.score)
        assert one.changes == " ".join(building.flags(building.MODELS[one.name].changes))
        assert Run.open(f"zoo:{one.name}").config.recipe == one.recipe


def test_a_score_is_refused_in_the_direction_that_is_worse() -> None:
    nats = building.Wanted("negative_elbo", 100.0, "nats", "MIT")
    share = building.Wanted("label_agreement", 0.9, "share", "MIT")
    assert [nats.misses(score) for score in (50.0, 101.0, 103.0)] == [False, False, True]
    assert [share.misses(score) for score in (1.0, 0.89, 0.85)] == [False, False, True]


def test_changes_stand_on_a_card_as_options() -> None:
    changes = {"model": {"network": {"kind": "mlp", "hidden": [8, 4]}}, "train": {"images": 64}}
    assert list(building.flags(changes)) == [
        "--model.network.kind mlp",
        "--model.network.hidden 8,4",
        "--train.images 64",
    ]


def test_a_shipped_conditional_model_draws_what_is_asked(tmp_path: Path) -> None:
    assert cli.main(["sample", "zoo:cvae", "--label", "3", "--n", "4", "--out", str(tmp_path / "threes.png")]) == 0


def test_the_score_on_a_card_is_measured_again() -> None:
    assert building.check("quickstart") == 0


def test_every_verb_takes_a_shipped_model_and_writes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(zoo.home().rglob("*"))
    for words in (["sample"], ["manifold"], ["reconstruct"], ["fit-prior"], ["export", "--format", "html"]):
        assert cli.main([words[0], "zoo:quickstart", *words[1:]]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"sample.png", "manifold.png", "reconstruct.png", "prior.safetensors", "page.html"}
    assert sorted(zoo.home().rglob("*")) == before


def test_a_training_may_start_from_a_shipped_model(tmp_path: Path) -> None:
    words = ["train", "quickstart", "--init", "zoo:quickstart", "--train.images", "640", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    assert torch.isfinite(Run.open(tmp_path / "run").sample(1)).all()


def test_the_list_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["zoo"]) == 0
    said = capsys.readouterr().out
    assert all(f"zoo:{name}" in said for name in zoo.names())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "zoo:quikstart"], "Did you mean 'zoo:quickstart'?"),
        (["sample", "zoo:"], "There is no shipped model ''."),
        (["sample", "zoo:../quickstart"], "There is no shipped model"),
        (["report", "zoo:quickstart"], "zoo:quickstart is a model without the log of its training"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


def test_a_card_tells_how_a_model_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "card.md"
    words = ["card", "zoo:quickstart", "--licence", "CC0", "--out", str(path)]
    assert cli.main(words) == 0
    text = path.read_text("utf-8")
    assert 'license: other\nlicense_name: "CC0"' in text
    assert "| family | vae |" in text
    assert "Not measured yet" in text
    assert f"]({(tmp_path / 'card-samples.png').name})" in text
    assert (tmp_path / "card-samples.png").exists()
    assert cli.main(words) == 2
    assert "exists already" in capsys.readouterr().err
