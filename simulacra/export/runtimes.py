"""Exported files loaded by the programs that will run them, and compared with the model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra.errors import SimulacraError
from simulacra.export.boundary import Boundary
from simulacra.export.parts import Part
from simulacra.machine import extra
from simulacra.storage import scratch

__all__ = ["BATCHES", "Mismatch", "Runner", "examples", "largest_difference", "onnx_runner", "torch_runner"]

Runner = Callable[[Sequence[Tensor]], list[Tensor]]  # the inputs of a part to its outputs
BATCHES = (1, 2, 5)
TOLERANCE = 1e-4
LEVEL = 1  # of 255, where images are bytes
LOADER = """
import sys
sys.modules["simulacra"] = None
import torch
module = torch.export.load(sys.argv[1]).module()
inputs = torch.load(sys.argv[2])
torch.save([module(*one) for one in inputs], sys.argv[3])
"""


class Mismatch(SimulacraError):
    """An exported file computes something else than the model; it was not written."""


def examples(part: Part, boundary: Boundary) -> list[list[Tensor]]:
    """Return inputs of a part at a boundary for each of `BATCHES`, at several sizes where these are free."""
    found = []
    for number, count in enumerate(BATCHES):
        generator = torch.Generator().manual_seed(number)
        first = part.inputs[0]
        side = first.shape[-1] + number * first.stride if first.stride else None
        values = [one.draw(count, generator, side) for one in part.inputs]
        found.append([boundary.to_boundary(*pair).contiguous() for pair in zip(part.inputs, values, strict=True)])
    return found


@torch.no_grad()
def largest_difference(inputs: Iterable[Sequence[Tensor]], model: Runner, exported: Runner, what: str) -> float:
    """Return the largest difference between two runners, of floats or of grey levels.

    Raises `Mismatch` above 1e-4, or above 1 level.
    """
    worst = 0.0
    for given in inputs:
        for ours, theirs in zip(model(given), exported(given), strict=True):
            if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
                raise Mismatch(
                    f"{what} returns {theirs.dtype} {tuple(theirs.shape)} where the model returns {ours.dtype} "
                    f"{tuple(ours.shape)}. It was not written. Please report this."
                )
            difference = float((ours.double() - theirs.double()).abs().max())
            worst = max(worst, difference)
            if not difference <= (TOLERANCE if ours.is_floating_point() else LEVEL):
                raise Mismatch(
                    f"{what} differs from the model by {difference:.3g} for a batch of {len(ours)}. It was not "
                    "written. Try --format torch-export."
                )
    return worst


def onnx_runner(content: bytes, threads: int = 1) -> Runner:
    """Return what runs an ONNX file by onnxruntime. Raises `ConfigError` where that is missing."""
    runtime: Any = extra("onnxruntime", "--format onnx", "export")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        fed = {name: value.contiguous().numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(array) for array in session.run(None, fed)]

    return run


def torch_runner(file: Path, inputs: Sequence[Sequence[Tensor]]) -> Runner:
    """Return what a process without this package computed of known inputs by `torch.export.load`.

    Raises `Mismatch` where it fails there.
    """
    with scratch() as folder:
        given, found = folder / "inputs.pt", folder / "outputs.pt"
        torch.save([tuple(one) for one in inputs], given)
        words = [sys.executable, "-c", LOADER, str(file.resolve()), str(given), str(found)]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Mismatch(f"{file.name} could not be run by torch.export.load: {reason}. It was not written.")
        outputs = torch.load(found)
    known = {id(one): list(result) for one, result in zip(inputs, outputs, strict=True)}
    return lambda one: known[id(one)]
