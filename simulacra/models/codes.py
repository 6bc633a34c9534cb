"""Named parts of a latent: a vector is [noise | one-hot categorical codes | continuous codes].

A code is a distribution with a name: `prior` draws its part of the latent, `nll` scores what a network says about
it, `vector` writes one value of it. `Codes` lays several out in a latent, so that "digit=3" has a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.distributions import DiagonalGaussian, normal, uniform
from simulacra.errors import ConfigError, nearest


@dataclass(frozen=True)
class Categorical:
    """One of K categories, all equally probable: a one-hot vector ``(n, K)``; the network's output is its logits.

    Categories may have ``names``, by which they can be asked for; the index is understood where no name says otherwise.
    """

    name: str
    categories: int
    names: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers of the latent it takes."""
        return self.categories

    @property
    def outputs(self) -> int:
        """How many outputs of a network describe its distribution."""
        return self.categories

    @property
    def domain(self) -> str:
        """The values it may have, in words."""
        indices = f"a whole number from 0 to {self.categories - 1}"
        if not self.names or self.names == tuple(map(str, range(self.categories))):
            return f"{self.name} ({indices})"
        more = f" and {self.categories - LISTED} more" if self.categories > LISTED else ""
        return f"{self.name} ({', '.join(self.names[:LISTED])}{more}; or {indices})"

    def prior(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``n`` one-hot vectors."""
        drawn = uniform(n, like=like, generator=generator)
        return self._one_hot((drawn * self.categories).long().clamp(max=self.categories - 1), like)

    def nll(self, output: Tensor, c: Tensor) -> Tensor:
        """Return the cross-entropy of one-hot ``c (n, K)`` under the logits ``(n, K)``, in nats, ``(n,)``."""
        return -(c * output.log_softmax(1)).sum(1)

    def infer(self, output: Tensor) -> Tensor:
        """Return the probability of each category ``(n, K)``."""
        return output.softmax(1)

    def value(self, c: Tensor) -> Tensor:
        """Return the most probable category ``(n,)``, int64, of probabilities ``(n, K)``."""
        return c.argmax(1)

    def vector(self, value: float | str) -> Tensor:
        """Return the one-hot vector ``(K,)`` of a category; raises `ConfigError` for one that there is not."""
        index = self.names.index(value) if isinstance(value, str) and value in self.names else _number(value)
        if index is None or index not in range(self.categories):
            near = nearest(value, self.names) if isinstance(value, str) else ""
            raise ConfigError(f"{self.name} cannot be {_shown(value)}.{near} Allowed: {self.domain}.")
        return F.one_hot(torch.tensor(int(index)), self.categories).float()

    def sweep(self, _steps: int) -> list[float]:
        """Every category once, however many steps are asked for; named ones as people order names: 1, 2, 10."""
        return [float(k) for k in sorted(range(self.categories), key=lambda k: _natural(self._caption(k)))]

    def captions(self, steps: int) -> list[str]:
        """The names of the values of `sweep`."""
        return [self._caption(int(k)) for k in self.sweep(steps)]

    def _caption(self, k: int) -> str:
        return self.names[k] if self.names else str(k)

    def _one_hot(self, indices: Tensor, like: Tensor) -> Tensor:
        return F.one_hot(indices, self.categories).to(like.dtype)


LISTED = 20  # names at most in a message
REACH = 2.0  # of a continuous code's values: twice its prior's range, as far as the paper's figures go
SHARPEST = -6.0  # log variance: a network surer than this would drown the other losses


@dataclass(frozen=True)
class Continuous:
    """A number from U(-1, 1); the network's output ``(n, 2)`` is the mean and the log variance of a Gaussian."""

    name: str

    width = 1
    outputs = 2

    @property
    def domain(self) -> str:
        """The values it may have, in words."""
        return f"{self.name} (a number from {-REACH:g} to {REACH:g}; drawn from -1 to 1)"

    def prior(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``n`` values, ``(n, 1)``."""
        return 2 * uniform(n, like=like, generator=generator).unsqueeze(1) - 1

    def nll(self, output: Tensor, c: Tensor) -> Tensor:
        """Return ``-log N(c; mean, variance)`` in nats, ``(n,)``; the log variance is clamped to [-6, 6]."""
        mean, log_variance = output.chunk(2, dim=1)
        return -DiagonalGaussian(mean, log_variance.clamp(SHARPEST, -SHARPEST)).log_density(c)

    def infer(self, output: Tensor) -> Tensor:
        """Return the mean ``(n, 1)``."""
        return output[:, :1]

    def value(self, c: Tensor) -> Tensor:
        """Return the number itself, ``(n,)``."""
        return c.squeeze(1)

    def vector(self, value: float | str) -> Tensor:
        """Return the value as ``(1,)``; raises `ConfigError` outside [-2, 2], and for words."""
        number = _number(value)
        if number is None or not -REACH <= number <= REACH:
            raise ConfigError(f"{self.name} cannot be {_shown(value)}. Allowed: {self.domain}.")
        return torch.tensor([number])

    def sweep(self, steps: int) -> list[float]:
        """Evenly spaced values over twice the prior's range."""
        values: list[float] = torch.linspace(-REACH, REACH, steps).tolist()
        return values

    def captions(self, steps: int) -> list[str]:
        """The values of `sweep`, in three digits."""
        return [f"{round(value, 6) + 0.0:.2g}" for value in self.sweep(steps)]  # the middle is 0, not -3e-08


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that orders the numbers in names by their value, and before words."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]


Code = Categorical | Continuous


class Codes:
    """The layout of a latent ``(n, noise + widths)``: Gaussian noise, then the codes in order."""

    def __init__(self, noise: int, codes: Sequence[Code]) -> None:
        self.noise = noise
        self.codes = tuple(codes)

    def __iter__(self) -> Iterator[Code]:
        return iter(self.codes)

    @property
    def names(self) -> list[str]:
        """The codes' names, in order."""
        return [code.name for code in self.codes]

    @property
    def width(self) -> int:
        """How many numbers of a latent are codes."""
        return sum(code.width for code in self.codes)

    @property
    def latent(self) -> int:
        """How many numbers a latent has."""
        return self.noise + self.width

    @property
    def outputs(self) -> int:
        """How many outputs of a network describe all codes."""
        return sum(code.outputs for code in self.codes)

    def prior(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw latents ``(n, latent)`` on the device and with the type of ``like``."""
        parts = [normal(n, self.noise, like=like, generator=generator)]
        return torch.cat(parts + [code.prior(n, like, generator) for code in self.codes], dim=1)

    def split(self, z: Tensor) -> dict[str, Tensor]:
        """Return each code's part ``(n, width)`` of latents ``(n, latent)``, or of their codes alone."""
        parts = torch.split(z[:, z.shape[1] - self.width :], [code.width for code in self.codes], dim=1)
        return dict(zip(self.names, parts, strict=True))

    def split_outputs(self, outputs: Tensor) -> dict[str, Tensor]:
        """Return what a network's outputs ``(n, outputs)`` say about each code."""
        return dict(zip(self.names, torch.split(outputs, [code.outputs for code in self.codes], dim=1), strict=True))

    def nll(self, outputs: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return each code's ``-log Q(c | x)`` in nats, ``(n,)``: ``outputs`` of a network against latents ``z``."""
        said, drawn = self.split_outputs(outputs), self.split(z)
        return {code.name: code.nll(said[code.name], drawn[code.name]) for code in self.codes}

    def infer(self, outputs: Tensor) -> Tensor:
        """Return the codes ``(n, width)`` that a network's outputs say: probabilities of categories, means."""
        said = self.split_outputs(outputs)
        return torch.cat([code.infer(said[code.name]) for code in self.codes], dim=1)

    def values(self, z: Tensor) -> dict[str, Tensor]:
        """Return each code's value ``(n,)``: the most probable category, int64; or the number."""
        return {name: self[name].value(part) for name, part in self.split(z).items()}

    def set(self, z: Tensor, name: str, value: float | str) -> Tensor:
        """Return latents ``(n, latent)`` with one code set. Raises `ConfigError` for an unknown name or value."""
        start = self.noise
        for code in self.codes:
            if code.name == name:
                break
            start += code.width
        vector = self[name].vector(value).to(z)
        return torch.cat([z[:, :start], vector.expand(len(z), -1), z[:, start + len(vector) :]], dim=1)

    def set_all(self, z: Tensor, values: Mapping[str, float | str]) -> Tensor:
        """Return latents with several codes set, by name."""
        for name, value in values.items():
            z = self.set(z, name, value)
        return z

    def __getitem__(self, name: str) -> Code:
        for code in self.codes:
            if code.name == name:
                return code
        ranges = ", ".join(code.domain for code in self.codes)
        raise ConfigError(f"There is no code '{name}'.{nearest(name, self.names)} Codes: {ranges}.")


def _number(value: float | str) -> float | None:
    """The number that a value is, or that a word says."""
    try:
        return float(value)
    except ValueError:
        return None


def _shown(value: float | str) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{value:g}"
