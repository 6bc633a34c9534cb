"""Image conventions at the boundary of a part: what other programs hand in and get back."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from simulacra.export.parts import Field, Part
from simulacra.images import from_bytes, from_unit, to_unit

__all__ = ["RANGES", "Boundary", "Range", "described", "shape_of"]

Range = Literal["unit", "symmetric", "uint8"]
RANGES: dict[Range, str] = {
    "unit": "float32 in [0, 1], laid out (batch, channels, height, width)",
    "symmetric": "float32 in [-1, 1], laid out (batch, channels, height, width)",
    "uint8": "uint8 from 0 to 255, laid out (batch, height, width, channels)",
}


class Boundary(nn.Module):
    """A part's module that takes and returns images in another convention."""

    def __init__(self, part: Part, convention: Range) -> None:
        super().__init__()
        self.inside = part.module
        self.inputs, self.outputs = part.inputs, part.outputs
        self.convention = convention
        self.channels_last = convention == "uint8"

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Convert, run, convert back."""
        given = [self.inward(field, value) for field, value in zip(self.inputs, inputs, strict=True)]
        found = self.inside(*given)
        results = found if isinstance(found, tuple) else (found,)
        return tuple(self.to_boundary(field, value) for field, value in zip(self.outputs, results, strict=True))

    def inward(self, field: Field, value: Tensor) -> Tensor:
        """Bring an image at the boundary to [-1, 1]."""
        if field.kind != "image" or self.convention == "symmetric":
            return value
        if self.convention == "unit":
            return from_unit(value)
        return value.permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def to_boundary(self, field: Field, value: Tensor) -> Tensor:
        """Bring an image in [-1, 1] to the convention of the boundary."""
        if field.kind != "image" or self.convention == "symmetric":
            return value
        if self.convention == "unit":
            return to_unit(value)
        return ((value + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def shape_of(field: Field, convention: Range) -> tuple[str | int, ...]:
    """Return the shape of a field at the boundary, free dimensions by name."""
    if field.kind != "image":
        return ("batch", *field.shape)
    channels, height, width = field.shape
    sides: tuple[str | int, ...] = ("height", "width") if field.stride else (height, width)
    return ("batch", *sides, channels) if convention == "uint8" else ("batch", channels, *sides)


def described(field: Field, convention: Range) -> dict[str, object]:
    """Return what a field is, for metadata: name, type, shape, range, and the names of categories."""
    kinds = {"vector": "float32", "number": "float32", "category": "int64"}
    image = field.kind == "image"
    found: dict[str, object] = {
        "name": field.name,
        "type": ("uint8" if convention == "uint8" else "float32") if image else kinds[field.kind],
        "shape": list(shape_of(field, convention)),
        "meaning": field.meaning,
    }
    if image:
        found["range"] = RANGES[convention]
        if field.stride > 1:
            found["multiple"] = f"height and width must be multiples of {field.stride}"
    if field.names:
        found["names"] = list(field.names)
    return found


def inward_bytes(value: Tensor) -> Tensor:
    """Return images ``(B, C, H, W)`` in [-1, 1] for bytes ``(B, H, W, C)``."""
    return from_bytes(value.permute(0, 3, 1, 2))
