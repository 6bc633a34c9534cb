"""What a training notices about itself: samples that are alike or get worse, a discriminator that always wins, NaN."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from simulacra import Run, config
from simulacra.cli import main
from simulacra.errors import CollapseError, ConfigError, DivergenceError
from simulacra.features import Pixels
from simulacra.runs import checkpoint
from simulacra.runs.folder import DISTANCE, DIVERSITY, WARNING
from simulacra.testing.small import noise_images
from simulacra.training import watchdog
from simulacra.training.session import Session
from simulacra.training.watchdog import Watchdog
from tests import contract
from tests.conftest import SHORT

TOTAL = 200_000
LEARNING = [40.0, 28.0, 14.0, 11.0, 9.0, 8.0, 7.7, 7.6, 7.9, 7.7, 7.6]


def rows(distances: list[float], *, diversity: float = 0.6, accuracy: float = 0.7) -> list[dict[str, Any]]:
    return [
        {"images": 10_000 * (k + 1), DISTANCE: distance, DIVERSITY: diversity, "discriminator/accuracy": accuracy}
        for k, distance in enumerate(distances)
    ]


def said(log: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """What is said while a log grows, and at which of its rows."""
    alarms = [(k, watchdog.alarm(log[:k], TOTAL)) for k in range(1, len(log) + 1)]
    return [(k, sentence) for k, sentence in alarms if sentence]


def test_a_training_that_goes_well_is_left_in_peace() -> None:
    assert not said(rows(LEARNING))
    assert not said(rows([40.0, 20.0, 10.0, 5.0, 2.5, 1.3], accuracy=1.0)), "a critic may be right"
    assert not said(rows([*LEARNING, 7.6, 7.7, 7.6, 7.7], accuracy=0.99)), "a training may have come to its end"
    assert not said(rows(LEARNING[:4], diversity=0.05, accuracy=1.0)), "all samples begin alike"
    assert not said([{"images": k, "model/nll": 1.0} for k in range(9)]), "nothing was sampled"


def test_samples_that_get_worse_are_told_once() -> None:
    """The numbers of a real InfoGAN whose discriminator won."""
    found = said(rows([*LEARNING, 8.3, 10.0, 13.9, 21.0, 30.6, 38.2, 44.2]))
    assert [k for k, _ in found] == [16]
    assert "samples get worse: their distance to real images is 30.6, and was 7.6 after 80,000 images" in found[0][1]


def test_one_bad_measurement_is_no_fault() -> None:
    assert not said(rows([*LEARNING, 30.0, 7.6, 30.0, 30.0, 7.6]))


def test_a_discriminator_that_always_wins_is_told_when_samples_get_no_better() -> None:
    assert [k for k, _ in said(rows([40.0, 41.0, 40.5, *[40.2] * 5], accuracy=1.0))] == [7], "nothing was learnt"
    found = said(rows([*LEARNING, 8.3, 10.0, 11.0], accuracy=0.99))
    assert [k for k, _ in found] == [14]
    assert "the discriminator is right 99.0% of the time, and samples do not get better" in found[0][1]
    assert "Try a heavier penalty, a lower learning rate for the discriminator, or augmentation" in found[0][1]
    assert not said(rows([*LEARNING, 8.3, 10.0, 11.0], accuracy=0.96))
    assert said(rows([*LEARNING, 8.3, 10.0, 11.0], accuracy=0.975))


def test_samples_that_are_alike_are_told() -> None:
    found = said(rows([30.0] * 9, diversity=0.02))
    assert [k for k, _ in found] == [7]
    assert "samples look alike: their variance is 2.0% of that of real images" in found[0][1]


def test_another_fault_is_told_too() -> None:
    log = rows([7.0, 7.0, 7.0, 7.0, *[20.0] * 4, *[20.0] * 4])
    for row in log[-4:]:
        row[DIVERSITY] = 0.01
    assert [sentence.split(":")[0] for _, sentence in said(log)] == ["samples get worse", "samples look alike"]


def test_what_is_measured() -> None:
    data = noise_images(400, 1, 8)
    model = contract.build("gan", "mlp", data.shape)
    watch = Watchdog(data, Pixels(data.shape), seed=1)
    first = watch.measure(model)
    assert first == watch.measure(model), "the same latents and images every time"
    assert 0 < first[DIVERSITY] < 1

    real = data.images.float() / 127.5 - 1
    model.decode = lambda z: real[:0].new_zeros(len(z), 1, 8, 8)  # type: ignore[method-assign]
    assert watch.measure(model)[DIVERSITY] == 0
    model.decode = lambda z: real[torch.randperm(400)[: len(z)]]  # type: ignore[method-assign]
    assert watch.measure(model)[DIVERSITY] == pytest.approx(1, rel=0.05)
    assert watch.measure(model)[DISTANCE] < first[DISTANCE] / 2
    model.decode = lambda z: z.new_full((len(z), 1, 8, 8), float("nan"))  # type: ignore[method-assign]
    with pytest.raises(DivergenceError, match="samples became NaN"):
        watch.measure(model)


# ------------------------------------------------------------------------------------------------- in a training


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure after every two steps, also of trainings of a few."""
    monkeypatch.setattr(watchdog, "MIN_INTERVAL", 64)
    monkeypatch.setattr(watchdog, "WARM_UP_IMAGES", 0)


