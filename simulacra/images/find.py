"""The image files of a folder, a zip or a path: listed, never run, never followed out of what was named twice."""

from __future__ import annotations

import itertools
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from simulacra.errors import DataError
from simulacra.storage import inside

SPLITS = ("train", "test")  # folders at the top that are not classes
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
UNREAD = frozenset({
    ".apng", ".arw", ".avif", ".cr2", ".cr3", ".dcm", ".dds", ".dib", ".dng", ".emf", ".eps", ".exr", ".fits",
    ".hdr", ".heic", ".heif", ".icns", ".ico", ".j2k", ".jp2", ".jpf", ".jpx", ".jxl", ".nef", ".orf", ".pam",
    ".pbm", ".pcx", ".pfm", ".pgm", ".pic", ".pnm", ".ppm", ".ps", ".psd", ".qoi", ".raf", ".rw2", ".sgi", ".svg",
    ".svgz", ".tga", ".wmf", ".xbm", ".xcf", ".xpm",
})  # fmt: skip  # endings of pictures that are not read
PACK = ".simpack"  # ending of a file of pixels, which `data.packs` reads
LARGEST_MEMBER = 256 << 20  # bytes of one unpacked zip member
LARGEST_SMALL_ZIP = 512 << 20  # bytes that any zip may unpack to
LARGEST_GROWTH = 20  # times the size of its file, to which a larger zip may unpack
HEADER = 256 << 10  # bytes at the beginning of a member in which the size of a picture stands
LOCAL_HEADER = 30  # bytes at least before a member's content
MOST_LINKS = 10_000  # folders reached through links


@dataclass(frozen=True)
class Entry:
    """One image file: its name inside the folder or zip, how to read it, its bytes, and how to read its beginning."""

    name: PurePosixPath
    source: Callable[[], Path | bytes]
    size: int = 0
    beginning: Callable[[], bytes] | None = None

    def head(self) -> Path | bytes:
        """Return what holds the header: the file, or the first bytes that a zip unpacks; nothing where it cannot."""
        if self.beginning is None:
            return self.source()
        try:
            return self.beginning()
        except (DataError, OSError):
            return b""


@dataclass(frozen=True)
class Others:
    """The pictures that were passed over: how many of each ending, and one of them. As text: one line, or nothing."""

    counts: tuple[tuple[str, int], ...] = ()
    example: str = ""

    def __str__(self) -> str:
        if not self.counts:
            return ""
        total = sum(count for _, count in self.counts)
        kinds = ", ".join(f"{count:,} {ending}" for ending, count in self.counts)
        files = "picture is of a kind that is" if total == 1 else "pictures are of kinds that are"
        return f"{total:,} {files} not read: {kinds} (such as {self.example})."


def find(path: Path) -> list[Entry]:
    """List the image files of a folder, a zip, or one image file, sorted by name. Raises `DataError` if none."""
    return find_with_others(path)[0]


def find_with_others(path: Path) -> tuple[list[Entry], Others]:
    """List the image files as `find` does, and count the pictures of kinds that are not read."""
    ending = path.suffix.lower()
    if path.is_dir():
        if (path / "config.toml").is_file() and (path / "checkpoints").is_dir():
            raise DataError(f"{path} is a run, not a data set. Give a folder or a zip of images, or a data set's name.")
        found = list(_in_folder(path))
    elif path.is_file() and ending in UNREAD:
        raise DataError(f"{path} is a {ending} picture, which is not read. Convert it to PNG, JPEG, WebP, BMP or TIFF.")
    elif path.is_file() and ending in ENDINGS:
        found = [Entry(inside(path.name), lambda: path, path.stat().st_size)]
    elif path.is_file():
        found = list(_in_zip(path))
    elif path.exists():
        raise DataError(f"{path} is neither a regular file nor a folder. Give an image, a folder or a zip of images.")
    else:
        raise DataError(f"There is no file or folder {path}. Give an image, a folder or a zip of images.")
    entries = [entry for entry in found if entry.name.suffix.lower() in ENDINGS and entry.size >= 0]
    others = _others([entry for entry in found if entry.name.suffix.lower() in UNREAD or entry.size < 0])
    if not entries:
        raise DataError(f"{path} holds no images. Image files end in {', '.join(sorted(ENDINGS))}. {others}".rstrip())
    return sorted(entries, key=lambda entry: entry.name), others


def _others(passed: Sequence[Entry]) -> Others:
    kinds = Counter("that is not a regular file" if one.size < 0 else one.name.suffix.lower() for one in passed)
    return Others(tuple(kinds.most_common()), str(min(one.name for one in passed)) if passed else "")


