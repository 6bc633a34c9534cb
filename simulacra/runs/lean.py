"""Models in small files: weights in float16, and without those that only a training needs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from simulacra.models import Model

HALF, LEFT_OUT = "half", "left_out"  # keys of a file's metadata


def reduced(
    tensors: Mapping[str, Tensor], *, half: bool, needed: Collection[str] | None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the weights to write, and what their file says about those that are missing.

    ``needed`` are the names of those to keep, or None for all; ``half`` rounds float32 to float16.
    """
    kept = {name: tensor for name, tensor in tensors.items() if needed is None or name in needed}
    if half:
        kept = {name: t.half() if t.dtype == torch.float32 else t for name, t in kept.items()}
    left_out = sorted(set(tensors) - set(kept))
    metadata = {HALF: "true"} if half else {}
    return kept, metadata | ({LEFT_OUT: json.dumps(left_out)} if left_out else {})


def completed(
    model: Model, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> tuple[dict[str, Tensor], frozenset[str]]:
    """Return a file's weights in the model's own types, zeros for those left out, and the names of these.

    Raises RuntimeError for metadata that does not fit the model.
    """
    own = model.state_dict()
    found = dict(tensors)
    if metadata.get(HALF) == "true":
        found = {n: t.float() if t.dtype == torch.float16 and n in own else t for n, t in found.items()}
    left_out = _names(metadata.get(LEFT_OUT, "[]"))
    if not left_out <= set(own) or left_out & set(found):
        raise RuntimeError("it names weights as left out that the model does not have, or that are there.")
    zeros = {name: torch.zeros(own[name].shape, dtype=own[name].dtype) for name in left_out}
    return found | zeros, left_out


def _names(text: str) -> frozenset[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RuntimeError("its list of weights that were left out is not one.")
    return frozenset(names)
