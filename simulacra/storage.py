"""Files written whole or not at all, and names that are safe to write."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from simulacra.errors import ConfigError, StorageError

LONGEST_NAME = 255  # bytes of one file name on common file systems
DEEPEST = 64  # parts of a path; work on names grows with the square of it
DRIVE = re.compile(r"^[A-Za-z]:")
BIDIRECTIONAL = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # reorder what is shown
BAD_NAME = frozenset(
    {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ, errno.ENOENT}
)


def read(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes. Raises `OSError`, `ValueError`."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(f"{path} is not a regular file.")
    if facts.st_size > limit:
        raise ValueError(f"{path} has {facts.st_size:,} bytes; at most {limit:,} are read.")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:  # it grew meanwhile
        raise ValueError(f"{path} has more than {limit:,} bytes.")
    return content


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Write to a temporary name beside ``path`` and rename it when the block ends: a file is whole or absent.

    Raises `StorageError` when the disk refuses, `ConfigError` when it is the name that cannot be written; what was at
    ``path`` before is then untouched.
    """
    temporary = path.parent / f".{secrets.token_hex(6)}.part"  # chosen before there is a file to lose
    _unfinished.add(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(0o600, exist_ok=False)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise refused(path, error) from None
    finally:
        _discard(temporary)


_unfinished: set[Path] = set()


def _discard(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()
    _unfinished.discard(temporary)


def discard_unfinished() -> None:
    """Remove the temporary files of this process: for its end while threads still write."""
    for temporary in list(_unfinished):
        _discard(temporary)


@contextmanager
def scratch(home: Path | None = None) -> Iterator[Path]:
    """Yield a new folder in ``home``, or among the system's temporary ones, which is gone when the block ends."""
    token = secrets.token_hex(8)
    folder = Path(tempfile.gettempdir()) / f"simulacra-{token}" if home is None else home / f".part-{token}"
    try:
        folder.mkdir(0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refused(path: Path, error: OSError) -> StorageError | ConfigError:
    """Return the error that says why a path could not be written: its name cannot be, or the disk refuses."""
    reason = error.strerror or str(error)
    if error.errno in BAD_NAME:
        return ConfigError(f"{path} cannot be written: {reason}. Choose another name or folder with --out.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{path} could not be written: {reason}. Choose another --out, or allow writing there.")
    return StorageError(f"{path} could not be written: {reason}. Free some space or choose another --out.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# ------------------------------------------------------------------------------------------- foreign names


PLAIN = re.compile(r"[ -.0-\[\]-~]*")  # printable ASCII without slashes: nearly all names, of which there may be 60,000


def component(text: str) -> str:
    """Return one name of a file or folder for a foreign text: printable, not ``..``, at most 255 bytes.

    A longer one is cut, keeps its ending and gets eight digits of its SHA-256, so that two long names stay two.
    """
    decoded = DRIVE.sub("", text.encode("utf-8", "replace").decode("utf-8"))
    name = decoded
    if not PLAIN.fullmatch(decoded):
        name = "".join("_" if _is_unprintable(char) else char for char in decoded)
    if not name.strip(" ."):
        return "_"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    ending = PurePosixPath(name).suffix if len(PurePosixPath(name).suffix.encode()) <= 16 else ""
    mark = f"~{hashlib.sha256(name.encode()).hexdigest()[:8]}{ending}"
    return name.encode()[: LONGEST_NAME - len(mark.encode())].decode("utf-8", "ignore") + mark


def _is_unprintable(char: str) -> bool:
    return char in "/\\" or char in BIDIRECTIONAL or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def inside(name: str | PurePosixPath) -> PurePosixPath:
    """Return a foreign path as one that stays below the folder it is put into.

    Backslashes separate as slashes do; roots, drive letters, ``.`` and ``..`` go; each part is a `component`. Of more
    than 64 parts those in the middle become one, with eight digits of the SHA-256 of all.
    """
    parts = [part for part in re.split(r"[/\\]", str(name)) if DRIVE.sub("", part).strip(" .")]
    if len(parts) > DEEPEST:
        mark = hashlib.sha256("/".join(parts).encode("utf-8", "replace")).hexdigest()[:8]
        parts = [*parts[: DEEPEST // 2], f"~{mark}", *parts[-DEEPEST // 2 + 1 :]]
    return PurePosixPath(*map(component, parts or ["_"]))
