"""Priors that are learned after the model: a distribution fitted to the latents of the training images.

An autoencoder has no prior, so it cannot sample until one is fitted to its codes; the codes of a VAE do not fill its
N(0, I) exactly, and a prior fitted to them often samples better. Decoder and encoder stay as they are.

Source: From Variational to Deterministic Autoencoders (2020), section 4, https://arxiv.org/abs/1903.12436
"""

from simulacra.priors.base import *
from simulacra.priors.files import *
from simulacra.priors.fitting import *
from simulacra.priors.flow import *
from simulacra.priors.mixture import *
