"""What the translators share: two domains, A and B, whose data decide the channels of B."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from simulacra.config import ModelConfig
from simulacra.data.dataset import Dataset
from simulacra.errors import ConfigError
from simulacra.models.base import Translating


class Redrawing:
    """Translation in two steps: bring objects to their size in the target domain, then draw the image anew.

    Unless a family says otherwise, objects keep their size.
    """

    @classmethod
    def completed(cls, values: ModelConfig, dataset: Dataset) -> ModelConfig:
        """Fill in the channels of domain B. Raises `ConfigError` where the config has others than the images."""
        if dataset.other is None:
            return values
        found, asked = dataset.other.shape.channels, cast(Any, values).channels_b
        if 4 in (found, dataset.shape.channels):
            raise ConfigError(
                f"The family {values.family} takes images without an opacity: set data.channels to 1 or 3."
            )
        if asked not in (None, found):
            raise ConfigError(
                f"model.channels_b is {asked}, but the images of domain B have {found}. Leave it out, or set "
                f"--data.channels_b {asked}."
            )
        return values.model_copy(update={"channels_b": found})

    def arrange(self, x: Tensor, to: str) -> Tensor:
        """Leave the images as they are."""
        del to
        return x

    def translate(self, x: Tensor, to: str) -> Tensor:
        """Return images ``(n, C', H, W)`` of domain ``to`` for images ``(n, C, H, W)`` in [-1, 1] of the other."""
        assert isinstance(self, Translating)
        return self.redraw(self.arrange(x, to), to)
