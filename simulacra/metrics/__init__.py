"""Metrics as pure functions of tensors: features, codes, probabilities or images in, numbers out.

Nothing here knows a model or a file. Values move with the sample count (Frechet distance, precision, recall,
density, coverage, every disentanglement score): report it beside them.
"""

from __future__ import annotations

from simulacra.metrics.classes import (
    ClassCoverage,
    ClassifierScore,
    Matching,
    MixtureModes,
    class_coverage,
    classifier_score,
    match_codes,
    mixture_modes,
    reverse_kl,
)
from simulacra.metrics.disentanglement import (
    DCI,
    dci,
    dci_from_importances,
    disentanglement_scores,
    equal_frequency_bins,
    factor_vae_score,
    mutual_information,
    mutual_information_gap,
    sap,
)
from simulacra.metrics.frechet import frechet_distance, frechet_from_moments, moments
from simulacra.metrics.kernel import KernelDistance, kernel_distance, squared_discrepancy
from simulacra.metrics.latents import KLDecomposition, active_units, kl_decomposition
from simulacra.metrics.manifold import PRDC, prdc
from simulacra.metrics.motion import motion_score
from simulacra.metrics.neighbours import Memorisation, memorisation, nearest
from simulacra.metrics.path import PathLength, perceptual_path_length
from simulacra.metrics.pixels import l1, ms_ssim, psnr, ssim
from simulacra.metrics.probes import knn_accuracy, linear_probe
from simulacra.metrics.retrieval import retrieval_top1
from simulacra.metrics.window import Parzen, parzen, parzen_log_density

__all__ = [
    "DCI",
    "PRDC",
    "ClassCoverage",
    "ClassifierScore",
    "KLDecomposition",
    "KernelDistance",
    "Matching",
    "Memorisation",
    "MixtureModes",
    "Parzen",
    "PathLength",
    "active_units",
    "class_coverage",
    "classifier_score",
    "dci",
    "dci_from_importances",
    "disentanglement_scores",
    "equal_frequency_bins",
    "factor_vae_score",
    "frechet_distance",
    "frechet_from_moments",
    "kernel_distance",
    "kl_decomposition",
    "knn_accuracy",
    "l1",
    "linear_probe",
    "match_codes",
    "memorisation",
    "mixture_modes",
    "moments",
    "motion_score",
    "ms_ssim",
    "mutual_information",
    "mutual_information_gap",
    "nearest",
    "parzen",
    "parzen_log_density",
    "perceptual_path_length",
    "prdc",
    "psnr",
    "retrieval_top1",
    "reverse_kl",
    "sap",
    "squared_discrepancy",
    "ssim",
]
