"""Adversarial games in parts, each a value: objectives, penalties on slopes, and what is done to the images.

Objectives work on the discriminator's logits, ``(B, 1)`` of real and of generated images, high for real, and
return named terms, scalar tensors, whose sum is the player's loss.
"""

from __future__ import annotations

from simulacra.adversarial.augment import AUGMENTATIONS, Augmentation
from simulacra.adversarial.objectives import (
    OBJECTIVES,
    Hinge,
    LeastSquares,
    NonSaturating,
    Objective,
    RelativisticPairing,
    Saturating,
    Terms,
    Wasserstein,
    accuracy,
)
from simulacra.adversarial.penalties import DRAGAN, PENALTIES, R1, R2, GradientPenalty, Lazy, Penalty, R1AndR2, lazy
from simulacra.adversarial.replay import Replay

__all__ = [
    "AUGMENTATIONS",
    "DRAGAN",
    "OBJECTIVES",
    "PENALTIES",
    "R1",
    "R2",
    "Augmentation",
    "GradientPenalty",
    "Hinge",
    "Lazy",
    "LeastSquares",
    "NonSaturating",
    "Objective",
    "Penalty",
    "R1AndR2",
    "RelativisticPairing",
    "Replay",
    "Saturating",
    "Terms",
    "Wasserstein",
    "accuracy",
    "lazy",
]
