"""Where a training stands, as its loop reports it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulacra.training import notebook


@dataclass(frozen=True)
class Progress:
    """Where a training stands: counts, speed, and the means of all terms since the last report."""

    step: int
    images: int
    total: int  # images in the whole training
    seconds: float  # of training, over all resumed parts
    rate: float  # images per second since the last report
    terms: dict[str, float]  # "player/term", and what the model watches

    @property
    def seen(self) -> int:
        """Images of the training that are done: the last batch may reach beyond its end."""
        return min(self.images, self.total)

    @property
    def seconds_left(self) -> float:
        """Estimated seconds to the end at the present rate; infinite where a clock stands still."""
        return (self.total - self.seen) / self.rate if self.rate > 0 else math.inf

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return notebook.bar(self)
