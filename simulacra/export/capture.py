"""A part as a graph of PyTorch that needs none of this package, with a free batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.export.lean import lean
from simulacra.export.parts import Field, Part

__all__ = ["captured"]

TRACED = 3  # images in the batch that is traced: neither 0 nor 1, which would be taken for constants
SMALLEST = 4  # pixels: a translator mirrors three lines beyond the border


@torch.no_grad()
def captured(part: Part, module: nn.Module) -> torch.export.ExportedProgram:
    """Return the graph of ``module(*inputs)`` for the inputs of a part; batch, and free heights and widths, stay free.

    Raises whatever `torch.export` raises for what it cannot follow.
    """
    generator = torch.Generator().manual_seed(0)
    examples = tuple(_example(module, field, generator) for field in part.inputs)
    free = tuple(_free(module, field) for field in part.inputs)
    whole = lean(module, examples)
    return torch.export.export(whole, examples, dynamic_shapes=(free,))


def _example(module: nn.Module, field: Field, generator: torch.Generator) -> Tensor:
    """A value of an input, in the convention of the module's boundary where it has one."""
    value = field.draw(TRACED, generator)
    convert = getattr(module, "to_boundary", None)
    return value if convert is None else convert(field, value)


def _free(module: nn.Module, field: Field) -> dict[int, Any]:
    """The free dimensions of an input."""
    free: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    if field.stride:
        first = 1 if getattr(module, "channels_last", False) else 2
        least = max(2, math.ceil(SMALLEST / field.stride))
        for place, name in enumerate(("rows", "columns"), first):
            steps = torch.export.Dim(name, min=least)
            free[place] = field.stride * steps if field.stride > 1 else steps
    return free
