"""What one does with a trained model, as functions of tensors: sample, reconstruct, interpolate, traverse.

Each asks the model only for the primitives it needs (`prior`, `encode`, `decode`); a family without them gets a
`CapabilityError` that names those that have them. Models are used in eval mode, without gradients, in chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra import machine
from simulacra.errors import CapabilityError, ConfigError, RunError
from simulacra.models import Coded, Generative, Inferential, Model, Posterior, Recognising
from simulacra.models.codes import Categorical
from simulacra.models.labels import LABEL
from simulacra.priors import Prior
from simulacra.steering.capabilities import (
    has_standard_normal_prior,
    require_codes,
    require_decoder,
    require_encoder,
    require_label,
    require_prior,
)
from simulacra.steering.latent import along, lerp, normal_quantiles, plane, slerp, truncated_normal

FLOAT = 4  # bytes
CHUNK = 256  # images decoded or encoded at a time
TRAVERSED = 10  # latents shown by traverse
TRAVERSED_NOISE = 4  # rows of noise that traverse shows for a categorical code
SPAN = (0.01, 0.99)  # quantiles of the latent between which traverse moves


def sample(
    model: Model,
    n: int,
    *,
    seed: int = 0,
    label: str | int | None = None,
    codes: Mapping[str, float | str] | None = None,
    prior: Prior | None = None,
    truncation: float | None = None,
) -> Tensor:
    """Return ``n`` images ``(n, C, H, W)`` in [-1, 1]; a seed gives the same images every time. See `latents`.

    ``label`` asks for a class, by name or index, where the prior would draw one; ``codes`` sets named codes, for
    example ``{"digit": 3, "c1": -1.5}``. Raises `ConfigError` for a class, a name or a value that there is not.
    """
    z = latents(model, n, seed=seed, prior=prior, truncation=truncation)
    if label is not None:
        z = require_label(model, "sample with a label").codes.set(z, LABEL, label)
    return decode(model, require_codes(model, "sample with codes").codes.set_all(z, codes) if codes else z)


def latents(
    model: Model, n: int, *, seed: int = 0, prior: Prior | None = None, truncation: float | None = None
) -> Tensor:
    """Return ``n`` latents ``(n, D)`` from a fitted prior, or else from the model's own.

    ``truncation`` redraws values of N(0, I) beyond it: samples become more typical and less varied.
    Raises `CapabilityError` for a model without a prior, or truncation of another distribution than N(0, I).
    """
    refuse_too_many(model, n)
    generator = torch.Generator().manual_seed(seed)
    if truncation is not None:
        return truncated_normal(n, _standard_normal(model, prior).latent, truncation, generator)
    if prior is not None:
        return prior.sample(n, generator)
    return require_prior(model, "sample").prior(n, generator)


def decode(model: Model, z: Tensor) -> Tensor:
    """Return the images ``(n, C, H, W)`` in [-1, 1] of latents ``(n, D)``."""
    return _chunked(model, require_decoder(model, "decode").decode, z)


def decode_with_gradients(model: Model, z: Tensor) -> Tensor:
    """Return the images of latents as `decode` does, in one piece on the model's device, differentiable in ``z``.

    Raises `CapabilityError` for a model without a decoder.
    """
    decoder = require_decoder(model, "decode")
    training = model.training
    model.eval()
    try:
        with torch.set_grad_enabled(z.requires_grad and torch.is_grad_enabled()):
            return decoder.decode(z.to(next(model.parameters()).device))
    finally:
        model.train(training)


def encode(model: Model, x: Tensor) -> Tensor:
    """Return the latents ``(n, D)`` of images ``(n, C, H, W)`` in [-1, 1]; without an encoder, the codes it reads."""
    if isinstance(model, Recognising) and not isinstance(model, Inferential):
        return _chunked(model, model.infer, x)
    return _chunked(model, require_encoder(model, "encode").encode, x)


@torch.no_grad()
def code(model: Model, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return a latent ``(n, D)`` of images ``(n, C, H, W)``: a draw from the posterior, or the code without one."""
    if isinstance(model, Posterior):
        return model.posterior(x).rsample(generator=generator)
    return encode(model, x)


def reconstruct(model: Model, x: Tensor) -> Tensor:
    """Return ``decode(encode(x))`` for images ``(n, C, H, W)`` in [-1, 1]."""
    inferential = require_encoder(model, "reconstruct")
    return _chunked(model, lambda part: inferential.decode(inferential.encode(part)), x)


def manifold(model: Model, side: int = 15) -> Tensor:
    """Return the images of a ``side`` x ``side`` grid over a 2-D latent, row by row, ``(side^2, C, H, W)``.

    The grid runs through the inverse normal CDF from 0.05 to 0.95 along each axis, so that equal areas of the
    picture are equally probable under the prior.
    """
    generative = require_prior(model, "manifold")
    if generative.latent != 2:
        raise CapabilityError(
            f"manifold shows models with 2 latents; this one has {generative.latent}. "
            "Use traverse or interpolate, or train one: simulacra train vae-2d"
        )
    refuse_too_many(model, side**2)
    return decode(model, plane(side))