def start(out: Path, *, resume: bool = False, **train: Any) -> Session:
    """A small GAN; unless ``train`` says otherwise, its discriminator learns nothing."""
    changes = {
        "data": SHORT["data"],
        "model": {"generator": {"hidden": [16]}, "discriminator": {"hidden": [16]}},
        "train": config.merge({**SHORT["train"], "players": {"discriminator": {"rate": 1e-30}}}, train),  # type: ignore[dict-item]
    }
    return Session.start("gan-mlp", out=out, changes=changes, resume=resume)


def notices(session: Session) -> list[str]:
    found = []
    for _ in session:
        if session.notice:
            found.append(session.notice)
            session.notice = ""
    return found


def scripted(monkeypatch: pytest.MonkeyPatch, distances: list[float], diversity: float = 0.5) -> None:
    left: Iterator[float] = iter(distances)
    monkeypatch.setattr(Watchdog, "measure", lambda *_: {DISTANCE: next(left), DIVERSITY: diversity})


@pytest.mark.usefixtures("eager")
def test_a_generator_that_draws_one_picture_is_noticed(tmp_path: Path) -> None:
    session = start(tmp_path / "a", players={"generator": {"rate": 1e-30}})
    for model in (session.trainer.model, session.trainer.average.model):
        for parameter in model.generator.parameters():  # type: ignore[union-attr]
            parameter.data.zero_()
    found = notices(session)
    assert "Warning: samples look alike: their variance is 0.0% of that of real images." in found[0]
    assert "--resume --train.keep best" in found[0]


@pytest.mark.usefixtures("eager")
def test_a_discriminator_that_always_wins_is_noticed(tmp_path: Path) -> None:
    players = {"generator": {"rate": 1e-30}, "discriminator": {"rate": 0.03}}
    session = start(tmp_path / "a", images=1920, players=players)
    found = notices(session)
    assert "Warning: the discriminator is right" in found[0]


@pytest.mark.usefixtures("eager")
def test_warnings_are_in_the_log_and_on_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [9.0, 3.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0])
    assert len(notices(start(tmp_path / "a"))) == 1
    log = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert [row["images"] for row in log if WARNING in row] == [384]
    assert log[5][WARNING].startswith("samples get worse: their distance to real images is 8, and was 3 after 128")
    assert "samples get worse" in (tmp_path / "a" / "report.html").read_text()


@pytest.mark.usefixtures("eager")
def test_the_best_by_samples_is_kept_and_can_be_had_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distances = [9.0, 3.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0]
    scripted(monkeypatch, distances)
    start(tmp_path / "a").run()
    scripted(monkeypatch, distances)
    start(tmp_path / "b", keep="best").run()
    best = checkpoint.Checkpoints(tmp_path / "a" / "checkpoints").best()
    assert best is not None
    assert best.name == "00000004.pt"
    (tmp_path / "a" / "evaluation.json").write_text("of the last weights")
    last = Run.open(tmp_path / "a").sample(2)
    start(tmp_path / "a", resume=True, keep="best").run()
    later, at_once = Run.open(tmp_path / "a").sample(2), Run.open(tmp_path / "b").sample(2)
    assert torch.equal(later, at_once)
    assert not torch.equal(later, last)
    assert not (tmp_path / "a" / "evaluation.json").exists()


@pytest.mark.usefixtures("eager")
def test_rolling_back_goes_to_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [9.0, 3.0, 4.0, 8.0, 8.0, 8.0, *[2.0] * 8])
    session = start(tmp_path / "a", collapse="roll_back")
    found = notices(session)
    assert len(found) == 1
    assert "Training collapsed: samples get worse" in found[0]
    assert "Rolled back to step 4; continuing with 0.5 times the learning rate." in found[0]
    assert session.trainer.retry == 1
    log = Run.open(tmp_path / "a").history()
    assert [row["images"] for row in log] == [64, 128, 128, *range(192, 641, 64)]
    assert log[2][WARNING] == found[0]


@pytest.mark.usefixtures("eager")
def test_a_hopeless_collapse_ends_with_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [9.0, 3.0, *[8.0] * 30])
    session = start(tmp_path / "a", collapse="roll_back", keep="best")
    with pytest.raises(CollapseError, match=r"after 2 roll-backs.*00000004\.pt") as caught:
        session.run()
    assert caught.value.exit_status == 3
    state = checkpoint.load(tmp_path / "a" / "checkpoints" / "00000004.pt")
    model = Run.open(tmp_path / "a").model.state_dict()
    assert all(torch.equal(model[name], tensor) for name, tensor in state["average"].items())
    resumed = start(tmp_path / "a", resume=True, collapse="warn", keep="best")
    assert resumed.trainer.step == 4, "a resumed run goes on from the weights that were rolled back to"


def test_a_family_with_a_score_needs_held_out_images_to_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.validation"):
        Session.start("quickstart", out=tmp_path / "a", changes=config.merge(SHORT, {"train": {"keep": "best"}}))
    assert not (tmp_path / "a").exists()


def test_the_command_line_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], eager: None
) -> None:
    scripted(monkeypatch, [9.0, 3.0, *[8.0] * 8])
    options = [f"--train.{name}={value}" for name, value in SHORT["train"].items()]  # type: ignore[attr-defined]
    options += ["--model.generator.hidden=16,", "--model.discriminator.hidden=16,"]
    assert main(["train", "gan-mlp", "--data", "digits", "--out", str(tmp_path / "a"), *options]) == 0
    out = capsys.readouterr().out
    assert "Warning: samples get worse" in out
    command = out.split("to use them: simulacra ")[1].splitlines()[0].split()
    assert main(command) == 0
    assert config.parse(config.loads((tmp_path / "a" / "config.toml").read_text())).train.keep == "best"
