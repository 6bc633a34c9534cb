"""What the verbs say, and where they write. All text goes through `errors.printable`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from simulacra.errors import ConfigError, StorageError, printable

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from simulacra.runs.run import Run


PLAIN_SECONDS = 10  # between two lines of progress where there is no terminal
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
Item = TypeVar("Item")


def show(line: str = "") -> None:
    """Print a line on standard output. Raises `StorageError` where that refuses."""
    try:
        print(printable(line), flush=True)
    except OSError as error:
        raise unprinted(error) from None


def unprinted(error: OSError) -> Exception:
    """Return what a failed write to standard output is; a closed pipe stays a closed pipe."""
    if isinstance(error, BrokenPipeError):
        return error
    return StorageError(f"Standard output could not be written: {error.strerror or error}.")


def tell(line: str) -> None:
    """Print a line on standard error: progress, remarks, what was left out. Work goes on where nobody can read it."""
    with contextlib.suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)


def say(path: Path, what: str = "") -> None:
    """Print where a result is."""
    show(f"{path}" + (f": {what}" if what else ""))


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on while showing how many there were: a bar on a terminal, else a line now and then on stderr."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, what, total, console=Console(stderr=True), transient=True)
        return
    last = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last > PLAIN_SECONDS:
            last = time.monotonic()
            tell(f"{what}: {number:,} of {total:,}")


def show_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as a table; no text in a cell is taken for markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table at the terminal's width, or without wrapping into a file or pipe. Raises `StorageError`."""
    from rich.console import Console

    try:
        Console(width=None if sys.stdout.isatty() else 300).print(table)
    except OSError as error:
        raise unprinted(error) from None


def open_run(options: argparse.Namespace) -> Run:
    """Open the run that a verb was given."""
    from simulacra.runs.run import Run

    return Run.open(options.run, data_root=options.data_root)


def target(options: argparse.Namespace, run: Run, default: str) -> Path:
    """Where a picture goes: as asked, or under a default name in the run folder."""
    if options.out is not None:
        return Path(options.out)
    return run.results / default


def picture_target(
    options: argparse.Namespace,
    run: Run,
    default: str,
    *,
    folder_allowed: bool = False,
    video_allowed: bool = False,
) -> Path:
    """Where a picture goes; names that cannot be written, and files that would be lost, are refused before any work."""
    path = target(options, run, default)
    refuse_picture_name(path, folder_allowed=folder_allowed, video_allowed=video_allowed)
    if options.out is not None and not path.is_dir():
        refuse_existing(path, options.force)
    return path


def refuse_existing(path: Path, force: bool) -> None:
    """Refuse to overwrite what is there unless that was asked for."""
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already. Overwrite it with --force, or choose another name.")


def refuse_picture_name(
    path: Path, *, folder_allowed: bool = False, video_allowed: bool = False, option: str = "--out"
) -> None:
    """Refuse names that cannot be written before any work is done."""
    if folder_allowed and (path.is_dir() or not path.suffix):
        return
    if video_allowed and path.suffix.lower() == ".mp4" and not path.is_dir():
        return
    if path.is_dir() or path.suffix.lower() not in PICTURES:
        is_ = "is a folder" if path.is_dir() else "is not an image file name"
        raise ConfigError(f"{option} {path} {is_}: it must end in .png, .jpg, .webp or .gif.")


def save_frames(frames: Tensor, path: Path, *, force: bool = False) -> None:
    """Write frames as a film, as single images in a folder, or as one strip."""
    from simulacra import images

    if path.suffix.lower() == ".gif":
        say(images.save_animation(frames, path))
    elif path.suffix.lower() == ".mp4":
        say(images.save_video(frames, path))
    elif path.suffix:
        say(images.save(images.grid(images.magnified(frames), len(frames)), path))
    else:
        save_sheet(frames, path, force=force)


def save_sheet(x: Tensor, path: Path, *, force: bool = False) -> None:
    """Write images as one sheet, or as single files into a folder, where none is overwritten unless that was asked."""
    from simulacra import images
    from simulacra.images.batch import refuse_taken

    if path.suffix:
        _refuse_large_sheet(x)
        say(images.save(images.grid(images.magnified(x)), path))
        return
    files = [path / f"{index:05d}.png" for index in range(len(x))]
    refuse_taken(files, force=force)
    for image, file in zip(x, files, strict=True):
        images.save(image, file)
    say(path, f"{len(x):,} images of {x.shape[-2]} x {x.shape[-1]}")


def _refuse_large_sheet(x: Tensor) -> None:
    """Refuse a sheet that would not fit into memory, enlarged as it is shown. Raises `ConfigError`."""
    from simulacra import images, machine

    enlarged = len(x) * images.magnified(x[:1]).numel() * x.element_size()
    machine.refuse_more_than_memory(2 * enlarged, f"A sheet of {len(x):,} images", "Name a folder: --out DIR")
