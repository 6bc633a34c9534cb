"""What lets N processes see exactly what one process sees: each works on its own rows of one global batch.

Random values with a row for each image are drawn for the whole batch in every process, from one seed, and each process
keeps its own rows (`drawn`). What depends on several images is made of means (`mean`) or of all rows (`gather`), and
both can be differentiated, also twice. Outside of a divided training step all of these do nothing.

Gradients follow one rule: the loss is the mean of the losses of the processes, so the gradients of the weights are
averaged over the processes afterwards, and no loss needs a factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra.errors import ConfigError, LostProcess

__all__ = ["Part", "among", "divided", "drawn", "gather", "mean", "own", "std", "synchronised", "total"]


@dataclass(frozen=True)
class Part:
    """One of ``count`` equal parts of a batch: the ``rows`` images from ``rank * rows`` on.

    The parts are those of as many processes, or, with ``apart``, follow each other, and know nothing of each other.
    """

    rank: int
    count: int
    rows: int
    apart: bool

    def total(self, rows: int) -> int:
        """Return how many rows all parts have together, where this one has ``rows``."""
        return rows * self.count

    def own(self, whole: Tensor, dim: int) -> Tensor:
        """Return this part's rows of a tensor with those of all parts, which may be several batches in a row."""
        blocks = _blocks(whole.shape[dim] // self.count, self.rows)
        shape = whole.shape
        parts = whole.reshape(*shape[:dim], blocks, self.count, shape[dim] // (blocks * self.count), *shape[dim + 1 :])
        return parts.select(dim + 1, self.rank).flatten(dim, dim + 1)


@dataclass(frozen=True)
class Chosen(Part):
    """The chosen ones among a part's images: ``places`` are theirs among all that were chosen."""

    chosen: int
    places: Tensor

    def total(self, rows: int) -> int:
        """Return how many were chosen in all parts together."""
        del rows
        return self.chosen

    def own(self, whole: Tensor, dim: int) -> Tensor:
        """Return the rows of this part's chosen images."""
        return whole.index_select(dim, self.places.to(whole.device))


_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def divided(part: Part) -> Iterator[None]:
    """Work on one part of a batch; with a single part nothing changes."""
    token = _part.set(part if part.count > 1 else None)
    try:
        yield
    finally:
        _part.reset(token)


@contextmanager
def among(chosen: Tensor) -> Iterator[Tensor]:
    """Work on some images of a batch: ``chosen`` is a mask ``(total,)`` over the images of all parts.

    Yields which of this part's images to work on, a mask; where none was chosen the first one stands in, so that the
    same values are drawn in every process.
    """
    part = _part.get()
    if part is None:
        yield chosen
        return
    mine, places = part.own(chosen, 0), part.own(chosen.cumsum(0) - 1, 0)
    seen = mine.clone()
    seen[0] |= not mine.any()
    token = _part.set(
        Chosen(part.rank, part.count, part.rows, part.apart, int(chosen.sum()), places[seen].clamp(min=0))
    )
    try:
        yield seen
    finally:
        _part.reset(token)


def drawn(draw: Callable[[int], Tensor], rows: int, dim: int = 0) -> Tensor:
    """Draw values for ``rows`` images along ``dim``: ``draw(n)`` is called for all images of the batch."""
    part = _part.get()
    return draw(rows) if part is None else part.own(draw(part.total(rows)), dim)


def total(rows: int) -> int:
    """Return how many images all processes have together, where this one has ``rows``."""
    part = _part.get()
    return rows if part is None else part.total(rows)


def own(whole: Tensor, dim: int = 0) -> Tensor:
    """Return this process's rows of a tensor with those of all processes."""
    part = _part.get()
    return whole if part is None else part.own(whole, dim)


def together() -> Part | None:
    """Return the part of this process where images are compared with those of others. Raises `ConfigError`."""
    part = _part.get()
    if part is not None and part.apart:
        raise ConfigError(
            "train.accumulate divides a batch into parts, but this model compares all images of a batch with each "
            "other or keeps statistics of them. Set --train.accumulate 1 and a smaller --train.batch, or start several "
            "processes."
        )
    return part


def mean(x: Tensor) -> Tensor:
    """Return the mean over the processes of a tensor, differentiable; of a mean over images, that over all images."""
    part = together()
    return x if part is None else _Mean.apply(x, part.count)  # type: ignore[no-untyped-call]


def gather(x: Tensor) -> Tensor:
    """Return the rows ``(B, ...)`` of all processes in the order of the batch, differentiable."""
    part = together()
    return x if part is None else _Gather.apply(x, part)  # type: ignore[no-untyped-call]


def std(x: Tensor, dim: tuple[int, ...] | None = None) -> Tensor:
    """Return the standard deviation of a tensor over the images and other dimensions, all by default."""
    part, dim = together(), dim or tuple(range(x.ndim))
    if part is None:
        return x.std(dim)
    count = part.total(math.prod(x.shape[one] for one in dim))
    return (mean((x - mean(x.mean(dim, keepdim=True))).square().mean(dim)) * count / (count - 1)).sqrt()


def _blocks(rows: int, batch: int) -> int:
    """How many batches ``rows`` are; packs of images have fewer rows than a batch."""
    return rows // batch if rows > batch and rows % batch == 0 else 1


def sent(send: Callable[[], object]) -> None:
    """Send something to the other processes. Raises `LostProcess` where one of them is gone."""
    try:
        send()
    except (RuntimeError, ValueError) as error:
        raise LostProcess(f"A process of this training has ended: {str(error).splitlines()[0]:.200}") from None


class _Mean(torch.autograd.Function):
    """The mean over processes; so is its gradient, by the rule of this module."""

    @staticmethod
    def forward(context: Any, x: Tensor, count: int) -> Tensor:
        context.count = count
        total = x.detach().clone(memory_format=torch.contiguous_format)
        sent(lambda: dist.all_reduce(total))
        return total / count

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(gradient, context.count), None  # type: ignore[no-untyped-call]


class _Gather(torch.autograd.Function):
    """All rows; the gradient of a row is the sum of what all processes ask of it."""

    @staticmethod
    def forward(context: Any, x: Tensor, part: Part) -> Tensor:
        context.part = part
        return gathered(x.detach(), part)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Scatter.apply(gradient, context.part), None  # type: ignore[no-untyped-call]


class _Scatter(torch.autograd.Function):
    """The own rows of the sum over processes: the adjoint of `_Gather`, which is its gradient."""

    @staticmethod
    def forward(context: Any, whole: Tensor, part: Part) -> Tensor:
        context.part = part
        total = whole.detach().clone(memory_format=torch.contiguous_format)
        sent(lambda: dist.all_reduce(total))
        return part.own(total, 0)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(gradient, context.part), None  # type: ignore[no-untyped-call]


def gathered(x: Tensor, part: Part) -> Tensor:
    """Return the rows ``(B, ...)`` of all processes in the order of the batch."""
    device, x = x.device, x.contiguous()
    x = x.cpu() if device.type == "cuda" and dist.get_backend() == "gloo" else x  # gloo gathers on the CPU only
    parts = [torch.empty_like(x) for _ in range(part.count)]
    sent(lambda: dist.all_gather(parts, x))
    blocks = _blocks(len(x), part.rows)
    whole = torch.stack([one.reshape(blocks, len(x) // blocks, *x.shape[1:]) for one in parts], 1)
    return whole.flatten(0, 2).to(device)


# --------------------------------------------------------------------------------------------------- layers


class BatchNorm(_BatchNorm):
    """Batch normalisation over the batch of all processes; ``nn.SyncBatchNorm`` runs on GPUs only."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C)`` or ``(B, C, *)``; in training by the mean and variance of all processes."""
        if _part.get() is None or not self.training:
            return super().forward(input)
        x = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
        places = [dimension for dimension in range(x.ndim) if dimension != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        variances, centres = torch.var_mean(x, places, correction=0)
        everywhere = gather(torch.stack([centres, variances])[None])  # one message: the slowest thing in a small model
        centre = everywhere[:, 0].mean(0)
        variance = everywhere[:, 1].mean(0) + (everywhere[:, 0] - centre).square().mean(0)
        self._follow(centre.detach(), variance.detach(), x.numel() // x.shape[1])
        y = (x - centre.view(shape)) * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    @torch.no_grad()
    def _follow(self, centre: Tensor, variance: Tensor, count: int) -> None:
        part = _part.get()
        assert part is not None
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        count = part.total(count)
        self.running_mean.lerp_(centre.to(self.running_mean.dtype), weight)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), weight)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions: the layer that this one stands for was built for its input."""


class Dropout(nn.Dropout):
    """Dropout whose mask is drawn for the batch of all processes."""

    def forward(self, input: Tensor) -> Tensor:
        """Set values to zero at random, and enlarge the others."""
        if _part.get() is None or not self.training or not 0 < self.p < 1:
            return super().forward(input)
        keep = 1 - self.p

        def mask(rows: int) -> Tensor:
            shape = (rows, *input.shape[1:])
            layout = torch.channels_last if _is_channels_last(input) else torch.contiguous_format
            empty = torch.empty(shape, dtype=input.dtype, device=input.device, memory_format=layout)
            return empty.bernoulli_(keep).div_(keep)

        return input * drawn(mask, len(input))


def _is_channels_last(x: Tensor) -> bool:
    return x.ndim == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def synchronised(model: nn.Module) -> None:
    """Let a model's layers see the batch of all processes: batch normalisation, and the masks of dropout.

    Weights and their names stay as they are.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = BatchNorm
        elif type(module) is nn.Dropout:
            module.__class__ = Dropout
