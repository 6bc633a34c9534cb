"""PyTorch's optimizers, less the import of its compiler.

Their methods tell the compiler to leave them alone, and import it for that: 2.6 seconds of processor time in each
process that trains, of a module that only compiled trainings need. What they compute is the same.
"""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch

__all__ = ["SGD", "Adam", "AdamW", "RMSprop"]

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)
METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict", "step")


def _without_compiler(kind: type[Kind]) -> type[Kind]:
    """Return a kind of optimizer whose methods are those below their decorators."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in METHODS}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(methods["step"])})


Adam = _without_compiler(torch.optim.Adam)
AdamW = _without_compiler(torch.optim.AdamW)
RMSprop = _without_compiler(torch.optim.RMSprop)
SGD = _without_compiler(torch.optim.SGD)
