"""Endpoints of trainings: the queue, and what happens in it as a stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse

from simulacra.errors import ConfigError, SimulacraError
from simulacra.runs.folder import CONFIG
from simulacra.studio import asks, learn, remedies, shelf
from simulacra.studio.gallery import Found
from simulacra.studio.house import Home, House, Json
from simulacra.studio.jobs import QUEUED, RUNNING, Job
from simulacra.studio.settings import STREAMS

router = APIRouter(prefix="/api/jobs", tags=["train"])
PAUSE = 0.4  # seconds between two looks at a run
SILENCE = 15.0  # seconds after which a stream says that it is still there


@router.get("")
async def jobs(house: Home) -> list[Json]:
    """Every training of the queue, the newest first."""
    return await asyncio.to_thread(lambda: [_shown(house, job) for job in house.jobs.all()])


@router.post("", status_code=201)
async def start(ask: asks.Job, house: Home) -> Json:
    """Put a training into the queue."""
    return await asyncio.to_thread(_start, house, ask)


def _start(house: House, ask: asks.Job) -> Json:
    upload = None if ask.upload is None else house.uploads[ask.upload]
    words, name, title = learn.training(ask, house.settings.runs, upload)
    if house.jobs.busy(name):
        raise ConfigError(f"A training named {name} is waiting already. Give this one another name.")
    return _shown(house, house.jobs.add(words, name, title))


@router.post("/resume", status_code=201)
async def resume(ask: asks.Resume, house: Home) -> Json:
    """Continue a run, perhaps for longer than was planned."""
    return await asyncio.to_thread(_resume, house, ask)


def _resume(house: House, ask: asks.Resume) -> Json:
    found = house.found(ask.run)
    if found.folder.file(CONFIG) is None:
        raise ConfigError(f"{found.name} has weights but no checkpoints, so it cannot be continued.")
    if house.jobs.busy(found.name):
        raise ConfigError(f"A training of {found.name} is running already.")
    return _shown(house, house.jobs.add(learn.resuming(found, ask.images), found.name, f"{found.name}"))


@router.post("/remedy", status_code=201)
async def remedy(ask: asks.Remedied, house: Home) -> Json:
    """Try a remedy for what the watchdog saw in a run."""
    return await asyncio.to_thread(_remedy, house, ask)


def _remedy(house: House, ask: asks.Remedied) -> Json:
    found = house.found(ask.run)
    chosen = remedies.chosen(found, ask.remedy)
    words, name = chosen.words(found, house.settings.runs)
    if house.jobs.busy(name):
        raise ConfigError(f"A training of {name} goes on already.")
    return _shown(house, house.jobs.add(words, name, f"{found.name}: {chosen.name}"))


@router.get("/{number}")
async def job(number: int, house: Home) -> Json:
    """One training."""
    return await asyncio.to_thread(lambda: _shown(house, house.jobs[number]))


@router.post("/{number}/stop")
async def stop(number: int, house: Home) -> Json:
    """Let a training save and end, or take it out of the queue."""
    return await asyncio.to_thread(lambda: _shown(house, house.jobs.stop(number)))


def _shown(house: House, job: Job) -> Json:
    """A job with the id of its run, the command that it stands for, and what it said last."""
    path = house.settings.runs / job.run
    run = next((one for one in house.gallery.all().values() if one.path == path), None)
    facts = {key: value for key, value in asdict(job).items() if key not in ("pid", "words")}
    found: Json = {"run_id": None, "total": None, "remedies": []}
    if run is not None:
        found = {"run_id": run.id, "total": shelf.length(run), "remedies": _remedies_of(house, run)}
    return {
        **facts, **found, "command": learn.written(job.words), "error": house.jobs.error(job),
        "lines": house.jobs.lines(job.number),
    }  # fmt: skip


def _remedies_of(house: House, run: Found) -> list[Json]:
    try:
        return remedies.shown(run, house.settings.runs)
    except SimulacraError:  # half a line, or a folder that is being made
        return []


# ------------------------------------------------------------------------------------------------------ events


@router.get("/{number}/events", response_class=StreamingResponse)
async def events(number: int, request: Request, house: Home) -> StreamingResponse:
    """What happens in a training: its state, the lines of its log, its sheets; it ends with the training."""
    if house.streams >= STREAMS:
        raise HTTPException(429, "Too many pages are open already. Close some of them.")
    await asyncio.to_thread(lambda: house.jobs[number])
    return StreamingResponse(
        _events(number, request, house), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _events(number: int, request: Request, house: House) -> AsyncIterator[str]:
    house.streams += 1
    seen = Seen()
    quiet = 0.0
    try:
        while not await request.is_disconnected():
            found = await asyncio.to_thread(seen.news, house, number)
            for kind, value in found:
                yield f"event: {kind}\ndata: {json.dumps(value)}\n\n"
            if seen.ended:
                yield "event: end\ndata: {}\n\n"
                return
            quiet = 0.0 if found else quiet + PAUSE
            if quiet > SILENCE:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(PAUSE)
    finally:
        house.streams -= 1


class Seen:
    """What a stream has told already."""

    def __init__(self) -> None:
        self.rows = 0
        self.told: dict[str, object] = {}
        self.ended = False

    def news(self, house: House, number: int) -> list[tuple[str, object]]:
        """What is new since the last look."""
        job = house.jobs[number]
        shown = _shown(house, job)
        found: list[tuple[str, object]] = []
        if self.told.get("job") != shown:
            self.told["job"] = shown
            found.append(("job", shown))
        if shown["run_id"] is not None and job.state != QUEUED:
            found += self._of_run(house, str(shown["run_id"]))
        self.ended = job.state not in (QUEUED, RUNNING)
        return found

    def _of_run(self, house: House, run: str) -> list[tuple[str, object]]:
        try:
            entry = house.found(run)
            rows = shelf.rows_of(entry)
            sheets = {kind: shelf.steps(entry, kind) for kind in shelf.KINDS}
        except SimulacraError:  # half a line, or a folder that is being made
            return []
        found: list[tuple[str, object]] = []
        if len(rows) < self.rows:  # rolled back
            self.rows = 0
        if self.rows == 0 and rows:
            found.append(("rows", shelf.thinned(rows)))
        elif len(rows) > self.rows:
            found.append(("more", [shelf.finite(row) for row in rows[self.rows :]]))
        self.rows = len(rows)
        if self.told.get("sheets") != sheets:
            self.told["sheets"] = sheets
            found.append(("sheets", sheets))
        return found
