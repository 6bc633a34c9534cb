"""Endpoints of the runs themselves: the gallery, sheets, curves, pages, notes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response

from simulacra import config
from simulacra.studio import asks, learn, pictures, remedies, shelf
from simulacra.studio.commands import command, python
from simulacra.studio.gallery import Found, shipped
from simulacra.studio.house import Home, House, Json
from simulacra.version import __version__

router = APIRouter(prefix="/api", tags=["runs"])
COVER = 24  # samples
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)


@router.get("/about")
async def about(house: Home) -> Json:
    """The version, and what this studio allows."""
    return {"version": __version__, "view": house.settings.view, "runs": str(house.settings.runs)}


@router.get("/runs")
async def runs(house: Home) -> list[Json]:
    """Every run, the newest first."""
    return await asyncio.to_thread(_runs, house)


def _runs(house: House) -> list[Json]:
    notes = house.notes.all()
    return [shelf.summary(found, notes) for found in house.gallery.all().values()]


@router.get("/shipped")
async def models_that_come_along() -> list[Json]:
    """Every model that comes with the package."""
    return await asyncio.to_thread(lambda: [shelf.summary(found, {}) for found in shipped().values()])


@router.get("/runs/{run}")
async def run_facts(run: str, house: Home) -> Json:
    """One run: its facts, its config, and how to open it."""
    return await asyncio.to_thread(_one, house, run)


def _one(house: House, run: str) -> Json:
    found = house.found(run)
    values = shelf.config_of(found)
    return {
        **shelf.summary(found, house.notes.all()), "config": config.dumps(values),
        "busy": house.jobs.busy(found.name),
        "remedies": remedies.shown(found, house.settings.runs), "python": python(found.path), "command": _report(found),
    }  # fmt: skip


def _report(found: Found) -> str:
    return command("report", found.path)


@router.get("/runs/{run}/history")
async def history(run: str, house: Home) -> list[Json]:
    """The curves of a run."""
    return await asyncio.to_thread(lambda: shelf.thinned(shelf.rows_of(house.found(run))))


@router.get("/runs/{run}/sheets/{kind}/{step}", response_class=Response)
async def sheet(run: str, kind: str, step: int, house: Home) -> Response:
    """A sheet of samples or reconstructions."""
    content = await asyncio.to_thread(lambda: shelf.sheet(house.found(run), kind, step))
    if content is None:
        raise HTTPException(404, "There is no such sheet.")
    return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=600"})


@router.get("/runs/{run}/cover", response_class=Response)
async def cover(run: str, house: Home) -> Response:
    """Samples for the gallery, of a run that has no sheets of them."""
    content = await house.slowly(run, lambda opened: pictures.cover(opened.sample(COVER)))
    return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=600"})


@router.get("/runs/{run}/pages/{name}", response_class=Response)
async def page(run: str, name: str, house: Home) -> Response:
    """The report or the evaluation page of a run, locked up: it may not ask this studio for anything."""
    text = await asyncio.to_thread(lambda: shelf.page(house.found(run), name))
    if text is None:
        raise HTTPException(404, "This run has no such page.")
    return Response(text, media_type="text/html; charset=utf-8", headers={"content-security-policy": PAGE_POLICY})


@router.get("/runs/{run}/evaluation")
async def evaluation(run: str, house: Home) -> Json:
    """The scores of a run's evaluation."""
    found = house.found(run)
    return {**await asyncio.to_thread(shelf.evaluation, found), "command": command("evaluate", found.path)}


@router.put("/runs/{run}/note")
async def note(run: str, ask: asks.Note, house: Home) -> Json:
    """Keep a star and a note with a run."""
    await asyncio.to_thread(house.notes.keep, house.found(run).id, ask.star, ask.text)
    return ask.model_dump()


@router.get("/recipes")
async def recipes() -> list[dict[str, str]]:
    """Every recipe."""
    return learn.recipes()


@router.get("/recipes/{recipe}")
async def recipe(recipe: str) -> list[Json]:
    """The options of a recipe, with meanings, choices and bounds."""
    return await asyncio.to_thread(learn.form, recipe)


@router.get("/data")
async def data_sets() -> list[dict[str, str]]:
    """The named data sets on this machine."""
    return await asyncio.to_thread(learn.data_sets)


def page_folder() -> Path:
    """The folder of the page's own files."""
    return Path(__file__).parent / "page"
