"""Networks by role: an encoder maps images to vectors, a decoder vectors to images, a translator images to images.

All kinds, `mlp`, `conv` and `resnet`, offer an encoder and a decoder, so every family runs on every network.
Translators, of kinds `resnet` and `unet`, and critics of patches consist of convolutions alone.
"""

from simulacra.images import Shape as Shape
from simulacra.networks.base import *
from simulacra.networks.patch import *
from simulacra.networks.roles import *
from simulacra.networks.start import *
from simulacra.networks.translators import *
