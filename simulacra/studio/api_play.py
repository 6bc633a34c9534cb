"""Endpoints of games that are played by hand; they live in memory, and nothing of them is written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath

from simulacra.errors import RunError
from simulacra.studio import asks, play, playground
from simulacra.studio.house import Home, Json
from simulacra.studio.play import Game
from simulacra.studio.playground import Ground

router = APIRouter(prefix="/api/play", tags=["play"])
Id = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]


@router.get("")
async def families() -> list[Json]:
    """Every family that can be played by hand."""
    return play.families()


@router.post("/games")
async def new_game(ask: asks.NewGame, house: Home) -> Json:
    """Begin a game of a family on a small data set."""
    return await house.playing.run(lambda: play.told(play.begin(ask, house.games)))


@router.post("/games/{game}/rounds")
async def rounds(game: Id, ask: asks.Rounds, house: Home) -> Json:
    """Play some rounds, and show the pictures before and after them."""
    return await house.playing.run(lambda: play.rounds(_game(house.games[game]), ask))


@router.post("/grounds")
async def new_ground(ask: asks.NewGround, house: Home) -> Json:
    """Begin the games of six objectives on points of the plane."""
    return await house.playing.run(lambda: playground.steps(playground.begin(ask, house.games), asks.Steps(n=0)))


@router.post("/grounds/{ground}/steps")
async def steps(ground: Id, ask: asks.Steps, house: Home) -> Json:
    """Play some steps of every game on the plane."""
    return await house.playing.run(lambda: playground.steps(_ground(house.games[ground]), ask))


def _game(found: object) -> Game:
    if not isinstance(found, Game):
        raise RunError("This is a playground, not a game of images.")
    return found


def _ground(found: object) -> Ground:
    if not isinstance(found, Ground):
        raise RunError("This is a game of images, not a playground.")
    return found
