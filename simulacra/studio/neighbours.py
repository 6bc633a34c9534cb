"""Is it a copy? The training images nearest to an image that a model drew."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from simulacra import images
from simulacra.data import derived_seed
from simulacra.metrics.neighbours import nearest_few
from simulacra.runs.run import Run
from simulacra.studio import asks, pictures, steer

SHOWN = 4
MOST = 10_000  # training images that are looked through
NUMBERS = 30_000_000  # of their pixels, which are held as floats
_known: WeakKeyDictionary[Run, tuple[Tensor, Tensor]] = WeakKeyDictionary()


def of(run: Run, ask: asks.Decode) -> dict[str, Any]:
    """The nearest training images to the image of the first latent, by the distance of their pixels."""
    x = run.decode(steer.checked(run, ask)[:1]).cpu()
    known, looked_through = training_images(run)
    distance, index = nearest_few(images.to_unit(x).flatten(1), known, SHOWN)
    found = images.from_bytes(looked_through[index[0]])
    return {
        "reading": False, "images": pictures.all_shown(found), "distances": [round(d, 3) for d in distance[0].tolist()],
        "searched": len(known), "of": len(run.splits.train),
    }  # fmt: skip


def likest(run: Run, x: Tensor, known: Tensor) -> Tensor:
    """Return the training image ``(1, C, H, W)`` that is nearest to an image by its known pixels ``(1, 1, H, W)``."""
    vectors, seen = training_images(run)
    weight = known.expand_as(x).flatten(1).float()
    index = ((vectors - images.to_unit(x).flatten(1)).square() * weight).sum(1).argmin()
    return images.from_bytes(seen[index : index + 1])


def training_images(run: Run) -> tuple[Tensor, Tensor]:
    """The training images as vectors in [0, 1] and as bytes, in large sets a fixed choice of them."""
    if run not in _known:
        train = run.splits.train.images
        most = max(SHOWN, min(MOST, NUMBERS // train[0].numel()))
        generator = torch.Generator().manual_seed(derived_seed("neighbours"))
        chosen = train[torch.randperm(len(train), generator=generator)[:most]]
        _known[run] = (chosen.flatten(1).float() / 255, chosen)
    return _known[run]
