"""The operations of a program as nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from simulacra.export.program import Op, Program

__all__ = ["NODES", "Writer"]

TYPES = {torch.float32: "FLOAT", torch.uint8: "UINT8", torch.int64: "INT64", torch.bool: "BOOL"}


class Writer:
    """Collects nodes and initialisers; names of values are those of the program."""

    def __init__(self, program: Program, onnx: Any) -> None:
        self.program, self.onnx = program, onnx
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.written: set[str] = set()
        self.count = 0

    def type(self, dtype: torch.dtype) -> int:
        """The ONNX number of a type."""
        return int(getattr(self.onnx.TensorProto, TYPES[dtype]))

    def read(self, name: str) -> str:
        """The name of a value, or of a weight, written when it is first read."""
        if name in self.program.weights and name not in self.written:
            self.written.add(name)
            array = self.program.weights[name].cpu().contiguous().numpy()
            self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def constant(self, array: Any) -> str:
        """A new initialiser."""
        self.count += 1
        name = f"@k{self.count}"
        self.initializers.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Write a node; return the name of its output."""
        self.count += 1
        output = output or f"@n{self.count}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def per_channel(self, name: str, like: str) -> str:
        """A weight of channels, shaped to meet an array ``(B, C, ...)``."""
        trailing = len(self.program.shapes[like]) - 1
        array = self.program.weights[name].cpu().numpy()
        return self.constant(array.reshape(-1, *[1] * trailing))


Emit = Callable[[Writer, Op], None]


def _simple(kind: str) -> Emit:
    def emit(to: Writer, op: Op) -> None:
        to.node(kind, [to.read(name) for name in op.inputs], op.output)

    return emit


def _linear(to: Writer, op: Op) -> None:
    to.node("Gemm", [to.read(name) for name in op.inputs], op.output, transB=1)


def _conv(to: Writer, op: Op) -> None:
    (down, right), s = op.settings["padding"], op.settings
    to.node(
        "Conv", [to.read(name) for name in op.inputs], op.output, strides=s["stride"],
        pads=[down, right, down, right], dilations=s["dilation"], group=s["groups"],
    )  # fmt: skip


def _conv_transpose(to: Writer, op: Op) -> None:
    (down, right), s = op.settings["padding"], op.settings
    to.node(
        "ConvTranspose", [to.read(name) for name in op.inputs], op.output, strides=s["stride"],
        pads=[down, right, down, right], output_padding=s["output_padding"],
    )  # fmt: skip


def _affine(to: Writer, op: Op) -> None:
    x, scale, shift = op.inputs
    scaled = to.node("Mul", [to.read(x), to.per_channel(scale, x)])
    to.node("Add", [scaled, to.per_channel(shift, x)], op.output)


def _group_norm(to: Writer, op: Op) -> None:
    """Instance normalisation of groups, whose channels are laid behind each other unless each is a group."""
    x, *affine = op.inputs
    groups, shape = op.settings["groups"], to.program.shapes[x]
    ones, zeros = (to.constant(np.full(groups, value, np.float32)) for value in (1, 0))
    eps = op.settings["eps"]
    if groups == shape[0]:
        found = to.node("InstanceNormalization", [to.read(x), ones, zeros], None if affine else op.output, epsilon=eps)
    else:
        laid = to.node("Reshape", [to.read(x), to.constant(np.array([0, groups, -1]))])
        normal = to.node("InstanceNormalization", [laid, ones, zeros], epsilon=eps)
        back = to.constant(np.array([-1, *shape]))
        found = to.node("Reshape", [normal, back], None if affine else op.output)
    if affine:
        scaled = to.node("Mul", [found, to.per_channel(affine[0], x)])
        to.node("Add", [scaled, to.per_channel(affine[1], x)], op.output)


def _silu(to: Writer, op: Op) -> None:
    gate = to.node("Sigmoid", [to.read(op.inputs[0])])
    to.node("Mul", [to.read(op.inputs[0]), gate], op.output)


def _square(to: Writer, op: Op) -> None:
    to.node("Mul", [to.read(op.inputs[0])] * 2, op.output)


