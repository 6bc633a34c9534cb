"""Parts of a run written as files that were loaded again, compared with the model, and only then put in their place."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.export import facts
from simulacra.export.boundary import Boundary, Range
from simulacra.export.capture import captured
from simulacra.export.lean import used_weights
from simulacra.export.parts import Part
from simulacra.export.parts import parts as of_model
from simulacra.export.price import price
from simulacra.export.program import traced
from simulacra.export.runtimes import Runner, examples, largest_difference, onnx_runner, torch_runner
from simulacra.export.to_onnx import graph, halved
from simulacra.machine import extra
from simulacra.runs import model_file
from simulacra.runs.run import Run
from simulacra.storage import atomic, scratch

__all__ = ["DEFAULT_RANGES", "Written", "write"]

DEFAULT_RANGES: dict[str, Range] = {"onnx": "uint8", "torch-export": "symmetric", "safetensors": "symmetric"}
MODEL = "model"


@dataclass(frozen=True)
class Written:
    """A file that was written, and what there is to say about it."""

    path: Path
    said: str


def write(
    run: Run,
    format_: str,
    parts: Sequence[Part],
    files: Sequence[Path],
    *,
    convention: Range,
    half: bool = False,
    int8: bool = False,
    licence: str = "not stated",
) -> Iterator[Written]:
    """Write each part to its file, and README.md beside the first; yield what was written.

    Raises `Mismatch` for a file that computes something else than the model, which is then not written;
    `ConfigError` for a missing extra, `CapabilityError`, `StorageError`.
    """
    if format_ == "safetensors":
        yield _safetensors(run, parts, files[0], half=half)
    for part, path in zip(parts, files, strict=True) if format_ != "safetensors" else ():
        boundary = Boundary(part, convention)
        said = facts.facts(run, part, convention, licence)
        if format_ == "onnx":
            yield _onnx(run, part, boundary, path, said, half=half, int8=int8)
        else:
            yield _torch_export(part, boundary, path, said)
    readme = files[0].with_name("README.md")
    _put(readme, facts.readme(run, format_, parts, [path.name for path in files], convention, licence).encode())
    yield Written(readme, "inputs, outputs, and an example that runs")


def _model_runner(boundary: Boundary) -> Runner:
    """What the model itself computes."""

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            return list(boundary(*inputs))

    return run


def _put(path: Path, content: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def _said(size: int, difference: float, part: Part, boundary: Boundary) -> str:
    bytes_out = part.outputs[0].kind == "image" and boundary.convention == "uint8"
    unit = "grey levels" if bytes_out else ""
    return f"{size:,} bytes, largest difference {difference:.2g} {unit}".rstrip()


# ---------------------------------------------------------------------------------------------------- formats


def _onnx(
    run: Run, part: Part, boundary: Boundary, path: Path, said: dict[str, str], *, half: bool, int8: bool
) -> Written:
    model = graph(traced(part, boundary), part, boundary.convention, said)
    content: bytes = model.SerializeToString()
    exported, inputs = onnx_runner(content), examples(part, boundary)
    difference = largest_difference(inputs, _model_runner(boundary), exported, path.name)
    told = _said(len(content), difference, part, boundary)
    if half or int8:
        small: bytes = halved(model).SerializeToString() if half else _quantised(content)
        told = f"{told}; {price(run, part, boundary, (exported, len(content)), (onnx_runner(small), len(small)))}"
        content = small
    _put(path, content)
    return Written(path, told)


def _quantised(content: bytes) -> bytes:
    """Weights in int8 by onnxruntime's own quantiser; activations are quantised as they come."""
    quantisation: Any = extra("onnxruntime.quantization", "--int8", "export")
    with scratch() as folder:
        plain, small = folder / "plain.onnx", folder / "small.onnx"
        plain.write_bytes(content)
        quietly = logging.root.manager.disable
        logging.disable(logging.WARNING)  # advice on what makes no difference here
        try:
            quantisation.quantize_dynamic(plain, small, weight_type=quantisation.QuantType.QUInt8)
        finally:
            logging.disable(quietly)
        return small.read_bytes()


def _torch_export(part: Part, boundary: Boundary, path: Path, said: dict[str, str]) -> Written:
    inputs = examples(part, boundary)
    with scratch() as folder:
        file = folder / path.name
        torch.export.save(captured(part, boundary), file, extra_files={"simulacra.json": json.dumps(said)})
        exported = torch_runner(file, inputs)
        difference = largest_difference(inputs, _model_runner(boundary), exported, path.name)
        content = file.read_bytes()
    _put(path, content)
    return Written(path, _said(len(content), difference, part, boundary))


def _safetensors(run: Run, parts: Sequence[Part], path: Path, *, half: bool) -> Written:
    """The whole model, without the weights that only a training needs."""
    with scratch() as folder:
        file = folder / path.name
        model_file.save_model(run.model, run.config, file, half=half, needed=needed_weights(run, parts))
        loaded, _ = model_file.load_model(file)
        content = file.read_bytes()
    again = {part.name: part for part in _parts_again(loaded, parts)}
    worst = 0.0
    for part in parts:
        if part.name not in again:
            continue
        ours, theirs = (Boundary(one, "symmetric") for one in (part, again[part.name]))
        if half:
            worst = max(worst, _difference(examples(part, ours), ours, theirs))
        else:
            found = largest_difference(examples(part, ours), _model_runner(ours), _model_runner(theirs), path.name)
            worst = max(worst, found)
    _put(path, content)
    return Written(path, f"{len(content):,} bytes, largest difference {worst:.2g}")


def _difference(inputs: list[list[Tensor]], ours: Boundary, theirs: Boundary) -> float:
    pairs = [zip(_model_runner(ours)(one), _model_runner(theirs)(one), strict=True) for one in inputs]
    return max(float((a.double() - b.double()).abs().max()) for pair in pairs for a, b in pair)


def _parts_again(model: Any, parts: Sequence[Part]) -> list[Part]:
    known = of_model(model)
    return [known[part.name] for part in parts if part.name in known]


def needed_weights(run: Run, parts: Sequence[Part]) -> set[str]:
    """Return the names of the weights that any part reads."""
    used: set[int] = set()
    generator = torch.Generator().manual_seed(0)
    for part in parts:
        used |= used_weights(part.module, tuple(one.draw(2, generator) for one in part.inputs))
    return {name for name, tensor in run.model.state_dict(keep_vars=True).items() if id(tensor) in used}


def refuse_options(format_: str, *, convention: str | None, half: bool, int8: bool) -> None:
    """Refuse options that a format does not have. Raises `ConfigError`."""
    if half and int8:
        raise ConfigError("--half and --int8 exclude each other. Choose one of them.")
    if int8 and format_ != "onnx":
        raise ConfigError(f"--int8 is for --format onnx, not {format_}. Leave it out.")
    if half and format_ not in ("onnx", "safetensors"):
        why = ", whose page holds float16 in any case" if format_ == "html" else ""
        raise ConfigError(f"--half is for --format onnx and safetensors, not {format_}{why}. Leave it out.")
    if convention is not None and format_ in ("safetensors", "html"):
        raise ConfigError(f"--range is for --format onnx and torch-export, not {format_}. Leave it out.")
