"""Pictures that were dropped onto the page: each folder or zip below a name of our own, only what can be read."""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simulacra import images
from simulacra.errors import DataError
from simulacra.images.find import ENDINGS
from simulacra.storage import atomic, component, inside
from simulacra.studio.settings import FILES, MEGAPIXELS, STORED

ID = re.compile(r"^[0-9a-f]{16}$")
NAME = "name.txt"
ZIP = "pictures.zip"
ZIP_BEGINS = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Upload:
    """A set of uploaded pictures: its id, its name, and the folder or zip to train on."""

    id: str
    name: str
    home: Path

    @property
    def path(self) -> Path:
        """What to train on: the zip where one was dropped, else the folder."""
        archive = self.home / ZIP
        return archive if archive.is_file() else self.home / self.name


class Uploads:
    """All sets of uploaded pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self, name: str) -> Upload:
        """Begin a set. Raises `DataError` where uploads take too much room already."""
        if self._size() > STORED:
            raise DataError(f"Uploads take more than {STORED >> 30} GB. Delete some of them first.")
        upload = Upload(secrets.token_hex(8), _plain(name), Path())
        home = self.folder / upload.id
        (home / upload.name).mkdir(parents=True)
        (home / NAME).write_text(upload.name, "utf-8")
        return self[upload.id]

    def __getitem__(self, upload: str) -> Upload:
        """Look a set up. Raises `DataError`."""
        home = self.folder / upload
        if not ID.match(upload) or not (home / NAME).is_file():
            raise DataError("There is no such upload. Drop the pictures once more.")
        return Upload(upload, (home / NAME).read_text("utf-8"), home)

    def add(self, upload: Upload, name: str, content: bytes) -> str | None:
        """Keep a file where it is a picture or a zip; return why it was refused."""
        if content[:4] in ZIP_BEGINS:
            with atomic(upload.home / ZIP) as temporary:
                temporary.write_bytes(content)
            return None
        place = inside(PurePosixPath(name))
        if place.suffix.lower() not in ENDINGS:
            return f"{place} is not a picture that can be read."
        size = images.dimensions(content)
        if size is None:
            return f"{place} is damaged, or is not the picture that its name says."
        if size[0] * size[1] > MEGAPIXELS * 1e6:
            return f"{place} has more than {MEGAPIXELS:g} megapixels."
        if sum(1 for _ in (upload.home / upload.name).rglob("*")) >= FILES:
            return f"{place} is one too many: a set holds at most {FILES:,} files."
        with atomic(upload.home / upload.name / place) as temporary:
            temporary.write_bytes(content)
        return None

    def remove(self, upload: Upload) -> None:
        """Delete a set."""
        shutil.rmtree(upload.home, ignore_errors=True)

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def _plain(name: str) -> str:
    """A name that can stand in a run's name too."""
    stem = component(PurePosixPath(name.replace("\\", "/")).name.removesuffix(".zip"))
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:40]
    return plain or "pictures"