def _leaky_relu(to: Writer, op: Op) -> None:
    to.node("LeakyRelu", [to.read(op.inputs[0])], op.output, alpha=op.settings["slope"])


def _clamp(to: Writer, op: Op) -> None:
    ends = [op.settings["low"], op.settings["high"]]
    names = ["" if end is None else to.constant(np.float32(end)) for end in ends]
    to.node("Clip", [to.read(op.inputs[0]), *names], op.output)


def _reshape(to: Writer, op: Op) -> None:
    to.node("Reshape", [to.read(op.inputs[0]), to.constant(np.array([-1, *op.settings["shape"]]))], op.output)


def _permute(to: Writer, op: Op) -> None:
    to.node("Transpose", [to.read(op.inputs[0])], op.output, perm=op.settings["order"])


def _slice(to: Writer, op: Op) -> None:
    ends = [to.constant(np.array([op.settings[name]])) for name in ("start", "end", "axis")]
    to.node("Slice", [to.read(op.inputs[0]), *ends], op.output)


def _cat(to: Writer, op: Op) -> None:
    to.node("Concat", [to.read(name) for name in op.inputs], op.output, axis=op.settings["axis"])


def _stack(to: Writer, op: Op) -> None:
    axis = to.constant(np.array([op.settings["axis"]]))
    parts = [to.node("Unsqueeze", [to.read(name), axis]) for name in op.inputs]
    to.node("Concat", parts, op.output, axis=op.settings["axis"])


def _repeat(to: Writer, op: Op) -> None:
    """A row for each image of the batch."""
    weight, like = op.inputs
    count = to.node("Shape", [to.read(like)], start=0, end=1)
    rest = to.constant(np.array(to.program.shapes[op.output], dtype=np.int64))
    to.node("Expand", [to.read(weight), to.node("Concat", [count, rest], axis=0)], op.output)


def _pad_reflect(to: Writer, op: Op) -> None:
    left, right, top, bottom = op.settings["margins"]
    pads = to.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
    to.node("Pad", [to.read(op.inputs[0]), pads], op.output, mode="reflect")


def _avg_pool(to: Writer, op: Op) -> None:
    s = op.settings
    to.node(
        "AveragePool", [to.read(op.inputs[0])], op.output, kernel_shape=s["kernel"], strides=s["stride"],
        ceil_mode=int(s["ceil"]),
    )  # fmt: skip


def _resize(to: Writer, op: Op) -> None:
    mode = {"nearest": "nearest", "bilinear": "linear"}[op.settings["mode"]]
    place = {"nearest": "asymmetric", "bilinear": "half_pixel"}[op.settings["mode"]]
    extra_ = {"nearest_mode": "floor"} if mode == "nearest" else {}
    sizes = to.constant(np.array(op.settings["size"]))
    to.node(
        "Resize", [to.read(op.inputs[0]), "", "", sizes], op.output, mode=mode, axes=[2, 3],
        coordinate_transformation_mode=place, **extra_,
    )  # fmt: skip


def _pixel_shuffle(to: Writer, op: Op) -> None:
    to.node("DepthToSpace", [to.read(op.inputs[0])], op.output, blocksize=op.settings["factor"], mode="CRD")


def _pixel_unshuffle(to: Writer, op: Op) -> None:
    """Space to depth; PyTorch lays the places of a channel beside each other, ONNX the channels of a place."""
    factor, channels = op.settings["factor"], to.program.shapes[op.inputs[0]][0]
    laid = to.node("SpaceToDepth", [to.read(op.inputs[0])], blocksize=factor)
    order = np.arange(channels * factor**2).reshape(factor**2, channels).T.reshape(-1)
    to.node("Gather", [laid, to.constant(order)], op.output, axis=1)


def _cast(to: Writer, op: Op) -> None:
    to.node("Cast", [to.read(op.inputs[0])], op.output, to=to.type(getattr(torch, op.settings["type"])))


def _one_hot(to: Writer, op: Op) -> None:
    values = to.constant(np.array([0, 1], dtype=np.int64))
    to.node("OneHot", [to.read(op.inputs[0]), to.constant(np.array([op.settings["categories"]])), values], op.output)


