"""How far each latent of ``codes`` ``(N, D)`` stands for one known integer factor of ``factors`` ``(N, F)``.

Every score compares latents: 1 (for `sap`: 1 minus chance) when each factor has one latent of its own, near 0 when
none tells more than the others. Values depend on N, on the bins and on the classifiers, so report them together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.machine import extra
from simulacra.metrics.common import matrix, positive
from simulacra.metrics.information import (
    BINS,
    codes_and_factors,
    equal_frequency_bins,
    mutual_information_gap,
)
from simulacra.metrics.meanings import FACTORS, declare

__all__ = [
    "DCI",
    "dci",
    "dci_from_importances",
    "disentanglement_scores",
    "factor_vae_score",
    "sap",
]

# fmt: off
LATENTS_IN_USE = declare(
    "latents_in_use", FACTORS, "latents",
    "Latents that vary enough to be read; all others are set to 0 before the scores that follow.",
)
MUTUAL_INFORMATION_GAP = declare(
    "mutual_information_gap", FACTORS, "score",
    "How much more the best latent tells about a factor than the second best, relative to the factor's "
    "entropy.", "higher",
)
FACTOR_VAE = declare(
    "factor_vae", FACTORS, "score",
    "Accuracy of guessing which factor was held fixed from the latent that varies least.", "higher",
)
SAP = declare(
    "sap", FACTORS, "score",
    "Gap between the two latents that predict a factor best, each alone; at most 1 - 1/K for K values.", "higher",
)
DCI_DISENTANGLEMENT = declare(
    "dci_disentanglement", FACTORS, "score",
    "Whether each latent serves one factor only, by the importances of random forests.", "higher",
)
DCI_COMPLETENESS = declare(
    "dci_completeness", FACTORS, "score",
    "Whether each factor is told by one latent only.", "higher",
)
DCI_INFORMATIVENESS = declare(
    "dci_informativeness", FACTORS, "score",
    "Accuracy of these forests on held-out images: whether the factors can be read at all.", "higher",
)
# fmt: on


def disentanglement_scores(
    codes: Tensor, factors: Mapping[str, Tensor], threshold: float = 0.01, generator: torch.Generator | None = None
) -> dict[str, float]:
    """Return every score of disentanglement by its name, and the number of ``latents_in_use``.

    ``codes`` ``(N, D)``; ``factors`` ``(N,)`` each: integers as they are, real numbers in `equal_frequency_bins`.
    Latents with variance up to ``threshold`` are not in use and set to 0: all scores but FactorVAE's would otherwise
    read factors from traces that the decoder never sees. With none in use that is all there is to say.
    Raises `ConfigError` for fewer than 2 factors, a constant one, or where scikit-learn is missing.
    """
    codes = matrix(codes, "codes", at_least=BINS)
    used = codes.var(0) > threshold
    scores = {"latents_in_use": float(used.sum())}
    if not used.any():
        return scores
    codes = torch.cat([torch.where(used, codes, 0.0), codes.new_zeros(len(codes), 1)], dim=1)[:, : max(2, len(used))]
    values = [v if not v.is_floating_point() else equal_frequency_bins(v) for v in factors.values()]
    table = torch.stack([v.to(codes.device) for v in values], dim=1)
    parts = dci(codes, table, generator=generator)
    return scores | {
        "mutual_information_gap": mutual_information_gap(codes, table),
        "factor_vae": factor_vae_score(codes, table, threshold=0.0, generator=generator),
        "sap": sap(codes, table, generator),
        "dci_disentanglement": parts.disentanglement,
        "dci_completeness": parts.completeness,
        "dci_informativeness": parts.informativeness,
    }


def factor_vae_score(
    codes: Tensor,
    factors: Tensor,
    votes: int = 800,
    group: int = 64,
    threshold: float = 0.01,
    generator: torch.Generator | None = None,
) -> float:
    """Return the accuracy, in [0, 1], of guessing which factor is fixed from the latent that varies least.

    A vote draws a factor, a value of it, and ``group`` rows that share the value; its latent is
    ``argmin_d Var_group(z_d) / Var(z_d)``. As many votes again, drawn anew, test the majority factor of each latent.
    Latents with variance up to ``threshold`` (collapsed) do not take part; 0 when none is left.
    Raises `ConfigError` for a constant factor, no votes or groups of fewer than 2.
    Source: Disentangling by Factorising (2018), section 4, https://arxiv.org/abs/1802.05983
    """
    codes, factors = codes_and_factors(codes, factors)
    positive(votes, "votes")
    if group < 2:
        raise ConfigError(f"group must be at least 2; got {group}.")
    variance = codes.var(0)
    active = codes[:, variance > threshold] / variance[variance > threshold].sqrt()
    if active.shape[1] == 0:
        return 0.0
    majority = _vote(active, factors, votes, group, generator).argmax(1)
    tested = _vote(active, factors, votes, group, generator)
    right = tested.gather(1, majority.unsqueeze(1)).sum()
    return float(right) / votes


def _vote(codes: Tensor, factors: Tensor, votes: int, group: int, generator: torch.Generator | None) -> Tensor:
    """The counts of (latent that varies least, fixed factor), ``(D, F)``."""
    counts = torch.zeros(codes.shape[1], factors.shape[1], dtype=torch.long)
    for _ in range(votes):
        fixed = _draw(factors.shape[1], 1, generator).item()
        value = factors[_draw(len(factors), 1, generator).to(factors.device), int(fixed)]
        rows = (factors[:, int(fixed)] == value).nonzero().squeeze(1)
        drawn = codes[rows[_draw(len(rows), group, generator).to(rows.device)]]
        counts[int(drawn.var(0).argmin()), int(fixed)] += 1
    return counts


def sap(codes: Tensor, factors: Tensor, generator: torch.Generator | None = None) -> float:
    """Return the mean over factors of the gap between the two latents that predict it best, each alone.

    A latent's score is the balanced accuracy, on the half of the rows not fitted, of thresholds on it (a decision
    tree with one leaf a value); so the highest gap of a factor with K values is 1 - 1/K.
    Raises `ConfigError` for fewer than 2 latents or a constant factor, or where scikit-learn is missing.
    Source: Variational Inference of Disentangled Latent Concepts (2018), section 3, https://arxiv.org/abs/1711.00848
    """
    codes, factors = codes_and_factors(codes, factors)
    tree, scores = extra("sklearn.tree", "sap"), extra("sklearn.metrics", "sap")
    train, test = _halves(len(codes), generator)
    table = torch.zeros(codes.shape[1], factors.shape[1], dtype=torch.float64)
    for f, v in enumerate(_arrays(factors)):
        leaves = max(2, len(set(v.tolist())))
        for d, z in enumerate(_arrays(codes)):
            model = tree.DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=0)
            guess = model.fit(z[train, None], v[train]).predict(z[test, None])
            table[d, f] = float(scores.recall_score(v[test], guess, average="macro", zero_division=0.0))
    first, second = table.topk(2, dim=0).values
    return float((first - second).mean())


@dataclass(frozen=True)
class DCI:
    """Disentanglement (of latents), completeness (of factors), informativeness (test accuracy), all in [0, 1]."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci(
    codes: Tensor, factors: Tensor, trees: int = 50, depth: int = 12, generator: torch.Generator | None = None
) -> DCI:
    """Return disentanglement, completeness and informativeness by the importances R ``(D, F)`` of random forests.

    ``D = sum_d rho_d (1 - H_F(R_d))`` with rho_d the share of latent d in R and H_F the entropy of its row to the
    base F; ``C`` is the mean of ``1 - H_D`` over columns; ``I`` the mean accuracy on the half not fitted.
    Raises `ConfigError` for fewer than 2 latents or factors or a constant factor, or where scikit-learn is missing.
    Source: A Framework for the Quantitative Evaluation of Disentangled Representations (2018),
    https://openreview.net/forum?id=By-7dz-AZ
    """
    codes, factors = codes_and_factors(codes, factors)
    if factors.shape[1] < 2:
        raise ConfigError("factors must have at least 2 columns for dci; got 1.")
    ensemble = extra("sklearn.ensemble", "dci")
    train, test = _halves(len(codes), generator)
    seed, x = int(_draw(2**31, 1, generator)), codes.cpu().numpy()
    importances, accuracies = [], []
    for v in _arrays(factors):
        # every latent is a candidate at every split: otherwise useless latents share in the importance
        forest = ensemble.RandomForestClassifier(trees, max_depth=depth, max_features=None, random_state=seed)
        forest.fit(x[train], v[train])
        importances.append(torch.from_numpy(forest.feature_importances_))
        accuracies.append(float(forest.score(x[test], v[test])))
    return dci_from_importances(torch.stack(importances, dim=1), sum(accuracies) / len(accuracies))


