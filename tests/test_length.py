"""Lengths in epochs and minutes: what they become, that a resumed run keeps it, and what is said of an odd one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulacra import config
from simulacra.errors import ConfigError, InterruptedTraining
from simulacra.training import length
from simulacra.training.session import Session
from tests.conftest import SHORT


def start(out: Path, *, resume: bool = False, **train: Any) -> Session:
    return Session.start("quickstart", out=out, changes=config.merge(SHORT, {"train": train}), resume=resume)


def test_epochs_become_images(tmp_path: Path) -> None:
    session = start(tmp_path / "a", epochs=0.5)
    values = session.config.train
    assert values.images == 768  # half of 1,500 images, in whole batches of 32
    assert (values.epochs, values.minutes) == (None, None)
    assert values.log == 32
    assert (values.sheet, values.checkpoint, values.score) == (76, 76, 153)
    session.run()
    assert start(tmp_path / "a", epochs=0.5, resume=True).trainer.finished


def test_minutes_become_images_by_the_measured_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(length, "speed", lambda trainer, seconds: 100.0)
    session = start(tmp_path / "a", minutes=1)
    assert session.config.train.images == 5_120  # 85 % of 6,000, in whole batches of 32
    assert session.config.train.log == 64
    session.folder.unlock()
    monkeypatch.setattr(length, "speed", lambda *_: pytest.fail("the speed was measured again"))
    assert start(tmp_path / "a", minutes=1, resume=True).config == session.config


def test_the_speed_is_images_per_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = start(tmp_path / "a").trainer
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    advance = trainer.advance

    def slowly() -> None:
        clock[0] += 0.25
        advance()

    monkeypatch.setattr(trainer, "advance", slowly)
    assert length.speed(trainer, 2.0) == pytest.approx(32 / 0.25)
    assert trainer.step == length.WARM_UP + 8


def test_a_probe_leaves_the_weights_as_they_begin(tmp_path: Path) -> None:
    probed, plain = start(tmp_path / "a", minutes=0.01), start(tmp_path / "b")
    states = [session.trainer.model.state_dict() for session in (probed, plain)]
    assert all(bool((states[0][name] == states[1][name]).all()) for name in states[0])
    assert probed.trainer.step == 0


def test_two_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Give one of them"):
        start(tmp_path / "a", minutes=1, epochs=1)
    assert not (tmp_path / "a").exists()


def test_sheets_at_doubling_distances(tmp_path: Path) -> None:
    start(tmp_path / "a", sheets="doubling").run()
    drawn = [int(path.stem) * 32 for path in sorted((tmp_path / "a" / "samples").iterdir())]
    assert drawn == [0, 64, 128, 256, 512, 640]


def test_sheets_are_at_the_same_moments_after_a_resume(tmp_path: Path) -> None:
    session = start(tmp_path / "a", sheets="doubling")
    with pytest.raises(InterruptedTraining):
        for progress in session:
            session.trainer.interrupted = progress.images == 192
    start(tmp_path / "a", sheets="doubling", resume=True).run()
    drawn = [int(path.stem) * 32 for path in sorted((tmp_path / "a" / "samples").iterdir())]
    assert drawn == [0, 64, 128, 256, 512, 640]


@pytest.mark.parametrize(
    ("images", "batch", "count", "expected"),
    [
        (640_000, 64, 60_000, ["10,000 steps of 64 images: 10.7 passes"]),
        (40_000, 128, 1_000, ["313 steps", "--train.images 256_000"]),
        (1_800_000, 64, 229, ["28,125 steps", "seen more than 2,000 times"]),
    ],
)
def test_an_odd_length_is_said(images: int, batch: int, count: int, expected: list[str]) -> None:
    lines = length.remarks(config.Train(images=images, batch=batch), count)
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))
