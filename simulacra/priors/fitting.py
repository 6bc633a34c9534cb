"""Every kind of prior by its name, fitted to latents."""

from __future__ import annotations

from torch import Tensor

from simulacra.config.choices import PRIORS
from simulacra.errors import ConfigError, nearest
from simulacra.priors.base import Prior
from simulacra.priors.flow import fit_flow
from simulacra.priors.mixture import fit_mixture, fit_normal, fit_per_class

__all__ = ["KINDS", "fit"]

KINDS = PRIORS
COMPONENTS = {"gmm": 10, "per-class": 1}  # of the mixture; of each class


def fit(
    kind: str, codes: Tensor, labels: Tensor | None = None, *, components: int | None = None, seed: int = 0
) -> Prior:
    """Fit a prior of one of `KINDS` to latents ``(n, D)``, with labels ``(n,)`` for ``per-class``.

    ``components`` is how many Gaussians ``gmm`` has (10), or ``per-class`` has in each class (1).
    Raises `ConfigError`.
    """
    if kind not in KINDS:
        raise ConfigError(f"Unknown kind of prior '{kind}'.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    if components is not None and kind not in COMPONENTS:
        raise ConfigError(
            f"The prior {kind} has no components. Use --components with {' or '.join(COMPONENTS)}, or leave it out."
        )
    if kind == "per-class" and labels is None:
        raise ConfigError("The prior per-class needs images with classes; these have none. Try gmm.")
    if kind == "normal":
        return fit_normal(codes)
    if kind == "flow":
        return fit_flow(codes, seed=seed)
    if labels is not None and kind == "per-class":
        return fit_per_class(codes, labels, components or COMPONENTS[kind], seed=seed)
    return fit_mixture(codes, components or COMPONENTS[kind], seed=seed)