def dci_from_importances(importances: Tensor, informativeness: float) -> DCI:
    """Return the scores of a matrix of importances ``(D, F)``, at least 0; see `dci`.

    Raises `ConfigError` for fewer than 2 latents or factors, negative importances, or none at all.
    """
    importances = matrix(importances, "importances", at_least=2)
    if importances.shape[1] < 2 or float(importances.min()) < 0 or float(importances.sum()) == 0:
        raise ConfigError("importances must be (D, F), D and F at least 2, none negative and not all 0.")
    weight = importances.sum(1) / importances.sum()
    return DCI(
        disentanglement=float((weight * _concentration(importances)).sum()),
        completeness=float(_concentration(importances.T).mean()),
        informativeness=informativeness,
    )


def _concentration(weights: Tensor) -> Tensor:
    """1 minus the entropy of each row relative to the largest possible; 0 for a row of zeros."""
    shares = weights / weights.sum(1, keepdim=True)
    shares = torch.where(shares.isfinite(), shares, 1 / weights.shape[1])
    return 1.0 + torch.xlogy(shares, shares).sum(1) / math.log(weights.shape[1])


def _draw(below: int, count: int, generator: torch.Generator | None) -> Tensor:
    return torch.randint(below, (count,), generator=generator, device="cpu" if generator is None else generator.device)


def _halves(rows: int, generator: torch.Generator | None) -> tuple[Any, Any]:
    """Two random halves of the row numbers, as NumPy arrays."""
    device = "cpu" if generator is None else generator.device
    order = torch.randperm(rows, generator=generator, device=device).cpu().numpy()
    return order[: rows // 2], order[rows // 2 :]


def _arrays(columns: Tensor) -> list[Any]:
    """The columns of a matrix as NumPy arrays."""
    return list(columns.T.contiguous().cpu().numpy())
