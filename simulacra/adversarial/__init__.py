"""Adversarial games in parts, each a value: objectives, penalties on slopes, and augmentations of what D sees.

Objectives work on the discriminator's logits, ``(B, 1)`` of real and of generated images, high for real, and
return named terms, scalar tensors, whose sum is the player's loss.
"""

from simulacra.adversarial.augment import *
from simulacra.adversarial.objectives import *
from simulacra.adversarial.penalties import *
from simulacra.adversarial.replay import *
