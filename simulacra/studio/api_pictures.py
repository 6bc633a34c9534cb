"""Endpoints of pictures: sets that are uploaded, the plan for them, and operations on single pictures."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response, UploadFile
from fastapi import Path as InPath

from simulacra.data import survey
from simulacra.errors import ConfigError
from simulacra.operations import OPERATIONS, Operation, Parameter, steps
from simulacra.studio import asks, darkroom
from simulacra.studio.house import Home, Json
from simulacra.training import proposal

router = APIRouter(prefix="/api", tags=["pictures"])
LEFT_OUT = {"data": {"corrupt": "skip"}}  # damaged files of an upload were named on the page already
Id = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]


@router.get("/operations")
async def operations() -> list[Json]:
    """Every operation on a picture that needs no second one."""
    return [_described(name, one) for name, one in OPERATIONS.items() if not one.needs_picture]


def _described(name: str, one: Operation) -> Json:
    parameters = [_parameter(key, value) for key, value in one.parameters.items()]
    return {"name": name, "group": one.group, "meaning": one.meaning, "parameters": parameters}


def _parameter(name: str, one: Parameter) -> dict[str, Any]:
    bounds = {side: value for side, value in (("low", one.low), ("high", one.high)) if abs(value) != float("inf")}
    span = {} if one.random is None else {"from": one.random.low, "to": one.random.high}
    return {"name": name, "default": one.default, "meaning": one.meaning, "kind": one.kind,
            "choices": list(one.choices), **bounds, **span}  # fmt: skip


@router.post("/transform")
async def transform(ask: asks.Transform, house: Home) -> Json:
    """A picture after some operations."""
    if not steps(ask.steps):
        raise ConfigError("Choose an operation first.")
    return await house.slow.run(lambda: darkroom.transformed(ask))


@router.post("/batch", response_class=Response)
async def batch(ask: asks.Batch, house: Home) -> Response:
    """Several pictures after some operations, as a zip."""
    if not steps(ask.steps):
        raise ConfigError("Choose an operation first.")
    return Response(await house.slow.run(lambda: darkroom.batch(ask)), media_type="application/zip")


# ----------------------------------------------------------------------------------------------------- uploads


@router.post("/uploads", status_code=201)
async def new_upload(name: asks.Name, house: Home) -> Json:
    """Begin a set of pictures."""
    upload = await asyncio.to_thread(house.uploads.new, name)
    return {"id": upload.id, "name": upload.name}


@router.post("/uploads/{upload}/files")
async def add_files(upload: Id, files: list[UploadFile], house: Home) -> Json:
    """Add pictures, or one zip of them, to a set; what cannot be read is refused by name."""
    found = await asyncio.to_thread(lambda: house.uploads[upload])
    refused = []
    for file in files:
        content = await file.read()
        refused.append(await asyncio.to_thread(house.uploads.add, found, file.filename or "picture", content))
    reasons = [reason for reason in refused if reason is not None]
    return {"kept": len(files) - len(reasons), "refused": reasons}


@router.get("/uploads/{upload}/survey")
async def survey_of(upload: Id, house: Home) -> Json:
    """What a set of pictures is like: counts, sizes, damaged files, duplicates, and how some of them are cropped."""
    found = house.uploads[upload]
    surveyed = await house.slow.run(lambda: survey(found.path))
    crops = await house.slow.run(lambda: darkroom.crops(found.path))
    return {
        "count": surveyed.count, "classes": surveyed.classes, "damaged": list(surveyed.damaged),
        "twins": surveyed.twins, "typical": surveyed.typical, "lines": _public(surveyed.describe(), found.path),
        "crops": crops,
    }  # fmt: skip


@router.post("/uploads/{upload}/plan")
async def plan(upload: Id, ask: asks.Plan, house: Home) -> Json:
    """The plan of `quickstart` for so many minutes, in plain words."""
    found = house.uploads[upload]
    proposed = await house.slow.run(lambda: proposal.propose(found.path, ask.minutes, LEFT_OUT))
    out = house.settings.runs / found.name
    return {"lines": _public(proposed.lines(out), found.path), "images": proposed.images, "rate": proposed.rate}


@router.delete("/uploads/{upload}")
async def remove(upload: Id, house: Home) -> Json:
    """Delete a set of pictures."""
    await asyncio.to_thread(lambda: house.uploads.remove(house.uploads[upload]))
    return {}


def _public(lines: list[str], path: object) -> list[str]:
    """Lines without the place where uploads lie."""
    return [line.replace(f"{path}/", "").replace(str(path), "the pictures") for line in lines]
