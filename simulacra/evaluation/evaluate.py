"""What a run is worth, in numbers: every metric that its model supports, measured on held-out images.

A score carries what it depends on: the split, the count of images, the features and the seed (`evaluation.scorecard`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from simulacra import features, images, metrics
from simulacra.data import Dataset, Images, Labelled, derived_seed, shapes, stacked
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.evaluation.scorecard import Score
from simulacra.features import Classifying, Corruption, Extractor, Pixels, StackedDigits, cache
from simulacra.features.base import CHUNK
from simulacra.features.corruption import CORRUPTIONS
from simulacra.images import to_unit
from simulacra.machine import extra
from simulacra.metrics import meanings
from simulacra.metrics.pixels import variety
from simulacra.models import (
    Coded,
    Generative,
    Inferential,
    Model,
    Recognising,
    Scored,
    Translating,
    Variational,
    mean_score,
)
from simulacra.models.codes import Categorical
from simulacra.models.labels import LABEL
from simulacra.priors import Prior
from simulacra.runs.run import Run
from simulacra.steering import generate, latent, translate

LATENTS = 100  # of each image, for the importance-weighted estimate of log p(x)
WEIGHED = 1_000  # images at most of which it is estimated
DECODED = 50  # latents of an image decoded at a time
PIXELS = 2**20  # decoded at a time
DECOMPOSED = 2_000  # images at most of which the KL divergence is split: the time grows with their square
PROBED = 10_000  # training images at most that probes learn from
FEWEST = 10  # images, below which shares and covariances mean nothing
IN_USE = 0.01  # variance of a latent, beside the prior's of 1 or, without a prior, beside the largest
ASKED = 1_000  # samples at most of asked classes
SUBSET = 1_000  # images at most in a subset of the kernel distance
CORRUPTED = 500  # training images at most for the self-test of features
CODE = 1  # raised when the same images get other features: the cache then holds nothing of before
SAMPLES_PER_IMAGE = 2.6  # of which modes are counted: 26,000, as in the literature, for 10,000 test images
PATHS = 2_000  # at most, through latent space: each takes two images
OF_REAL = ("frechet_distance_floor", "features_self_test")  # scores of features that no sample takes part in
CLEAREST = 100.0  # dB: equal images have infinitely many, which a mean and JSON cannot hold


def evaluate(
    run: Run,
    *,
    n: int = 10_000,
    seed: int = 0,
    extractor: Extractor | None = None,
    prior: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> list[Score]:
    """Measure a run on up to ``n`` test images, and as many samples: each metric that its model supports.

    With a posterior: bounds and estimates of log p(x), use of the latents. With an encoder: reconstructions, and
    how well latents tell classes apart. With a prior: samples against test images, by the features of ``extractor``,
    which is `features.extractor`'s own choice where none is given. With a translator: translations against real images
    of the target, by a classifier of both domains, against the truth where it is known, and back again.
    ``progress`` is called with the name of each part, ``warn`` with a sentence if the features fail their
    self-test. The same seed gives the same scores.
    ``prior`` says where samples are drawn from, as in `Run.prior`; likelihoods are always those of the model's own.
    Raises `ConfigError` for fewer than 10 images or a missing extra, `RunError` for a model that returns NaN.
    """
    return measure(run, n=n, seed=seed, extractor=extractor, prior=prior, progress=progress, warn=warn).scores


@torch.no_grad()
def measure(
    run: Run,
    *,
    n: int = 10_000,
    seed: int = 0,
    extractor: Extractor | None = None,
    prior: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Evaluation:
    """Do what `evaluate` does, and keep the images, latents and features behind the scores."""
    evaluation = Evaluation(run, n, seed, extractor, run.prior(prior), warn)
    labelled = run.model.batch is Labelled
    parts: list[tuple[str, bool, Callable[[], Iterator[Score]]]] = [
        ("likelihood", isinstance(run.model, Variational), evaluation.likelihood),
        ("conditional likelihood", isinstance(run.model, Scored) and labelled, evaluation.conditional_likelihood),
        ("latents", isinstance(run.model, Variational), evaluation.latents),
        ("reconstructions", isinstance(run.model, Inferential), evaluation.reconstructions),
        ("classes", isinstance(run.model, Inferential) and not labelled, evaluation.classes),
        ("codes", isinstance(run.model, Recognising) and not labelled, evaluation.codes_of_classes),
        ("labels", isinstance(run.model, Recognising) and labelled, evaluation.labels),
        ("factors", isinstance(run.model, Inferential), evaluation.factors),
        ("samples", evaluation.sampled, evaluation.samples),
        ("modes", evaluation.sampled, evaluation.modes),
        ("paths", evaluation.sampled, evaluation.paths),
        ("translations", isinstance(run.model, Translating), evaluation.translations),
    ]
    for name, supported, part in parts:
        if supported:
            if progress is not None:
                progress(name)
            evaluation.scores += part()
    return evaluation


def check(run: Run, n: int) -> None:
    """Refuse to measure too few images, before anything takes long. Raises `ConfigError`, `DataError`."""
    if n < FEWEST:
        raise ConfigError(f"evaluate needs at least {FEWEST} images, not {n}. Type --n {FEWEST} or more.")
    train, test = run.splits.train, run.splits.test
    if min(len(test), len(train)) < FEWEST:
        raise DataError(
            f"evaluate needs at least {FEWEST} training and {FEWEST} test images; {train.name} has "
            f"{len(train)} and {len(test)}. Train on more images, or hold more out: --data.test 0.3"
        )


def log_likelihood(model: Variational, x: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """Estimate ``log p(x)`` in nats of images ``(n, C, H, W)`` with ``samples`` latents each: ``(n,)``, float64.

    As many images at a time as memory allows; see `Variational.log_likelihood`.
    """
    device = next(cast(nn.Module, model).parameters()).device
    parts = torch.split(x, max(1, PIXELS // (DECODED * x[0].numel())))
    logs = [model.log_likelihood(part.to(device), samples, chunk=DECODED, generator=generator).cpu() for part in parts]
    return torch.cat(logs).double()


def disentanglement(codes: Tensor, dataset: Dataset, *, seed: int = 0, threshold: float = 0.01) -> dict[str, float]:
    """Score how codes ``(n, D)`` of a data set's images separate the factors that can be seen in them.

    See `metrics.disentanglement_scores`. The angle of `shapes` is left out: a square looks the same after a quarter
    turn, a triangle after a third, a star after a fifth, a disc after any, so that no encoder can tell it.
    Raises `DataError` for a data set without known factors.
    """
    if dataset.factors is None:
        raise DataError(f"{dataset.name} has no known factors to be separated. Use the data set shapes.")
    known = {name: dataset.factors[name] for name in shapes.VISIBLE}
    generator = torch.Generator().manual_seed(derived_seed(seed, "disentanglement"))
    return metrics.disentanglement_scores(codes, known, threshold, generator)


def mode_counts(
    model: Model, extractor: Classifying, samples: int, *, seed: int = 0, prior: Prior | None = None
) -> Tensor:
    """Count how many of that many samples of `stacked-mnist` are likeliest of each mode, ``(1000,)``."""
    labels = []
    for start in range(0, samples, CHUNK):
        part = min(CHUNK, samples - start)
        drawn = generate.sample(model, part, seed=derived_seed(seed, "modes", start), prior=prior)
        labels.append(extractor.probabilities(drawn).argmax(1))
    return torch.bincount(torch.cat(labels), minlength=len(stacked.CLASSES))


class Evaluation:
    """The images, latents and features that metrics and pictures share, each computed once and when needed.

    ``test`` are the test images that were measured, ``x`` ``(n, C, H, W)`` the same in [-1, 1].
    """

    def __init__(
        self,
        run: Run,
        n: int,
        seed: int,
        extractor: Extractor | None,
        prior: Prior | None,
        warn: Callable[[str], None],
    ) -> None:
        self.run = run
        self.prior = prior
        self.sampled = prior is not None or isinstance(run.model, Generative)
        self.warn = warn
        self.model: Any = run.model
        self.device = next(run.model.parameters()).device
        self.seed = seed
        self.scores: list[Score] = []
        if isinstance(run.model, Translating):
            extra("torchmetrics.functional.image", "evaluate")
        if isinstance(run.model, Inferential):
            for module in ("torchmetrics.functional.image", "sklearn.linear_model"):
                extra(module, "evaluate")
        if isinstance(run.model, Recognising):
            extra("scipy.optimize", "evaluate")
        check(run, n)
        splits = run.splits
        self.loader = run.measuring
        self.test = self._draw(splits.test, min(n, len(splits.test), len(splits.train)), "test")
        self.x = self._images(self.test)
        self.extractor = extractor or features.extractor(run.config.data.name, splits)

    def likelihood(self) -> Iterator[Score]:
        """The evidence lower bound and its terms; the tighter, importance-weighted estimate of ``-log p(x)``."""
        generator = self._generator("likelihood")
        parts = (Images(part.to(self.device)) for part in torch.split(self.x, generate.CHUNK))
        yield from self._bound("elbo", mean_score(self.model, parts, generator))
        few = self._few(WEIGHED)
        nll = -float(log_likelihood(self.model, few, LATENTS, generator).mean())
        yield self._score("nll", nll, "nats", n=len(few))
        yield self._score("bits_per_dimension", nll / (self.x[0].numel() * math.log(2)), "bits", n=len(few))

    def conditional_likelihood(self) -> Iterator[Score]:
        """The evidence lower bound on ``log p(x | y)`` for the true classes y, and its terms."""
        if self.test.labels is None:
            return
        mean = mean_score(self.model, self.loader.fixed(self.test), self._generator("likelihood"))
        yield from self._bound("conditional_elbo", mean)

    def _bound(self, name: str, mean: dict[str, float]) -> Iterator[Score]:
        """A lower bound and its terms."""
        yield self._score(name, -mean["negative_elbo"], "nats")
        yield self._score("reconstruction_nll", mean["nll"], "nats")
        yield self._score("kl", mean["kl"], "nats")

    def _few(self, count: int) -> Tensor:
        """At most that many of the test images, at equal steps."""
        return self.x[:: max(1, math.ceil(len(self.x) / count))]

    def latents(self) -> Iterator[Score]:
        """How many latents are in use, and what the KL divergence is made of."""
        yield self._score("active_units", metrics.active_units(self.codes), "latents")
        few = self._few(DECOMPOSED)
        posteriors = [self.model.posterior(part.to(self.device)) for part in torch.split(few, generate.CHUNK)]
        generator = self._generator("latents")
        z = torch.cat([q.rsample(generator=generator).cpu() for q in posteriors])
        mean, log_variance = (
            torch.cat([getattr(q, name).cpu() for q in posteriors]) for name in ("mean", "log_variance")
        )
        parts = metrics.kl_decomposition(z, mean, log_variance)
        yield self._score("kl_mutual_information", parts.mutual_information, "nats", n=len(few))
        yield self._score("kl_total_correlation", parts.total_correlation, "nats", n=len(few))
        yield self._score("kl_dimension_wise", parts.dimension_wise_kl, "nats", n=len(few))

    def reconstructions(self) -> Iterator[Score]:
        """Test images against what comes back through the latents, on the [0, 1] scale."""
        returned = self._returned()
        measures = [("l1", metrics.l1, "of the range"), ("psnr", metrics.psnr, "dB")]
        if self.run.shape.size >= metrics.pixels.WINDOW:
            measures.append(("ssim", metrics.ssim, "index"))
        pairs = list(zip(torch.split(returned, generate.CHUNK), torch.split(self.x, generate.CHUNK), strict=True))
        for name, measure, unit in measures:
            values = torch.cat([measure(*pair) for pair in pairs]).clamp(max=CLEAREST)
            yield self._score(name, float(values.mean()), unit)
        if isinstance(self.extractor, Classifying):
            kinds, found = (self.extractor.probabilities(images).argmax(1) for images in (self.x, returned))
            yield self._compared("class_agreement", float((kinds == found).double().mean()), "share")

    def classes(self) -> Iterator[Score]:
        """Whether the latents of training images tell the classes of test images."""
        train = self._draw(self.run.splits.train, min(PROBED, len(self.run.splits.train)), "probes")
        if train.labels is None or self.test.labels is None or int(train.labels.max()) == int(train.labels.min()):
            return
        known = generate.encode(self.run.model, self._images(train))
        samples = (known, train.labels, self.codes, self.test.labels)
        yield self._score("knn_accuracy", metrics.knn_accuracy(*samples), "share")
        yield self._score("linear_probe_accuracy", metrics.linear_probe(*samples), "share")

    def codes_of_classes(self) -> Iterator[Score]:
        """Whether a categorical code without labels tells the classes: codes are named on training images."""
        train = self._draw(self.run.splits.train, min(PROBED, len(self.run.splits.train)), "probes")
        if train.labels is None or self.test.labels is None:
            return
        classes = int(train.labels.max()) + 1
        known, tested = (
            self.model.codes.values(c) for c in (generate.encode(self.run.model, self._images(train)), self.codes)
        )
        for code in self.model.codes:
            if isinstance(code, Categorical) and code.categories == classes:
                matching = metrics.match_codes(known[code.name], train.labels, classes)
                named = torch.tensor(matching.label_of_code)[tested[code.name]]
                agreeing = (named == self.test.labels).double().mean()
                yield self._score("code_accuracy", float(agreeing), "share")

    def labels(self) -> Iterator[Score]:
        """Whether the class that a conditional model reads off a test image is its own."""
        if self.test.labels is not None:
            inferred = self.model.codes.values(self.codes)[LABEL]
            yield self._score("label_accuracy", float((inferred == self.test.labels).double().mean()), "share")

    def factors(self) -> Iterator[Score]:
        """How well single latents stand for the factors that generated the test images, where these are known."""
        if self.test.factors is None:
            return
        scale = 1.0 if isinstance(self.run.model, Generative) else float(self.codes.var(0).max())
        found = disentanglement(self.codes, self.test, seed=self.seed, threshold=IN_USE * scale)
        for name, value in found.items():
            yield self._score(name, value, "latents" if name == "latents_in_use" else "score")

    def samples(self) -> Iterator[Score]:
        """Samples against test images, as many of each; beside it training against test images, the floor."""
        yield from self._distances(self.real, self.fake, self.known)
        yield self._self_test()
        yield from self._balls(self.real, self.fake)
        copied = metrics.memorisation(self.fake, self.known, self.real)
        yield self._compared("memorisation", copied.share, "share", split="train")
        if self.probabilities is not None:
            yield from self._classified(self.probabilities)
        yield from self._agreement()

    def _agreement(self) -> Iterator[Score]:
        """Whether samples of an asked class are taken for it by a classifier of the same classes."""
        if not isinstance(self.extractor, Classifying) or self.run.model.batch is not Labelled:
            return
        count = min(ASKED, len(self.x))
        z = generate.latents(self.run.model, count, seed=derived_seed(self.seed, "labels"))
        probabilities = self.extractor.probabilities(generate.decode(self.run.model, z))
        if probabilities.shape[1] == self.model.classes:
            agreeing = probabilities.argmax(1) == self.model.codes.values(z)[LABEL]
            yield self._compared(
                "label_agreement", float(agreeing.double().mean()), "share", n=count, split="generated"
            )

    def _distances(self, real: Tensor, fake: Tensor, train: Tensor) -> Iterator[Score]:
        unit, count = "distance^2", len(real)
        chosen = train[torch.randperm(len(train), generator=self._generator("floor"))[:count]]
        subset, generator = min(SUBSET, count // 2), self._generator("kernel")
        kernel = metrics.kernel_distance(real, fake, subset_size=subset, generator=generator)
        yield self._compared("frechet_distance", metrics.frechet_distance(real, fake), unit)
        yield self._compared("frechet_distance_floor", metrics.frechet_distance(real, chosen), unit)
        yield replace(self._compared("kernel_distance", kernel.mean, unit), interval=(kernel.low, kernel.high))

    def _self_test(self) -> Score:
        """The share of corruptions that the features see growing; a failure is told, too."""
        dataset = self.run.splits.train
        few = dataset.take(torch.arange(0, len(dataset), math.ceil(len(dataset) / CORRUPTED)))
        table = self._corruptions(few)
        for row in table:
            if not row.rises:
                self.warn(
                    f"the features {self.extractor.name} fail their self-test: the distance to {dataset.name} does not "
                    f"rise with growing {row}. Do not trust what is measured by them."
                )
        share = sum(row.rises for row in table) / len(table)
        return self._compared("features_self_test", share, "share", split="train", n=len(few))

    def _corruptions(self, dataset: Dataset) -> list[Corruption]:
        def compute() -> Tensor:
            generator = torch.Generator().manual_seed(derived_seed("self-test"))
            table = features.self_test(self.extractor, self._images(dataset), generator)
            return torch.tensor([row.distances for row in table], dtype=torch.float64)

        distances = cache.tensor(self._key("self-test", dataset), compute).tolist()
        return [Corruption(name, tuple(row)) for name, row in zip(CORRUPTIONS, distances, strict=True)]

    def _balls(self, real: Tensor, fake: Tensor) -> Iterator[Score]:
        found = metrics.prdc(real, fake)
        yield self._compared("precision", found.precision, "share")
        yield self._compared("recall", found.recall, "share")
        yield self._compared("density", found.density, "ratio")
        yield self._compared("coverage", found.coverage, "share")

    def _classified(self, probabilities: Tensor) -> Iterator[Score]:
        kinds = metrics.class_coverage(probabilities)
        values = {
            "classifier_score": (metrics.classifier_score(probabilities).mean, "classes"),
            "class_coverage": (kinds.found / probabilities.shape[1], "share"),
            "class_evenness": (kinds.evenness, "share"),
        }
        for name, (value, unit) in values.items():
            yield self._compared(name, value, unit, split="generated")

    def modes(self) -> Iterator[Score]:
        """How many of the 1,000 modes of `stacked-mnist` a sample falls into, and how far from their shares."""
        train = self.run.splits.train
        if not isinstance(self.extractor, StackedDigits) or train.labels is None:
            return
        samples = round(SAMPLES_PER_IMAGE * len(self.x))
        counts = mode_counts(self.run.model, self.extractor, samples, seed=self.seed, prior=self.prior)
        away = metrics.reverse_kl(counts, stacked.mode_shares(train.labels))
        yield self._compared("modes", float((counts > 0).sum()), "modes", n=samples, split="generated")
        yield self._compared("reverse_kl", away, "nats", n=samples, split="generated")

    def paths(self) -> Iterator[Score]:
        """How fast images change between two draws from the prior; arcs and lines as `generate.interpolate` takes."""
        count = min(PATHS, len(self.x))
        seed = derived_seed(self.seed, "paths")
        starts, ends = generate.latents(self.run.model, 2 * count, seed=seed, prior=self.prior).chunk(2)
        found = metrics.perceptual_path_length(
            lambda z: generate.decode(self.run.model, z), self.extractor.features, starts, ends,
            self._path, generator=self._generator("paths"),
        )  # fmt: skip
        yield self._compared("perceptual_path_length", found.mean, "distance^2", n=count, split="generated")

    def translations(self) -> Iterator[Score]:
        """Test images translated to B, and to A under names that end so, where the model goes both ways."""
        for to in self.model.directions:
            for score in self._translations(to):
                yield score if to == "B" else replace(score, metric=meanings.to_a(score.metric))

    def _translations(self, to: str) -> Iterator[Score]:
        source, target = (self._domain(name) for name in (translate.OTHER[to], to))
        there = self.translated[to]
        if isinstance(self.extractor, Classifying):
            shown = {"": there, meanings.FLOOR: target, meanings.COPIED: source}
            for ending, x in shown.items():
                taken = self.extractor.probabilities(x).argmax(1) == "AB".index(to)
                yield self._compared(f"domain_accuracy{ending}", float(taken.double().mean()), "share", n=len(x))
        real, fake = self.extractor.features(target), self.extractor.features(there)
        train = self.run.splits.train.domains[to]
        known = self.extractor.features(self._images_of(train, len(real), f"floor {to}"))
        yield self._compared("frechet_distance", metrics.frechet_distance(real, fake), "distance^2", n=len(real))
        yield self._compared("frechet_distance_floor", metrics.frechet_distance(real, known), "distance^2", n=len(real))
        if len(there) > 1:
            yield self._score("variety", float(variety(there, target)), "of real images'", n=len(there))
        if translate.can_return(self.model, to):
            back = translate.translate(self.model, there, translate.OTHER[to])
            yield self._score("cycle_error", float(metrics.l1(back, source).mean()), "of the range", n=len(source))
        if self.test.paired:
            yield from self._against_truth(there, source, target)

    def _against_truth(self, there: Tensor, source: Tensor, target: Tensor) -> Iterator[Score]:
        """Errors of translations; beside them those of copying the input, where both domains have equal channels."""
        for name, values, unit in self._errors(there, target):
            yield self._score(name, values, unit)
        if source.shape == target.shape:
            for name, values, unit in self._errors(source, target):
                yield self._score(f"{name}_of_copying", values, unit)

    def _errors(self, there: Tensor, target: Tensor) -> Iterator[tuple[str, float, str]]:
        yield "l1", float(metrics.l1(there, target).mean()), "of the range"
        yield "psnr", float(metrics.psnr(there, target).clamp(max=CLEAREST).mean()), "dB"
        if self.run.shape.size >= metrics.pixels.WINDOW:
            yield "ssim", float(metrics.ssim(there, target).mean()), "index"
        yield "retrieval_top1", metrics.retrieval_top1(there.flatten(1), target.flatten(1)), "share"

    @cached_property
    def translated(self) -> dict[str, Tensor]:
        """The test images translated to each domain that the model translates to."""
        return {
            to: translate.translate(self.model, self._domain(translate.OTHER[to]), to) for to in self.model.directions
        }

    def _domain(self, name: str) -> Tensor:
        """The measured test images of a domain: all pairs, or as many drawn from it."""
        return self._images_of(self.test.domains[name], len(self.x), f"domain {name}")

    def _images_of(self, dataset: Dataset, count: int, purpose: str) -> Tensor:
        """At most that many images of a domain, drawn at random, in [-1, 1]."""
        return images.from_bytes(self._draw(dataset, min(count, len(dataset)), purpose).images)

    def _path(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        if not isinstance(self.run.model, Coded):
            arcs = self.prior is None and self.model.latent > 2
            return (latent.along_arc if arcs else latent.along_line)(start, end, t)
        noise = self.run.model.codes.noise
        arc = latent.along_arc(start[:, :noise], end[:, :noise], t)
        return torch.cat([arc, latent.along_line(start, end, t)[:, noise:]], dim=1)

    def _returned(self) -> Tensor:
        """The reconstructions ``(n, C, H, W)`` of the test images: not kept, to need less memory."""
        return generate.decode(self.run.model, self.codes)

    @cached_property
    def errors(self) -> Tensor:
        """The mean squared error ``(n,)`` of each test image's reconstruction, on the [0, 1] scale."""
        return (to_unit(self._returned()) - to_unit(self.x)).square().flatten(1).mean(1)

    @cached_property
    def codes(self) -> Tensor:
        """The latents ``(n, D)`` of the test images."""
        return generate.encode(self.run.model, self.x)

    @property
    def untold(self) -> Tensor:
        """The latents ``(n, D)`` of the test images without the label, where a model is told one."""
        return self.codes[:, : self.model.codes.noise] if self.model.batch is Labelled else self.codes

    @cached_property
    def drawn(self) -> Tensor:
        """As many samples as test images, ``(n, C, H, W)`` in [-1, 1]."""
        return generate.sample(self.run.model, len(self.x), seed=derived_seed(self.seed, "samples"), prior=self.prior)

    @cached_property
    def real(self) -> Tensor:
        """The features ``(n, F)`` of the test images."""
        return self._features(self.test)

    @cached_property
    def fake(self) -> Tensor:
        """The features ``(n, F)`` of the samples."""
        return self.extractor.features(self.drawn)

    @cached_property
    def known(self) -> Tensor:
        """The features ``(N, F)`` of all training images, in their order."""
        return self._features(self.run.splits.train)

    @cached_property
    def probabilities(self) -> Tensor | None:
        """The class probabilities ``(n, K)`` of the samples, where the extractor knows classes."""
        return self.extractor.probabilities(self.drawn) if isinstance(self.extractor, Classifying) else None

    def _score(
        self, metric: str, value: float, unit: str, *, n: int | None = None, split: str = "test"
    ) -> Score:  # fmt: skip
        if not math.isfinite(value):
            raise RunError(f"{metric} of {self.run.path} is {value}: its weights are of no use. Train it again.")
        return Score(metric, value, unit, split, len(self.x) if n is None else n, None, self.seed)

    def _compared(self, metric: str, value: float, unit: str, *, n: int | None = None, split: str = "test") -> Score:
        """A score of features."""
        name = f"{self.extractor.name}:{self.extractor.digest[:12]}"
        prior = None if self.prior is None or metric in OF_REAL else self.prior.identity
        return replace(self._score(metric, value, unit, n=n, split=split), features=name, prior=prior)

    def _generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(derived_seed(self.seed, "evaluate", purpose))

    def _draw(self, dataset: Dataset, count: int, purpose: str) -> Dataset:
        """That many of its images, drawn at random, in their own order."""
        return dataset.take(torch.randperm(len(dataset), generator=self._generator(purpose))[:count].sort().values)

    def _features(self, dataset: Dataset) -> Tensor:
        """The features ``(N, D)`` of all its images, which need not fit into memory as floats; kept in the cache."""

        def compute() -> Tensor:
            return torch.cat([self.extractor.features(batch.image) for batch in self.loader.fixed(dataset)])

        quick = isinstance(self.extractor, Pixels)
        return compute() if quick else cache.tensor(self._key("features", dataset), compute)

    def _key(self, what: str, dataset: Dataset) -> str:
        """Everything that features of a data set depend on."""
        binarised = "binarize" in self.run.config.data.augment
        return cache.key(what, CODE, self.extractor.digest, dataset.digest(), tuple(dataset.images.shape), binarised)

    def _images(self, dataset: Dataset) -> Tensor:
        """Its images ``(N, C, H, W)`` in [-1, 1], binarised where the training images were."""
        return torch.cat([batch.image for batch in self.loader.fixed(dataset)])
