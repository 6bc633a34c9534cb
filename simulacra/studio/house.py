"""All that a studio holds while it runs, and the doors through which endpoints reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from simulacra.runs.run import Run
from simulacra.studio.directions import Directions
from simulacra.studio.gallery import Found, Gallery
from simulacra.studio.jobs import Jobs
from simulacra.studio.models import Models
from simulacra.studio.play import Games
from simulacra.studio.remembered import Remembered
from simulacra.studio.sets import Sets
from simulacra.studio.settings import Settings
from simulacra.studio.shelf import Notes
from simulacra.studio.uploads import Uploads
from simulacra.studio.work import Decoder, Line

Result = TypeVar("Result")
TICK = 0.5  # seconds between two looks at the queue


class House:
    """The runs, the models in memory, the threads that work, the queue of trainings, the uploads and the notes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gallery = Gallery(settings.runs)
        self.models = Models()
        self.sets = Sets()
        self.quick = Line("quick")
        self.slow = Line("slow", most=16)
        self.playing = Line("playing")
        self.decoder = Decoder(self.quick)
        self.games = Games(settings.state / "play")
        self.jobs = Jobs(settings.state / "jobs")
        self.uploads = Uploads(settings.state / "uploads")
        self.notes = Notes(settings.state / "notes.json")
        self.directions = Directions(settings.state / "directions")
        self.remembered = Remembered(settings.state / "sliders")
        self.streams = 0

    def found(self, run: str) -> Found:
        """Look a run up. Raises `RunError`."""
        return self.gallery[run]

    async def opened(self, run: str) -> Run:
        """Open a run, or take it from memory."""
        return await self.quick.run(lambda: self.models.open(self.gallery[run]))

    async def quickly(self, run: str, work: Callable[[Run], Result]) -> Result:
        """Do what takes a moment with a run."""
        return await self.quick.run(lambda: work(self.models.open(self.gallery[run])))

    async def slowly(self, run: str, work: Callable[[Run], Result]) -> Result:
        """Do what takes seconds with a run, beside what takes a moment."""
        return await self.slow.run(lambda: work(self.models.open(self.gallery[run])))

    async def with_data(self, run: str, work: Callable[[Run], Result]) -> Result:
        """Do what takes seconds with a run and its data set, once that was read."""
        opened = await self.opened(run)
        await self.sets.of(opened)
        return await self.slow.run(lambda: work(opened))

    async def watch_queue(self) -> None:
        """Start what waits in the queue, until the server ends."""
        while not self.settings.view:
            await asyncio.to_thread(self.jobs.tick)
            await asyncio.sleep(TICK)

    def close(self) -> None:
        """End the threads; trainings go on."""
        self.quick.close()
        self.slow.close()
        self.playing.close()
        self.sets.close()
        self.jobs.close()


def of(request: Request) -> House:
    """The house of a request."""
    house: House = request.app.state.house
    return house


Home = Annotated[House, Depends(of)]
Json = dict[str, Any]
