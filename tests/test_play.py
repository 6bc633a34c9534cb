"""The game by hand: its rounds are the trainer's, who holds still does not move, every family can be played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from simulacra.models import FAMILIES
from simulacra.training import setup
from simulacra.training.hand import ByHand
from simulacra.training.trainer import Trainer

pytest.importorskip("fastapi", reason="needs the extra studio")
from starlette.testclient import TestClient

from simulacra.studio import play, playground
from simulacra.studio.app import build
from simulacra.studio.settings import Settings

SMALL = {"train": {"images": 1_000, "batch": 8, "precision": "float32"}, "data": {"name": "digits"}}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(build(Settings(tmp_path_factory.mktemp("play"))), base_url="http://localhost") as opened:
        yield opened


def asked(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(f"/api/play/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def prepared(recipe: str, kind: type[Trainer]) -> Any:
    plan = setup.prepare(recipe, SMALL, Path("nowhere"))
    return kind(plan.trainer.model, plan.trainer.loader, plan.values.train, seed=3)


def weights(trainer: Trainer, player: str) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.parameters[player]])


def test_rounds_by_hand_are_those_of_the_trainer_to_the_last_bit() -> None:
    steady, by_hand = prepared("gan-mlp", Trainer), prepared("gan-mlp", ByHand)
    for _ in range(3):
        steady.advance()
    turns = []
    for _ in range(6):
        turns.append(by_hand.round().turn)
        torch.rand(3)  # others draw from the same generator in between
    assert turns == [("discriminator",), ("generator",)] * 3
    for player in steady.parameters:
        assert torch.equal(weights(steady, player), weights(by_hand, player))


def test_who_holds_still_has_a_turn_and_does_not_move() -> None:
    by_hand = prepared("gan-mlp", ByHand)
    before = {player: weights(by_hand, player) for player in by_hand.parameters}
    played = [by_hand.round(still={"generator"}) for _ in range(4)]
    assert [one.moved for one in played] == [("discriminator",), (), ("discriminator",), ()]
    assert torch.equal(weights(by_hand, "generator"), before["generator"])
    assert not torch.equal(weights(by_hand, "discriminator"), before["discriminator"])
    assert all(parameter.grad is None for parameter in by_hand.parameters["generator"])


def test_every_family_is_offered() -> None:
    assert {one["name"] for one in play.families()} >= set(FAMILIES) - {"not shipped"}


@pytest.mark.parametrize("family", ["vae", "bigan", "cyclegan"])
def test_a_round_is_played_with_pictures_before_and_after(client: TestClient, family: str) -> None:
    game = asked(client, "games", family=family)
    found = asked(client, f"games/{game['id']}/rounds", n=2)
    assert [one["image"] for one in found["before"]] == [one["image"] for one in game["sheets"]]
    assert all(
        after["image"] != before["image"] for after, before in zip(found["sheets"], found["before"], strict=True)
    )
    turns = [one["turn"] for one in found["rounds"]]
    assert {player for turn in turns for player in turn} == set(game["players"])
    assert all(f"{player}/" in "".join(one["terms"]) for one in found["rounds"] for player in one["turn"])
    assert game["command"].startswith(f"simulacra train {family if family != 'vae' else 'vae'}")


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_plays_on_every_data_set_that_it_is_offered(client: TestClient, family: str) -> None:
    (offered,) = (one for one in play.families() if one["name"] == family)
    for data in offered["data"]:
        game = asked(client, "games", family=family, data=data)
        assert game["data"] == data
        assert len(asked(client, f"games/{game['id']}/rounds", n=3)["rounds"]) == 3


def test_six_objectives_chase_the_points_that_were_drawn(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "PATIENCE", 60.0)
    drawn = [[0.5, 0.5], [-0.5, 0.5]]
    ground = asked(client, "grounds", points=drawn, penalties={"hinge": {"kind": "r1", "weight": 0.3}})
    names = [one["objective"] for one in ground["games"]]
    assert names == ["saturating", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic"]
    assert (ground["games"][3]["penalty"], ground["games"][3]["weight"]) == ("r1", 0.3)
    assert len({str(one["points"]) for one in ground["games"]}) == 1, "all begin with the same weights"
    played = asked(client, f"grounds/{ground['id']}/steps", n=40)
    for one in played["games"]:
        assert one["step"] == 40
        high = sum(y for _, y in one["points"]) / len(one["points"])
        assert high > 0.1, f"{one['objective']} did not follow upwards"
        assert len(one["arrows"]) == 60
    moved = asked(client, f"grounds/{ground['id']}/steps", n=40, points=[[0.0, -0.7]])
    heights = [sum(y for _, y in one["points"]) / len(one["points"]) for one in moved["games"]]
    assert sum(height < 0.3 for height in heights) >= 4, heights


def test_what_was_asked_wrongly_is_refused_in_a_sentence(client: TestClient) -> None:
    assert client.post("/api/play/games", json={"family": "gn"}).json()["detail"].startswith("There is no family 'gn'")
    game = asked(client, "games", family="gan")
    still = client.post(f"/api/play/games/{game['id']}/rounds", json={"still": ["critic"]})
    assert (still.status_code, "Players: discriminator, generator." in still.json()["detail"]) == (422, True)
    for path in (f"/api/play/grounds/{game['id']}/steps", "/api/play/games/0123456789abcdef/rounds"):
        assert client.post(path, json={}).status_code == 404
    assert client.post("/api/play/grounds", json={"points": []}).status_code == 422
    without = {"points": [[0, 0]], "penalties": {"wasserstein": {"kind": "none"}}}
    assert "bounded gradient" in client.post("/api/play/grounds", json=without).json()["detail"]
