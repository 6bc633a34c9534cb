"""A pool of earlier generated images, so that a critic does not forget what it has rejected before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simulacra import parallel
from simulacra.images import Shape, from_bytes, to_bytes

__all__ = ["Replay"]


class Replay(nn.Module):
    """Keeps ``size`` images as uint8 buffers, so that they are saved with the model; draws from the global generator.

    Source: Learning from Simulated and Unsupervised Images through Adversarial Training (2017), section 2.3,
    https://arxiv.org/abs/1612.07828
    """

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, shape.channels, *shape.sides, dtype=torch.uint8))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, fake: Tensor) -> Tensor:
        """Return images ``(B, C, H, W)`` in [-1, 1]: about half of the fakes, and earlier ones in place of the others.

        Until the pool is full, fakes are kept and returned, and so are those of a batch beyond ``size``. All are
        rounded to bytes, as images in files are. Every process keeps the same pool, of the images of all.
        """
        images: Tensor = self.images  # type: ignore[assignment]
        shown = parallel.gather(to_bytes(fake))
        size, full = len(images), int(self.count)  # type: ignore[arg-type]
        new = shown[: size - full]
        images[full : full + len(new)] = new
        self.count.add_(len(new))  # type: ignore[operator]
        old = shown[len(new) :][:size]
        if len(old):
            places = torch.randperm(size).to(fake.device)[: len(old)]
            swapped = (torch.rand(len(old)).to(fake.device) < 0.5).view(-1, 1, 1, 1)
            kept, given = images[places], old.clone()
            images[places] = torch.where(swapped, given, kept)
            shown[len(new) : len(new) + len(old)] = torch.where(swapped, kept, given)
        return from_bytes(parallel.own(shown)).contiguous(memory_format=torch.channels_last)

    def extra_repr(self) -> str:
        """Return their number."""
        return f"{len(self.images)}"  # type: ignore[arg-type]