def _is_picture(name: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
    return not hidden and (name.suffix.lower() in ENDINGS or name.suffix.lower() in UNREAD)


# ------------------------------------------------------------------------------------------------- folders


def _in_folder(folder: Path) -> Iterator[Entry]:
    """Every picture below a folder; the size of what is not a regular file is -1."""
    for file in _files(folder, (), _Links()):
        name = inside(PurePosixPath(file.relative_to(folder).as_posix()))
        if _is_picture(name):
            try:
                status = file.stat()
            except OSError:  # a link to nowhere
                continue
            yield Entry(name, partial(_same, file), status.st_size if stat.S_ISREG(status.st_mode) else -1)


def _same(path: Path) -> Path:
    return path


class _Links:
    """Counts the folders that links lead to: links to links can multiply without end."""

    def __init__(self) -> None:
        self.followed = 0

    def follow(self, folder: Path) -> None:
        self.followed += 1
        if self.followed > MOST_LINKS:
            raise DataError(f"{folder}: more than {MOST_LINKS:,} folders are links. Name the folder that they lead to.")


def _files(folder: Path, above: tuple[tuple[int, int], ...], links: _Links) -> Iterator[Path]:
    """The files below a folder, also where links to folders lead, but never round a circle of links."""
    try:
        own = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.") from None
    here = (own.st_dev, own.st_ino)
    if here in above:
        return
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            if entry.is_symlink():
                links.follow(Path(entry.path))
            yield from _files(Path(entry.path), (*above, here), links)
        elif not entry.is_dir():
            yield Path(entry.path)


# ---------------------------------------------------------------------------------------------------- zips


def _named(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that have a name; `ZipInfo.is_dir` fails on one without."""
    return [info for info in archive.infolist() if info.filename]


def _in_zip(path: Path) -> list[Entry]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        if path.suffix.lower() == PACK:
            raise DataError(f"{path} is a pack, from which only train reads. Name the pictures themselves.") from None
        raise DataError(f"{path} is neither a folder, nor an image, nor a zip that can be read: {error}.") from None
    infos = [info for info in _named(archive) if not info.is_dir() and _is_picture(inside(info.filename))]
    _refuse_bombs(path, [info for info in infos if inside(info.filename).suffix.lower() in ENDINGS])
    return _below_one_top(
        [
            Entry(inside(i.filename), partial(_member, archive, i), i.file_size, partial(_member, archive, i, HEADER))
            for i in infos
        ]
    )


def _refuse_bombs(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise `DataError` for members that share their bytes, and for a zip that unpacks to far more than it is."""
    placed = sorted(members, key=lambda info: info.header_offset)
    for first, second in itertools.pairwise(placed):
        if second.header_offset < first.header_offset + LOCAL_HEADER + first.compress_size:
            names = f"{inside(first.filename)} and {inside(second.filename)}"
            raise DataError(f"{path}: the members {names} overlap, which no valid zip has. Pack the folder again.")
    total = sum(min(info.file_size, LARGEST_MEMBER) for info in members)
    limit = max(LARGEST_SMALL_ZIP, LARGEST_GROWTH * path.stat().st_size)
    if total > limit:
        raise DataError(
            f"{path} of {path.stat().st_size / 1e6:,.1f} MB would unpack to {total / 1e6:,.0f} MB; the limit for it is "
            f"{limit / 1e6:,.0f} MB. Unpack it yourself, if you trust it, and name the folder."
        )


def _below_one_top(entries: list[Entry]) -> list[Entry]:
    """Drop the top folder that all members share: a zip of a folder holds that folder, which is not a class."""
    tops = {entry.name.parts[:-1][:1] for entry in entries}
    top = tops.pop() if len(tops) == 1 else ()
    if not top or top[0].lower() in SPLITS:
        return entries
    return [replace(entry, name=PurePosixPath(*entry.name.parts[1:])) for entry in entries]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int = LARGEST_MEMBER) -> bytes:
    name = inside(info.filename)
    if info.file_size > LARGEST_MEMBER:
        raise DataError(f"{name} unpacks to {info.file_size >> 20} MB; the limit is {LARGEST_MEMBER >> 20} MB.")
    try:
        with archive.open(info) as member:
            return member.read(most)
    except MemoryError:
        raise
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise DataError(f"{name} cannot be unpacked: {error}.") from None
    except Exception as error:  # zlib and lzma raise errors of their own for damaged streams
        raise DataError(f"{name} is damaged: {error}.") from None
