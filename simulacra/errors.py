"""What can go wrong, as one tree: catch `SimulacraError` to catch everything this package raises on purpose.

SimulacraError               every message says what was wrong, what is allowed and what to type
├── UserError                the input was wrong: exit status 2, nothing was written
│   ├── ConfigError          a recipe, an option or a combination of options
│   ├── DataError            a data set, an image file, a download
│   ├── RunError             a run folder, a checkpoint, a file of weights
│   └── CapabilityError      a verb that this family of models does not have
├── IncompleteError          some files were left out, each named with the reason; the others are written: exit status 1
├── DivergenceError          training became NaN or infinite and rolling back did not help: exit status 3
│   └── CollapseError        samples became alike or bad, and rolling back, which was asked for, did not help
├── StorageError             the disk refused a write; what was complete before is intact: exit status 4
└── InterruptedTraining      stopped by a signal after saving: exit status 130
    └── LostProcess          one of the processes of a training is gone; the last checkpoint is kept
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Sequence


class SimulacraError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_status = 1


class UserError(SimulacraError):
    """The input was wrong; nothing was written."""

    exit_status = 2


class ConfigError(UserError):
    """A recipe, an option or a combination of options is not allowed."""


class DataError(UserError):
    """A data set, an image file or a download cannot be used."""


class RunError(UserError):
    """A run folder, a checkpoint or a file of weights cannot be used."""


class CapabilityError(UserError):
    """The family of this model does not offer the verb that was asked of it."""


class IncompleteError(SimulacraError):
    """Some of many files could not be used and were left out; the results of the others are written."""


class DivergenceError(SimulacraError):
    """Training became NaN or infinite, also after rolling back; the last good checkpoint is kept."""

    exit_status = 3


class CollapseError(DivergenceError):
    """Samples became alike or bad, also after rolling back; the best checkpoint is kept."""


class StorageError(SimulacraError):
    """The disk refused a write; every file that was complete before is intact."""

    exit_status = 4


class InterruptedTraining(SimulacraError):
    """Training was stopped by a signal, after a checkpoint had been written."""

    exit_status = 130


class LostProcess(InterruptedTraining):
    """One of the processes of a training is gone, or differs from the others; the last checkpoint is kept."""


def nearest(name: str, allowed: Iterable[str], *, prefix: str = "") -> str:
    """Return ``" Did you mean 'x'?"`` for the allowed name nearest to ``name``, or an empty string.

    ``prefix`` is what stands before all of them: it is shown, but does not make names any nearer.
    """
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean '{prefix}{close[0]}'?" if close else ""


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names as a list to read: of many only the first, and how many more there are (never one alone)."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return ", ".join(names[:most]) + f" and {len(names) - most:,} more"


DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENXIO, errno.EROFS}  # it refuses whatever the name
LONGEST = 500  # characters of a message
ENDING = 240  # of these, those of its end, which says what to type
LONG_WORD = re.compile(r"\S{101,}")  # a name or a value, which loses its middle before a sentence does
VAST = 64 * LONGEST  # characters, above which a text is cut before it is looked at closely


def printable(text: str) -> str:
    """Return a text as one line that no terminal acts on: control and invisible characters are written as escapes.

    Names of files and texts from files may hold line breaks, escape sequences, marks that turn the direction of
    writing, and halves of characters that cannot be encoded. Of a text above 500 characters long names and values
    lose their middle, and where that is not enough the text itself does: its end says what to type.
    """
    if len(text) > VAST:
        text = _without_middle(text, VAST // 2, VAST // 2)
    text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
    if len(text) > LONGEST:
        text = LONG_WORD.sub(lambda found: f"{found[0][:50]}...{found[0][-40:]}", text)
    return text if len(text) <= LONGEST else _without_middle(text, LONGEST - ENDING, ENDING)


def _without_middle(text: str, beginning: int, ending: int) -> str:
    left_out = len(text) - beginning - ending
    return f"{text[:beginning]} [... {left_out:,} characters left out ...] {text[-ending:]}"
