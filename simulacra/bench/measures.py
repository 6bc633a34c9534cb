"""How rows of the ledger are measured: a run in, named figures out, the one that is compared with the source first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from simulacra import metrics, priors
from simulacra.bench.mixtures import MIXTURES, trainer
from simulacra.bench.mixtures import modes as count_modes
from simulacra.config import Config
from simulacra.data import Dataset, derived_seed, stacked
from simulacra.distributions import normal
from simulacra.evaluation import classes, factors, likelihood
from simulacra.evaluation.evaluate import evaluate
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.modes import mode_counts
from simulacra.features import Pixels, StackedDigits
from simulacra.images import from_bytes, to_unit
from simulacra.models import Variational
from simulacra.runs.folder import scores
from simulacra.runs.run import Run
from simulacra.steering import generate
from simulacra.training import Progress, Trainer

LATENTS_PER_IMAGE, LATENTS_OF_LOOSE_BOUND = 5_000, 50  # of the importance-weighted estimates of log p(x)
MAX_NLL_IMAGES = 1_000  # test images on which log p(x) is estimated
FACADES = (  # the colours of the labels: background, facade, window, door, and eight more parts
    (0, 0, 222), (0, 48, 255), (0, 128, 255), (0, 207, 255), (32, 255, 224), (112, 255, 142),
    (192, 255, 63), (255, 240, 0), (255, 159, 0), (255, 80, 0), (254, 0, 0), (174, 0, 0),
)  # fmt: skip
TUTORIAL_KL = 784 / 2000  # the weight of the KL term in the tutorial's loss, in units of the sum over pixels


@torch.no_grad()
def nll(run: Run, *, samples: int = LATENTS_PER_IMAGE, images: int = MAX_NLL_IMAGES) -> dict[str, float]:
    """Estimate ``-log p(x)`` of the test images in nats, with ``samples`` latents per image.

    The bound of 50 latents is taken over all test images; how much ``samples`` latents tighten it, over a thousand
    of them, where both bounds share the image and differ little. ``standard_error`` is that of the second part.
    """
    generator = torch.Generator().manual_seed(derived_seed(run.config.seed, "ledger"))
    x = _images(run, run.splits.test)
    loose = _log_likelihood(run, x, LATENTS_OF_LOOSE_BOUND, generator)
    few = slice(None, None, max(1, len(x) // images))
    gain = _log_likelihood(run, x[few], samples, generator) - loose[few]
    return {
        "nll": -float(loose.mean() + gain.mean()),
        "standard_error": float(gain.std()) / math.sqrt(len(gain)),
        "nll_50": -float(loose.mean()),
        "active_units": float(metrics.active_units(run.encode(x))),
    }


def elbo(run: Run) -> dict[str, float]:
    """The negative evidence lower bound of the test images in nats, and its terms."""
    return _scores(run, "negative_elbo", "nll", "kl")


def tutorial_loss(run: Run) -> dict[str, float]:
    """The loss of the tutorial: cross-entropy and 0.392 KL, in nats per pixel."""
    found = elbo(run)
    return {"loss": (found["nll"] + TUTORIAL_KL * found["kl"]) / run.shape.pixels, **found}


def knn(run: Run) -> dict[str, float]:
    """The accuracy in % of the nearest training code, over all training and test images."""
    train, test = run.splits.train, run.splits.test
    assert train.labels is not None
    assert test.labels is not None
    samples = (run.encode(_images(run, train)), train.labels, run.encode(_images(run, test)), test.labels)
    return {"knn_accuracy": 100 * metrics.knn_accuracy(*samples)}


def parzen(run: Run) -> dict[str, float]:
    """The Parzen window estimate in nats: 10,000 samples, pixels in [0, 1], the width chosen on training images."""
    drawn = run.sample(10_000, seed=run.config.seed)
    held = run.splits.train.take(torch.arange(len(run.splits.train) - 1_000, len(run.splits.train)))
    near, test = _images(run, held), _images(run, run.splits.test)
    found = metrics.parzen(to_unit(drawn).flatten(1), to_unit(near).flatten(1), to_unit(test).flatten(1))
    return {"parzen": found.mean, "standard_error": found.standard_error, "sigma": found.sigma}


def samples(run: Run) -> dict[str, float]:
    """The Frechet distance of 10,000 samples to the test images, its floor, and how even the classes are."""
    found = {score.metric: score.value for score in evaluate(run, seed=run.config.seed).scores}
    names = ("frechet_distance", "frechet_distance_floor", "precision", "recall", "class_coverage", "class_evenness")
    return {name: found[name] for name in names if name in found}


def reconstructed_samples(run: Run, *, images: int = 10_000) -> dict[str, float]:
    """What `samples` measures, and the share of reconstructions that keep the class of their test image."""
    found = {score.metric: score.value for score in evaluate(run, n=images, seed=run.config.seed).scores}
    names = ("frechet_distance", "frechet_distance_floor", "precision", "recall", "class_agreement")
    return {name: found[name] for name in names if name in found}


def modes(run: Run, *, samples: int = 26_000) -> dict[str, float]:
    """How far the modes of samples of `stacked-mnist` are from the data's, in nats, and how many are found."""
    train = run.splits.train
    assert train.labels is not None
    counts = mode_counts(run.model, StackedDigits(), samples, seed=run.config.seed)
    return {
        "reverse_kl": metrics.reverse_kl(counts, stacked.mode_shares(train.labels)),
        "modes": float((counts > 0).sum()),
    }