def _reduce(kind: str) -> Emit:
    def emit(to: Writer, op: Op) -> None:
        axes = to.constant(np.array(op.settings["axes"]))
        to.node(kind, [to.read(op.inputs[0]), axes], op.output, keepdims=int(op.settings["keep"]))

    return emit


def _softmax(to: Writer, op: Op) -> None:
    to.node("Softmax", [to.read(op.inputs[0])], op.output, axis=op.settings["axis"])


def _argmax(to: Writer, op: Op) -> None:
    to.node("ArgMax", [to.read(op.inputs[0])], op.output, axis=op.settings["axis"], keepdims=0)


def _embedding(to: Writer, op: Op) -> None:
    index, table = op.inputs
    to.node("Gather", [to.read(table), to.read(index)], op.output, axis=0)


def _zoom(to: Writer, op: Op) -> None:
    """Things larger or smaller about the middle, on a ground that is the mean of the four corners."""
    x, factor = to.read(op.inputs[0]), op.settings["factor"]
    axes = to.constant(np.array([2, 3]))
    parts = []
    for row in (0, -1):
        for column in (0, -1):
            start = to.constant(np.array([row, column]))
            stop = to.constant(np.array([end + 1 or np.iinfo(np.int64).max for end in (row, column)]))
            parts.append(to.node("Slice", [x, start, stop, axes]))
    ground = to.node("Mul", [to.node("Sum", parts), to.constant(np.float32(0.25))])
    shape = to.node("Shape", [x])
    rows, columns = (_places(to, shape, axis, factor) for axis in (2, 3))
    one = to.constant(np.array([1]))
    count, height, width = (to.node("Gather", [shape, to.constant(np.array([axis]))]) for axis in (0, 2, 3))
    whole = to.node("Concat", [count, height, width, one], axis=0)
    across = to.node("Expand", [to.node("Reshape", [columns, to.constant(np.array([1, 1, -1, 1]))]), whole])
    down = to.node("Expand", [to.node("Reshape", [rows, to.constant(np.array([1, -1, 1, 1]))]), whole])
    grid = to.node("Concat", [across, down], axis=3)
    moved = to.node("GridSample", [to.node("Sub", [x, ground]), grid], mode="linear", padding_mode="zeros")
    to.node("Add", [moved, ground], op.output)


def _places(to: Writer, shape: str, axis: int, factor: float) -> str:
    """``((2 i + 1) / n - 1) / factor`` for each place i along an axis of n."""
    length = to.node("Gather", [shape, to.constant(np.int64(axis))])
    numbers = to.node("Range", [to.constant(np.int64(0)), length, to.constant(np.int64(1))])
    numbers, length = (to.node("Cast", [name], to=1) for name in (numbers, length))
    odd = to.node("Add", [to.node("Mul", [numbers, to.constant(np.float32(2))]), to.constant(np.float32(1))])
    centred = to.node("Sub", [to.node("Div", [odd, length]), to.constant(np.float32(1))])
    return to.node("Mul", [centred, to.constant(np.float32(1 / factor))])


NODES: dict[str, Emit] = {
    **{kind.lower(): _simple(kind) for kind in (
        "Relu", "Tanh", "Sigmoid", "Exp", "Neg", "Atanh", "Softplus", "Abs", "Sin", "Cos", "Erf", "Sqrt", "Round",
        "Log", "Add", "Sub", "Mul", "Div", "Equal", "Greater",
    )},
    "same": _simple("Identity"),
    "linear": _linear, "conv": _conv, "conv_transpose": _conv_transpose, "affine": _affine, "group_norm": _group_norm,
    "silu": _silu, "square": _square, "leaky_relu": _leaky_relu, "clamp": _clamp, "reshape": _reshape,
    "permute": _permute, "slice": _slice, "cat": _cat, "stack": _stack, "repeat": _repeat, "pad_reflect": _pad_reflect,
    "avg_pool": _avg_pool, "resize": _resize, "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle, "cast": _cast, "one_hot": _one_hot,
    "sum": _reduce("ReduceSum"), "mean": _reduce("ReduceMean"), "softmax": _softmax, "argmax": _argmax,
    "embedding": _embedding, "zoom": _zoom,
}  # fmt: skip
