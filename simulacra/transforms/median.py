"""The median filter, by a network of comparisons that all pixels share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from simulacra.transforms.common import Amount, by_value, framed, in_chunks, refuse_even


def median(x: Tensor, size: Amount = 3) -> Tensor:
    """Replace each pixel by the median of a window of ``size`` x ``size`` pixels, odd.

    Columns of the window are sorted once and shared by all windows over them; then they are merged by a network of
    comparisons, of which only those are made on which the median depends. Each is a minimum or maximum of whole images.
    Source: Sorting networks and their applications (1968), https://doi.org/10.1145/1468075.1468121
    """

    def same(x: Tensor, size: int) -> Tensor:
        refuse_even(size, "median: size")
        return in_chunks(lambda part: _median(part, size), x, size=1 << 16)

    return by_value(x, size, same)


def _median(x: Tensor, size: int) -> Tensor:
    height, width = x.shape[-2:]
    padded = framed(x, size // 2)
    rows: list[Tensor | None] = [padded.narrow(-2, row, height) for row in range(size)]
    order = _compare(rows, _sorting(size)[0])
    wires: list[Tensor | None] = [
        order[row].narrow(-1, column, width)  # type: ignore[union-attr]
        for column in range(size)
        for row in _sorting(size)[1]
    ]
    steps, middle = _selection(size)
    found = _compare(wires, steps)[middle]
    assert found is not None
    return found


Comparison = tuple[int, int, bool, bool]  # two wires, and whether the smaller and the larger are needed


def _compare(wires: list[Tensor | None], steps: Sequence[Comparison]) -> list[Tensor | None]:
    for low, high, smaller, larger in steps:
        a, b = wires[low], wires[high]
        assert a is not None
        assert b is not None
        wires[low] = torch.minimum(a, b) if smaller else None
        wires[high] = torch.maximum(a, b) if larger else None
    return wires


@lru_cache
def _sorting(count: int) -> tuple[list[Comparison], list[int]]:
    """Comparisons that sort so many wires, and the wires in the order of their values."""
    steps: list[tuple[int, int]] = []
    order = _sort(list(range(count)), steps)
    return [(low, high, True, True) for low, high in steps], order


@lru_cache
def _selection(size: int) -> tuple[list[Comparison], int]:
    """Comparisons that find the median of ``size`` sorted columns of ``size``, and the wire it ends on."""
    columns = [list(range(column * size, (column + 1) * size)) for column in range(size)]
    steps: list[tuple[int, int]] = []
    while len(columns) > 1:
        seconds = [*columns[1::2], []]
        columns = [_merge(first, second, steps) for first, second in zip(columns[::2], seconds, strict=False)]
    middle = columns[0][size * size // 2]
    needed, kept = {middle}, []
    for low, high in reversed(steps):
        if low in needed or high in needed:
            kept.append((low, high, low in needed, high in needed))
            needed |= {low, high}
    return kept[::-1], middle


def _sort(wires: list[int], steps: list[tuple[int, int]]) -> list[int]:
    if len(wires) <= 1:
        return wires
    half = len(wires) // 2
    return _merge(_sort(wires[:half], steps), _sort(wires[half:], steps), steps)


def _merge(first: list[int], second: list[int], steps: list[tuple[int, int]]) -> list[int]:
    """Batcher's odd-even merge of two sorted lists of wires, of any lengths."""
    if not first or not second:
        return first + second
    if len(first) == len(second) == 1:
        steps.append((first[0], second[0]))
        return [first[0], second[0]]
    even, odd = _merge(first[::2], second[::2], steps), _merge(first[1::2], second[1::2], steps)
    merged = [even[0]]
    for low, high in itertools.zip_longest(odd, even[1:]):
        if low is not None and high is not None:
            steps.append((low, high))
        merged += [wire for wire in (low, high) if wire is not None]
    return merged
