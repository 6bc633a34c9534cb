"""A class label as a named code: a latent is [noise | one-hot label], and the label is called `label`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.data.dataset import Images, Labelled
from simulacra.errors import ConfigError
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
