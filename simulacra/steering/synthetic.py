"""Generated images with classes: asked for by label, or drawn between the latents of two images of a class."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.data import Dataset, derived_seed
from simulacra.errors import DataError
from simulacra.images import from_bytes
from simulacra.models import Coded, Conditional, Generative, Inferential, Model
from simulacra.models.labels import LABEL
from simulacra.steering import generate
from simulacra.steering.capabilities import require_class_images
from simulacra.steering.latent import along_line


def generated(model: Model, real: Dataset, labels: Tensor, *, seed: int = 0) -> Tensor:
    """Return an image for each of ``labels`` ``(n,)``: ``(n, C, H, W)`` in [-1, 1].

    A model that is told classes is asked for them. Any other with an encoder decodes ``z_i + u (z_j - z_i)`` with
    u uniform in [0, 1] and z a draw from the posterior, or the code, of two images of the class in ``real``; a data set
    without classes is one class, of which any model with a prior draws samples.
    Raises `CapabilityError` for a model with neither, `DataError` for images of another shape.
    """
    require(model, real)
    if isinstance(model, Conditional):
        return _asked(model, real, labels, seed)
    if real.labels is None and isinstance(model, Generative):
        return generate.sample(model, len(labels), seed=seed)
    assert isinstance(model, Inferential)
    return _between(model, real, labels, seed)


def require(model: Model, real: Dataset) -> None:
    """Refuse a model that cannot make images of the classes of ``real``, as `generated` does."""
    if real.shape != model.shape:
        raise DataError(f"{real.name} has images of {real.shape}; the model makes {model.shape}. Set --data.size.")
    require_class_images(model, real)


def _asked(model: Model, real: Dataset, labels: Tensor, seed: int) -> Tensor:
    assert isinstance(model, Coded)
    z = generate.latents(model, len(labels), seed=seed)
    for k in sorted(set(labels.tolist())):
        name = real.classes[k] if real.classes else k
        z[labels == k] = model.codes.set(z[labels == k], LABEL, name)
    return generate.decode(model, z)


def _between(model: Inferential, real: Dataset, labels: Tensor, seed: int) -> Tensor:
    assert isinstance(model, Model)
    generator = torch.Generator().manual_seed(derived_seed(seed, "between"))
    first, second = (_drawn(model, real, labels, generator) for _ in range(2))
    return generate.decode(model, along_line(first, second, torch.rand(len(labels), generator=generator)))


@torch.no_grad()
def _drawn(model: Model, real: Dataset, labels: Tensor, generator: torch.Generator) -> Tensor:
    """A latent of a random image of each label ``(n, D)``."""
    parts = torch.split(real.images[some_of_classes(real, labels, generator)], generate.CHUNK)
    return torch.cat([generate.code(model, from_bytes(part), generator) for part in parts])


def some_of_classes(real: Dataset, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the index of a random image of each label ``(n,)``; without classes, of any. Raises `DataError`."""
    known = torch.zeros(len(real), dtype=torch.int64) if real.labels is None else real.labels
    chosen = torch.zeros_like(labels)
    for k in sorted(set(labels.tolist())):
        own, wanted = torch.nonzero(known == k).view(-1), labels == k
        if len(own) == 0:
            raise DataError(f"{real.name} has no image of class {real.classes[k]} to start from.")
        chosen[wanted] = own[torch.randint(len(own), (int(wanted.sum()),), generator=generator)]
    return chosen
