"""Operations on pictures by hand, and how pictures of a set are cropped."""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from simulacra import images
from simulacra.errors import DataError
from simulacra.images.files import Picture
from simulacra.images.find import find
from simulacra.operations import steps
from simulacra.storage import component
from simulacra.studio import asks, pictures
from simulacra.studio.commands import command, option
from simulacra.transforms.pictures import changed

SHOWN = 12  # crops
SIDE = 96  # pixels of a crop


def transformed(ask: asks.Transform) -> dict[str, Any]:
    """A picture after steps, with the command that does the same to files."""
    chosen = steps(ask.steps)
    result = changed(pictures.whole(ask.picture), chosen, ask.seed)
    height, width = result.size
    text = ", ".join(map(str, chosen))
    return {
        "images": [pictures.address(images_of(result))], "width": width, "height": height,
        "command": command("transform", "pipeline", "picture.png", "--steps", text, *option("seed", ask.seed, 0)),
        "python": "from simulacra.transforms import transform_files\n\n"
                  f"transform_files('picture.png', {text!r}, 'changed.png', seed={ask.seed})",
    }  # fmt: skip


def batch(ask: asks.Batch) -> bytes:
    """Pictures after steps as a zip of PNGs, named as they were. Raises `DataError`, `ConfigError`."""
    chosen = steps(ask.steps)
    buffer = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(buffer, "w") as archive:
        for one in ask.pictures:
            result = images_of(changed(pictures.whole(one.picture), chosen, ask.seed))
            encoded = io.BytesIO()
            result.save(encoded, "PNG")
            archive.writestr(_free(one.name, taken), encoded.getvalue())
    return buffer.getvalue()


def _free(name: str, taken: set[str]) -> str:
    """The name of a file that is a PNG now; where it is taken, the first of NAME-2, NAME-3, ... that is not."""
    stem = component(PurePosixPath(name.replace("\\", "/")).stem) or "picture"
    names = itertools.chain([stem], (f"{stem}-{k}" for k in itertools.count(2)))
    free = next(one for one in names if one.lower() not in taken)
    taken.add(free.lower())
    return f"{free}.png"


def images_of(picture: Picture) -> Image.Image:
    """The first frame of a picture as Pillow's, with its transparency."""
    shown = images.picture(picture.image[0])
    if picture.alpha is None:
        return shown
    alpha = images.picture(images.from_unit(picture.alpha[0]))
    return Image.merge("LA" if shown.mode == "L" else "RGBA", (*shown.split(), alpha))


def crops(path: Path) -> list[str]:
    """Some pictures of a set as training will see them: their centre squares."""
    entries = find(path)
    shown = []
    for entry in entries[:: max(1, len(entries) // SHOWN)][:SHOWN]:
        try:
            decoded = images.read(entry.source(), str(entry.name), draft=SIDE)
        except (DataError, OSError):
            continue
        shown.append(pictures.address(images.square(decoded, SIDE)))
    return shown
