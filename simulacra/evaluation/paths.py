"""How fast images change between two draws from the prior; arcs and lines as `generate.interpolate` takes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from simulacra.data import derived_seed
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.path import PERCEPTUAL_PATH_LENGTH, Path, perceptual_path_length
from simulacra.models import Coded
from simulacra.steering import generate, latent

MAX_PATHS = 2_000  # through latent space: each takes two images


def measure(evidence: Evidence) -> Iterator[Score]:
    """The perceptual path length."""
    model, count = evidence.model, min(MAX_PATHS, len(evidence.x))
    seed = derived_seed(evidence.seed, "paths")
    starts, ends = generate.latents(model, 2 * count, seed=seed, prior=evidence.prior).chunk(2)
    found = perceptual_path_length(
        lambda z: generate.decode(model, z), evidence.extractor.features, starts, ends,
        _path(evidence, starts.shape[1]), generator=evidence.generator("paths"),
    )  # fmt: skip
    yield evidence.sample_score(PERCEPTUAL_PATH_LENGTH, found.mean, n=count, split="generated")


def _path(evidence: Evidence, latents: int) -> Path:
    """Great arcs for noise from N(0, I), straight lines for two latents, a fitted prior and named codes."""
    model = evidence.model
    if not isinstance(model, Coded):
        return latent.along_arc if evidence.prior is None and latents > 2 else latent.along_line
    noise = model.codes.noise

    def path(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        arc = latent.along_arc(start[:, :noise], end[:, :noise], t)
        return torch.cat([arc, latent.along_line(start, end, t)[:, noise:]], dim=1)

    return path
