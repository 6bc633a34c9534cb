"""A program as an ONNX graph; needs the extra `export`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulacra.export.boundary import Range, shape_of
from simulacra.export.onnx_nodes import NODES, Writer
from simulacra.export.parts import Part
from simulacra.export.program import Program
from simulacra.machine import extra

__all__ = ["graph", "halved"]

OPSET = 20  # the first whose GridSample and Reduce operations are those used here
IR_VERSION = 10


def graph(program: Program, part: Part, convention: Range, facts: Mapping[str, str]) -> Any:
    """Return the ONNX model of a part's program at a boundary, with facts in its metadata.

    Raises `ConfigError` where the package onnx is missing.
    """
    onnx: Any = extra("onnx", "--format onnx", "export")
    writer = Writer(program, onnx)
    for op in program.ops:
        NODES[op.kind](writer, op)
    shapes = {one.name: shape_of(one, convention) for one in (*part.inputs, *part.outputs)}
    value = onnx.helper.make_tensor_value_info
    ends = [
        [value(n, writer.type(program.types[n]), shapes[n]) for n in ns] for ns in (program.inputs, program.outputs)
    ]
    body = onnx.helper.make_graph(writer.nodes, part.name, *ends, writer.initializers)
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(body, opset_imports=[opset], producer_name="simulacra", ir_version=IR_VERSION)
    onnx.helper.set_model_props(model, dict(facts))
    onnx.checker.check_model(model, full_check=True)
    return model


def halved(model: Any, smallest: int = 64) -> Any:
    """Return an ONNX model whose weights lie in the file as float16 and become float32 when it is loaded."""
    onnx: Any = extra("onnx", "--half", "export")
    model = onnx.ModelProto.FromString(model.SerializeToString())
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or math.prod(weight.dims) < smallest:
            continue
        name, array = weight.name, onnx.numpy_helper.to_array(weight)
        weight.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
