"""What a classifier, known mode centres or known labels say about generated images and codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.machine import extra
from simulacra.metrics.common import distance_blocks, labels_of, matrices, matrix, positive
from simulacra.metrics.meanings import CLASSES, KINDS, declare

__all__ = [
    "ClassCoverage",
    "ClassifierScore",
    "Matching",
    "MixtureModes",
    "class_coverage",
    "classifier_score",
    "match_codes",
    "mixture_modes",
    "reverse_kl",
]

MODE_RADIUS = 3.0  # standard deviations about a centre within which a sample belongs to it

# fmt: off
CLASSIFIER_SCORE = declare(
    "classifier_score", KINDS, "classes",
    "How clearly samples belong to a class and how evenly they cover all classes: from 1 to the number of "
    "classes.", "higher",
)
CLASS_COVERAGE = declare(
    "class_coverage", KINDS, "share",
    "Share of the classes that occur among the samples.", "higher",
)
CLASS_EVENNESS = declare(
    "class_evenness", KINDS, "share",
    "How evenly the classes occur: entropy relative to its maximum; best near the value of the data.",
)
REVERSE_KL = declare(
    "reverse_kl", KINDS, "nats",
    "KL divergence of the samples' modes from those of the data (stacked-mnist only).", "lower",
)
CODE_ACCURACY = declare(
    "code_accuracy", CLASSES, "share",
    "Share of test images whose most probable category was matched to their class; training saw no label.", "higher",
)
# fmt: on


@dataclass(frozen=True)
class ClassifierScore:
    """Mean and standard deviation over the splits; from 1 to the number of classes."""

    mean: float
    std: float


def classifier_score(probabilities: Tensor, splits: int = 10) -> ClassifierScore:
    """Return ``exp E_x KL(p(y | x) || p(y))`` of class probabilities ``(N, K)``; with Inception the "IS".

    ``p(y)`` is the mean over a split; splits are successive, so the images must be in random order.
    Raises `ConfigError` for rows that are not distributions or fewer rows than splits.
    Source: Improved Techniques for Training GANs (2016), section 4, https://arxiv.org/abs/1606.03498
    """
    positive(splits, "splits")
    probabilities = _distributions(probabilities, at_least=splits)
    scores = torch.stack([_exponential_information(part) for part in probabilities.tensor_split(splits)])
    return ClassifierScore(float(scores.mean()), float(scores.std(correction=0)))


def _exponential_information(probabilities: Tensor) -> Tensor:
    marginal = probabilities.mean(0)
    conditional_entropy = -torch.xlogy(probabilities, probabilities).sum(1).mean()
    return torch.exp(_entropy(marginal) - conditional_entropy)


@dataclass(frozen=True)
class ClassCoverage:
    """``evenness`` in [0, 1] is the histogram's entropy relative to log K; ``found`` counts classes that occur."""

    evenness: float
    found: int


def class_coverage(probabilities: Tensor) -> ClassCoverage:
    """Count the likeliest class of each of ``(N, K)``: how many classes occur, and how evenly.

    ``H(histogram) / log K``. Raises `ConfigError` for rows that are not distributions or fewer than 2 classes.
    """
    probabilities = _distributions(probabilities)
    classes = probabilities.shape[1]
    if classes < 2:
        raise ConfigError("probabilities must have at least 2 classes; got 1.")
    counts = torch.bincount(probabilities.argmax(1), minlength=classes)
    evenness = float(_entropy(counts.double() / counts.sum())) / math.log(classes)
    return ClassCoverage(evenness, int((counts > 0).sum()))


def reverse_kl(counts: Tensor, target: Tensor) -> float:
    """Return ``KL(histogram || target)`` in nats; both ``(K,)``, not negative, scaled to sum 1 here.

    Infinite when a class was generated that the target excludes.
    Raises `ConfigError` for different shapes, negative numbers or sums of zero.
    Source: VEEGAN (2017), section 4.2, https://arxiv.org/abs/1705.07761
    """
    generated, wanted = _histogram(counts, "counts"), _histogram(target, "target")
    if generated.shape != wanted.shape:
        raise ConfigError(f"counts and target must have the same length; got {len(counts)} and {len(target)}.")
    return float((torch.xlogy(generated, generated) - torch.xlogy(generated, wanted)).sum())


@dataclass(frozen=True)
class MixtureModes:
    """``covered`` modes have a sample; ``high_quality`` in [0, 1] is the share of samples near any mode."""

    covered: int
    high_quality: float


def mixture_modes(samples: Tensor, centres: Tensor, std: float) -> MixtureModes:
    """Assign samples ``(N, D)`` within 3 ``std`` of their nearest centre ``(K, D)`` to it.

    Raises `ConfigError` for empty input, different dimensions or a std that is not positive.
    Source: VEEGAN (2017), section 4.1, https://arxiv.org/abs/1705.07761
    """
    positive(std, "std")
    samples, centres = matrices(samples, centres, ("samples", "centres"))
    best = [distance.min(1) for distance in distance_blocks(samples, centres)]
    near = torch.cat([found.values for found in best]) <= MODE_RADIUS * std
    modes = torch.cat([found.indices for found in best])[near]
    return MixtureModes(len(torch.unique(modes)), float(near.double().mean()))


@dataclass(frozen=True)
class Matching:
    """``accuracy`` in [0, 1] under the best one-to-one naming; ``label_of_code[c]`` is the name of code c."""

    accuracy: float
    label_of_code: tuple[int, ...]


def match_codes(codes: Tensor, labels: Tensor, classes: int) -> Matching:
    """Name K unsupervised codes ``(N,)`` after K labels ``(N,)``, one to one, so that most images agree.

    ``max over permutations p of mean [p(code) = label]``, found by the Hungarian method.
    Raises `ConfigError` for values outside [0, K) or different lengths, or where scipy is missing.
    Source: Unsupervised Deep Embedding for Clustering Analysis (2016), equation 10, https://arxiv.org/abs/1511.06335
    """
    positive(classes, "classes")
    codes, labels = labels_of(codes, codes, "codes", classes), labels_of(codes, labels, "labels", classes)
    table = torch.bincount((codes * classes + labels).flatten(), minlength=classes**2).view(classes, classes)
    optimize = extra("scipy.optimize", "match_codes")
    rows, columns = optimize.linear_sum_assignment(table.cpu().numpy(), maximize=True)
    agreeing = int(table[torch.from_numpy(rows), torch.from_numpy(columns)].sum())
    return Matching(agreeing / len(codes), tuple(int(label) for label in columns))


def _entropy(probabilities: Tensor) -> Tensor:
    return -torch.xlogy(probabilities, probabilities).sum()


def _distributions(probabilities: Tensor, at_least: int = 1) -> Tensor:
    probabilities = matrix(probabilities, "probabilities", at_least)
    if float(probabilities.min()) < 0 or float((probabilities.sum(1) - 1).abs().max()) > 1e-3:
        raise ConfigError("probabilities must be at least 0 and sum to 1 in every row: apply softmax to logits.")
    return probabilities / probabilities.sum(1, keepdim=True)


def _histogram(values: Tensor, name: str) -> Tensor:
    if values.ndim != 1 or len(values) == 0 or float(values.min()) < 0 or float(values.sum()) <= 0:
        raise ConfigError(f"{name} must be (K,), at least 0 and not all 0; got shape {tuple(values.shape)}.")
    return values.double() / values.double().sum()
