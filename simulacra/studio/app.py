"""The application: endpoints, the page's files, and one sentence for everything that can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from simulacra.cli.surroundings import explained
from simulacra.errors import CapabilityError, RunError, SimulacraError, StorageError, printable
from simulacra.studio import api_map, api_pictures, api_play, api_runs, api_steer, api_train, asks
from simulacra.studio.guard import Guard
from simulacra.studio.house import House
from simulacra.studio.jobs import Full
from simulacra.studio.settings import JOBS, SECONDS, Settings
from simulacra.studio.work import Busy
from simulacra.version import __version__

REFUSALS = (401, 403, 404, 409, 413, 421, 422, 429, 500, 503, 507)  # with a sentence that says why
STATUS: dict[type[Exception], int] = {RunError: 404, CapabilityError: 409, StorageError: 507}


def build(settings: Settings) -> ASGIApp:
    """Return the studio as an ASGI application."""
    house = House(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(house.watch_queue())
        yield
        watching.cancel()
        house.close()

    app = FastAPI(
        title="simulacra studio", version=__version__, lifespan=lifespan, openapi_url="/api/openapi.json",
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.house = house
    for part in (api_runs, api_steer, api_train, api_pictures, api_play, api_map):
        app.include_router(part.router, responses={status: {"model": asks.Refusal} for status in REFUSALS})
    _answer_errors(app)
    app.mount("/", StaticFiles(directory=api_runs.page_folder(), html=True))
    return Guard(app, settings)


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    for kind in (SimulacraError, Busy, Full, TimeoutError, MemoryError, RuntimeError):
        app.add_exception_handler(kind, _failed)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Name the first field that is wrong; what was given is not repeated."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"detail": printable(f"{place or 'The request'}: {first['msg']}.")}, 422)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": str(error.detail)}, error.status_code, headers=dict(error.headers or {}))


async def _failed(_: Request, error: Exception) -> JSONResponse:
    """Tell of an error in one line, as the command line does."""
    retry = {"retry-after": "2"}
    if isinstance(error, Busy):
        return JSONResponse({"detail": "Too many requests are waiting. Try again in a moment."}, 503, headers=retry)
    if isinstance(error, Full):
        return JSONResponse({"detail": f"The queue holds {JOBS} trainings already. Stop some of them first."}, 429)
    if isinstance(error, TimeoutError):
        return JSONResponse({"detail": f"This took longer than {SECONDS:g} seconds. Ask for less."}, 503, headers=retry)
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), None)
    usual = 422 if isinstance(error, SimulacraError | MemoryError) else 500
    return JSONResponse({"detail": printable(explained(error)[0])}, status or usual)
