"""Image operations as functions of ``(B, C, H, W)`` in [-1, 1], by name, and in random pipelines.

The table of operations is `simulacra.config.operations`; numbers may differ from image to image, as tensors ``(B,)``.
"""

from __future__ import annotations

from simulacra.transforms.pipeline import Moved, Pipeline, apply, movement

__all__ = ["Moved", "Pipeline", "apply", "movement"]
