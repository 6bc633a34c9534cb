"""What metrics and pages look at: images, latents and features of a run, each computed once and when needed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from simulacra import features, images
from simulacra.data import Dataset, Labelled, derived_seed
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.evaluation.scores import Score
from simulacra.features import Classifying, Extractor, Pixels, cache
from simulacra.images import to_unit
from simulacra.metrics.meanings import Meaning
from simulacra.models import Generative
from simulacra.priors import Prior
from simulacra.runs.run import Run
from simulacra.steering import generate, translate
from simulacra.steering.capabilities import require_translator

MIN_IMAGES = 10  # with fewer, shares and covariances mean nothing
MAX_TRAINING_IMAGES = 10_000  # that probes and named codes learn from
CACHE_VERSION = 1  # raised when the same images get other features: the cache then holds nothing of before


class Evidence:
    """The evidence that scores and pages are taken from.

    ``test`` are the test images that are measured, at most ``n``, and ``x`` ``(n, C, H, W)`` the same in [-1, 1];
    ``prior`` is a fitted prior to sample from in place of the model's own. ``warn`` is called with a sentence where
    something measured should not be trusted.
    Raises `ConfigError` or `DataError` for fewer than 10 images, `RunError` for weights that are not finite.
    """

    def __init__(
        self,
        run: Run,
        n: int = 10_000,
        seed: int = 0,
        extractor: Extractor | None = None,
        prior: Prior | None = None,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        check(run, n)
        self.run = run
        self.model = run.model
        self.seed = seed
        self.prior = prior
        self.warn = warn
        self.loader = run.measuring
        splits = run.splits
        self.test = self.draw(splits.test, min(n, len(splits.test), len(splits.train)), "test")
        self.x = self.images(self.test)
        self.extractor = extractor or features.extractor(run.config.data.name, splits)

    # ------------------------------------------------------------------------------------- what the model is

    @property
    def device(self) -> torch.device:
        """The device of the model's weights."""
        return next(self.model.parameters()).device

    @property
    def can_sample(self) -> bool:
        """Whether there is a prior to draw samples from: the model's own, or a fitted one."""
        return self.prior is not None or isinstance(self.model, Generative)

    @property
    def conditional(self) -> bool:
        """Whether the model is told the class of an image."""
        return self.model.batch is Labelled

    # -------------------------------------------------------------------------------------- images and latents

    @cached_property
    def codes(self) -> Tensor:
        """The latents ``(n, D)`` of the test images."""
        return generate.encode(self.model, self.x)

    @cached_property
    def reconstruction_errors(self) -> Tensor:
        """The mean squared error ``(n,)`` of each test image's reconstruction, on the [0, 1] scale."""
        return (to_unit(self.reconstructions()) - to_unit(self.x)).square().flatten(1).mean(1)

    def reconstructions(self) -> Tensor:
        """The reconstructions ``(n, C, H, W)`` of the test images: not kept, to need less memory."""
        return generate.decode(self.model, self.codes)

    @cached_property
    def samples(self) -> Tensor:
        """As many samples as test images, ``(n, C, H, W)`` in [-1, 1]."""
        return generate.sample(self.model, len(self.x), seed=derived_seed(self.seed, "samples"), prior=self.prior)

    @cached_property
    def translated(self) -> dict[str, Tensor]:
        """The test images translated to each domain that the model translates to."""
        directions = require_translator(self.model, "evaluate").directions
        return {to: translate.translate(self.model, self.domain(translate.OTHER[to]), to) for to in directions}

    def domain(self, name: str) -> Tensor:
        """The measured test images of a domain: all pairs, or as many drawn from it."""
        return self.some_images(self.test.domains[name], len(self.x), f"domain {name}")

    # ------------------------------------------------------------------------------------------------ features

    @cached_property
    def real(self) -> Tensor:
        """The features ``(n, F)`` of the test images."""
        return self._features(self.test)

    @cached_property
    def fake(self) -> Tensor:
        """The features ``(n, F)`` of the samples."""
        return self.extractor.features(self.samples)

    @cached_property
    def known(self) -> Tensor:
        """The features ``(N, F)`` of all training images, in their order."""
        return self._features(self.run.splits.train)

    @cached_property
    def probabilities(self) -> Tensor | None:
        """The class probabilities ``(n, K)`` of the samples, where the extractor knows classes."""
        return self.extractor.probabilities(self.samples) if isinstance(self.extractor, Classifying) else None

    def _features(self, dataset: Dataset) -> Tensor:
        """The features ``(N, F)`` of all its images, which need not fit into memory as floats; kept in the cache."""

        def compute() -> Tensor:
            return torch.cat([self.extractor.features(batch.image) for batch in self.loader.fixed(dataset)])

        quick = isinstance(self.extractor, Pixels)
        return compute() if quick else cache.tensor(self.cache_key("features", dataset), compute)

    def cache_key(self, what: str, dataset: Dataset) -> str:
        """Everything that a value computed from the features of a data set depends on."""
        binarised = self.run.config.data.binarised
        shape = tuple(dataset.images.shape)
        return cache.key(what, CACHE_VERSION, self.extractor.digest, dataset.digest(), shape, binarised)

    # ------------------------------------------------------------------------------------------- drawn by seed

    def generator(self, purpose: str) -> torch.Generator:
        """Random numbers for one purpose, the same for the same seed."""
        return torch.Generator().manual_seed(derived_seed(self.seed, "evaluate", purpose))

    def draw(self, dataset: Dataset, count: int, purpose: str) -> Dataset:
        """That many of its images, drawn at random, in their own order."""
        return dataset.take(torch.randperm(len(dataset), generator=self.generator(purpose))[:count].sort().values)

    def training_images(self) -> Dataset:
        """The training images that probes and named codes learn from: at most 10,000, drawn at random."""
        train = self.run.splits.train
        return self.draw(train, min(MAX_TRAINING_IMAGES, len(train)), "probes")

    def some_images(self, dataset: Dataset, count: int, purpose: str) -> Tensor:
        """At most that many of its images, drawn at random, in [-1, 1]."""
        return images.from_bytes(self.draw(dataset, min(count, len(dataset)), purpose).images)

    def images(self, dataset: Dataset) -> Tensor:
        """Its images ``(N, C, H, W)`` in [-1, 1], binarised where the training images were."""
        return torch.cat([batch.image for batch in self.loader.fixed(dataset)])

    def at_most(self, count: int) -> Tensor:
        """At most that many of the test images, at equal steps."""
        return self.x[:: max(1, math.ceil(len(self.x) / count))]

    # -------------------------------------------------------------------------------------------------- scores

    def score(self, metric: Meaning, value: float, *, n: int | None = None, split: str = "test") -> Score:
        """A score of the test images, or of ``n`` images of a split. Raises `RunError` where it is not finite."""
        if not math.isfinite(value):
            raise RunError(f"{metric.name} is {value} for {self.run.path}: its weights are unusable. Train it again.")
        return Score(metric.name, value, metric.unit, split, len(self.x) if n is None else n, None, self.seed)

    def feature_score(self, metric: Meaning, value: float, *, n: int | None = None, split: str = "test") -> Score:
        """A score that depends on the features, which it names."""
        name = f"{self.extractor.name}:{self.extractor.digest[:12]}"
        return replace(self.score(metric, value, n=n, split=split), features=name)

    def sample_score(self, metric: Meaning, value: float, *, n: int | None = None, split: str = "test") -> Score:
        """A score of samples by the features, which names a fitted prior, too."""
        prior = None if self.prior is None else self.prior.identity
        return replace(self.feature_score(metric, value, n=n, split=split), prior=prior)