def codes(run: Run, *, images: int = 10_000) -> dict[str, float]:
    """The accuracy in % of the best-matched categorical code on the test images, learned without labels."""
    evidence = Evidence(run, images, run.config.seed, Pixels(run.shape))
    return {score.metric: 100 * score.value for score in classes.measure_codes(evidence)}


def fitted_priors(
    run: Run, *, images: int = 10_000, kinds: Sequence[str] = ("gmm", "normal", "per-class", "flow")
) -> dict[str, float]:
    """The Frechet distance of samples by the prior that was fitted to the codes of the training images."""
    seed, train = run.config.seed, run.splits.train
    evidence = Evidence(run, images, seed)
    known = run.codes(train, seed=seed)
    count, latent = len(evidence.x), known.shape[1]
    noise = normal(count, latent, like=known, generator=torch.Generator().manual_seed(seed))
    drawn = {
        kind: priors.fit(kind, known, train.labels, seed=seed).sample(count, torch.Generator().manual_seed(seed))
        for kind in kinds
    }
    return {
        name: metrics.frechet_distance(evidence.real, evidence.extractor.features(generate.decode(run.model, latents)))
        for name, latents in {**drawn, "unfitted": noise}.items()
    }


def disentanglement(run: Run) -> dict[str, float]:
    """How well single latents stand for the known factors of the test images."""
    test = run.splits.test
    found = factors.disentanglement(run.encode(_images(run, test)), test, seed=run.config.seed)
    return {name: found[name] for name in sorted(found, key=lambda name: name != "mutual_information_gap")}


def retrieval(run: Run) -> dict[str, float]:
    """Translations of all test images: how often the nearest truth is their own, in %, and all other scores."""
    found = _translated(run)
    return {"retrieval": 100 * found["retrieval_top1"], **found}


def translation(run: Run) -> dict[str, float]:
    """Translations of all test images: their PSNR in dB, and all other scores."""
    found = _translated(run)
    return {"psnr": found["psnr"], **found}


def labels(run: Run) -> dict[str, float]:
    """Photos translated to labels of `facades`: how well these are read off, in %, and all scores of translations.

    A pixel's label is the one of the nearest colour; accuracies of pixels and of labels, and the labels' intersection
    over union, as in table 5 of the paper. ``commonest_label`` is the accuracy of one label for all pixels.
    """
    labels, photos = (from_bytes(part.images) for part in run.splits.test.domains.values())
    truth, read = _labels(labels), _labels(run.translate(photos, "A"))
    table = torch.bincount(len(FACADES) * truth + read, minlength=len(FACADES) ** 2).view(len(FACADES), -1).double()
    right, true, found = table.diagonal(), table.sum(1), table.sum(0)
    shares = {
        "pixel_accuracy": right.sum() / table.sum(),
        "label_accuracy": (right / true)[true > 0].mean(),
        "label_iou": (right / (true + found - right))[true > 0].mean(),
        "commonest_label": true.max() / table.sum(),
    }
    return {**{name: 100 * float(share) for name, share in shares.items()}, **_translated(run)}


def _labels(x: Tensor) -> Tensor:
    """The indices of the nearest colours of `FACADES` of all pixels of images ``(N, 3, H, W)`` in [-1, 1]."""
    colours = torch.tensor(FACADES) / 255
    pixels = to_unit(x).permute(0, 2, 3, 1).reshape(-1, 3)
    return torch.cat([torch.cdist(part, colours).argmin(1) for part in torch.split(pixels, 2**18)])


def _translated(run: Run) -> dict[str, float]:
    return {score.metric: score.value for score in evaluate(run, seed=run.config.seed).scores}


def _scores(run: Run, *names: str) -> dict[str, float]:
    found = scores(run.history(), run.config.train.keep)
    return {name: found[f"test/{name}"] for name in names}


def _log_likelihood(run: Run, x: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    return likelihood.log_likelihood(cast(Variational, run.model), x, samples, generator)


def _images(run: Run, dataset: Dataset) -> Tensor:
    """Its images in [-1, 1], binarised by a fixed draw where the training images were."""
    return torch.cat([batch.image for batch in run.measuring.fixed(dataset)])


MEASURES: dict[str, Callable[[Run], dict[str, float]]] = {
    "nll": nll,
    "nll_200": lambda run: nll(run, samples=200, images=10_000),
    "elbo": elbo,
    "tutorial_loss": tutorial_loss,
    "knn": knn,
    "parzen": parzen,
    "samples": samples,
    "reconstructed_samples": reconstructed_samples,
    "modes": modes,
    "codes": codes,
    "priors": fitted_priors,
    "disentanglement": disentanglement,
    "labels": labels,
    "retrieval": retrieval,
    "translation": translation,
}


def mixture(name: str, values: Config, show: Callable[[Progress], None]) -> tuple[dict[str, float], Trainer]:
    """Train on a mixture of Gaussians, which leaves no run: modes found and the share of high quality in %."""
    drawn_from = MIXTURES[name]()
    play = trainer(drawn_from, values)
    for progress in play.train():
        show(progress)
    found = count_modes(play, drawn_from)
    return {"modes": float(found.covered), "high_quality": 100 * found.high_quality}, play
