"""Inversion: the latent whose image comes nearest to a given one, for any model with a decoder.

    z* = argmin_z  || k (x - G(z)) ||^2 - c log p(z)       pixels on the [0, 1] scale, k = 1 where they are known

Source: Generative Visual Manipulation on the Natural Image Manifold (2016), https://arxiv.org/abs/1609.03552
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simulacra import optimizers
from simulacra.distributions import standard_normal_log_density
from simulacra.errors import ConfigError
from simulacra.images import to_unit
from simulacra.models import Coded, Inferential, Model
from simulacra.priors import Prior
from simulacra.steering import generate
from simulacra.steering.capabilities import has_standard_normal_prior, require_latents
from simulacra.steering.latent import along_direction

CANDIDATES = 1_000  # random latents among which the start is chosen, where there is no encoder
RATE = 0.1  # of Adam; falls to zero as a cosine
PRIOR_WEIGHT = 1e-3  # c: a tie-break between latents of nearly equal images


@dataclass(frozen=True)
class Inversion:
    """Latents ``(n, D)``; their images and those of the start ``(n, C, H, W)``; squared errors ``(steps + 1, n)``."""

    latents: Tensor
    images: Tensor
    start: Tensor
    curve: Tensor


def invert(
    model: Model,
    x: Tensor,
    *,
    steps: int = 200,
    seed: int = 0,
    prior: Prior | None = None,
    prior_weight: float = PRIOR_WEIGHT,
    features: Callable[[Tensor], Tensor] | None = None,
    known: Tensor | None = None,
) -> Inversion:
    """Project images ``(n, C, H, W)`` in [-1, 1] into the latent space of a model.

    Starts at the encoder's codes, or at the nearest of 1,000 samples drawn by ``seed``; then Adam moves all latents at
    once, each by its own error. ``features`` adds the squared distance of differentiable features ``(n, F)``.
    ``known`` ``(n, 1, H, W)``, bool, says which pixels count (all); the encoder sees the others as they are in ``x``.
    Named codes stay as they start. Each latent returned is the best on its way.
    Raises `CapabilityError`, `ConfigError`.
    """
    require_latents(model, "invert")
    if steps < 1:
        raise ConfigError(f"Inversion takes at least 1 step, not {steps}.")
    k = torch.ones_like(x) if known is None else known.to(x.dtype).expand_as(x)
    start = _start(model, x, k, seed, prior)
    first = generate.decode(model, start)
    device = next(model.parameters()).device
    chunks = [torch.split(values.to(device), generate.CHUNK) for values in (start, x, k)]
    density = _log_density(model, prior)
    parts = [
        _descend(model, z, part, seen, steps, density, prior_weight, features)
        for z, part, seen in zip(*chunks, strict=True)
    ]
    latents, curve = torch.cat([z.cpu() for z, _ in parts]), torch.cat([errors.cpu() for _, errors in parts], dim=1)
    return Inversion(latents, generate.decode(model, latents), first, curve)


def project(model: Model, x: Tensor, *, seed: int = 0, prior: Prior | None = None) -> Tensor:
    """Return latents ``(n, D)`` of images ``(n, C, H, W)`` in [-1, 1]: encoded or, without an encoder, inverted.

    Raises `CapabilityError`.
    """
    if isinstance(model, Inferential):
        return generate.encode(model, x)
    return invert(model, x, seed=seed, prior=prior).latents


def walk(
    model: Model, start: Tensor, end: Tensor, *, steps: int = 10, seed: int = 0, prior: Prior | None = None
) -> Tensor:
    """Return the images along a path between the latents of two images ``(C, H, W)``: ``(steps, C, H, W)``.

    The path is that of `generate.interpolate`, the latents are those of `project`. Raises `CapabilityError`.
    """
    require_latents(model, "interpolate")
    first, last = project(model, torch.stack([start, end]), seed=seed, prior=prior)
    return generate.interpolate(model, first, last, steps)


def arithmetic(
    model: Model,
    x: Tensor,
    plus: Tensor,
    minus: Tensor,
    *,
    steps: int = 7,
    strength: float = 1.0,
    seed: int = 0,
    prior: Prior | None = None,
) -> Tensor:
    """Move images ``(n, C, H, W)`` in [-1, 1] by what sets two groups of images apart: ``(n, steps, C, H, W)``.

    Column k shows ``decode(z + t_k d)``, t from 0 to ``strength``, d the mean latent of ``plus`` less that of
    ``minus``. Latents are those of `project`. Raises `CapabilityError`, `ConfigError`.
    Source: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks (2016),
    section 6.3.2, https://arxiv.org/abs/1511.06434
    """
    require_latents(model, "arithmetic")
    if not math.isfinite(strength):
        raise ConfigError(f"The strength must be a number such as 1 or -0.5, not {strength}.")
    z, toward, away = (project(model, part, seed=seed, prior=prior) for part in (x, plus, minus))
    moved = along_direction(z, toward.mean(0) - away.mean(0), torch.linspace(0, strength, steps))
    return generate.decode(model, moved.flatten(0, 1)).view(len(x), steps, *x.shape[1:])


def squared_error(x: Tensor, y: Tensor, known: Tensor | None = None) -> Tensor:
    """Return the squared error summed over (known) pixels on the [0, 1] scale, ``(n,)``."""
    squares = (to_unit(x) - to_unit(y)).square()
    return (squares if known is None else squares * known).flatten(1).sum(1)


def _start(model: Model, x: Tensor, k: Tensor, seed: int, prior: Prior | None) -> Tensor:
    if isinstance(model, Inferential):
        return generate.encode(model, x)
    candidates = generate.latents(model, CANDIDATES, seed=seed, prior=prior)
    y, k = generate.decode(model, candidates).flatten(1), k.flatten(1)
    errors = k @ y.square().T - 2 * (k * x.flatten(1)) @ y.T  # |k (x - y)|^2 less what is the same for every y
    return candidates[errors.argmin(1).to(candidates.device)]


def _log_density(model: Model, prior: Prior | None) -> Callable[[Tensor], Tensor] | None:
    """The log density of the latents, where it is known; of those with named codes, of their noise."""
    if prior is not None:
        return prior.log_density
    if isinstance(model, Coded):
        noise = model.codes.noise
        return lambda z: standard_normal_log_density(z[:, :noise])
    return standard_normal_log_density if has_standard_normal_prior(model) else None


@torch.enable_grad()
def _descend(
    model: Model,
    z: Tensor,
    x: Tensor,
    k: Tensor,
    steps: int,
    log_density: Callable[[Tensor], Tensor] | None,
    prior_weight: float,
    features: Callable[[Tensor], Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """Return the best latents ``(n, D)`` on the way from z, and the squared errors ``(steps + 1, n)`` of the way."""
    training = model.training
    generator: Any = model.eval()
    z = z.clone().requires_grad_(True)
    optimizer = optimizers.Adam([z], lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    wanted = None if features is None else features(x).detach()
    best, least, curve = z.detach().clone(), torch.full((len(z),), torch.inf, device=z.device), []
    try:
        for _ in range(steps + 1):
            y = generator.decode(z)
            error = squared_error(x, y, k)
            loss = error if wanted is None or features is None else error + (features(y) - wanted).square().sum(1)
            if log_density is not None:
                loss = loss - prior_weight * log_density(z)
            better = loss.detach() < least
            least, best[better] = torch.where(better, loss.detach(), least), z.detach()[better]
            curve.append(error.detach())
            (z.grad,) = torch.autograd.grad(loss.sum(), [z])
            if isinstance(model, Coded):
                z.grad[:, model.codes.noise :] = 0
            optimizer.step()
            schedule.step()
    finally:
        model.train(training)
    return best, torch.stack(curve)
