"""A model ready for use as one file: safetensors, its config in the metadata; read without executing anything."""

from __future__ import annotations

import hashlib
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
from simulacra.errors import RunError, SimulacraError
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.runs import lean
from simulacra.storage import atomic
from simulacra.tensors import read

FORMAT = "simulacra-1"


SLACK = 3  # times that a weight may be registered while its layer is built, as by spectral normalisation


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
        raise RunError("The config does not give data.size and data.channels; a run's own config always does.")
    return Shape(values.data.channels, values.data.size, values.data.width or 0)
