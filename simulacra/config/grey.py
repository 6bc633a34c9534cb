"""Which values of a deep grey picture (16 bits and more, or floating point) are black and white."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulacra.errors import ConfigError


@dataclass(frozen=True)
class GreyRange:
    """The values shown as black and as white; both None: the least and the greatest of each picture."""

    low: float | None = None
    high: float | None = None

    @classmethod
    def parse(cls, text: str | None) -> GreyRange | None:
        """Understand ``auto`` or ``LOW..HIGH``; None stands for the full range of the file's type.

        Raises `ConfigError`.
        """
        if text is None:
            return None
        if text == "auto":
            return cls()
        low, _, high = text.partition("..")
        try:
            found = cls(float(low), float(high))
        except ValueError:
            raise ConfigError(f"A range of grey values is auto or LOW..HIGH, such as 0..4095; got '{text}'.") from None
        if not (math.isfinite(float(low)) and math.isfinite(float(high)) and float(low) < float(high)):
            raise ConfigError(f"A range of grey values runs from a lower to a higher number; got '{text}'.")
        return found
