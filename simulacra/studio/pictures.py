"""Pictures between the page and tensors: ``data:`` addresses in, decoded by the package's own reader, PNG out."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import PurePosixPath

import torch
from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.errors import DataError
from simulacra.images import Shape, files
from simulacra.images.files import Entry, Picture
from simulacra.runs.run import Run
from simulacra.studio.settings import MEGAPIXELS

NAME = "the picture"
LARGEST_SIDE = 2_048  # pixels of a picture that is sent to the page
GIF_SIDE = 224  # pixels of a film at least


def content(address: str) -> bytes:
    """Return the bytes of a ``data:`` address. Raises `DataError`."""
    head, comma, body = address.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise DataError('A picture is a text such as "data:image/png;base64,...".')
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise DataError("The picture's base64 text is damaged.") from None


def of_run(address: str, run: Run) -> Tensor:
    """Return a picture in the shape of a run's images, fitted as its training images were: ``(1, C, H, W)``."""
    return fitted(address, run, run.shape)


def fitted(address: str, run: Run, shape: Shape) -> Tensor:
    """Return a picture as an image ``(1, C, H, W)`` of a shape in [-1, 1]. Raises `DataError`."""
    data = run.config.data
    decoded = images.read(
        content(address),
        NAME,
        max_megapixels=MEGAPIXELS,
        background=data.background,
        transparent=shape.channels == 4,
    )
    brought = images.fitted(decoded, *shape.sides, data.fit, data.background)
    return images.from_bytes(images.to_tensor(brought, shape.channels)).unsqueeze(0)


def whole(address: str) -> Picture:
    """Decode a picture as it is, with its transparency. Raises `DataError`."""
    read = content(address)
    return files.read(Entry(PurePosixPath("picture.png"), lambda: read, len(read)), max_megapixels=MEGAPIXELS)


def shown(image: Tensor) -> str:
    """Return an image ``(C, H, W)`` in [-1, 1] as the address of a PNG, a pixel for a pixel."""
    return address(images.picture(image))


def all_shown(x: Tensor) -> list[str]:
    """Return the addresses of images ``(n, C, H, W)``."""
    return [shown(image) for image in x]


def address(picture: Image.Image) -> str:
    """Return a picture as the address of a PNG; a large one is made smaller."""
    if max(picture.size) > LARGEST_SIDE:
        picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def cover(x: Tensor) -> bytes:
    """Return images ``(n, C, H, W)`` as one PNG, in rows of six."""
    buffer = io.BytesIO()
    images.picture(images.grid(images.magnified(x), 6)).save(buffer, "PNG")
    return buffer.getvalue()


def difference(x: Tensor, y: Tensor) -> Tensor:
    """Return how far two images ``(n, C, H, W)`` in [-1, 1] are apart, black where they are equal, ``(n, 1, H, W)``."""
    return (x - y).abs().mean(1, keepdim=True) - 1


def film(frames: Tensor, seconds: float) -> bytes:
    """Return frames ``(n, C, H, W)`` in [-1, 1] as a GIF that goes there and back for ever."""
    there = [images.picture(frame) for frame in images.magnified(frames, GIF_SIDE)]
    first, *rest = [*there, *there[-2:0:-1]]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=int(1000 * seconds), loop=0)
    return buffer.getvalue()


def mask(address_: str, shape: Shape) -> Tensor:
    """Return which pixels of a picture are known, those that a mask leaves black: bool ``(1, 1, H, W)``.

    Raises `DataError` where nothing or everything is marked.
    """
    decoded = images.read(content(address_), "the mask", max_megapixels=MEGAPIXELS, background=0)
    marked = torch.as_tensor(images.to_tensor(images.fitted(decoded, *shape.sides, "stretch", 0), 1)) > 127
    if not marked.any() or marked.all():
        raise DataError("The mask marks nothing, or everything. Paint over a part of the picture.")
    return ~marked.unsqueeze(0)
