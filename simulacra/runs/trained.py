"""What a trained model comes with: its config, its folder, the data it was trained on, and the latents of that data."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from simulacra import data, images
from simulacra.config import Config
from simulacra.data import Dataset, Given, Loader, Splits, derived_seed, reading
from simulacra.data.given import Labels, Source
from simulacra.errors import DataError
from simulacra.images import Shape
from simulacra.models import Inferential, Model
from simulacra.models.codes import Categorical
from simulacra.priors import Prior
from simulacra.runs import fitted, model_file, places
from simulacra.runs.folder import ENVIRONMENT, MODEL, RunFolder, is_folder, weights_file
from simulacra.steering import generate
from simulacra.steering.capabilities import require_latents


class Trained:
    """A trained model with its config, from a run folder or a single ``.safetensors`` file."""

    def __init__(
        self, path: Path, model: Model, config: Config, *, data_root: Path | None = None, given: Given | None = None
    ) -> None:
        self.path = path
        self.model = model
        self.config = config
        self.data_root = data_root
        self.given = given

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        data_root: str | Path | None = None,
        data: Source | Given | None = None,
        labels: Labels | None = None,
    ) -> Self:
        """Open a run folder, a ``.safetensors`` file, a shipped model, ``zoo:NAME``, or ``hub:OWNER/NAME@REVISION``.

        ``data_root`` is where its data set is looked up first.

        A run of images that were given from Python needs them again, as ``data`` with ``labels``, where it measures or
        draws real images. Raises `RunError` when there is none, or it is damaged.
        """
        path = places.place(path)
        model, config = model_file.load_model(weights_file(path))
        root = None if data_root is None else Path(data_root)
        return cls(path, model, config, data_root=root, given=Given.of(data, labels))

    @property
    def folder(self) -> RunFolder:
        """The run folder, or for a single file of weights the folder that holds it."""
        return RunFolder(self.path if is_folder(self.path) else self.path.parent)

    @property
    def results(self) -> Path:
        """The folder for results that nobody named: the run's own, or the working folder for a model of others."""
        return Path() if places.is_borrowed(self.path) else self.folder.path

    @property
    def name(self) -> str:
        """What a person types for this run; a model of the hub is named with the commit that it came from."""
        return places.name(self.path)

    @property
    def file(self) -> Path:
        """The file of the model's weights."""
        return self.path / MODEL if is_folder(self.path) else self.path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights and of what they mean, by which a fitted prior knows its model."""
        return model_file.digest(self.model, self.config)

    @property
    def shape(self) -> Shape:
        """The shape of the model's images."""
        return self.model.shape

    def history(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``, in order; empty for a single file of weights."""
        return self.folder.history() if is_folder(self.path) else []

    @cached_property
    def splits(self) -> Splits:
        """The data set the run was trained on. Raises `DataError` where others were given than those."""
        splits = data.load(self.config.data, self.data_root, self.model.batch, self.given)
        trained_on = self.folder.table(ENVIRONMENT).get("data_fingerprint")
        if self.given is not None and isinstance(trained_on, str) and not splits.matches(trained_on):
            raise DataError(
                f"The images given for {self.path} are not those that it was trained on, or their labels are not. "
                "Give the same images and labels, in the same order."
            )
        return splits

    @cached_property
    def measuring(self) -> Loader:
        """Yields data sets for measuring, binarised where the training images were: ``measuring.fixed(dataset)``."""
        return data.loader(self.model.batch, self.splits.train, self.config.data, 1)

    def read(self, path: str | Path) -> tuple[list[str], Tensor]:
        """Read an image file, a folder or a zip in this run's shape: names, and ``(n, C, H, W)`` in [-1, 1]."""
        names, pixels = reading.read_all(Path(path), self.shape, self.config.data)
        return names, images.from_bytes(pixels)

    def examples(self, n: int, *, seed: int = 0) -> Tensor:
        """Return test images of the run's data set, ``(n, C, H, W)`` in [-1, 1] (fewer where there are fewer)."""
        test = self.splits.test
        order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[:n]
        return images.from_bytes(test.images[order])

    def of_class(self, name: str, n: int, *, split: str = "train") -> Tensor:
        """Return the first images of a class of the run's data set, by its name or index: ``(n, C, H, W)`` in [-1, 1].

        Raises `DataError` for a data set without classes, `ConfigError` for a class that it does not have.
        """
        dataset: Dataset = getattr(self.splits, split)
        if dataset.labels is None:
            raise DataError(f"'{name}' is neither a file nor a class: {dataset.name} has no classes.")
        classes = Categorical("class", len(dataset.classes), dataset.classes)
        chosen = (dataset.labels == classes.vector(name).argmax()).nonzero().flatten()[:n]
        return torch.cat([batch.image for batch in self.measuring.fixed(dataset.take(chosen))])

    def codes(self, dataset: Dataset, *, seed: int = 0) -> Tensor:
        """Return a latent of each image ``(n, D)``: its code, or for a model with a posterior a draw from that."""
        generator = torch.Generator().manual_seed(derived_seed(seed, "codes"))
        batches = self.measuring.fixed(dataset)
        return torch.cat([generate.code(self.model, batch.image, generator) for batch in batches])

    def prior(self, choice: str | Path | None = None) -> Prior | None:
        """Return the prior to draw from: None stands for the model's own.

        ``choice`` is "model", "fitted" (the one that `fit-prior` left with the run) or a file; when absent, it is
        the model's own where it has one, the fitted one otherwise. Raises `RunError`, `CapabilityError`.
        """
        return fitted.chosen(self, choice)

    def _prior_of_inversion(self, verb: str) -> Prior | None:
        """Return the prior by which latents are found where no encoder gives them. Raises `CapabilityError`."""
        require_latents(self.model, verb)
        return None if isinstance(self.model, Inferential) else self.prior()
