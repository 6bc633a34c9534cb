"""How many latents are in use, and what the KL divergence from the prior is made of."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.latents import (
    ACTIVE_UNITS,
    KL_DIMENSION_WISE,
    KL_MUTUAL_INFORMATION,
    KL_TOTAL_CORRELATION,
    active_units,
    kl_decomposition,
)
from simulacra.models import Variational
from simulacra.steering import generate

MAX_KL_IMAGES = 2_000  # of which the KL divergence is split: the time grows with their square


def measure(evidence: Evidence) -> Iterator[Score]:
    """The number of active units, and the three parts of the KL divergence."""
    model = evidence.model
    assert isinstance(model, Variational)
    yield evidence.score(ACTIVE_UNITS, active_units(evidence.codes))
    few = evidence.at_most(MAX_KL_IMAGES)
    posteriors = [model.posterior(part.to(evidence.device)) for part in torch.split(few, generate.CHUNK)]
    generator = evidence.generator("latents")
    z = torch.cat([q.rsample(generator=generator).cpu() for q in posteriors])
    mean = torch.cat([q.mean.cpu() for q in posteriors])
    log_variance = torch.cat([q.log_variance.cpu() for q in posteriors])
    parts = kl_decomposition(z, mean, log_variance)
    yield evidence.score(KL_MUTUAL_INFORMATION, parts.mutual_information, n=len(few))
    yield evidence.score(KL_TOTAL_CORRELATION, parts.total_correlation, n=len(few))
    yield evidence.score(KL_DIMENSION_WISE, parts.dimension_wise_kl, n=len(few))
