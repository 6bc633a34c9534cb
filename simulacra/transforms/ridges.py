"""Canny's edges: pixels on the ridges of the slope, strong ones and the weak ones that touch them.

Source: A Computational Approach to Edge Detection (1986), https://doi.org/10.1109/TPAMI.1986.4767851
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

ACROSS = ((0, 1), (1, 1), (1, 0), (1, -1))  # steps down and right along a slope of 0, 45, 90 and 135 degrees


def ridges(length: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Whether the slope ``length`` is at its longest along its own direction, rounded to 45 degrees: ``(B, 1, H, W)``.

    Of two pixels of equal slope side by side the first one is on the ridge; two on a diagonal are both left out.
    """
    direction = torch.round(torch.atan2(down, right) / (math.pi / 4)).long() % 4
    framed = F.pad(length, (1, 1, 1, 1))
    kept = torch.zeros_like(length, dtype=torch.bool)
    for index, (y, x) in enumerate(ACROSS):
        before, after = _moved(framed, -y, -x), _moved(framed, y, x)
        beaten = length >= after if 0 in (y, x) else length > after
        kept |= (direction == index) & (length > before) & beaten
    return kept & (length > 0)


def connected(strong: Tensor, weak: Tensor) -> Tensor:
    """The strong pixels, and the weak ones that a chain of weak ones joins to them by sides or corners."""
    found, before = strong, torch.zeros_like(strong)
    while not torch.equal(found, before):
        before = found
        found = strong | (weak & (F.max_pool2d(found.float(), 3, 1, 1) > 0))
    return found


def _moved(framed: Tensor, down: int, right: int) -> Tensor:
    """The values at a step from each pixel, of an image with a frame of one pixel."""
    height, width = framed.shape[-2] - 2, framed.shape[-1] - 2
    return framed[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
