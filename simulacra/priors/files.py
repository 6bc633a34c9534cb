"""Fitted priors as safetensors files: written whole or not at all, checked when read, never executed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialise
from torch import Tensor

from simulacra import tensors
from simulacra.errors import RunError
from simulacra.priors.base import Prior
from simulacra.priors.flow import Flow
from simulacra.priors.mixture import Mixture
from simulacra.storage import atomic

__all__ = ["load", "save"]

FORMAT = "simulacra-prior-1"
MAX_NAME = 64  # characters
MOST_CLASSES = 1 << 16
TOLERANCE = 1e-6  # of the sum of weights


def save(prior: Prior, path: Path, weights: str) -> Path:
    """Write a prior; ``weights`` is the digest of the model that it belongs to. Raises `StorageError`."""
    parts = {name: tensor.detach().cpu().contiguous() for name, tensor in prior.state_dict().items()}
    facts = {"kind": type(prior).__name__.lower(), "name": prior.name, "weights": weights}
    with atomic(path) as temporary:
        temporary.write_bytes(serialise(parts, {"format": FORMAT, "prior": json.dumps(facts)}))
    return path


def load(path: Path, weights: str | Collection[str], dimensions: int) -> Prior:
    """Read a prior for the model with those weights, by any of its digests, and that many latents.

    Raises `RunError` for files that are damaged, foreign, or were fitted to another model.
    """
    facts, found = _read(path)
    try:
        prior = _mixture(str(facts["name"]), found) if facts["kind"] == "mixture" else _flow(found, dimensions)
        known = facts["kind"] in ("mixture", "flow") and len(prior.name) <= MAX_NAME and prior.name.isprintable()
        sound = known and all(bool(torch.isfinite(tensor).all()) for tensor in found.values())
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError):
        sound = False
    if not sound:
        raise RunError(f"{path} does not hold a usable prior. Fit it again: simulacra fit-prior RUN")
    digests = {weights} if isinstance(weights, str) else set(weights)
    if str(facts.get("weights")) not in digests or prior.dimensions != dimensions:
        raise RunError(f"{path} was fitted to a model with other weights. Fit it again: simulacra fit-prior RUN")
    return prior.requires_grad_(False).eval()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        found, metadata = tensors.read(path)
        facts = json.loads(metadata.get("prior", "null"))
    except FileNotFoundError:
        raise RunError(f"There is no prior at {path}. Fit one: simulacra fit-prior RUN") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = "its facts are nested too deeply" if isinstance(error, RecursionError) else str(error).rstrip(".")
        raise RunError(f"{path} is damaged or not a prior: {reason}. Fit it again: simulacra fit-prior RUN") from None
    if metadata.get("format") != FORMAT or not isinstance(facts, dict):
        raise RunError(f"{path} is not a prior of this version ({FORMAT}). Fit one: simulacra fit-prior RUN")
    return facts, found


def _mixture(name: str, parts: dict[str, Tensor]) -> Mixture:
    """Raises ValueError for tensors that do not make a mixture."""
    components, dimensions = parts["means"].shape
    shapes = {
        "weights": (components,), "means": (components, dimensions), "factors": (components, dimensions, dimensions),
        "classes": (components,),
    }  # fmt: skip
    if {key: tuple(tensor.shape) for key, tensor in parts.items()} != shapes or components < 1:
        raise ValueError("wrong tensors")
    if not bool((parts["classes"] >= -1).all()) or not bool((parts["classes"] < MOST_CLASSES).all()):
        raise ValueError("no classes")
    prior = Mixture(name, **parts)
    positive = bool((prior.weights >= 0).all()) and bool((prior.factors.diagonal(dim1=1, dim2=2) > 0).all())
    if not positive or abs(float(prior.weights.sum()) - 1) > TOLERANCE:
        raise ValueError("no probabilities")
    return prior


def _flow(parts: dict[str, Tensor], dimensions: int) -> Flow:
    """Raises RuntimeError for tensors of other names or shapes than the flow's."""
    with torch.random.fork_rng(devices=[]):  # the weights that are about to be replaced are drawn at random
        prior = Flow(torch.zeros(dimensions), torch.ones(dimensions))
    prior.load_state_dict(parts)
    if not bool((prior.scale > 0).all()):
        raise ValueError("no scale")
    return prior
