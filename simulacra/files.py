"""Pictures in folders, zips and files: found, read whole, worked on a few at a time, written without overwriting.

`find` lists the image files of a path. `read` decodes one as a `Picture`, upright and in sRGB, with what it was and
what could not be kept in ``notes``. `plan` says where results will go, before anything is read; `convert` reads,
changes and writes files on a few threads, in order, with no more of them in memory than threads.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

import numpy as np
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from simulacra import images
from simulacra.errors import ConfigError, DataError, UserError

Frames = Literal["first", "all"]
Result = TypeVar("Result")

SPLITS = ("train", "test")  # folders at the top that are no classes
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
LARGEST_MEMBER = 256 << 20  # bytes of one unpacked zip member
PARALLEL = 8
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

    def noting(self, *notes: str) -> Picture:
        """The same picture with more notes."""
        return replace(self, notes=(*self.notes, *notes))


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
    with images.atomic(path) as temporary:
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


# ----------------------------------------------------------------------------------------------- many files


@dataclass(frozen=True)
class Job:
    """One file to read and the path that its result goes to."""

    entry: Entry
    out: Path


@dataclass(frozen=True)
class Done:
    """What became of a job: ``notes`` on what was read and written, or the ``reason`` that left it out."""

    job: Job
    notes: tuple[str, ...] = field(default=())
    reason: str | None = None

    @property
    def problem(self) -> str | None:
        """The reason that left the file out, beginning with its name."""
        name = str(self.job.entry.name)
        return self.reason if self.reason is None or self.reason.startswith(name) else f"{name}: {self.reason}"


def find_all(paths: Sequence[Path]) -> list[Entry]:
    """List the image files of several paths; with more than one, those of a folder or zip go below its name."""
    if len(paths) == 1:
        return find(paths[0])
    found = []
    for path in paths:
        below = PurePosixPath(path.resolve().stem if path.suffix else path.resolve().name)
        single = path.is_file() and path.suffix.lower() in ENDINGS
        found += [entry if single else replace(entry, name=below / entry.name) for entry in find(path)]
    return found


def plan(
    entries: Sequence[Entry], out: Path, *, ending: str | None = None, frames: Frames = "first", force: bool = False
) -> list[Job]:
    """Say where the result of every file goes: a file of the same name below ``out``, or ``out`` itself for one file.

    ``ending`` (such as ".png") changes the format; GIFs become PNGs unless all frames are kept. A name that another
    file has already got keeps its old ending before the new one. Raises `ConfigError` where two results would have one
    name, where a result exists and ``force`` is off, or where ``out`` cannot be a folder; nothing is written then.
    """
    if out.suffix.lower() in FORMATS and not out.is_dir():
        if len(entries) > 1:
            raise ConfigError(f"--out {out} names one file, for {len(entries)} images. Name a folder.")
        jobs = [Job(entries[0], out)]
    elif out.suffix.lower() == ".zip":
        raise ConfigError(f"--out {out}: results are written to a folder, not a zip. Name a folder.")
    elif out.is_file():
        raise ConfigError(f"--out {out} is a file; name a folder, or a picture that ends in .png.")
    else:
        names = [entry.name.with_suffix(_ending(entry.name, ending, frames)) for entry in entries]
        often = Counter(names)
        jobs = [
            Job(entry, out / (_appended(entry.name, name.suffix) if often[name] > 1 else name))
            for entry, name in zip(entries, names, strict=True)
        ]
    _refuse_clashes(jobs, force)
    return jobs


def _ending(name: PurePosixPath, ending: str | None, frames: Frames) -> str:
    moving = frames == "all" or name.suffix.lower() != ".gif"
    return ending or (name.suffix if moving else ".png")


def _appended(name: PurePosixPath, ending: str) -> PurePosixPath:
    return name if name.suffix == ending else name.with_name(name.name + ending)


def refuse_taken(paths: Sequence[Path], *, force: bool) -> None:
    """Raise `ConfigError` if one of the files that are to be written into a folder is there already.

    ``force`` allows files, though no folders, to be there.
    """
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise ConfigError(f"{there[0]} exists already. Choose another folder with --out, or overwrite with --force.")
    _refuse_folders(there)


def _refuse_clashes(jobs: Sequence[Job], force: bool) -> None:
    twice = next((path for path, count in Counter(job.out for job in jobs).items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"Two images would be written to {twice}. Give their folders instead, or one at a time.")
    there = [job.out for job in jobs if job.out.exists()]
    if there and not force:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise ConfigError(f"{there[0]}{more} exists already. Overwrite with --force, or choose another --out.")
    _refuse_folders(there)
    for job in jobs:
        if ".." in job.entry.name.parts or job.entry.name.is_absolute():
            raise ConfigError(f"'{job.entry.name}' would be written outside of --out. Rename it in the archive.")


def _refuse_folders(paths: Sequence[Path]) -> None:
    folder = next((path for path in paths if path.is_dir()), None)
    if folder is not None:
        raise ConfigError(f"{folder} is a folder where a picture would go. Choose another --out.")


def convert(
    jobs: Sequence[Job],
    change: Callable[[Picture], Picture],
    *,
    max_megapixels: float = 32.0,
    frames: Frames = "first",
    workers: int | None = None,
) -> Iterator[Done]:
    """Read, change and write each file, several at once; yield what became of each, in order.

    A file that cannot be read, or that ``change`` refuses with a `UserError`, is left out with the reason and the
    others go on. ``change`` runs on several threads; what it draws must depend on the picture's name only. Raises
    `StorageError` when the disk refuses.
    """

    def one(job: Job) -> Done:
        try:
            picture = read(job.entry, max_megapixels=max_megapixels, frames=frames)
            changed = change(picture)
            return Done(job, (*changed.notes, *write(changed, job.out)))
        except UserError as error:
            return Done(job, reason=str(error))
        except MemoryError:
            return Done(job, reason=f"{job.entry.name} is too large for this machine's memory.")

    return each(jobs, one, workers)


Item = TypeVar("Item")


def each(items: Sequence[Item], work: Callable[[Item], Result], workers: int | None = None) -> Iterator[Result]:
    """Do some work on every item on a few threads; yield results in order, never holding more than twice as many."""
    workers = workers or min(PARALLEL, os.cpu_count() or 1)
    waiting: deque[Future[Result]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # here, not in the threads, whose restoring of the filters would race
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