def check(run: Run, n: int) -> None:
    """Refuse what cannot be measured, before anything takes long. Raises `ConfigError`, `DataError`, `RunError`."""
    if n < MIN_IMAGES:
        raise ConfigError(f"evaluate needs at least {MIN_IMAGES} images, not {n}. Type --n {MIN_IMAGES} or more.")
    check_weights(run)
    train, test = run.splits.train, run.splits.test
    if min(len(test), len(train)) < MIN_IMAGES:
        raise DataError(
            f"evaluate needs at least {MIN_IMAGES} training and {MIN_IMAGES} test images; {train.name} has "
            f"{len(train)} and {len(test)}. {_more_images(len(train), len(test))}"
        )


def _more_images(train: int, test: int) -> str:
    """What to do about too few training or test images."""
    total = train + test
    if total < 2 * MIN_IMAGES:
        return f"Train again on at least {2 * MIN_IMAGES} images."
    if test >= MIN_IMAGES:
        return "Train again on more images."
    share = math.ceil(100 * MIN_IMAGES / total) / 100
    return f"Train again with more test images: --data.test {share:g}, or add images to the test folder."


def check_weights(run: Run) -> None:
    """Refuse to measure a model whose weights are NaN or infinite. Raises `RunError`."""
    for name, weights in run.model.state_dict().items():
        if not bool(torch.isfinite(weights).all()):
            raise RunError(f"{run.file} is unusable: its weights {name} are NaN or infinite. Train it again.")
