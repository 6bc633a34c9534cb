"""Files of weights and training state: written whole or not at all, read without executing anything.

`save` and `load` keep a training's state (torch format, ``weights_only``); `save_model` and `load_model` keep a
model ready for use (safetensors, its config in the metadata: one file is a whole model).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from simulacra import config, models
from simulacra.config import Config
from simulacra.errors import RunError, SimulacraError, UserError
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.runs import lean
from simulacra.runs.folder import RunFolder
from simulacra.storage import atomic
from simulacra.tensors import read, refuse_large

FORMAT = "simulacra-1"
KEPT = 2  # newest checkpoints kept, besides the best
LONGEST_NAME = 200  # characters read of the name in ``latest`` or ``best``
SLACK = 3  # times that a weight may be registered while its layer is built, as by spectral normalisation


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


def refuse_unlike(own: Mapping[str, Tensor], found: Any, what: str) -> None:
    """Raise ValueError unless ``found`` holds the tensors ``own`` by name, in their shapes and types.

    A few bytes of a file can pose as any number of equal ones, on any device: such tensors are not those of a model.
    """
    if not isinstance(found, Mapping) or found.keys() != own.keys():
        raise ValueError(f"its {what} has other parts.")
    wrong = next((name for name, tensor in own.items() if not is_like(tensor, found[name])), None)
    if wrong is not None:
        raise ValueError(f"its {what} holds {wrong} in another shape or type.")


def is_like(own: Tensor, found: object) -> bool:
    """Whether something is a plain tensor of a shape and type, with numbers of its own."""
    return (
        isinstance(found, Tensor)
        and (found.layout, found.dtype, found.shape, found.is_quantized)
        == (torch.strided, own.dtype, own.shape, own.is_quantized)
        and found.device.type != "meta"
        and found.numel() * found.element_size() <= found.untyped_storage().nbytes()
    )


def save_model(
    model: Model, values: Config, path: Path, *, half: bool = False, needed: Collection[str] | None = None
) -> None:
    """Write a model's weights as safetensors, its config and shape in the metadata. Raises `StorageError`.

    ``half`` writes float16; ``needed`` are the names of the weights to write, where not all are.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    tensors, said = lean.reduced(tensors, half=half, needed=needed)
    metadata = {"format": FORMAT, "config": config.dumps(values), **said}
    with atomic(path) as temporary:
        temporary.write_bytes(serialise(tensors, metadata))


def load_model(path: Path) -> tuple[Model, Config]:
    """Read a model written by `save_model`, in eval mode.

    Raises `RunError` for damaged or foreign files, for weights that do not fit their config or are not finite.
    """
    try:
        tensors, metadata = read(path)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged, or not a file of weights: {error}. Train again, or restore the file."
        ) from None
    if metadata.get("format") != FORMAT or "config" not in metadata:
        raise RunError(f"{path} was not written by this version of simulacra ({FORMAT}).")
    try:
        values = config.parse(config.loads(metadata["config"], str(path)))
        with _no_larger_than(tensors):
            model = empty(values)
    except SimulacraError as error:
        raise RunError(f"{path} cannot be opened: {error}") from None
    except (RuntimeError, RecursionError) as error:
        raise RunError(_unfit(path, error)) from None
    try:
        tensors, model.left_out = lean.completed(model, tensors, metadata)
        _refuse_other_kinds(model, tensors)
        model.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise RunError(_unfit(path, error)) from None
    broken = next((name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())), None)
    if broken is not None:
        raise RunError(
            f"{path} is unusable: its weights {broken} are NaN or infinite. Train again, or restore the file."
        )
    return model.requires_grad_(False).eval(), values


def _unfit(path: Path, error: Exception) -> str:
    return f"{path}: the weights do not fit the config in the same file: {str(error).splitlines()[0]}"


@contextmanager
def _no_larger_than(tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """While a model is built, stop as soon as it has more weights than its file: a config may ask for any number."""
    numbers, count = (SLACK * size for size in (sum(t.numel() for t in tensors.values()), len(tensors)))
    built = [0, 0]

    def registered(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        built[0] += 0 if parameter is None else parameter.numel()
        built[1] += 1
        if built[0] > numbers or built[1] > count:
            raise RuntimeError(
                f"it asks for a model of more than {built[0]:,} weights in {built[1]:,} tensors; the file holds "
                f"{numbers // SLACK:,} in {count // SLACK:,}."
            )

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()


def _refuse_other_kinds(model: Model, tensors: Mapping[str, Tensor]) -> None:
    for name, own in model.state_dict().items():
        if name in tensors and tensors[name].dtype != own.dtype:
            raise RuntimeError(f"{name} is of type {tensors[name].dtype}, not {own.dtype}.")


def digest(model: Model, values: Config) -> str:
    """Return a SHA-256 of a model's weights and of the config that gives them their meaning.

    Equal models have equal digests, in whatever order their file holds the weights.
    """
    found = hashlib.sha256(values.model.model_dump_json().encode())
    for name, tensor in sorted(model.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a model file, by which priors knew their model in earlier versions."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def empty(values: Config) -> Model:
    """Build a config's model without memory for its weights, to be filled by ``load_state_dict(assign=True)``."""
    with torch.device("meta"):
        return models.build(values.model, shape_of(values))


def shape_of(values: Config) -> Shape:
    """The shape of a resolved config's images."""
    if values.data.size is None or values.data.channels is None:
        raise RunError("The config names no data.size and data.channels; a run's own config always does.")
    return Shape(values.data.channels, values.data.size, values.data.width or 0)
