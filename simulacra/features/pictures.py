"""Features for pictures of any kind, by the network that is shipped with the package: `networks.pictures`."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.networks import pictures

CHUNK = 200  # pictures at a time


class Pictures:
    """The features of the shipped network, for images of any size, grey or in colour."""

    name = "pictures"
    dimensions = pictures.DIMENSIONS

    def __init__(self) -> None:
        _, self.digest = pictures.shipped()

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, 224)`` of images ``(N, C, H, W)`` in [-1, 1], about 1 in size."""
        network = pictures.on(x.device)
        return torch.cat([network(part).cpu() for part in torch.split(x, CHUNK)])
