"""Averaged weights: an exponential moving average whose memory is counted in images, not in steps."""

from __future__ import annotations

import copy

import torch

from simulacra.models import Model

COPIED = ("._u", "._v", "bank")  # ends of the names of floating tensors whose averages would mean nothing
RAMP = 0.05  # early on the half-life is at most this share of the images seen so far


class Average:
    """A shadow of a model whose tensors follow the model's with a half-life in images.

    ``w_avg <- w + 0.5^(batch / half-life) (w_avg - w)``; floating buffers (batch statistics) likewise, others
    are copied, as are the singular vectors of spectral normalisation and banks of latents, whose averages would be
    none. With half-life 0 the shadow is the model itself.
    Source: Elucidating the Design Space of Diffusion-Based Generative Models (2022), https://arxiv.org/abs/2206.00364
    """

    def __init__(self, model: Model, half_life: int) -> None:
        self.half_life = half_life
        self.source = model
        self.model = copy.deepcopy(model).requires_grad_(False).eval() if half_life else model

    @torch.no_grad()
    def update(self, images: int, batch: int) -> None:
        """Follow the model after a step: ``images`` seen so far, of which ``batch`` in this step."""
        if not self.half_life:
            return
        half_life = min(float(self.half_life), max(RAMP * images, 1e-9))
        toward = 1.0 - 0.5 ** (batch / half_life)
        shadow, current = self.model.state_dict(), self.source.state_dict()
        floating = [name for name in shadow if shadow[name].is_floating_point() and not name.endswith(COPIED)]
        torch._foreach_lerp_([shadow[name] for name in floating], [current[name] for name in floating], toward)
        for name in shadow.keys() - set(floating):
            shadow[name].copy_(current[name])

    def reset(self) -> None:
        """Forget the past: set the shadow to the model's present weights."""
        if self.half_life:
            self.model.load_state_dict(self.source.state_dict())
