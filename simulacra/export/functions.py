"""What each of PyTorch's functions is in a program: its kind of operation, the arrays it reads and its settings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from simulacra.export import layer_calls
from simulacra.export.calls import Call, Step, Translation, Unknown

__all__ = ["TRANSLATIONS"]


def _unary(kind: str, **settings: Any) -> Translation:
    return lambda call: [(kind, [call.tensor(0)], settings)]


def _same(_: Call) -> list[Step]:
    return [None]


def _cast(call: Call) -> list[Step]:
    """A change of type; nothing where it has the type already."""
    if call.results[0].dtype == call.tensor(0).dtype:
        return [None]
    return [("cast", [call.tensor(0)], {"type": str(call.results[0].dtype).removeprefix("torch.")})]


def _arithmetic(kind: str, *, reverse: bool = False) -> Translation:
    def translate(call: Call) -> list[Step]:
        if call.kwargs.get("alpha", 1) != 1 or call.kwargs.get("rounding_mode") is not None:
            raise Unknown("with alpha or a rounding mode")
        like = next(value for value in call.args if isinstance(value, Tensor))
        pair = [
            value if isinstance(value, Tensor) else torch.tensor(value, dtype=like.dtype) for value in call.args[:2]
        ]
        if kind == "div" and not pair[0].is_floating_point():
            raise Unknown("of whole numbers")
        return [(kind, pair[::-1] if reverse else pair, {})]

    return translate


def _clamp(call: Call) -> list[Step]:
    low, high = call.get(1, "min"), call.get(2, "max")
    return [("clamp", [call.tensor(0)], {"low": low, "high": high})]


def _reshape(call: Call) -> list[Step]:
    return [("reshape", [call.tensor(0)], {"shape": tuple(call.results[0].shape[1:])})]


def _permute(call: Call) -> list[Step]:
    order = call.args[1] if isinstance(call.args[1], list | tuple) else call.args[1:]
    if order[0] != 0:
        raise Unknown("that moves the batch")
    return [("permute", [call.tensor(0)], {"order": tuple(int(axis) for axis in order)})]


def _expand(call: Call) -> list[Step]:
    """More channels, all alike."""
    before, after = call.tensor(0).shape, call.results[0].shape
    if before == after:
        return [None]
    if len(before) != len(after) or before[1] != 1 or (before[0], *before[2:]) != (after[0], *after[2:]):
        raise Unknown("to another shape")
    return [("cat", [call.tensor(0)] * after[1], {"axis": 1})]


def _axis(call: Call, place: int, name: str, default: int) -> int:
    axis = int(call.get(place, name, default))
    return axis % call.results[0].ndim


def _parts(call: Call) -> list[Step]:
    """Chunks and splits: consecutive slices."""
    axis, start, steps = _axis(call, 2, "dim", 0), 0, list[Step]()
    for result in call.results:
        end = start + result.shape[axis]
        steps.append(("slice", [call.tensor(0)], {"axis": axis, "start": start, "end": end}))
        start = end
    return steps


def _getitem(call: Call) -> list[Step]:
    """Slices of step 1 along one axis, after whole ones."""
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    x = call.tensor(0)
    cuts = [(axis, cut) for axis, cut in enumerate(index) if cut != slice(None)]
    if len(cuts) != 1 or not isinstance(cuts[0][1], slice) or cuts[0][1].step not in (None, 1) or cuts[0][0] == 0:
        raise Unknown("other than one slice")
    axis, cut = cuts[0]
    start, end, _ = cut.indices(x.shape[axis])
    return [("slice", [x], {"axis": axis, "start": start, "end": end})]


def _cat(call: Call) -> list[Step]:
    return [(call.name, list(call.args[0]), {"axis": _axis(call, 1, "dim", 0)})]


def _one_hot(call: Call) -> list[Step]:
    return [("one_hot", [call.tensor(0)], {"categories": call.results[0].shape[-1]})]


def _reduce(call: Call) -> list[Step]:
    axes = call.get(1, "dim")
    axes = [axes] if isinstance(axes, int) else list(axes)
    axes = sorted(axis % call.tensor(0).ndim for axis in axes)
    if 0 in axes:
        raise Unknown("over the batch")
    return [(call.name, [call.tensor(0)], {"axes": tuple(axes), "keep": call.results[0].ndim == call.tensor(0).ndim})]


def _along(kind: str) -> Translation:
    def translate(call: Call) -> list[Step]:
        axis = int(call.get(1, "dim")) % call.tensor(0).ndim
        return [(kind, [call.tensor(0)], {"axis": axis})]

    return translate


SIMPLE = (
    "relu", "silu", "tanh", "sigmoid", "exp", "neg", "square", "atanh", "softplus", "abs", "sin", "cos", "erf", "sqrt",
    "round", "log",
)  # fmt: skip
TRANSLATIONS: dict[str, Translation] = {
    **{name: _unary(name) for name in SIMPLE},
    **dict.fromkeys(("detach", "contiguous", "clone", "dropout", "expand_as"), _same),
    **dict.fromkeys(("float", "to", "long", "double", "type"), _cast),
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), _reshape),
    **dict.fromkeys(("chunk", "split", "split_with_sizes"), _parts),
    **dict.fromkeys(("add", "__add__", "__radd__"), _arithmetic("add")),
    **dict.fromkeys(("mul", "__mul__", "__rmul__"), _arithmetic("mul")),
    **dict.fromkeys(("sub", "__sub__"), _arithmetic("sub")),
    **dict.fromkeys(("rsub", "__rsub__"), _arithmetic("sub", reverse=True)),
    **dict.fromkeys(("div", "__truediv__", "true_divide"), _arithmetic("div")),
    **dict.fromkeys(("eq", "__eq__"), _arithmetic("equal")),
    **dict.fromkeys(("gt", "__gt__"), _arithmetic("greater")),
    "__neg__": _unary("neg"),
    "linear": layer_calls.linear,
    "conv2d": layer_calls.conv,
    "conv_transpose2d": layer_calls.conv_transpose,
    "batch_norm": layer_calls.batch_norm,
    "group_norm": layer_calls.group_norm,
    "instance_norm": layer_calls.instance_norm,
    "leaky_relu": layer_calls.leaky_relu,
    "clamp": _clamp,
    "clip": _clamp,
    "permute": _permute,
    "expand": _expand,
    "__getitem__": _getitem,
    "cat": _cat,
    "stack": _cat,
    "pad": layer_calls.pad,
    "avg_pool2d": layer_calls.avg_pool,
    "interpolate": layer_calls.interpolate,
    "pixel_shuffle": layer_calls.pixel_shuffle,
    "pixel_unshuffle": layer_calls.pixel_unshuffle,
    "embedding": lambda call: [("embedding", [call.tensor(0), call.get(1, "weight")], {})],
    "one_hot": _one_hot,
    "sum": _reduce,
    "mean": _reduce,
    "softmax": _along("softmax"),
    "argmax": _along("argmax"),
    "zoomed": layer_calls.zoomed,
}
