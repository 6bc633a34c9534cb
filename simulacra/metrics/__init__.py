"""Metrics as pure functions of tensors: features, codes, probabilities or images in, numbers out.

Nothing here knows a model or a file. Values depend on the number of images (Frechet distance, precision, recall,
density, coverage, every disentanglement score): report it beside them.
"""

from simulacra.metrics.classes import *
from simulacra.metrics.disentanglement import *
from simulacra.metrics.diversity import *
from simulacra.metrics.frechet import *
from simulacra.metrics.information import *
from simulacra.metrics.kernel import *
from simulacra.metrics.latents import *
from simulacra.metrics.manifold import *
from simulacra.metrics.motion import *
from simulacra.metrics.neighbours import *
from simulacra.metrics.path import *
from simulacra.metrics.pixels import *
from simulacra.metrics.probes import *
from simulacra.metrics.retrieval import *
from simulacra.metrics.window import *
