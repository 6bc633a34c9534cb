"""A run folder: what lies where in it, its log, its lock, and what an interrupted training left behind.

RUN/ config.toml  environment.json  metrics.jsonl  samples/STEP.png  reconstructions/STEP.png
     checkpoints/STEP.pt + latest + best  model.safetensors  prior.safetensors  report.html  evaluation.json + .html

A run folder may come from somebody else. So its files are opened only where they are regular files inside the folder:
a link that leads out of it, a device or a pipe is refused.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from simulacra import config, storage
from simulacra.config import Config
from simulacra.errors import RunError, StorageError, listed
from simulacra.storage import atomic

CONFIG, METRICS, MODEL, REPORT = "config.toml", "metrics.jsonl", "model.safetensors", "report.html"
ENVIRONMENT, SAMPLES, RECONSTRUCTIONS, CHECKPOINTS = "environment.json", "samples", "reconstructions", "checkpoints"
EVALUATION, EVALUATION_PAGE, PRIOR = "evaluation.json", "evaluation.html", "prior.safetensors"
TENSORBOARD, LOCK, PART = "tensorboard", ".lock", ".part"
LARGEST, LARGEST_LOG = 1 << 20, 64 << 20  # bytes read of a text file: a thousand times what training writes
DISTANCE, DIVERSITY, WARNING = "samples/distance", "samples/diversity", "warning"

FOLDERS = (SAMPLES, RECONSTRUCTIONS, CHECKPOINTS, TENSORBOARD)
WRITTEN = (
    CONFIG, METRICS, MODEL, REPORT, ENVIRONMENT, EVALUATION, EVALUATION_PAGE, PRIOR, LOCK, *FOLDERS
)  # fmt: skip

Row = Mapping[str, Any]


class RunFolder:
    """The folder of one run. A training that writes to it holds its `lock`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []  # of the log, in a training
        self._lock: IO[str] | None = None

    # ----------------------------------------------------------------------------------------------- its files

    def place(self, name: str) -> Path:
        """Return where a file or folder of the run lies, or will lie.

        Raises `RunError` where a link leads out of the run folder.
        """
        path = self.path / name
        home, real = os.path.realpath(self.path), os.path.realpath(path)
        if real != home and not real.startswith(home.rstrip(os.sep) + os.sep):
            raise RunError(
                f"{path} leads out of the run folder, to {real}. Links out of a run are not followed: "
                "put the file or folder itself there."
            )
        return path

    def file(self, name: str) -> Path | None:
        """Return the path of a file of the run, or None where there is none.

        Raises `RunError` where a link leads out of the run folder, and for what is not a regular file.
        """
        path = self.place(name)
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                raise RunError(f"{path} is a link to a file that does not exist. Restore it, or delete it.") from None
            return None
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}.") from None
        if not stat.S_ISREG(mode):
            raise RunError(f"{path} is not a regular file. Restore it, or delete it.")
        return path

    def text(self, name: str, limit: int = LARGEST) -> str | None:
        """Return the content of a text file of the run, or None where there is none.

        Raises `RunError`, also for a file of more than ``limit`` bytes.
        """
        path = self.file(name)
        try:
            return None if path is None else storage.read(path, limit).decode("utf-8", errors="replace")
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise RunError(f"{error} Restore the file.") from None

    def table(self, name: str) -> dict[str, Any]:
        """Return the content of a JSON file of the run; empty where there is none or it is not an object."""
        try:
            found = json.loads(self.text(name) or "{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def config(self) -> Config:
        """Return the config beside the weights. Raises `RunError`, `ConfigError`."""
        text = self.text(CONFIG)
        if text is None:
            raise RunError(f"{self.path} is not a run folder: it holds no {CONFIG}.")
        return config.parse(config.loads(text, str(self.path / CONFIG)))

    def sheets(self, name: str) -> list[tuple[int, Path]]:
        """Return the sample grids in one of the run's folders with their steps, in order. Raises `RunError`."""
        found = _pictures(self.place(name))
        return [(step, path) for step, path in found if self.file(f"{name}/{path.name}") is not None]

    # ------------------------------------------------------------------------------------------------- its log

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``, in order; a last line that was cut short is left out.

        Raises `RunError` for any other line that is not one of a log.
        """
        lines = (self.text(METRICS, LARGEST_LOG) or "").splitlines()
        rows = []
        for number, line in enumerate(lines, 1):
            row = _row(line)
            if row is not None:
                rows.append(row)
            elif number < len(lines):
                raise RunError(
                    f"{self.path / METRICS}: line {number} is not a line of a training's log. Delete that line."
                )
        return rows

    def append(self, row: Row) -> None:
        """Add a line to the log. Raises `StorageError`."""
        self.rows.append(dict(row))
        path = self.path / METRICS
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise StorageError(f"{path} could not be written: {error.strerror or error}.") from None

    # ---------------------------------------------------------------------------------------------- a training

    def holds_a_run(self, *, resume: bool) -> bool:
        """Return whether there is a run to continue. Raises `RunError` rather than let anything be overwritten."""
        if os.path.lexists(self.path) and not is_folder(self.path):
            raise RunError(f"{self.path} is not a folder. Name a folder with --out.")
        if self.file(CONFIG) is not None:
            if resume:
                return True
            raise RunError(
                f"{self.path} already holds a run. Continue it with --resume, or choose another folder with --out."
            )
        if any(not entry.name.endswith(PART) and entry.name != LOCK for entry in self._entries()):
            raise RunError(f"{self.path} is not empty and holds no run. Choose another folder with --out.")
        parent = next(folder for folder in (self.path, *self.path.absolute().parents) if is_folder(folder))
        if not os.access(parent, os.W_OK | os.X_OK):
            raise RunError(
                f"{self.path} cannot be created: {parent} is not writable. Choose another folder with --out."
            )
        return False

    def _entries(self) -> list[Path]:
        try:
            return list(self.path.iterdir()) if is_folder(self.path) else []
        except OSError as error:
            raise RunError(f"{self.path} cannot be read: {error.strerror}. Choose another folder with --out.") from None

    def make(self) -> None:
        """Make the folder where there is none, and refuse one whose files lie elsewhere. Raises `RunError`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be created: {error.strerror}. Choose another folder with --out."
            ) from None
        for name in WRITTEN:
            path = self.place(name)
            if os.path.lexists(path) and is_folder(path) != (name in FOLDERS):
                raise RunError(f"{path} is not a {'folder' if name in FOLDERS else 'file'}. Delete or rename it.")
            if name not in FOLDERS:
                self.file(name)

    def lock(self) -> None:
        """Hold the folder for one training; the operating system lets go of it when the process ends.

        Raises `RunError` while another training holds it.
        """
        try:
            import fcntl
        except ImportError:  # Windows
            return
        path = self.place(LOCK)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            raise RunError(f"{path} cannot be opened: {error.strerror}. Choose another folder with --out.") from None
        self._lock = os.fdopen(handle, "r+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.unlock()
            raise RunError(
                f"Another training is writing to {self.path}. Wait for it, or choose another folder with --out."
            ) from None
        except OSError:  # a file system without locks
            self.unlock()

    def unlock(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def forget_after(self, step: int) -> None:
        """Drop half-written files, and the sheets and lines of the log beyond a step. Raises `StorageError`."""
        for folder in (self.path, *map(self.place, FOLDERS)):
            for leftover in folder.glob(f".*{PART}"):
                if leftover.is_symlink() or leftover.is_file():
                    leftover.unlink(missing_ok=True)
        for name in (SAMPLES, RECONSTRUCTIONS):
            for at, sheet in _pictures(self.place(name)):
                if at > step:
                    sheet.unlink(missing_ok=True)
        self.rows = [row for row in self.rows if row["step"] <= step]
        with atomic(self.path / METRICS) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows), "utf-8")

    def forget_scores(self) -> None:
        """Remove the evaluation of weights that will be replaced."""
        for name in (EVALUATION, EVALUATION_PAGE):
            (self.path / name).unlink(missing_ok=True)


def _row(line: str) -> dict[str, Any] | None:
    """A line of a log: step, images and seconds, and numbers or warnings by name; None if it is anything else."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    counts = all(_is_number(row.get(name)) and row[name] >= 0 for name in ("step", "images", "seconds"))
    whole = counts and isinstance(row["step"], int) and isinstance(row["images"], int)
    values = all(isinstance(value, str) if name == WARNING else _is_number(value) for name, value in row.items())
    return row if whole and values else None


def _is_number(value: object) -> bool:
    """Whether a value is a number that fits into a float; NaN and infinity are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or math.log2(abs(value) + 1) < 1_000


def read_environment(path: Path) -> dict[str, Any]:
    """Return what a run folder says about the machine and the data; empty where it does not say."""
    return RunFolder(path).table(ENVIRONMENT)


def scores(rows: Sequence[Row], keep: str) -> dict[str, float]:
    """Return the held-out scores of the weights that were kept: the last ones, or those where the first is best."""
    found = [{k: float(v) for k, v in row.items() if k.startswith(("test/", "validation/"))} for row in rows]
    found = [scores for scores in found if scores]
    if not found:
        return {}
    return min(found, key=lambda scores: next(iter(scores.values()))) if keep == "best" else found[-1]


def _pictures(folder: Path) -> list[tuple[int, Path]]:
    """The pictures of a folder that are named by a step, in the order of their steps."""
    return sorted((int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal())


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; unlike `Path.is_dir`, it is false for names that no file can have."""
    return os.path.isdir(path)  # noqa: PTH112


def weights_file(path: Path) -> Path:
    """Return the file of weights of a run folder, or the path itself if it is one. Raises `RunError`."""
    if not os.path.exists(path):  # noqa: PTH110 - unlike Path.exists it is false for names that no file can have
        raise RunError(
            f"There is no run {path}. Give a run folder or a .safetensors file; to train one: simulacra train vae-2d"
        )
    if not is_folder(path):
        if path.suffix != ".safetensors" or not path.is_file():
            raise RunError(f"{path} is neither a run folder nor a .safetensors file.")
        return path
    file = RunFolder(path).file(MODEL)
    if file is None:
        inside = [entry.parent.name for entry in sorted(path.glob(f"*/{MODEL}"))]
        raise RunError(
            f"{path} is not a run folder, but contains run folders. Choose one: {listed(inside)}."
            if inside
            else f"{path} is not a run folder: it holds no {MODEL}. Train into it: simulacra train RECIPE --out {path}"
        )
    return file
