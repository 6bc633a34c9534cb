"""The prior that was fitted to the latents of a run: fit it, keep it with the run, choose it or the model's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulacra import priors
from simulacra.errors import ConfigError
from simulacra.models import Generative
from simulacra.priors import Prior
from simulacra.runs import model_file
from simulacra.runs.folder import PRIOR
from simulacra.steering.capabilities import require_encoder_without_codes, require_latents

if TYPE_CHECKING:
    from simulacra.runs.trained import Trained


def chosen(run: Trained, choice: str | Path | None = None) -> Prior | None:
    """Return the prior that ``choice`` names, see `Run.prior`; None is the model's own.

    Raises `RunError`, `CapabilityError`.
    """
    fitted = run.folder.file(PRIOR)
    if choice == "model" or (choice is None and (isinstance(run.model, Generative) or fitted is None)):
        return None
    latent = require_latents(run.model, "a prior").latent
    path = (fitted or run.folder.place(PRIOR)) if choice in (None, "fitted") else Path(str(choice))
    return priors.load(path, (run.digest, model_file.file_digest(run.file)), latent)


def fit(run: Trained, kind: str, *, components: int | None = None, seed: int = 0) -> Prior:
    """Fit a prior of one of `priors.KINDS` to the latents of the training images.

    Raises `CapabilityError` for a model without an encoder, `ConfigError`.
    """
    require_encoder_without_codes(run.model, "fit-prior")
    if kind == "per-class" and run.splits.train.labels is None:
        raise ConfigError(f"per-class needs images with classes; {run.config.data.name} has none. Try gmm.")
    codes = run.codes(run.splits.train, seed=seed)
    return priors.fit(kind, codes, run.splits.train.labels, components=components, seed=seed)


def save(run: Trained, prior: Prior, path: Path | None = None) -> Path:
    """Write a prior beside the weights of the run, or to ``path``. Raises `StorageError`."""
    return priors.save(prior, run.results / PRIOR if path is None else path, run.digest)
