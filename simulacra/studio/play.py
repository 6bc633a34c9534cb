"""The game by hand: any family on a small data set, a round at a time, with pictures before and after.

A game lives in memory alone and writes nothing. It is played by the package's own trainer.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import config, images
from simulacra.data import Dataset, Splits, derived_seed
from simulacra.data.dataset import Images, Labelled
from simulacra.errors import ConfigError, RunError, nearest
from simulacra.models import FAMILIES, Generative, Inferential, Translating
from simulacra.steering import generate
from simulacra.studio import asks, pictures
from simulacra.studio.commands import command
from simulacra.studio.learn import recipes
from simulacra.training import setup
from simulacra.training.hand import ByHand, Played

MOST = 8  # games in memory
SHOWN = 16  # samples of a game
COMPARED = 8  # pictures that are reconstructed or translated
PATIENCE = 6.0  # seconds after which a request for many rounds is answered with those that were played
SMALL = {"digits": 8, "shapes": 16}  # data sets and their side in pixels
FEW = 8  # pictures of a batch where two domains are translated
MANY = 48  # otherwise
BORROWED = {"iwae": "vae-mlp", "ali": "bigan", "dfcvae": "pictures"}  # families without a recipe of their own


@dataclass
class Game:
    """A family that is being played: its trainer, and the pictures that it drew last."""

    id: str
    family: str
    data: str
    trainer: ByHand
    splits: Splits
    last: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> list[dict[str, Any]]:
        """Sheets of the model as it is now: of the same latents and the same pictures each time."""
        model = self.trainer.model.eval()
        found = []
        with torch.no_grad():
            if isinstance(model, Generative):
                found.append(("samples", generate.sample(model, SHOWN, seed=derived_seed("play")), SHOWN // 2))
            if isinstance(model, Inferential):
                x = images.from_bytes(self.splits.test.images[:COMPARED])
                found.append(("reconstructions", torch.cat([x, generate.reconstruct(model, x)]), COMPARED))
            if isinstance(model, Translating):
                found += _translations(model, self.splits.test)
        model.train()
        return [{"name": name, "image": _sheet(x, columns)} for name, x, columns in found]


def _translations(model: Translating, test: Dataset) -> list[tuple[str, Tensor, int]]:
    """Pictures of each domain above their translations."""
    found = []
    for to in model.directions:
        source = test.domains["A" if to == "B" else "B"]
        x = images.from_bytes(source.images[:COMPARED])
        y = model.translate(x, to)
        width = max(x.shape[1], y.shape[1])
        found.append((f"to {to}", torch.cat([x.expand(-1, width, -1, -1), y.expand(-1, width, -1, -1)]), COMPARED))
    return found


def _sheet(x: Tensor, columns: int) -> str:
    return pictures.address(images.picture(images.grid(images.magnified(x.cpu(), 32), columns)))


class Games:
    """The games in memory; the one that rested longest makes room for a new one."""

    def __init__(self, nowhere: Path) -> None:
        self.nowhere = nowhere  # a folder that is not there, where a training would write
        self._games: OrderedDict[str, Any] = OrderedDict()

    def __getitem__(self, game: str) -> Any:
        """Look a game up. Raises `RunError`."""
        if game not in self._games:
            raise RunError("This game is over, since others were begun after it. Begin a new one.")
        self._games.move_to_end(game)
        return self._games[game]

    def keep(self, game: Any) -> None:
        """Keep a game."""
        self._games[game.id] = game
        while len(self._games) > MOST:
            self._games.popitem(last=False)


def families() -> list[dict[str, Any]]:
    """Every family that can be played, with the small data sets that it can learn from."""
    return [
        {"name": name, "data": ["shapes"] if _needs_colour(name) else list(SMALL), "recipe": _recipe(name)}
        for name in FAMILIES
        if _recipe(name) is not None
    ]


def _needs_colour(family: str) -> bool:
    """Whether a family sees two domains, or compares by a network that knows coloured pictures."""
    return FAMILIES[family].batch not in (Images, Labelled) or family in ("dfcvae", "deepsim")


def _recipe(family: str) -> str | None:
    """The recipe of a family's own name, or its first one, or one that it can borrow."""
    own = [one["name"] for one in recipes() if one["family"] == family and not one["name"].endswith("-large")]
    return family if family in own else next(iter(own), BORROWED.get(family))


def begin(ask: asks.NewGame, games: Games) -> Game:
    """Begin a game. Raises `ConfigError`."""
    known = {one["name"]: one for one in families()}
    if ask.family not in known:
        raise ConfigError(f"There is no family '{ask.family}' to play.{nearest(ask.family, known)}")
    one = known[ask.family]
    data = ask.data if ask.data in one["data"] else one["data"][0]
    plan = setup.prepare(one["recipe"], _changes(ask, data), games.nowhere)
    trainer = ByHand(plan.trainer.model, plan.trainer.loader, plan.values.train, seed=ask.seed)
    game = Game(secrets.token_hex(8), ask.family, data, trainer, plan.splits)
    game.last = game.shown()
    games.keep(game)
    return game


def _changes(ask: asks.NewGame, data: str) -> dict[str, Any]:
    side = 32 if ask.family in ("dfcvae", "deepsim") else SMALL[data]
    section = config.recipe(str(_recipe(ask.family))).values["model"]
    train = {
        "images": 10_000_000, "batch": MANY if FAMILIES[ask.family].batch in (Images, Labelled) else FEW, "ema": 0,
        "precision": "float32", "schedule": {"kind": "constant"},
    }  # fmt: skip
    begins_late = "start" in section and section["family"] == ask.family
    model = {"family": ask.family, **({"start": 0} if begins_late else {})}
    return {"seed": ask.seed, "data": {"name": data, "size": side, "validation": 0.0}, "model": model, "train": train}


def told(game: Game) -> dict[str, Any]:
    """What the page shows of a game: its players, its pictures, and the command of a whole training."""
    return {
        "id": game.id, "family": game.family, "data": game.data, "players": list(game.trainer.parameters),
        "step": game.trainer.step, "sheets": game.last,
        "weights": {name: sum(p.numel() for p in player) for name, player in game.trainer.parameters.items()},
        "command": command("train", _recipe(game.family), *_other_family(game.family), "--data", game.data),
    }  # fmt: skip


def _other_family(family: str) -> list[str]:
    """The option that trains a family by the recipe of another one."""
    own = config.recipe(str(_recipe(family))).values["model"]["family"]
    return [] if own == family else ["--model.family", family]


def rounds(game: Game, ask: asks.Rounds) -> dict[str, Any]:
    """Play some rounds: their terms, and pictures before and after them. Raises `DivergenceError`."""
    _refuse_unknown(game, ask.still)
    started, played = time.monotonic(), list[Played]()
    while len(played) < ask.n and time.monotonic() - started < PATIENCE:
        played.append(game.trainer.round(ask.still))
    before, game.last = game.last, game.shown()
    return {**told(game), "before": before, "rounds": [_round(one) for one in played]}


def _round(one: Played) -> dict[str, Any]:
    return {"step": one.step, "turn": one.turn, "moved": one.moved, "terms": one.terms}


def _refuse_unknown(game: Game, still: list[str]) -> None:
    players = game.trainer.parameters
    for name in still:
        if name not in players:
            raise ConfigError(f"There is no player '{name}'.{nearest(name, players)} Players: {', '.join(players)}.")
