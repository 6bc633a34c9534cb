"""One hostile situation: its files, its command line, and whether it must be refused."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The folders of one case: ``files`` for its input, ``out`` (not made) for results; ``store`` holds what is sound.

    ``beside`` holds files that nothing may touch; the working folder is ``work``.
    """

    path: Path
    store: Path
    random: random.Random

    @property
    def files(self) -> Path:
        """The folder of the case's input."""
        return self.path / "files"

    @property
    def beside(self) -> Path:
        """A folder with files that nothing may touch."""
        return self.path / "beside"

    @property
    def work(self) -> Path:
        """The working folder."""
        return self.path / "work"

    def out(self, name: str = "") -> str:
        """A path where results may be written: beside it, below ``out/``, temporary files may lie for a while."""
        return str(self.path / "out" / (name or "results"))

    def sound(self, name: str) -> str:
        """The path of something sound: ``runs/vae``, ``pictures/grey.png``."""
        return str(self.store / name)

    def bytes(self, name: str) -> bytes:
        """The content of a sound file."""
        return (self.store / name).read_bytes()

    def file(self, name: str, content: bytes | str) -> str:
        """Write an input file; return its path."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def copy(self, name: str, to: str) -> Path:
        """Copy a sound file or folder to the input, or below ``out/`` where the case may change it; return its path."""
        target = self.path / to if to.startswith("out") else self.files / to
        target.parent.mkdir(parents=True, exist_ok=True)
        source = self.store / name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        return target


@dataclass(frozen=True)
class Case:
    """``build`` makes the files and returns the command line.

    ``refused``: nothing but exit status 2 will do. ``during`` changes the process just before the program is called,
    and the process ends with the case. ``mute``: what is printed cannot be judged. ``also``: an exit status that is
    allowed besides. ``check`` looks at what was written, given the status, and says what is wrong with it, or nothing.
    ``seed`` is mixed with the name into what `Place.random` draws.
    """

    name: str
    owner: str
    build: Callable[[Place], Sequence[str]]
    refused: bool = False
    during: Callable[[Place], None] | None = None
    mute: bool = False
    also: int = 0
    check: Callable[[Place, int], str] | None = None
    seed: int = field(default=0)

    @property
    def alone(self) -> bool:
        """Whether the process can run no other case."""
        return self.during is not None

    def random(self) -> random.Random:
        """What the case draws from, the same every time."""
        return random.Random(f"{self.seed}/{self.name}")
