"""What the metrics share: checked input, blockwise distances, packages that are imported only where used."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from simulacra.errors import ConfigError

BLOCK_ELEMENTS = 2**24  # of the largest intermediate tensor: 128 MiB of float64


def matrix(values: Tensor, name: str, at_least: int = 1) -> Tensor:
    """Return ``values`` ``(N, D)`` as float64, once it is known to be a finite matrix of at least that many rows."""
    if values.ndim != 2 or values.shape[1] == 0:
        raise ConfigError(f"{name} must be a matrix (N, D), D at least 1; got shape {tuple(values.shape)}.")
    if len(values) < at_least:
        raise ConfigError(f"{name} has {len(values)} rows; at least {at_least} are needed.")
    values = values.detach().double()
    if not torch.isfinite(values).all():
        raise ConfigError(f"{name} holds NaN or infinite values.")
    return values


def matrices(first: Tensor, second: Tensor, names: tuple[str, str], at_least: int = 1) -> tuple[Tensor, Tensor]:
    """Return two float64 matrices ``(N, D)`` and ``(M, D)`` that share their dimension D."""
    first, second = matrix(first, names[0], at_least), matrix(second, names[1], at_least)
    if first.shape[1] != second.shape[1]:
        raise ConfigError(
            f"{names[0]} and {names[1]} must have the same dimension; got {first.shape[1]} and {second.shape[1]}."
        )
    return first, second


def integers(values: Tensor, name: str, classes: int | None = None) -> Tensor:
    """Return ``values`` as int64, once they are known to be integers, within ``[0, classes)`` if that is given."""
    if values.is_floating_point() or values.is_complex():
        raise ConfigError(f"{name} must be integers; got {values.dtype}.")
    if values.numel() == 0:
        raise ConfigError(f"{name} is empty.")
    if classes is not None and (int(values.min()) < 0 or int(values.max()) >= classes):
        raise ConfigError(f"{name} must lie in [0, {classes - 1}]; got {int(values.min())} to {int(values.max())}.")
    return values.detach().long()


def labels_of(rows: Tensor, labels: Tensor, name: str, classes: int | None = None) -> Tensor:
    """Return ``labels`` ``(N,)`` as int64, once there is one for each of ``rows`` ``(N, ...)``."""
    if labels.shape != rows.shape[:1]:
        raise ConfigError(f"{name} must be ({len(rows)},), one per row; got shape {tuple(labels.shape)}.")
    return integers(labels, name, classes)


def positive(value: float, name: str) -> None:
    """Refuse zero, negative numbers and NaN."""
    if not value > 0:
        raise ConfigError(f"{name} must be positive; got {value}.")


def distance_blocks(queries: Tensor, references: Tensor) -> Iterator[Tensor]:
    """Yield the Euclidean distances of successive rows of queries ``(N, D)`` to all references ``(M, D)``.

    ``sqrt(|q|^2 - 2 q . r + |r|^2)`` about the mean of the references, float64, ``(rows, M)`` each.
    """
    centre = references.mean(0)
    queries, references = queries - centre, references - centre
    norms = references.square().sum(1)
    for part in torch.split(queries, max(1, BLOCK_ELEMENTS // len(references))):
        squared = torch.addmm(norms, part, references.T, alpha=-2.0).add_(part.square().sum(1, keepdim=True))
        yield squared.clamp_(min=0.0).sqrt_()
