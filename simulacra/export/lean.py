"""A module as it is when it only runs: parametrisations folded, reflection a layer of PyTorch, unused weights gone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from simulacra.networks.translators import Reflect

__all__ = ["lean", "tensors", "used_weights"]


@torch.no_grad()
def lean(module: nn.Module, examples: tuple[Tensor, ...]) -> nn.Module:
    """Return a copy in evaluation mode, on the CPU, that holds only the weights that its outputs depend on."""
    module = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    for layer in list(module.modules()):
        if parametrize.is_parametrized(layer):
            for name in list(layer.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(layer, str(name))
        for name, child in layer.named_children():
            if isinstance(child, Reflect):
                setattr(layer, name, nn.ReflectionPad2d(child.margin))
    needed = used_weights(module, examples)
    for layer in module.modules():
        for kept in (layer._parameters, layer._buffers):
            for name in [name for name, tensor in kept.items() if tensor is not None and id(tensor) not in needed]:
                del kept[name]
    return module


@torch.no_grad()
def used_weights(module: nn.Module, examples: tuple[Tensor, ...]) -> set[int]:
    """Return the identities of the tensors that a pass reads, among them its parameters and buffers."""
    watch = _Watch()
    with watch:
        module(*examples)
    return watch.seen


class _Watch(TorchFunctionMode):
    """Remembers every tensor that a function was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()
        self.kept: list[Tensor] = []  # alive, so that no identity is used twice

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        given = list(tensors((args, kwargs or {})))
        self.kept += given
        self.seen |= {id(tensor) for tensor in given}
        return function(*args, **(kwargs or {}))


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in arguments, however they are nested."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)
