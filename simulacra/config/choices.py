"""Names that the command line offers and the library implements, here so that help needs no torch."""

from __future__ import annotations

__all__ = ["FEATURES", "PRIORS", "ROUTES"]

FEATURES = ("pictures", "pixels", "classifier")  # of `simulacra.features`, by which samples are compared
PRIORS = ("normal", "gmm", "flow", "per-class")  # of `simulacra.priors`, fitted to latents
ROUTES = ("latent", "fade", "flow", "transport")  # from image to image; all but the first in `steering.inbetween`
