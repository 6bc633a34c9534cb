"""What a learned prior offers: draws and log densities of latents."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from simulacra.errors import ConfigError

__all__ = ["Prior"]

MIN_LATENTS = 2  # with fewer there is nothing to fit
MIN_SPREAD = 1e-3  # of the widest dimension's spread: a narrower one counts as this wide


class Prior(nn.Module):
    """A distribution p(z) over latents; ``name`` is how it was fitted, such as "gmm-10"."""

    def __init__(self, name: str, dimensions: int) -> None:
        super().__init__()
        self.name = name
        self.dimensions = dimensions

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, dimensions)``, float32."""
        raise NotImplementedError

    def log_density(self, z: Tensor) -> Tensor:
        """Return ``log p(z)`` in nats, ``(n, dimensions) -> (n,)``, differentiable in z, on the device of z."""
        raise NotImplementedError

    @property
    def identity(self) -> str:
        """``NAME:DIGEST``: the beginning of the SHA-256 of what defines it."""
        parts = [self.name.encode()]
        for key, tensor in sorted(self.state_dict().items()):
            parts += [key.encode(), tensor.detach().cpu().contiguous().numpy().tobytes()]
        return f"{self.name}:{hashlib.sha256(b''.join(parts)).hexdigest()[:12]}"


def standardised(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return float64 codes ``(n, D)`` of mean 0 and standard deviation 1, and the mean and scale ``(D,)`` taken out.

    Raises `ConfigError` for fewer than two codes, or for NaN.
    """
    if codes.ndim != 2 or len(codes) < MIN_LATENTS or codes.shape[1] == 0:
        raise ConfigError(f"A prior is fitted to latents (n, D), n at least {MIN_LATENTS}; got {tuple(codes.shape)}.")
    if not torch.isfinite(codes).all():
        raise ConfigError("The latents hold NaN or infinite values: the model's weights are unusable. Train it again.")
    codes = codes.detach().cpu().double()
    mean, scale = codes.mean(0), codes.std(0, unbiased=False)
    scale = scale.clamp(min=MIN_SPREAD * float(scale.max()) or 1.0)
    return (codes - mean) / scale, mean, scale
