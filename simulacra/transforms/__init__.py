"""Image operations as functions of ``(B, C, H, W)`` in [-1, 1], by name, in random pipelines, and on files.

The table of operations is `simulacra.operations`; numbers may differ from image to image, as tensors ``(B,)``.
`register` adds an operation from outside the package.
"""

from __future__ import annotations

from simulacra.operations import Operation, Parameter, Range, Step
from simulacra.transforms.folders import compose_files, transform_files
from simulacra.transforms.pipeline import Moved, Pipeline, apply, movement
from simulacra.transforms.registry import register

__all__ = [
    "Moved",
    "Operation",
    "Parameter",
    "Pipeline",
    "Range",
    "Step",
    "apply",
    "compose_files",
    "movement",
    "register",
    "transform_files",
]
