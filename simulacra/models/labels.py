"""A class label as a named code: a latent is [noise | one-hot label], and the label is called `label`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.config import ModelConfig
from simulacra.data.dataset import Dataset, Images, Labelled
from simulacra.errors import ConfigError, DataError
from simulacra.models.base import CodePrior
from simulacra.models.codes import Categorical, Codes

LABEL = "label"


def codes(noise: int, classes: Sequence[str]) -> Codes:
    """Lay out a latent of noise and a label of named classes; raises `ConfigError` for fewer than two."""
    if len(classes) < 2:
        raise ConfigError("model.classes names fewer than two classes; a training takes them from its data.")
    return Codes(noise, [Categorical(LABEL, len(classes), tuple(classes))])


class LabelPrior(CodePrior):
    """What conditional families share: batches with labels, and a label at the end of a latent."""

    batch: ClassVar[type[Images]] = Labelled

    @classmethod
    def completed(cls, values: ModelConfig, dataset: Dataset) -> ModelConfig:
        """Fill in the classes. Raises `DataError` for images without labels, `ConfigError` for other classes."""
        if dataset.labels is None:
            raise DataError(
                f"{values.family} needs labels, and {dataset.name} has none. Put the images of each class into a "
                "subfolder of its own, such as photos/cats/ and photos/dogs/; or train a family without labels."
            )
        classes = dataset.classes or tuple(map(str, range(int(dataset.labels.max()) + 1)))
        if cast(Any, values).classes not in ((), classes):
            raise ConfigError(f"model.classes differ from those of {dataset.name}. Leave them out: the data has them.")
        return values.model_copy(update={"classes": classes})

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.codes.width

    def one_hot(self, label: Tensor) -> Tensor:
        """Turn labels ``(*,)``, int64, into one-hot vectors ``(*, K)``, float32."""
        return F.one_hot(label, self.classes).float()

    def conditioned(self, z: Tensor, label: Tensor) -> Tensor:
        """Put labels ``(B,)`` behind noise ``(*, B, D)``: latents ``(*, B, D + K)``."""
        y = self.one_hot(label)
        return torch.cat([z, y.expand(*z.shape[:-1], -1)], dim=-1)
