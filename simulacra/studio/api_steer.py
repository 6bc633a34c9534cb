"""Endpoints that use a model: draw, decode, encode, reconstruct, walk, translate, fill in."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from simulacra.models import Generative
from simulacra.studio import asks, between, mending, neighbours, pictures, steer
from simulacra.studio.house import Home, Json
from simulacra.studio.sets import MOMENT
from simulacra.studio.settings import SECONDS

router = APIRouter(prefix="/api/runs/{run}", tags=["steer"])
FEW = 8  # pictures that are packed at once; more would hold the server up


@router.get("/sliders")
async def sliders(run: str, house: Home) -> Json:
    """The latents that matter most and the named codes; provisional ones while the data set is being read."""
    opened = await house.opened(run)
    known = await asyncio.to_thread(house.remembered.known, opened)
    if known is not None:
        return known
    if await house.sets.of(opened, MOMENT if isinstance(opened.model, Generative) else SECONDS):
        return await house.slowly(run, lambda opened: house.remembered.of(opened, steer.sliders))
    return await house.quickly(run, steer.first_sliders)


@router.post("/latents")
async def latents(run: str, ask: asks.Draw, house: Home) -> Json:
    """Latents drawn by a seed."""
    return await house.quickly(run, lambda opened: steer.latents(opened, ask))


@router.post("/sample")
async def sample(run: str, ask: asks.Draw, house: Home) -> Json:
    """New images by a seed."""
    return await house.quickly(run, lambda opened: steer.sample(opened, ask))


@router.post("/decode")
async def decode(run: str, ask: asks.Decode, house: Home) -> Json:
    """The images of latents; requests for one model that come together are decoded together."""
    opened = await house.opened(run)
    z = steer.checked(opened, ask)
    if ask.moves:
        found = house.found(run).id
        z = await asyncio.to_thread(house.directions.moved, found, z, ask.moves)
    x = await house.decoder.decode(opened, z)
    if len(x) <= FEW:
        return steer.decoded(opened, z, x)
    return await asyncio.to_thread(steer.decoded, opened, z, x)


@router.post("/encode")
async def encode(run: str, ask: asks.Pictured, house: Home) -> Json:
    """The latent of a picture."""
    return await house.quickly(run, lambda opened: steer.encode(opened, ask))


@router.post("/reconstruct")
async def reconstruct(run: str, ask: asks.Pictured, house: Home) -> Json:
    """A picture, its reconstruction and their difference."""
    return await house.quickly(run, lambda opened: steer.reconstruct(opened, ask))


@router.post("/invert")
async def invert(run: str, ask: asks.Invert, house: Home) -> Json:
    """The latent whose image comes nearest to a picture, by gradient descent."""
    return await house.slowly(run, lambda opened: steer.invert(opened, ask))


@router.post("/interpolate")
async def interpolate(run: str, ask: asks.Walk, house: Home) -> Json:
    """Frames from keyframe to keyframe."""
    return await house.slowly(run, lambda opened: between.walked(opened, ask, between.walk(opened, ask)))


@router.post("/film", response_class=Response)
async def film(run: str, ask: asks.Film, house: Home) -> Response:
    """The same frames as a GIF."""
    content = await house.slowly(run, lambda opened: pictures.film(between.walk(opened, ask), ask.seconds))
    return Response(content, media_type="image/gif")


@router.post("/traverse")
async def traverse(run: str, ask: asks.Traverse, house: Home) -> Json:
    """One latent or code moved at a time."""
    return await house.with_data(run, lambda opened: steer.traverse(opened, ask))


@router.post("/manifold")
async def manifold(run: str, ask: asks.Manifold, house: Home) -> Json:
    """A two-dimensional latent space as one picture."""
    return await house.quickly(run, lambda opened: steer.manifold(opened, ask))


@router.post("/arithmetic")
async def arithmetic(run: str, ask: asks.Arithmetic, house: Home) -> Json:
    """A picture moved by the difference of two groups."""
    return await house.with_data(run, lambda opened: steer.arithmetic(opened, ask))


@router.post("/translate")
async def translate(run: str, ask: asks.Translate, house: Home) -> Json:
    """A picture in the other domain, and back."""
    return await house.slowly(run, lambda opened: steer.translated(opened, ask))


@router.post("/inpaint")
async def inpaint(run: str, ask: asks.Mend, house: Home) -> Json:
    """A picture whose hole is filled in, by the model, from the nearest training image or from the pixels around it."""
    work = house.with_data if ask.method == "nearest" else house.slowly
    return await work(run, lambda opened: mending.mend(opened, ask))


@router.post("/anomaly")
async def anomaly(run: str, ask: asks.Invert, house: Home) -> Json:
    """What a model cannot redraw of a picture, as a heat map."""
    return await house.slowly(run, lambda opened: mending.anomaly(opened, ask))


@router.post("/examples")
async def examples(run: str, ask: asks.Examples, house: Home) -> Json:
    """Images of the run's test split."""
    return await house.with_data(run, lambda opened: steer.examples(opened, ask))


@router.post("/neighbours")
async def nearest(run: str, ask: asks.Decode, house: Home) -> Json:
    """The training images that are nearest to the image of a latent; none yet while the data set is being read."""
    opened = await house.opened(run)
    if not await house.sets.of(opened, MOMENT):
        return {"reading": True, "images": [], "distances": [], "searched": 0, "of": 0}
    return await house.slowly(run, lambda opened: neighbours.of(opened, ask))
