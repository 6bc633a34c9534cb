"""How probable a model finds the test images: bounds on log p(x) and their terms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from simulacra.data import Images
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.meanings import LIKELIHOOD, Meaning, declare
from simulacra.models import Scored, Variational, mean_score
from simulacra.steering import generate

LATENTS_PER_IMAGE = 100  # for the importance-weighted estimate of log p(x)
MAX_NLL_IMAGES = 1_000  # of which it is estimated
LATENTS_AT_ONCE = 50  # of an image decoded at a time
PIXELS_AT_ONCE = 2**20  # decoded at a time

# fmt: off
ELBO = declare(
    "elbo", LIKELIHOOD, "nats",
    "Lower bound on the log-probability of a test image, with beta = 1.", "higher",
)
CONDITIONAL_ELBO = declare(
    "conditional_elbo", LIKELIHOOD, "nats",
    "Lower bound on the log-probability of a test image given its true class; not comparable with elbo.", "higher",
)
RECONSTRUCTION_NLL = declare(
    "reconstruction_nll", LIKELIHOOD, "nats",
    "Reconstruction term of the bound, which is -(reconstruction_nll + kl).",
)
KL = declare(
    "kl", LIKELIHOOD, "nats",
    "KL term of the bound: how far the posteriors of test images are from the prior.",
)
NLL = declare(
    "nll", LIKELIHOOD, "nats",
    "Negative log-probability of a test image, estimated with 100 importance-weighted latents on at most "
    "1,000 images: tighter than the bound.", "lower",
)
BITS_PER_DIMENSION = declare(
    "bits_per_dimension", LIKELIHOOD, "bits",
    "The same for each value of an image: nll / (values log 2).", "lower",
)
# fmt: on


def measure(evidence: Evidence) -> Iterator[Score]:
    """The evidence lower bound and its terms; the tighter, importance-weighted estimate of ``-log p(x)``."""
    model = evidence.model
    assert isinstance(model, Variational)
    generator = evidence.generator("likelihood")
    parts = (Images(part.to(evidence.device)) for part in torch.split(evidence.x, generate.CHUNK))
    yield from _bound(evidence, ELBO, mean_score(model, parts, generator))
    few = evidence.at_most(MAX_NLL_IMAGES)
    nll = -float(log_likelihood(model, few, LATENTS_PER_IMAGE, generator).mean())
    yield evidence.score(NLL, nll, n=len(few))
    yield evidence.score(BITS_PER_DIMENSION, nll / (few[0].numel() * math.log(2)), n=len(few))


def measure_given_class(evidence: Evidence) -> Iterator[Score]:
    """The evidence lower bound on ``log p(x | y)`` for the true classes y, and its terms."""
    model = evidence.model
    assert isinstance(model, Scored)
    if evidence.test.labels is not None:
        batches = evidence.loader.fixed(evidence.test)
        yield from _bound(evidence, CONDITIONAL_ELBO, mean_score(model, batches, evidence.generator("likelihood")))


def _bound(evidence: Evidence, metric: Meaning, mean: Mapping[str, float]) -> Iterator[Score]:
    """A lower bound and its terms."""
    yield evidence.score(metric, -mean["negative_elbo"])
    yield evidence.score(RECONSTRUCTION_NLL, mean["nll"])
    yield evidence.score(KL, mean["kl"])


def log_likelihood(model: Variational, x: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """Estimate ``log p(x)`` in nats of images ``(n, C, H, W)`` with ``samples`` latents each: ``(n,)``, float64.

    As many images at a time as memory allows; see `Variational.log_likelihood`.
    """
    device = next(cast(nn.Module, model).parameters()).device
    logs = [
        model.log_likelihood(part.to(device), samples, chunk=LATENTS_AT_ONCE, generator=generator).cpu()
        for part in torch.split(x, max(1, PIXELS_AT_ONCE // (LATENTS_AT_ONCE * x[0].numel())))
    ]
    return torch.cat(logs).double()
