"""What a studio is told when it starts, and the limits that keep every request small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE = ".studio"  # the studio's own folder among the runs: jobs, uploads, notes
LOOPBACK = ("127.0.0.1", "localhost", "::1")

BODY = 24 << 20  # bytes of a request that carries pictures
UPLOAD = 512 << 20  # bytes of one request that uploads files
STORED = 4 << 30  # bytes of all uploads together
FILES = 50_000  # files of one upload
MEGAPIXELS = 32.0  # of one picture
IMAGES = 256  # images drawn, or latents decoded, by one request
STEPS = 500  # of an inversion
PICTURES = 64  # pictures given with one request
SECONDS = 120.0  # that a request may take
WAITING = 64  # requests that wait for a model before others are turned away
JOBS = 20  # trainings that wait in the queue
STREAMS = 64  # event streams at a time
MODELS = 4  # models held in memory


@dataclass(frozen=True)
class Settings:
    """Where the runs are, where the studio listens, and what it allows.

    ``token`` must be shown by whoever asks, where the studio is reached from other machines. ``view`` lets nobody
    train, upload or write.
    """

    runs: Path
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    view: bool = False

    @property
    def state(self) -> Path:
        """The studio's own folder."""
        return self.runs / STATE

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK
