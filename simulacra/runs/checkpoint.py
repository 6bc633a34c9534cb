"""The state of a training in files: written whole or not at all, read without executing anything.

`save` and `load` keep it in torch's format, ``weights_only``; `Checkpoints` is the folder of a run that holds them.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from simulacra.config import Config
from simulacra.errors import RunError, UserError
from simulacra.models import Model
from simulacra.runs.folder import RunFolder
from simulacra.runs.model_file import FORMAT, empty, refuse_unlike
from simulacra.storage import atomic
from simulacra.tensors import refuse_large

KEPT = 2  # newest checkpoints kept, besides the best
LONGEST_NAME = 200  # characters read of the name in ``latest`` or ``best``


class Checkpoints:
    """The folder ``checkpoints/`` of a run: ``STEP.pt`` files, and the names of the latest and the best."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, state: dict[str, Any]) -> Path:
        """Write a state under the name of its step; it counts once it is committed."""
        path = self.folder / f"{state['step']:08d}.pt"
        save(state, path)
        return path

    def commit(self, path: Path, *, best: bool = False) -> None:
        """Point ``latest`` (and before it ``best``) to a written state, and remove old ones."""
        if best:
            self._point("best", path)
        self._point("latest", path)
        named = {self.latest(), self.best()}
        for old in self._all()[:-KEPT]:
            if old not in named:
                old.unlink()

    def forget_after(self, step: int) -> None:
        """Remove states beyond a step, left by a run that was interrupted or rolled back."""
        named = {self.latest(), self.best()}
        for path in self._all():
            if int(path.stem) > step and path not in named:
                path.unlink()

    def latest(self) -> Path | None:
        """The newest checkpoint, or None where there is none yet. Raises `RunError` for a name that leads nowhere."""
        return self._pointed("latest")

    def best(self) -> Path | None:
        """The checkpoint with the best held-out score, or None. Raises `RunError` for a name that leads nowhere."""
        return self._pointed("best")

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """Return the state to continue from: that of `latest`, or where this name is lost, the newest that is whole.

        Raises `RunError` where there are checkpoints, and none is whole.
        """
        latest = self.latest()
        if latest is not None:
            return latest, load(latest)
        reason = None
        for path in reversed(self._all()):
            try:
                return path, load(self._checked(path.name) or path)
            except RunError as error:
                reason = reason or error
        if reason is not None:
            raise reason
        return None

    def _point(self, name: str, path: Path) -> None:
        with atomic(self.folder / name) as temporary:
            temporary.write_text(path.name + "\n")

    def _pointed(self, name: str) -> Path | None:
        run = RunFolder(self.folder.parent)
        text = run.text(f"{self.folder.name}/{name}")
        if text is None:
            return None
        file = Path(text.strip()[:LONGEST_NAME]).name
        path = self._checked(file) if file else None
        if path is None:
            raise RunError(
                f"{self.folder / name} names {file or 'nothing'}, which is missing. "
                "Write the name of another .pt file of that folder into it, or delete it to continue from the newest."
            )
        return path

    def _checked(self, name: str) -> Path | None:
        """The path of a checkpoint, a regular file inside the run folder; None where there is none."""
        return RunFolder(self.folder.parent).file(f"{self.folder.name}/{name}")

    def _all(self) -> list[Path]:
        found = [path for path in self.folder.glob("*.pt") if path.stem.isdecimal()]
        return sorted(found, key=lambda path: int(path.stem))


def save(state: dict[str, Any], path: Path) -> None:
    """Write a training state atomically. Raises `StorageError`."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(path: Path) -> dict[str, Any]:
    """Read a training state without executing code from it. Raises `RunError` for damaged or foreign files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about files that are refused below
            refuse_large(path, _unpacked(path))
            state = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError:
        raise RunError(
            f"{path} is not a checkpoint of simulacra: it holds objects other than tensors, numbers and text, "
            "or is damaged. Nothing in it was executed. Continue from another .pt file in its folder."
        ) from None
    except Exception as error:  # torch raises RuntimeError, EOFError, KeyError and more for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(
            f"{path} is damaged or truncated ({reason}). "
            "Write the name of an older .pt file of that folder into its file 'latest', and resume again."
        ) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise RunError(f"{path} is not a checkpoint of this version of simulacra ({FORMAT}).")
    return state


def _unpacked(path: Path) -> int:
    """The bytes of all members of a checkpoint, which is a zip; 0 for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return 0


def averaged(state: dict[str, Any], values: Config) -> Model:
    """Return the model ready for use that a training state holds: of averaged weights, if there are any.

    Raises `RunError` for a state of another model.
    """
    model = empty(values)
    found: Any = state.get("average") or state.get("model")
    try:
        refuse_unlike(model.state_dict(), found, "model")
    except ValueError as error:
        raise RunError(f"A checkpoint does not fit the config beside it: {error} Restore the run.") from None
    model.load_state_dict(found, assign=True)
    return model.requires_grad_(False).eval()
