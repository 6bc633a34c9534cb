"""Every hyper-parameter of the project, typed, with its meaning beside it; config <-> TOML <-> command line.

This package imports no torch, so that help and mistakes are answered at once. Models are built from these
values in `simulacra.models`, networks in `simulacra.networks`.
"""

from simulacra.config.adversarial import *
from simulacra.config.base import *
from simulacra.config.choices import *
from simulacra.config.data import *
from simulacra.config.family import *
from simulacra.config.models import *
from simulacra.config.networks import *
from simulacra.config.recipes import *
from simulacra.config.tables import *
from simulacra.config.training import *
from simulacra.config.translators import *
from simulacra.config.whole import *
