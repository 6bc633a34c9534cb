"""Anomaly detection: a model of normal images cannot redraw what it has not learned.

    a(x) = mean over channels and a small square of (x - G(z(x)))^2,      score(x) = mean over pixels of a(x)

z(x) is the encoder's code, or where there is no encoder the latent that inversion finds. An image is anomalous if its
score exceeds a threshold that few normal images exceed.
Source: Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide Marker Discovery (2017),
https://arxiv.org/abs/1703.05921
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.machine import extra
from simulacra.models import Inferential, Model
from simulacra.priors import Prior
from simulacra.steering import generate, invert
from simulacra.steering.inpaint import anomaly_map

NORMAL = "good"  # the folder whose images are normal, beside folders of anomalous ones
STEPS = 200  # of inversion, where there is no encoder


@dataclass(frozen=True)
class Anomaly:
    """Scores ``(n,)``, heat maps ``(n, 1, H, W)`` and what the model redrew ``(n, C, H, W)`` in [-1, 1]."""

    scores: Tensor
    heat: Tensor
    redrawn: Tensor


def anomaly(model: Model, x: Tensor, *, steps: int = STEPS, seed: int = 0, prior: Prior | None = None) -> Anomaly:
    """Score images ``(n, C, H, W)`` in [-1, 1] by what a model cannot redraw; the more anomalous, the higher.

    The heat is the root of the squared error on the [0, 1] scale, a mean over channels and 3 x 3 pixels; the score is
    the mean squared heat. Models without an encoder are inverted in ``steps`` of gradient descent.
    Raises `CapabilityError` for models that do not decode latents.
    """
    redrawn = (
        generate.reconstruct(model, x)
        if isinstance(model, Inferential)
        else invert.invert(model, x, steps=steps, seed=seed, prior=prior).images
    )
    heat = anomaly_map(x, redrawn)
    return Anomaly(heat.square().mean((1, 2, 3)), heat, redrawn)


def threshold(scores: Tensor, rate: float) -> float:
    """Return the score that a new normal image exceeds with a probability of at most ``rate``, in (0, 1).

    With n scores of normal images it is the k-th highest, ``k = floor(rate (n + 1))``: the images being exchangeable,
    that holds for any distribution. Raises `ConfigError` where n is below ``1 / rate - 1``.
    Source: Algorithmic Learning in a Random World (2005), section 2.2, on conformal prediction
    """
    if not 0 < rate < 1:
        raise ConfigError(f"The rate of false alarms must lie between 0 and 1; got {rate}.")
    rank = math.floor(rate * (len(scores) + 1))
    if rank < 1:
        raise ConfigError(
            f"{len(scores)} normal images cannot set a threshold for a rate of {rate:g}: that takes at least "
            f"{math.ceil(1 / rate) - 1}. Choose --rate {1 / (len(scores) + 1):.2g} or more."
        )
    return float(scores.sort(descending=True).values[rank - 1])


def truth(names: Sequence[str]) -> Tensor | None:
    """Tell by their folders which images are anomalous, ``(n,)`` of 0 and 1: all that do not lie in a folder `good`.

    None where there is no such folder, or nothing beside it.
    """
    folders = [PurePosixPath(name).parent.name.lower() for name in names]
    labels = torch.tensor([int(folder != NORMAL) for folder in folders])
    return labels if 0 < int(labels.sum()) < len(labels) else None


def separation(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the area under the ROC curve and the average precision of scores ``(n,)`` for labels, 1 for anomalous.

    Raises `ConfigError` without the extra ``evaluate``.
    """
    metrics = extra("sklearn.metrics", "anomaly")
    return {
        "auroc": float(metrics.roc_auc_score(labels.numpy(), scores.numpy())),
        "average_precision": float(metrics.average_precision_score(labels.numpy(), scores.numpy())),
    }
