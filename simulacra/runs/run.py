"""A run folder, opened: its config, its averaged weights, its history, and the verbs its model offers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import data, images, priors
from simulacra.config import Config
from simulacra.data import Dataset, Given, Loader, Splits, derived_seed, reading
from simulacra.data.given import Labels, Source
from simulacra.errors import ConfigError, DataError
from simulacra.images import Shape
from simulacra.images.batch import Counted
from simulacra.models import Generative, Inferential, Model
from simulacra.models.codes import Categorical
from simulacra.priors import Prior
from simulacra.runs import checkpoint
from simulacra.runs.card import card
from simulacra.runs.folder import ENVIRONMENT, MODEL, PRIOR, RunFolder, is_folder, weights_file
from simulacra.steering import anomaly, generate, inbetween, inpaint, invert, translate
from simulacra.steering.anomaly import Anomaly
from simulacra.steering.capabilities import require_encoder_without_codes, require_latents
from simulacra.steering.inpaint import Repair
from simulacra.steering.invert import Inversion

SOUND = 200  # training images, by which `Run.repair` knows what an anomaly is


class Run:
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
    ) -> Run:
        """Open a run folder or a ``.safetensors`` file; ``data_root`` is where its data set is looked up first.

        A run of images that were given from Python needs them again, as ``data`` with ``labels``, where it measures or
        draws real images. Raises `RunError` when there is none, or it is damaged.
        """
        path = Path(path)
        model, config = checkpoint.load_model(weights_file(path))
        root = None if data_root is None else Path(data_root)
        return cls(path, model, config, data_root=root, given=Given.of(data, labels))

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}: {self.config.model.family} of {self.shape} images)"

    def _repr_html_(self) -> str:
        """Show the run in a notebook."""
        return card(self)

    @property
    def folder(self) -> RunFolder:
        """The run folder, or for a single file of weights the folder that holds it."""
        return RunFolder(self.path if is_folder(self.path) else self.path.parent)

    @property
    def shape(self) -> Shape:
        """The shape of the model's images."""
        return self.model.shape

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
        return data.LOADERS[self.model.batch](self.splits.train, 1, augment=self.config.data.augment)

    def history(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``, in order; empty for a single file of weights."""
        return self.folder.history() if is_folder(self.path) else []

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        label: str | int | None = None,
        codes: Mapping[str, float | str] | None = None,
        prior: str | Path | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """Return ``n`` images ``(n, C, H, W)`` in [-1, 1]; the same seed gives the same images.

        ``label`` asks a conditional model for a class, by name or index; ``codes`` sets named codes of a model that has
        them, for example ``{"digit": 3, "c1": -1.5}``; ``prior`` is as in `Run.prior`; ``truncation`` redraws values of
        N(0, I) beyond it.
        """
        chosen = self.prior(prior)
        return generate.sample(self.model, n, seed=seed, label=label, codes=codes, prior=chosen, truncation=truncation)

    def prior(self, choice: str | Path | None = None) -> Prior | None:
        """Return the prior to draw from: None stands for the model's own.

        ``choice`` is "model", "fitted" (the one that `fit-prior` left with the run) or a file; when absent, it is
        the model's own where it has one, the fitted one otherwise. Raises `RunError`, `CapabilityError`.
        """
        fitted = self.folder.file(PRIOR)
        if choice == "model" or (choice is None and (isinstance(self.model, Generative) or fitted is None)):
            return None
        latent = require_latents(self.model, "a prior").latent
        path = (fitted or self.folder.place(PRIOR)) if choice in (None, "fitted") else Path(str(choice))
        return priors.load(path, (self.digest, checkpoint.file_digest(self.file)), latent)

    def fit_prior(self, kind: str, *, components: int | None = None, seed: int = 0) -> Prior:
        """Fit a prior of one of `priors.KINDS` to the latents of the training images.

        Raises `CapabilityError` for a model without an encoder, `ConfigError`.
        """
        require_encoder_without_codes(self.model, "fit-prior")
        if kind == "per-class" and self.splits.train.labels is None:
            raise ConfigError(f"per-class needs images with classes; {self.config.data.name} has none. Try gmm.")
        codes = self.codes(self.splits.train, seed=seed)
        return priors.fit(kind, codes, self.splits.train.labels, components=components, seed=seed)

    def save_prior(self, prior: Prior, path: Path | None = None) -> Path:
        """Write a prior where `Run.prior` finds it, or to ``path``. Raises `StorageError`."""
        return priors.save(prior, self.file.with_name(PRIOR) if path is None else path, self.digest)

    def codes(self, dataset: Dataset, *, seed: int = 0) -> Tensor:
        """Return a latent of each image ``(n, D)``: its code, or for a model with a posterior a draw from that."""
        generator = torch.Generator().manual_seed(derived_seed(seed, "codes"))
        batches = self.measuring.fixed(dataset)
        return torch.cat([generate.code(self.model, batch.image, generator) for batch in batches])

    @property
    def file(self) -> Path:
        """The file of the model's weights."""
        return self.path / MODEL if is_folder(self.path) else self.path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights and of what they mean, by which a fitted prior knows its model."""
        return checkpoint.digest(self.model, self.config)

    def invert(self, x: Tensor, *, steps: int = 200, seed: int = 0) -> Inversion:
        """Find the latents whose images come nearest to images ``(n, C, H, W)`` in [-1, 1]; see `invert.invert`."""
        require_latents(self.model, "invert")
        return invert.invert(self.model, x, steps=steps, seed=seed, prior=self.prior())

    def project(self, x: Tensor, *, seed: int = 0) -> Tensor:
        """Return latents ``(n, D)`` of images ``(n, C, H, W)`` in [-1, 1]; see `invert.project`."""
        return invert.project(self.model, x, seed=seed, prior=self._prior_of_inversion("project"))

    def arithmetic(
        self, x: Tensor, plus: Tensor, minus: Tensor, *, steps: int = 7, strength: float = 1.0, seed: int = 0
    ) -> Tensor:
        """Move images by what sets two groups of images apart: ``(n, steps, C, H, W)``; see `invert.arithmetic`."""
        prior = self._prior_of_inversion("arithmetic")
        return invert.arithmetic(self.model, x, plus, minus, steps=steps, strength=strength, seed=seed, prior=prior)

    def _prior_of_inversion(self, verb: str) -> Prior | None:
        """The prior by which latents are found where no encoder gives them. Raises `CapabilityError`."""
        require_latents(self.model, verb)
        return None if isinstance(self.model, Inferential) else self.prior()

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

    def inpaint(self, x: Tensor, known: Tensor, *, steps: int = 200, seed: int = 0) -> Tensor:
        """Fill in the unknown pixels of images ``(n, C, H, W)`` in [-1, 1]; see `inpaint.inpaint`."""
        require_latents(self.model, "inpaint")
        return inpaint.inpaint(self.model, x, known, steps=steps, seed=seed, prior=self.prior())

    def repair(self, x: Tensor, *, steps: int = 200, seed: int = 0) -> Repair:
        """Replace what the model cannot explain in images ``(n, C, H, W)`` in [-1, 1]; see `inpaint.repair`.

        An anomaly is what is rarer than one pixel in 1,000 of training images.
        """
        require_latents(self.model, "repair")
        prior, sound = self.prior(), images.from_bytes(self.splits.train.images[:SOUND])
        threshold = inpaint.threshold(self.model, sound, steps=steps, seed=seed, prior=prior)
        return inpaint.repair(self.model, x, threshold, steps=steps, seed=seed, prior=prior)

    def anomaly(self, x: Tensor, *, steps: int = 200, seed: int = 0) -> Anomaly:
        """Score images ``(n, C, H, W)`` in [-1, 1] by what the model cannot redraw; see `anomaly.anomaly`."""
        require_latents(self.model, "anomaly")
        return anomaly.anomaly(self.model, x, steps=steps, seed=seed, prior=self.prior())

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the reconstructions of images ``(n, C, H, W)`` in [-1, 1]."""
        return generate.reconstruct(self.model, x)

    def manifold(self, side: int = 15) -> Tensor:
        """Return the images of a grid over a 2-D latent, row by row, ``(side^2, C, H, W)``."""
        return generate.manifold(self.model, side)

    def interpolate(
        self,
        start: Tensor | None = None,
        end: Tensor | None = None,
        *,
        steps: int = 10,
        seed: int = 0,
        route: str = "latent",
    ) -> Tensor:
        """Return images from ``start`` to ``end``, each ``(C, H, W)``: ``(steps, C, H, W)``.

        ``route`` is "latent", or one of `inbetween.ROUTES`, which lead from image to image without the model.
        Where an end is not given it is a test image with an encoder or of a translator, else a sample of the prior.
        """
        if route != "latent":
            first, last = self._ends(start, end, seed, sampled=not isinstance(self.model, Inferential))
            return inbetween.route(route)(first, last, steps)
        prior = self._prior_of_inversion("interpolate")
        if start is None and end is None and not isinstance(self.model, Inferential):
            first, last = generate.latents(self.model, 2, seed=seed)
            return generate.interpolate(self.model, first, last, steps)
        return invert.walk(self.model, *self._ends(start, end, seed), steps=steps, seed=seed, prior=prior)

    def _ends(
        self, start: Tensor | None, end: Tensor | None, seed: int, *, sampled: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Two images, those given, or else test images or, where ``sampled``, samples of a model with a prior."""
        if start is not None and end is not None:
            return start, end
        drawn = sampled and isinstance(self.model, Generative)
        others = self.sample(2, seed=seed) if drawn else self.examples(2, seed=seed)
        return others[0] if start is None else start, others[-1] if end is None else end

    def traverse(self, *, steps: int = 11, seed: int = 0) -> list[tuple[str, Tensor]]:
        """Move one latent, or one named code, at a time: each row's caption and images ``(columns, C, H, W)``."""
        require_latents(self.model, "traverse")
        reference = self.examples(500, seed=seed) if isinstance(self.model, Inferential) else None
        return generate.traverse_named(self.model, reference, steps=steps, seed=seed)

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(n, C, H, W)`` in [-1, 1] of latents ``(n, D)``; differentiable in ``z``."""
        return generate.decode_with_gradients(self.model, z)

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents ``(n, D)`` of images ``(n, C, H, W)`` in [-1, 1]."""
        return generate.encode(self.model, x)

    def examples(self, n: int, *, seed: int = 0) -> Tensor:
        """Return test images of the run's data set, ``(n, C, H, W)`` in [-1, 1] (fewer where there are fewer)."""
        test = self.splits.test
        order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[:n]
        return images.from_bytes(test.images[order])

    def translate(self, x: Tensor, to: str = "B") -> Tensor:
        """Return images ``(n, C', H, W)`` in [-1, 1] of domain ``to`` for images ``(n, C, H, W)`` of the other one."""
        return translate.translate(self.model, x, to)

    def translate_files(
        self,
        path: str | Path,
        folder: Path,
        to: str = "B",
        *,
        convert: bool = False,
        size: int | None = None,
        max_megapixels: float | None = None,
        force: bool = False,
        grey_range: str | None = None,
        counted: Counted | None = None,
    ) -> list[Path]:
        """Translate an image file, a folder or a zip into PNG files of the same names in a folder; return their paths.

        See `translate.translate_files`; ``counted`` passes results on while showing how many there were.
        Raises `DataError`, `ConfigError`, `CapabilityError`, and `IncompleteError` once the other files are written.
        """
        return translate.translate_files(
            self.model, Path(path), folder, to, self.config.data, convert=convert, size=size,
            max_megapixels=max_megapixels, grey_range=grey_range, force=force, counted=counted,
        )  # fmt: skip

    def translate_test(self, folder: Path, to: str = "B", *, force: bool = False) -> list[Path]:
        """Translate the test images of the run's data set into PNG files in a folder; return their paths.

        None is overwritten without ``force``. Raises `ConfigError`, `CapabilityError`.
        """
        return translate.translate_test(self.model, self.splits.test, folder, to, force=force)

    def read(self, path: str | Path) -> tuple[list[str], Tensor]:
        """Read an image file, a folder or a zip in this run's shape: names, and ``(n, C, H, W)`` in [-1, 1]."""
        names, pixels = reading.read_all(Path(path), self.shape.size, self.shape.channels, self.config.data)
        return names, images.from_bytes(pixels)