def interpolate(model: Model, start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return the images along a path between two latents ``(D,)``: ``(steps, C, H, W)``.

    The path is a great arc where the prior is Gaussian, a straight line where there is none, and for codes.
    """
    refuse_too_many(model, steps)
    if isinstance(model, Coded):
        arc = slerp(start[: model.codes.noise], end[: model.codes.noise], steps)
        return decode(model, torch.cat([arc, lerp(start, end, steps)[:, model.codes.noise :]], dim=1))
    path = slerp if isinstance(model, Generative) and len(start) > 2 else lerp
    return decode(model, path(start, end, steps))


@dataclass(frozen=True)
class Axes:
    """The latents that are worth moving, ``chosen``, around a latent ``origin`` ``(D,)``.

    Latent d is spread as ``centre[d] + spread[d] N(0, 1)`` over the codes of images, or else over the prior.
    """

    origin: Tensor
    centre: Tensor
    spread: Tensor
    chosen: list[int]


def axes(model: Model, reference: Tensor | None = None, *, seed: int = 0) -> Axes:
    """Return the latents that vary most over ``reference`` ``(n, C, H, W)``, around the code of its first image.

    Without an encoder or a reference they are the first latents, around a sample of ``seed``.
    """
    if isinstance(model, Inferential) and reference is not None:
        codes = encode(model, reference)
        origin, centre, spread = codes[0], codes.mean(0), codes.std(0, unbiased=False)
    else:
        origin = latents(model, 1, seed=seed)[0]
        centre, spread = torch.zeros_like(origin), torch.ones_like(origin)
    return Axes(origin, centre, spread, spread.argsort(descending=True, stable=True)[:TRAVERSED].tolist())


def traverse(
    model: Model, reference: Tensor | None = None, *, steps: int = 11, seed: int = 0
) -> tuple[Tensor, list[int]]:
    """Move one latent at a time: return images ``(rows, steps, C, H, W)`` and the latent of each row.

    The rows are those of `axes`, each moved over the Gaussian of its codes, around the origin.
    """
    refuse_too_many(model, TRAVERSED * steps)
    found = axes(model, reference, seed=seed)
    moves = normal_quantiles(steps, *SPAN).to(found.origin.device)
    rows = [decode(model, along(found.origin, d, found.centre[d] + found.spread[d] * moves)) for d in found.chosen]
    return torch.stack(rows), found.chosen


def traverse_named(
    model: Model, reference: Tensor | None = None, *, steps: int = 11, seed: int = 0
) -> list[tuple[str, Tensor]]:
    """Return each row of `traverse_codes`, or of `traverse` for a model without named codes, with its caption."""
    if isinstance(model, Coded):
        return traverse_codes(model, steps=steps, seed=seed)
    rows, moved = traverse(model, reference, steps=steps, seed=seed)
    return [(f"z{k}", row) for k, row in zip(moved, rows, strict=True)]


def traverse_codes(model: Model, *, steps: int = 11, seed: int = 0) -> list[tuple[str, Tensor]]:
    """Move one named code at a time: return each row's caption and images ``(columns, C, H, W)``.

    A categorical code has a column for each category, in rows of different noise; a continuous code has ``steps``
    columns from -2 to 2, and one row. Within a row all else stays as it was drawn with ``seed``.
    """
    codes = require_codes(model, "traverse_codes").codes
    refuse_too_many(model, len(tuple(codes)) * steps)
    origins = latents(model, TRAVERSED_NOISE, seed=seed)
    return [
        (code.name, decode(model, torch.cat([codes.set(z.unsqueeze(0), code.name, v) for v in code.sweep(steps)])))
        for code in codes
        for z in (origins if isinstance(code, Categorical) else origins[:1])
    ]


def refuse_too_many(model: Model, n: int) -> None:
    """Raise `ConfigError` where ``n`` images of a model and their latents would not fit into the free memory."""
    latent = int(getattr(model, "latent", 0))
    needed = 2 * n * FLOAT * (latent + model.shape.pixels)  # in chunks, then joined
    machine.refuse_more_than_memory(needed, f"{n:,} images of {model.shape}", "Ask for fewer.")


def finite(values: Tensor) -> Tensor:
    """Return what a model gave. Raises `RunError` where that is NaN or infinite, as weights may be too large."""
    if not bool(torch.isfinite(values).all()):
        raise RunError("The model's outputs are NaN or infinite: its weights are unusable. Train it again.")
    return values


@torch.no_grad()
def _chunked(model: Model, function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    if len(values) == 0:
        raise ConfigError("There is nothing to do for 0 images; ask for at least 1.")
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        return finite(torch.cat([function(part.to(device)).cpu() for part in torch.split(values, CHUNK)]))
    finally:
        model.train(training)


def _standard_normal(model: Model, prior: Prior | None) -> Generative:
    generative = require_prior(model, "sample") if prior is None else None
    if generative is None or not has_standard_normal_prior(model):
        drawn = "this model's prior is" if prior is None else f"the prior {prior.name} is"
        raise CapabilityError(
            f"--truncation needs a standard normal prior; {drawn} a different one. Leave --truncation out."
        )
    return generative
