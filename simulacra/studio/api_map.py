"""Endpoints of the latent map, and of directions that were found on it."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from simulacra.studio import asks, atlas
from simulacra.studio.directions import Kept
from simulacra.studio.house import Home, Json

router = APIRouter(prefix="/api/runs/{run}", tags=["map"])


@router.post("/map")
async def latent_map(run: str, ask: asks.Atlas, house: Home) -> Json:
    """Test images where the encoder sees them, in two dimensions."""
    return await house.with_data(run, lambda opened: atlas.atlas(opened, ask))


@router.post("/more")
async def more(run: str, ask: asks.More, house: Home) -> Json:
    """New images like chosen ones."""
    return await house.with_data(run, lambda opened: atlas.more(opened, ask))


@router.post("/find")
async def find(run: str, ask: asks.Find, house: Home) -> list[Json]:
    """Directions in the latent space: components, class differences, or to the chosen images."""
    return await house.with_data(run, lambda opened: atlas.find(opened, ask))


@router.get("/directions")
async def directions(run: str, house: Home) -> list[str]:
    """The names of the directions that are kept."""
    return list(await asyncio.to_thread(lambda: house.directions.of(house.found(run).id)))


@router.put("/directions")
async def keep(run: str, ask: asks.Direction, house: Home) -> list[str]:
    """Keep a direction by a name."""
    return await asyncio.to_thread(lambda: _names(house.directions.keep(house.found(run).id, ask.name, ask.vector)))


@router.post("/forget")
async def forget(run: str, ask: asks.Forget, house: Home) -> list[str]:
    """Remove a direction."""
    return await asyncio.to_thread(lambda: _names(house.directions.forget(house.found(run).id, ask.name)))


def _names(kept: Kept) -> list[str]:
    return list(kept)
