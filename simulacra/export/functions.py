"""What each of PyTorch's functions is in a program: its kind of operation, the arrays it reads and its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["TRANSLATIONS", "Call", "Step", "Unknown"]

Step = tuple[str, Sequence[Tensor], dict[str, Any]] | None  # None: the same values under another name


class Unknown(Exception):
    """A function is used in a way that programs have no operation for; the text says which."""


@dataclass(frozen=True)
class Call:
    """A call of a function: the last part of its name, what it was given and what it returned."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Tensor]

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)

    def tensor(self, place: int) -> Tensor:
        """Return an argument that is a tensor."""
        value = self.args[place] if place < len(self.args) else next(iter(self.kwargs.values()))
        if not isinstance(value, Tensor):
            raise Unknown("with a number in place of an array")
        return value


Translation = Callable[[Call], list[Step]]


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


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else (value * 2 if len(value) == 1 else value)[:2]
    return int(first), int(second)


def _layer(call: Call, kind: str, settings: dict[str, Any]) -> list[Step]:
    bias = call.get(2, "bias")
    inputs = [call.tensor(0), call.get(1, "weight"), *([] if bias is None else [bias])]
    return [(kind, inputs, settings)]


def _linear(call: Call) -> list[Step]:
    if call.tensor(0).ndim != 2:
        raise Unknown("of anything but vectors")
    return _layer(call, "linear", {})


def _conv(call: Call) -> list[Step]:
    padding = call.get(4, "padding", 0)
    if isinstance(padding, str):
        raise Unknown(f"with padding '{padding}'")
    dilation, groups = call.get(5, "dilation", 1), call.get(6, "groups", 1)
    settings = {"stride": _pair(call.get(3, "stride", 1)), "padding": _pair(padding)}
    return _layer(call, "conv", settings | {"dilation": _pair(dilation), "groups": int(groups)})


def _conv_transpose(call: Call) -> list[Step]:
    if call.get(6, "groups", 1) != 1 or _pair(call.get(7, "dilation", 1)) != (1, 1):
        raise Unknown("with groups or a dilation")
    return _layer(call, "conv_transpose", {
        "stride": _pair(call.get(3, "stride", 1)), "padding": _pair(call.get(4, "padding", 0)),
        "output_padding": _pair(call.get(5, "output_padding", 0)),
    })  # fmt: skip


def _batch_norm(call: Call) -> list[Step]:
    if call.get(5, "training", False):
        raise Unknown("by the statistics of the batch")
    mean, variance = call.get(1, "running_mean"), call.get(2, "running_var")
    weight, bias, eps = call.get(3, "weight"), call.get(4, "bias"), call.get(7, "eps", 1e-5)
    with torch._C.DisableTorchFunction():
        scale = (variance.double() + eps).rsqrt() * (1 if weight is None else weight.double())
        shift = (0 if bias is None else bias.double()) - mean.double() * scale
        return [("affine", [call.tensor(0), scale.float(), shift.float()], {})]


def _group_norm(call: Call) -> list[Step]:
    weight, bias = call.get(2, "weight"), call.get(3, "bias")
    affine = [] if weight is None else [weight, bias]
    return [
        (
            "group_norm",
            [call.tensor(0), *affine],
            {"groups": call.get(1, "num_groups"), "eps": call.get(4, "eps", 1e-5)},
        )
    ]


def _instance_norm(call: Call) -> list[Step]:
    weight, bias = call.get(3, "weight"), call.get(4, "bias")
    affine = [] if weight is None else [weight, bias]
    groups = call.tensor(0).shape[1]
    return [("group_norm", [call.tensor(0), *affine], {"groups": groups, "eps": call.get(7, "eps", 1e-5)})]


def _leaky_relu(call: Call) -> list[Step]:
    return [("leaky_relu", [call.tensor(0)], {"slope": float(call.get(1, "negative_slope", 0.01))})]


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


def _pad(call: Call) -> list[Step]:
    margins, mode = tuple(int(n) for n in call.get(1, "pad")), call.get(2, "mode", "constant")
    if mode != "reflect" or len(margins) != 4:
        raise Unknown(f"of mode {mode}")
    return [("pad_reflect", [call.tensor(0)], {"margins": margins})]


def _avg_pool(call: Call) -> list[Step]:
    kernel = _pair(call.get(1, "kernel_size"))
    stride = _pair(call.get(2, "stride") or kernel)
    if _pair(call.get(3, "padding", 0)) != (0, 0):
        raise Unknown("with padding")
    return [
        (
            "avg_pool",
            [call.tensor(0)],
            {"kernel": kernel, "stride": stride, "ceil": bool(call.get(4, "ceil_mode", False))},
        )
    ]


def _interpolate(call: Call) -> list[Step]:
    mode = call.get(3, "mode", "nearest")
    plain = (
        mode in ("nearest", "bilinear") and not call.kwargs.get("align_corners") and not call.kwargs.get("antialias")
    )
    if not plain or call.tensor(0).ndim != 4:
        raise Unknown(f"of mode {mode}, or antialiased")
    return [("resize", [call.tensor(0)], {"size": tuple(call.results[0].shape[2:]), "mode": mode})]


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


def _zoomed(call: Call) -> list[Step]:
    factor = float(call.args[1])
    return [None] if factor == 1 else [("zoom", [call.tensor(0)], {"factor": factor})]


def _pixel_shuffle(call: Call) -> list[Step]:
    return [("pixel_shuffle", [call.tensor(0)], {"factor": int(call.get(1, "upscale_factor"))})]


def _pixel_unshuffle(call: Call) -> list[Step]:
    return [("pixel_unshuffle", [call.tensor(0)], {"factor": int(call.get(1, "downscale_factor"))})]


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
    "linear": _linear,
    "conv2d": _conv,
    "conv_transpose2d": _conv_transpose,
    "batch_norm": _batch_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "leaky_relu": _leaky_relu,
    "clamp": _clamp,
    "clip": _clamp,
    "permute": _permute,
    "expand": _expand,
    "__getitem__": _getitem,
    "cat": _cat,
    "stack": _cat,
    "pad": _pad,
    "avg_pool2d": _avg_pool,
    "interpolate": _interpolate,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "embedding": lambda call: [("embedding", [call.tensor(0), call.get(1, "weight")], {})],
    "one_hot": _one_hot,
    "sum": _reduce,
    "mean": _reduce,
    "softmax": _along("softmax"),
    "argmax": _along("argmax"),
    "zoomed": _zoomed,
}
