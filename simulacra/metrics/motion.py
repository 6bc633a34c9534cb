"""How well in-between frames follow a motion whose middle frames are known."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.images import to_unit

__all__ = ["motion_score"]


def motion_score(frames: Tensor, truth: Tensor) -> Tensor:
    """Return the smoothness and fidelity of sequences ``(n, T, C, H, W)`` in [-1, 1], one number each: ``(n,)``.

    ``1 - e(y) / e(cut)`` with ``e(y) = sum_t |y_t - x_t|^2 + sum_t |(y_t+1 - y_t) - (x_t+1 - x_t)|^2``: the first sum
    asks for the right frames, the second for the right steps between them. The cut shows the first image for half of
    the time, then the last. 1 is the true motion x, 0 the cut; less than 0 is worse than not moving at all.
    Raises `ConfigError` for other shapes, or fewer than 3 frames.
    """
    if frames.shape != truth.shape or frames.ndim != 5 or frames.shape[1] < 3:
        raise ConfigError(
            f"Sequences must be alike, (n, T, C, H, W) with T at least 3; got {tuple(frames.shape)} and "
            f"{tuple(truth.shape)}."
        )
    steps = frames.shape[1]
    cut = torch.cat([truth[:, :1].expand(-1, steps // 2, -1, -1, -1),
                     truth[:, -1:].expand(-1, steps - steps // 2, -1, -1, -1)], dim=1)  # fmt: skip
    return 1 - _error(frames, truth) / _error(cut, truth).clamp(min=1e-12)


def _error(frames: Tensor, truth: Tensor) -> Tensor:
    away = (to_unit(frames) - to_unit(truth)).double()
    return away.square().flatten(1).sum(1) + away.diff(dim=1).square().flatten(1).sum(1)
