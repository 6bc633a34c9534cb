"""What a score says, in one sentence for a person, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

FLOOR = "_floor"  # ends the name of a score that says what a perfect model would get


@dataclass(frozen=True)
class Meaning:
    """The group a metric belongs to, one sentence about it, which way is better (None: neither)."""

    group: str
    sentence: str
    better: Literal["higher", "lower"] | None = None


TO_A = "_to_a"  # ends the name of a score of translations to domain A; without it they are to B
COPIED = "_of_copying"  # ends the name of a score of the input itself, taken for its translation

UNKNOWN = Meaning("Other", "")
_LIKELIHOOD, _LATENTS, _IMAGES = (
    "Likelihood of test images",
    "Use of the latents",
    "Reconstructions of test images, or translations",
)
_CLASSES, _FACTORS = "What the latents tell", "Whether single latents stand for single factors"
_SAMPLES, _KINDS = "Samples, or translations, against test images", "Kinds of samples"

MEANINGS = {
    "elbo": Meaning(_LIKELIHOOD, "A lower bound on the log-probability of a test image.", "higher"),
    "conditional_elbo": Meaning(_LIKELIHOOD, "A lower bound on the log-probability of a test image, given its class.",
                                "higher"),
    "reconstruction_nll": Meaning(_LIKELIHOOD, "The part of the bound that reconstruction costs."),
    "kl": Meaning(_LIKELIHOOD, "The part of the bound that is spent on saying which image it was."),
    "nll": Meaning(_LIKELIHOOD, "Minus the log-probability of a test image, estimated more tightly than the bound.",
                   "lower"),
    "bits_per_dimension": Meaning(_LIKELIHOOD, "The same for each pixel, in bits.", "lower"),
    "active_units": Meaning(_LATENTS, "Latents that vary with the image; the others are ignored."),
    "kl_mutual_information": Meaning(_LATENTS, "The part of kl that tells images apart; at most log n."),
    "kl_total_correlation": Meaning(_LATENTS, "The part of kl by which latents depend on each other."),
    "kl_dimension_wise": Meaning(_LATENTS, "The part of kl by which single latents differ from the prior."),
    "l1": Meaning(_IMAGES, "Mean absolute error of a pixel, 1 being the whole range.", "lower"),
    "class_agreement": Meaning(_IMAGES, "Share of reconstructions taken for the class of their original.", "higher"),
    "psnr": Meaning(_IMAGES, "Peak signal-to-noise ratio: squared error on a logarithmic scale.", "higher"),
    "ssim": Meaning(_IMAGES, "Structural similarity in small windows; 1 is equal.", "higher"),
    "retrieval_top1": Meaning(_IMAGES, "Share of translations that are nearest to their own truth among all, pixel by "
                              "pixel.", "higher"),
    "cycle_error": Meaning(_IMAGES, "Mean absolute error of a pixel after there and back; low alone says little.",
                           "lower"),
    "variety": Meaning(_IMAGES, "How much translations differ among each other, beside real images; near 0 all are "
                       "alike."),
    "domain_accuracy": Meaning(_IMAGES, "Share of translations that a classifier of the real domains takes for the "
                               "target.", "higher"),
    "domain_accuracy_floor": Meaning(_IMAGES, "The same of real test images of the target."),
    "knn_accuracy": Meaning(_CLASSES, "Share of test images whose nearest training image, in latents, has their class.",
                            "higher"),
    "linear_probe_accuracy": Meaning(_CLASSES, "Share of test images that a linear classifier on the latents gets "
                                     "right.", "higher"),
    "code_accuracy": Meaning(_CLASSES, "Share of test images whose most probable category was named after their class; "
                             "training saw no label.", "higher"),
    "label_accuracy": Meaning(_CLASSES, "Share of test images whose class is the one under which the model finds them "
                              "most probable.", "higher"),
    "latents_in_use": Meaning(_FACTORS, "Latents that vary enough to be read at all."),
    "mutual_information_gap": Meaning(_FACTORS, "How far the best latent for a factor tells more about it than the "
                                      "next best.", "higher"),
    "factor_vae": Meaning(_FACTORS, "How surely the steadiest latent gives away which factor was held.", "higher"),
    "sap": Meaning(_FACTORS, "How far the best latent predicts a factor better than the next best.", "higher"),
    "dci_disentanglement": Meaning(_FACTORS, "Whether a latent serves one factor only.", "higher"),
    "dci_completeness": Meaning(_FACTORS, "Whether a factor is told by one latent only.", "higher"),
    "dci_informativeness": Meaning(_FACTORS, "How well all latents together predict the factors.", "higher"),
    "frechet_distance": Meaning(_SAMPLES, "Distance between Gaussians fitted to the features of samples and of test "
                                "images; read it beside its floor.", "lower"),
    "frechet_distance_floor": Meaning(_SAMPLES, "The same between training and test images: what a perfect generator "
                                      "would get."),
    "kernel_distance": Meaning(_SAMPLES, "Another distance of the features, which does not grow with fewer images; "
                               "near 0 is perfect.", "lower"),
    "precision": Meaning(_SAMPLES, "Share of samples that lie among test images: fidelity.", "higher"),
    "recall": Meaning(_SAMPLES, "Share of test images that lie among samples: variety.", "higher"),
    "density": Meaning(_SAMPLES, "Fidelity, less moved by outliers; can exceed 1.", "higher"),
    "coverage": Meaning(_SAMPLES, "Variety, less moved by outliers.", "higher"),
    "memorisation": Meaning(_SAMPLES, "Share of samples nearer to a training image than the median test image is: 0.5 "
                            "without copying, 1 with copies only, less when samples are far from all images."),
    "features_self_test": Meaning(_SAMPLES, "Share of corruptions whose growth these features see; below 1, distrust "
                                  "the distances."),
    "perceptual_path_length": Meaning(_SAMPLES, "How fast samples change along paths through latent space.", "lower"),
    "classifier_score": Meaning(_KINDS, "How clearly samples belong to classes and how evenly to all: from 1 to the "
                                "number of classes.", "higher"),
    "class_coverage": Meaning(_KINDS, "Share of the classes that occur among samples.", "higher"),
    "class_evenness": Meaning(_KINDS, "How evenly they occur; best near that of the data."),
    "label_agreement": Meaning(_KINDS, "Share of samples that a classifier takes for the class that was asked for.",
                               "higher"),
    "modes": Meaning(_KINDS, "Kinds of images that occur among samples.", "higher"),
    "reverse_kl": Meaning(_KINDS, "How far the shares of the kinds are from those of the data.", "lower"),
}  # fmt: skip


def meaning(metric: str) -> Meaning:
    """What a metric says; for an unknown one, nothing. No copy is better than another: they say what the data are."""
    base = _base(metric)
    said = MEANINGS.get(base.removesuffix(COPIED), UNKNOWN)
    if base.endswith(COPIED):
        said = replace(said, sentence=f"For comparison, of the input left as it is. {said.sentence}", better=None)
    return replace(said, sentence=said.sentence + (" From B to A." if metric.endswith(TO_A) else ""))


def to_a(metric: str) -> str:
    """The name of the same score of translations to domain A."""
    base = metric.removesuffix(FLOOR)
    return base + TO_A + metric[len(base) :]


def _base(metric: str) -> str:
    return metric.removesuffix(TO_A)


def by_group(metrics: Iterable[str]) -> dict[str, list[str]]:
    """Names of metrics by their group, both in the order of `MEANINGS`."""
    order = {name: index for index, name in enumerate(MEANINGS)}
    groups: dict[str, list[str]] = {}
    for name in sorted(metrics, key=lambda name: order.get(_base(name).removesuffix(COPIED), len(order))):
        groups.setdefault(meaning(name).group, []).append(name)
    return groups


def without_floors(metrics: Iterable[str]) -> list[str]:
    """Names of metrics, but for the floors of others, which stand beside them."""
    known = list(metrics)
    return [name for name in known if not (name.endswith(FLOOR) and name.removesuffix(FLOOR) in known)]
