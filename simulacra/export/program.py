"""A part as a program: a list of operations on named arrays, traced from one pass, the same for every batch.

Operations are those that the networks of this field consist of, under names of their own, so that each format needs
to know nothing but them. What no input influences is computed once and becomes a weight.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from simulacra.errors import CapabilityError
from simulacra.export.calls import Call, Unknown
from simulacra.export.functions import TRANSLATIONS
from simulacra.export.lean import lean, tensors
from simulacra.export.parts import Part

__all__ = ["Op", "Program", "traced"]

TRACED = 7  # images in the batch that is traced: a number that no layer is likely to have


@dataclass(frozen=True)
class Op:
    """One operation: its kind, the names of what it reads and of what it returns, and its settings."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    settings: Mapping[str, Any]


@dataclass
class Program:
    """Operations in order; ``shapes`` are those of values without the batch, ``weights`` arrays by name."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    ops: list[Op] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    types: dict[str, torch.dtype] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers the weights hold."""
        return sum(tensor.numel() for tensor in self.weights.values())


@torch.no_grad()
def traced(part: Part, module: nn.Module) -> Program:
    """Return the program of ``module(*inputs)`` for the inputs of a part.

    Raises `CapabilityError` for an operation that has no place in a program.
    """
    generator = torch.Generator().manual_seed(0)
    convert = getattr(module, "to_boundary", None)
    drawn = [one.draw(TRACED, generator) for one in part.inputs]
    examples = drawn if convert is None else [convert(*pair) for pair in zip(part.inputs, drawn, strict=True)]
    whole = lean(module, tuple(examples))
    trace = _Trace(whole, {one.name: value for one, value in zip(part.inputs, examples, strict=True)})
    with trace:
        found = whole(*examples)
    results = found if isinstance(found, tuple) else (found,)
    trace.finish(results, [one.name for one in part.outputs])
    return folded(trace.program)


class _Trace(TorchFunctionMode):
    """Writes down every function of a tensor that an input has influenced."""

    def __init__(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.program = Program(tuple(inputs))
        self.names: dict[int, str] = {}
        self.kept: list[Tensor] = []  # alive, so that no identity is used twice
        self.numbers = itertools.count()
        self.known = {
            id(tensor): name for name, tensor in itertools.chain(module.named_parameters(), module.named_buffers())
        }
        for name, value in inputs.items():
            self._remember(value, name)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        influenced = any(id(tensor) in self.names for tensor in tensors((args, kwargs)))
        results = [result] if isinstance(result, Tensor) else _listed(result)
        if influenced and results:
            self._write(function, args, kwargs, results)
        return result

    def _write(self, function: Any, args: Any, kwargs: Any, results: list[Tensor]) -> None:
        name = (resolve_name(function) or getattr(function, "__name__", str(function))).replace(".__get__", "")
        call = Call(name.rpartition(".")[2], args, kwargs, results)
        if call.name not in TRANSLATIONS:
            raise CapabilityError(
                f"The operation {name} of this model has no counterpart in this format. Choose --format torch-export, "
                "which keeps any operation."
            )
        try:
            steps = TRANSLATIONS[call.name](call)
        except Unknown as reason:
            raise CapabilityError(
                f"The operation {name} of this model has no counterpart in this format {reason}. Choose --format "
                "torch-export, which keeps any operation."
            ) from None
        for step, result in zip(steps, results, strict=True):
            if step is None:  # the same values under another name
                self.names[id(result)] = self.names[id(call.tensor(0))]
                self.kept.append(result)
                continue
            kind, tensors, settings = step
            inputs = tuple(self._name(tensor, batched=kind in ("cat", "stack")) for tensor in tensors)
            output = self._remember(result, f"@{next(self.numbers)}")
            self.program.ops.append(Op(kind, inputs, output, settings))

    def _remember(self, value: Tensor, name: str) -> str:
        if value.ndim == 0 or value.shape[0] != TRACED:
            raise CapabilityError("A part of this model mixes the images of a batch, which this format cannot express.")
        self.kept.append(value)
        self.names[id(value)] = name
        self.program.shapes[name] = tuple(value.shape[1:])
        self.program.types[name] = value.dtype
        return name

    def _name(self, tensor: Tensor, *, batched: bool) -> str:
        """The name of a value, or of the weight that it becomes."""
        if id(tensor) in self.names:
            return self.names[id(tensor)]
        weight = self.known.get(id(tensor), f"@{next(self.numbers)}")
        rows = id(tensor) not in self.known and tensor.ndim > 0 and tensor.shape[0] == TRACED
        if rows:  # made for every image, and the same for each
            tensor_, tensor = tensor, tensor[:1]
            if not bool((tensor_ == tensor).all()):
                raise CapabilityError("A part of this model treats the images of a batch differently.")
        self.program.weights[weight] = tensor.detach().clone()
        if not (rows and batched):
            return weight
        repeated = f"@{next(self.numbers)}"
        self.program.shapes[repeated], self.program.types[repeated] = tuple(tensor.shape[1:]), tensor.dtype
        self.program.ops.append(Op("repeat", (weight, self.program.inputs[0]), repeated, {}))
        return repeated

    def finish(self, results: Sequence[Tensor], names: Sequence[str]) -> None:
        """Give the results the names of the part's outputs."""
        for value, name in zip(results, names, strict=True):
            source = self.names[id(value)]
            self.program.shapes[name], self.program.types[name] = (
                self.program.shapes[source],
                self.program.types[source],
            )
            self.program.ops.append(Op("same", (source,), name, {}))
        self.program.outputs = tuple(names)


def folded(program: Program) -> Program:
    """Return the program with each scale and shift of channels worked into the layer before it, where there is one."""
    readers = Counter(name for op in program.ops for name in op.inputs)
    ops: list[Op] = []
    weights = dict(program.weights)
    for op in program.ops:
        before = ops[-1] if ops else None
        fits = before is not None and op.kind == "affine" and op.inputs[0] == before.output
        if before is None or not fits or before.kind not in LAYERS or readers[before.output] > 1:
            ops.append(op)
            continue
        scale, shift = (program.weights[name] for name in op.inputs[1:])
        weight, bias = before.inputs[1], before.inputs[2] if len(before.inputs) > 2 else None
        axis = 1 if before.kind == "conv_transpose" else 0
        weights[f"{weight}'"] = weights[weight] * scale.reshape(
            [-1 if a == axis else 1 for a in range(weights[weight].ndim)]
        )
        weights[f"{weight}+"] = shift + (scale * weights[bias] if bias else 0)
        ops[-1] = replace(before, inputs=(before.inputs[0], f"{weight}'", f"{weight}+"), output=op.output)
    used = {name for op in ops for name in op.inputs}
    kept = {name: tensor for name, tensor in weights.items() if name in used}
    return replace(program, ops=ops, weights=kept)


LAYERS = ("linear", "conv", "conv_transpose")


def _listed(result: Any) -> list[Tensor]:
    return list(result) if isinstance(result, list | tuple) and all(isinstance(x, Tensor) for x in result) else []
