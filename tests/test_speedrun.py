"""The speed run: goals that are known recipes, a training that ends where it passes, and what it costs."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from simulacra import cli, config
from simulacra.bench import speedrun
from simulacra.errors import SimulacraError

SMALL = {"data": {"name": "digits"}, "train": {"images": 1_024, "batch": 16, "sheet": 1_024, "checkpoint": 1_024}}


@pytest.mark.parametrize("name", speedrun.GOALS)
def test_every_goal_is_a_recipe_with_these_settings(name: str) -> None:
    goal = speedrun.GOALS[name]
    assert config.parse(config.merge(config.recipe(name).values, goal.changes)).recipe == name
    assert goal.value({"images": 3}) is None


def test_a_score_is_a_sum_of_logged_terms() -> None:
    goal = speedrun.Goal("a score", 1.0, "nowhere", {"test/nll": 1 / 784, "test/kl": 1 / 2000})
    assert goal.value({"test/nll": 784 * 0.2, "test/kl": 20.0}) == pytest.approx(0.2 + 0.01)


@pytest.mark.parametrize(("below", "passed", "images"), [(0.0, False, 1_024), (math.inf, True, 64)])
def test_a_training_ends_where_it_passes(
    below: float, passed: bool, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(speedrun.GOALS, "vae-mlp", replace(speedrun.GOALS["vae-mlp"], below=below))
    found = speedrun.train("vae-mlp", 0, changes=SMALL)
    assert (found.passed, found.images) == (passed, images)
    assert found.score > 0
    assert found.seconds > 0


def test_a_training_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> SimpleNamespace:
        return SimpleNamespace(returncode=1, stderr="Traceback\nDataError: no data", stdout="")

    monkeypatch.setattr(speedrun.subprocess, "run", killed)
    with pytest.raises(SimulacraError, match="vae-mlp with seed 2 failed: DataError: no data"):
        speedrun.run("vae-mlp", 2)


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        speedrun, "run", lambda name, seed, _: speedrun.Outcome(name, seed, 30.0 + seed, 480_000, 246.5, passed=True)
    )
    assert cli.main(["bench", "speedrun", "vae-mlp", "--seeds", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["vae-mlp", "1", "31.0", "480,000", "246.5", "247", "yes"]


def test_the_list_of_goals(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "speedrun", "--list"]) == 0
    assert "test -ELBO in nats" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vae-mpl"], "There is no goal for 'vae-mpl'. Did you mean 'vae-mlp'?"),
        (["--page", "a.md"], "leave out --page and --out."),
    ],
)
def test_mistakes(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "speedrun", *words]) == 2
    assert said in capsys.readouterr().err
