"""A run folder, opened: the verbs that its model offers, each in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from simulacra import images
from simulacra.images.batch import Counted
from simulacra.models import Generative, Inferential
from simulacra.priors import Prior
from simulacra.runs import fitted
from simulacra.runs.card import card
from simulacra.runs.trained import Trained
from simulacra.steering import anomaly, generate, inbetween, inpaint, invert, translate
from simulacra.steering.anomaly import Anomaly
from simulacra.steering.capabilities import require_latents
from simulacra.steering.inpaint import Repair
from simulacra.steering.invert import Inversion

SOUND = 200  # training images, by which `Run.repair` knows what an anomaly is


class Run(Trained):
    """A trained model, opened from a run folder or a single ``.safetensors`` file, and what can be done with it."""

    def __repr__(self) -> str:
        return f"Run({self.name!r}: {self.config.model.family} of {self.shape} images)"

    def _repr_html_(self) -> str:
        """Show the run in a notebook."""
        return card(self)

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

    def fit_prior(self, kind: str, *, components: int | None = None, seed: int = 0) -> Prior:
        """Fit a prior of one of `priors.KINDS` to the latents of the training images.

        Raises `CapabilityError` for a model without an encoder, `ConfigError`.
        """
        return fitted.fit(self, kind, components=components, seed=seed)

    def save_prior(self, prior: Prior, path: Path | None = None) -> Path:
        """Write a prior where `Run.prior` finds it, or to ``path``. Raises `StorageError`."""
        return fitted.save(self, prior, path)

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents ``(n, D)`` of images ``(n, C, H, W)`` in [-1, 1]."""
        return generate.encode(self.model, x)

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(n, C, H, W)`` in [-1, 1] of latents ``(n, D)``; differentiable in ``z``."""
        return generate.decode_with_gradients(self.model, z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the reconstructions of images ``(n, C, H, W)`` in [-1, 1]."""
        return generate.reconstruct(self.model, x)

    def manifold(self, side: int = 15) -> Tensor:
        """Return the images of a grid over a 2-D latent, row by row, ``(side^2, C, H, W)``."""
        return generate.manifold(self.model, side)

    def traverse(self, *, steps: int = 11, seed: int = 0) -> list[tuple[str, Tensor]]:
        """Move one latent, or one named code, at a time: each row's caption and images ``(columns, C, H, W)``."""
        require_latents(self.model, "traverse")
        reference = self.examples(500, seed=seed) if isinstance(self.model, Inferential) else None
        return generate.traverse_named(self.model, reference, steps=steps, seed=seed)

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

    def arithmetic(
        self, x: Tensor, plus: Tensor, minus: Tensor, *, steps: int = 7, strength: float = 1.0, seed: int = 0
    ) -> Tensor:
        """Move images by what sets two groups of images apart: ``(n, steps, C, H, W)``; see `invert.arithmetic`."""
        prior = self._prior_of_inversion("arithmetic")
        return invert.arithmetic(self.model, x, plus, minus, steps=steps, strength=strength, seed=seed, prior=prior)

    def project(self, x: Tensor, *, seed: int = 0) -> Tensor:
        """Return latents ``(n, D)`` of images ``(n, C, H, W)`` in [-1, 1]; see `invert.project`."""
        return invert.project(self.model, x, seed=seed, prior=self._prior_of_inversion("project"))

    def invert(self, x: Tensor, *, steps: int = 200, seed: int = 0) -> Inversion:
        """Find the latents whose images come nearest to images ``(n, C, H, W)`` in [-1, 1]; see `invert.invert`."""
        require_latents(self.model, "invert")
        return invert.invert(self.model, x, steps=steps, seed=seed, prior=self.prior())

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
