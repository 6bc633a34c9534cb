"""A normalising flow: an invertible network f that turns latents into N(0, I).

    log p(z) = log N(f(z); 0, I) + log |det df/dz|

Source: Neural Spline Flows (2019), https://arxiv.org/abs/1906.04032
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from simulacra import optimizers
from simulacra.distributions import normal
from simulacra.machine import extra
from simulacra.priors.base import Prior, standardised

__all__ = ["Flow", "fit_flow"]

TRANSFORMS = 4
HIDDEN = (64, 64)
STEPS, BATCH, LEARNING_RATE = 600, 256, 2e-3
MAX_GRADIENT_NORM = 1.0


class Flow(Prior):
    """Coupling layers of rational-quadratic splines over standardised latents; needs the extra ``priors``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__("flow", len(mean))
        flows: Any = extra("zuko.flows", "a flow prior", "priors")
        self.flow = flows.NSF(self.dimensions, transforms=TRANSFORMS, hidden_features=HIDDEN, passes=2)
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", scale.float())

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, D)``: noise through the inverse of f."""
        noise = normal(n, self.dimensions, like=self.mean, generator=generator)
        x: Tensor = self.flow().transform.inv(noise)
        return self.mean + self.scale * x

    def log_density(self, z: Tensor) -> Tensor:
        """Return ``log p(z)`` in nats, ``(n, D) -> (n,)``."""
        log_density: Tensor = self.flow().log_prob((z.to(self.mean) - self.mean) / self.scale)
        return (log_density - self.scale.log().sum()).to(z)


def fit_flow(codes: Tensor, *, steps: int = STEPS, seed: int = 0) -> Flow:
    """Fit a flow to latents ``(n, D)`` by maximum likelihood: Adam, with a learning rate that falls as a cosine."""
    x, mean, scale = standardised(codes)
    x = x.float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prior = Flow(mean, scale)
    generator = torch.Generator().manual_seed(seed)
    parameters = list(prior.flow.parameters())
    optimizer = optimizers.Adam(parameters, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = x[torch.randint(len(x), (BATCH,), generator=generator)]
        loss = -prior.flow().log_prob(batch).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
    return prior.requires_grad_(False).eval()
