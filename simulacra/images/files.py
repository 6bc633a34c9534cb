"""Pictures in folders, zips and files: found, read whole, worked on a few at a time, written without overwriting.

`find` lists the image files of a path. `read` decodes one as a `Picture`, upright and in sRGB, with what it was and
what could not be kept in ``notes``. `plan` says where results will go, before anything is read; `convert` reads,
changes and writes files on a few threads, in order, with no more of them in memory than threads.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

import numpy as np
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from simulacra import images
from simulacra.errors import DataError
from simulacra.storage import atomic

Frames = Literal["first", "all"]
Result = TypeVar("Result")

SPLITS = ("train", "test")  # folders at the top that are no classes
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
LARGEST_MEMBER = 256 << 20  # bytes of one unpacked zip member
FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP", ".tif": "TIFF",
    ".tiff": "TIFF",
}  # fmt: skip
OPAQUE = frozenset({"JPEG", "BMP"})
MOVING = frozenset({"PNG", "WEBP", "GIF", "TIFF"})
DEEP = frozenset({"PNG", "TIFF"})  # hold 16-bit grey
QUALITY = 95  # of JPEG and WebP
FRAME_SECONDS = 0.1  # where an animation does not say


# ------------------------------------------------------------------------------------------------- finding


@dataclass(frozen=True)
class Entry:
    """One image file: its name inside the folder or zip, and how to read it."""

    name: PurePosixPath
    source: Callable[[], Path | bytes]


def find(path: Path) -> list[Entry]:
    """List the image files of a folder, a zip, or one image file, sorted by name. Raises `DataError` if none."""
    if path.is_dir() and (path / "config.toml").is_file() and (path / "checkpoints").is_dir():
        raise DataError(f"{path} is a run, not a data set. Give a folder or a zip of images, or a data set's name.")
    if path.is_dir():
        entries = _in_folder(path)
    elif path.is_file() and path.suffix.lower() in ENDINGS:
        entries = [Entry(PurePosixPath(path.name), lambda: path)]
    elif path.is_file():
        entries = _in_zip(path)
    else:
        raise DataError(f"There is no file or folder {path}. Give an image, a folder or a zip of images.")
    if not entries:
        raise DataError(f"{path} holds no images. Image files end in {', '.join(sorted(ENDINGS))}.")
    return sorted(entries, key=lambda entry: entry.name)


def _in_folder(folder: Path) -> list[Entry]:
    found = []
    for file in folder.rglob("*"):
        name = PurePosixPath(file.relative_to(folder).as_posix())
        if _wanted(name) and file.is_file():
            found.append(Entry(name, lambda file=file: file))  # type: ignore[misc]
    return found


def _in_zip(path: Path) -> list[Entry]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path} is neither a folder, nor an image, nor a zip that can be read: {error}.") from None
    names = [info for info in archive.infolist() if not info.is_dir() and _wanted(PurePosixPath(info.filename))]
    return _below_one_top(
        [Entry(PurePosixPath(info.filename), lambda info=info: _member(archive, info)) for info in names]  # type: ignore[misc]
    )


def _below_one_top(entries: list[Entry]) -> list[Entry]:
    """Drop the top folder that all members share: a zip of a folder holds that folder, which is no class."""
    tops = {entry.name.parts[:-1][:1] for entry in entries}
    top = tops.pop() if len(tops) == 1 else ()
    if not top or top[0].lower() in SPLITS:
        return entries
    return [replace(entry, name=PurePosixPath(*entry.name.parts[1:])) for entry in entries]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > LARGEST_MEMBER:
        raise DataError(
            f"{info.filename} unpacks to {info.file_size >> 20} MB; the limit is {LARGEST_MEMBER >> 20} MB."
        )
    try:
        with archive.open(info) as member:
            return member.read(LARGEST_MEMBER)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise DataError(f"{info.filename} cannot be unpacked: {error}.") from None
    except Exception as error:  # zlib and lzma raise errors of their own for damaged streams
        raise DataError(f"{info.filename} is damaged: {error}.") from None


def _wanted(name: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
    return name.suffix.lower() in ENDINGS and not hidden


# ------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Picture:
    """One decoded file: ``image`` float32 ``(N, C, H, W)`` in [-1, 1], a frame each, grey or RGB in sRGB.

    ``alpha`` is ``(N, 1, H, W)`` in [0, 1] where the file has transparency; colours are not multiplied by it. ``bits``
    is 8 or 16, the depth to write; ``seconds`` of each frame; ``notes`` say what the file was and what is not kept.
    """

    name: PurePosixPath
    image: Tensor
    alpha: Tensor | None = None
    bits: int = 8
    seconds: tuple[float, ...] = (0.0,)
    notes: tuple[str, ...] = ()


def read(entry: Entry, *, max_megapixels: float = 32.0, frames: Frames = "first") -> Picture:
    """Decode one file: upright, grey or sRGB, with its alpha, 16-bit grey at its full depth, first or all frames.

    Raises `DataError` if the file is no image, is damaged, or has more than ``max_megapixels`` in all frames read.
    """
    name = str(entry.name)
    with images.opened(entry.source(), name, max_megapixels=max_megapixels, remedy="--max-megapixels") as opened:
        count = getattr(opened, "n_frames", 1) if opened.format != "MPO" else 1
        kept = "all are kept" if frames == "all" else "the first is taken"
        notes = [] if count == 1 else [f"of {count} frames {kept}"]
        count = count if frames == "all" else 1
        images.refuse_huge(opened.width * opened.height * count, name, max_megapixels, "--max-megapixels")
        notes += _peculiarities(opened)
        decoded, seconds = [], []
        for frame in [opened] if count == 1 else ImageSequence.Iterator(opened):
            decoded.append(_pixels(frame))
            seconds.append(frame.info.get("duration", 1000 * FRAME_SECONDS) / 1000 if count > 1 else 0.0)
    if len({image.shape[1:] for image, _, _ in decoded}) > 1:
        raise DataError(f"{name} has frames of different sizes. Take the first with --frames first.")
    colours = max(image.shape[0] for image, _, _ in decoded)
    image = torch.stack([image.expand(colours, -1, -1) for image, _, _ in decoded])
    alphas = [alpha for _, alpha, _ in decoded]
    alpha = torch.stack([torch.ones_like(image[0, :1]) if one is None else one for one in alphas])
    bits = max(bits for _, _, bits in decoded)
    transparent = any(one is not None for one in alphas)
    return Picture(entry.name, image, alpha if transparent else None, bits, tuple(seconds), tuple(notes))


def _peculiarities(picture: Image.Image) -> list[str]:
    """What a file is that the pixels alone do not say."""
    notes = []
    bits = images.stored_bits(picture)  # first, as looking for EXIF decodes a PNG and closes it
    if picture.getexif().get(0x0112, 1) not in (0, 1):
        notes.append("turned upright")
    if picture.mode == "P":
        notes.append("palette resolved")
    if picture.mode == "CMYK":
        notes.append("CMYK converted to sRGB")
    elif profile := images.foreign_profile(picture):
        usable = images.is_sound(profile)
        notes.append("colour profile converted to sRGB" if usable else "broken colour profile ignored")
    if picture.mode == "F":
        notes.append("floating point read as [0, 1]")
    if picture.mode.startswith("I"):
        notes.append("16 bits")
    elif bits > 8:
        notes.append("16-bit colour read as 8 bits")
    return notes


def _pixels(frame: Image.Image) -> tuple[Tensor, Tensor | None, int]:
    """Image ``(C, H, W)``, alpha ``(1, H, W)`` or None, and bits."""
    upright = images.managed(images.upright(frame))
    if upright.mode.startswith("I") or upright.mode == "F":
        return images.from_unit(torch.from_numpy(images.deep(upright)).float()[None]), None, 16
    transparent = "transparency" in upright.info or upright.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    grey = upright.mode in ("1", "L", "LA", "La")
    if not transparent:
        return images.from_bytes(images.to_tensor(upright, 1 if grey else 3)), None, 8
    pixels = np.array(upright.convert("RGBA")).transpose(2, 0, 1)
    colour = images.from_bytes(torch.from_numpy(pixels[: 1 if grey else 3].copy()))
    return colour, torch.from_numpy(pixels[3:].copy()).float() / 255, 8


# ------------------------------------------------------------------------------------------------- writing


def write(picture: Picture, path: Path) -> tuple[str, ...]:
    """Write a picture in the format of the name's ending; return notes on what that format cannot hold.

    Raises `DataError` for an unknown ending, `StorageError` when the disk refuses.
    """
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise DataError(f"Cannot write '{path.name}': pictures end in {', '.join(FORMATS)}.")
    picture, notes = _fitting(picture, format_)
    first, *rest = [_frame(picture, index) for index in range(len(picture.image))]
    options: dict[str, object] = {"quality": QUALITY} if format_ in ("JPEG", "WEBP") else {}
    if rest:
        options |= {"save_all": True, "append_images": rest, "loop": 0}
        options |= {"duration": [round(1000 * seconds) for seconds in picture.seconds]} if format_ != "TIFF" else {}
        options |= {"disposal": 2} if format_ == "GIF" and picture.alpha is not None else {}
    with atomic(path) as temporary:
        first.save(temporary, format_, **options)
    return notes


def _fitting(picture: Picture, format_: str) -> tuple[Picture, tuple[str, ...]]:
    """A picture without what a format cannot hold, and notes that say so."""
    notes = []
    if len(picture.image) > 1 and format_ not in MOVING:
        alpha = None if picture.alpha is None else picture.alpha[:1]
        picture = replace(picture, image=picture.image[:1], alpha=alpha, seconds=picture.seconds[:1])
        notes.append(f"{format_} holds the first frame only")
    if picture.alpha is not None and format_ in OPAQUE:
        picture = replace(picture, image=over_white(picture), alpha=None)
        notes.append(f"transparency laid over white, as {format_} has none")
    deep = format_ in DEEP and picture.image.shape[1] == 1 and picture.alpha is None and len(picture.image) == 1
    if picture.bits == 16 and not deep:
        picture = replace(picture, bits=8)
        notes.append("16 bits reduced to 8")
    if format_ == "GIF":
        notes.append("reduced to 256 colours")
    return picture, tuple(notes)


def over_white(picture: Picture) -> Tensor:
    """The image ``(N, C, H, W)`` in [-1, 1] laid over white where it is transparent."""
    return picture.image if picture.alpha is None else torch.lerp(torch.ones(()), picture.image, picture.alpha)


def _frame(picture: Picture, index: int) -> Image.Image:
    image = picture.image[index]
    if picture.bits == 16:
        deep = images.to_unit(image[0].detach().float()).mul(65535).round().clamp(0, 65535)
        return Image.fromarray(deep.numpy().astype(np.uint16))
    visible = images.picture(image)
    if picture.alpha is not None:
        visible.putalpha(Image.fromarray(picture.alpha[index, 0].mul(255).round().clamp(0, 255).byte().numpy()))
    return visible
