"""Images seen lately, among which one looks for the nearest to another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simulacra import parallel
from simulacra.images import Shape, from_bytes, to_bytes

SAME = 1e-2  # squared distance below which two images count as one: rounding of the sums reaches 1e-3


class Memory(nn.Module):
    """The last ``capacity`` real images, as bytes, saved with the model: a resumed training finds them again."""

    images: Tensor
    count: Tensor

    def __init__(self, capacity: int, shape: Shape) -> None:
        super().__init__()
        empty = torch.zeros(capacity, shape.channels, *shape.sides, dtype=torch.uint8)
        self.register_buffer("images", empty)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def nearest(self, x: Tensor) -> Tensor:
        """Return the nearest other image of each of ``x``, ``(B, C, H, W)`` in [-1, 1], and remember ``x``.

        Nearest by squared distance of pixels; an image itself where nothing else is remembered.
        """
        known = from_bytes(self._known()).to(x)
        found = _nearest(x, known) if len(known) else x
        self._remember(x)
        return found

    def _known(self) -> Tensor:
        return self.images[: min(int(self.count), len(self.images))]

    def _remember(self, x: Tensor) -> None:
        shown = parallel.gather(to_bytes(x))
        places = (self.count + torch.arange(len(shown), device=x.device)) % len(self.images)
        self.images[places] = shown
        self.count += len(shown)


def _nearest(x: Tensor, known: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):  # distances of neighbours differ little
        a, b = x.float().flatten(1), known.float().flatten(1)
        distances = a.square().sum(1, keepdim=True) - 2 * a @ b.t() + b.square().sum(1)
    best = distances.masked_fill(distances < SAME, torch.inf).min(1)
    return torch.where(best.values.isfinite().view(-1, 1, 1, 1), known[best.indices], x)
