"""Models as games: what a family is (`base`), and the families there are (`families`)."""

from simulacra.models.base import *
from simulacra.models.families import *
