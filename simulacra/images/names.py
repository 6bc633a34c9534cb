"""Where results are written: the one place that makes paths from names of foreign files and zip members."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from simulacra.storage import component, inside

__all__ = ["targets"]


def targets(folder: Path, names: Sequence[str | PurePosixPath], ending: str | Sequence[str] = ".png") -> list[Path]:
    """Return a path below ``folder`` for each name, with ``ending`` (one, or one for each) in place of its own.

    No path leaves the folder, and no two are one file, also where upper and lower case or the Unicode forms of a
    letter are not told apart: names that would become the same keep their old ending before the new one, and what
    is still the same gets a number.
    """
    endings = [ending] * len(names) if isinstance(ending, str) else list(ending)
    own = [inside(name) for name in names]
    short = [name.with_suffix(new) for name, new in zip(own, endings, strict=True)]
    often = Counter(map(_key, short))
    wanted = [_appended(old, new.suffix) if often[_key(new)] > 1 else new for old, new in zip(own, short, strict=True)]
    folders = {_key(parent) for name in wanted for parent in name.parents}
    taken: set[str] = set()
    found = []
    for name in wanted:
        free = next(one for one in _numbered(name) if _key(one) not in taken and _key(one) not in folders)
        taken.add(_key(free))
        found.append(folder.joinpath(*map(component, free.parts)))
    return found


def _key(name: PurePosixPath) -> str:
    """What two names have in common where a file system does not tell them apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(name)).casefold())


def _appended(name: PurePosixPath, ending: str) -> PurePosixPath:
    return name if name.suffix.lower() == ending.lower() else name.with_name(component(name.name + ending))


def _numbered(name: PurePosixPath) -> itertools.chain[PurePosixPath]:
    later = (name.with_name(component(f"{name.stem}-{number}{name.suffix}")) for number in itertools.count(2))
    return itertools.chain([name], later)
