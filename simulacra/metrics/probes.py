"""How well features tell the classes apart, without training anything but the simplest classifier."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.machine import extra
from simulacra.metrics.common import distance_blocks, labels_of, matrices
from simulacra.metrics.meanings import CLASSES, declare

__all__ = ["knn_accuracy", "linear_probe"]

# fmt: off
KNN_ACCURACY = declare(
    "knn_accuracy", CLASSES, "share",
    "Share of test images whose nearest training image in latent space (of at most 10,000) has their class.", "higher",
)
LINEAR_PROBE_ACCURACY = declare(
    "linear_probe_accuracy", CLASSES, "share",
    "Test accuracy of logistic regression on the latents of those training images.", "higher",
)
# fmt: on


def knn_accuracy(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor, k: int = 1
) -> float:
    """Return the share of test features ``(M, D)`` whose k nearest training features ``(N, D)`` vote for their label.

    Euclidean distance; labels ``(N,)`` and ``(M,)`` are integers from 0; of equal votes the smallest label wins.
    Raises `ConfigError` for fewer than k training rows, different dimensions or wrong labels.
    Source: Adversarial Feature Learning (2017), section 4.1, https://arxiv.org/abs/1605.09782
    """
    train, test, train_labels, test_labels = _checked(train_features, train_labels, test_features, test_labels)
    if not 1 <= k <= len(train):
        raise ConfigError(f"k must lie in [1, {len(train)}], the training rows; got {k}.")
    found = [distance.topk(k, dim=1, largest=False).indices for distance in distance_blocks(test, train)]
    votes = F.one_hot(train_labels[torch.cat(found)]).sum(1)
    smallest_winner = (votes == votes.amax(1, keepdim=True)).int().argmax(1)
    return float((smallest_winner == test_labels).double().mean())


def linear_probe(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor, iterations: int = 1000
) -> float:
    """Return the test accuracy of logistic regression on features ``(N, D)``, tested on ``(M, D)``.

    Features are scaled by the training mean and standard deviation; the penalty is ``|w|^2 / 2`` beside the sum of
    cross-entropies. Raises `ConfigError` for one class only, different dimensions, wrong labels, or where
    scikit-learn is missing.
    Source: Understanding intermediate layers using linear classifier probes (2016), https://arxiv.org/abs/1610.01644
    """
    train, test, train_labels, test_labels = _checked(train_features, train_labels, test_features, test_labels)
    if len(torch.unique(train_labels)) < 2:
        raise ConfigError("train_labels must hold at least 2 classes; got 1.")
    mean, std = train.mean(0), train.std(0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    linear_model = extra("sklearn.linear_model", "linear_probe")
    probe = linear_model.LogisticRegression(max_iter=iterations)
    probe.fit(((train - mean) / std).cpu().numpy(), train_labels.cpu().numpy())
    return float(probe.score(((test - mean) / std).cpu().numpy(), test_labels.cpu().numpy()))


def _checked(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    train, test = matrices(train_features, test_features, ("train_features", "test_features"))
    train_labels = labels_of(train, train_labels, "train_labels").to(train.device)
    test_labels = labels_of(test, test_labels, "test_labels").to(test.device)
    if int(train_labels.min()) < 0 or int(test_labels.min()) < 0:
        raise ConfigError("labels must be at least 0.")
    return train, test, train_labels, test_labels
