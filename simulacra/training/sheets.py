"""The pictures that a training draws of itself: samples, reconstructions, translations, always of the same inputs.

Below each stands after how many images it was drawn, how many passes over the training images these are, and whether
by averaged weights.
"""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.config import Config
from simulacra.data import Splits, derived_seed
from simulacra.models import Generative, Inferential, Model, Translating
from simulacra.runs.folder import RECONSTRUCTIONS, SAMPLES, RunFolder
from simulacra.steering import generate, translate

COMPARED = 12  # test images on a sheet of reconstructions or translations


def draw(model: Model, splits: Splits, values: Config, folder: RunFolder, step: int) -> None:
    """Write the sheets of a step into a run folder: the same latents and the same test images at every step.

    Raises `StorageError`.
    """
    name = f"{step:08d}.png"

    def save(sheet: Tensor | Image.Image, home: str) -> None:
        images.save(images.captioned(sheet, caption(values, len(splits.train), step)), folder.path / home / name)

    if isinstance(model, Generative):
        samples = generate.sample(model, values.train.samples, seed=derived_seed(values.seed, "sheet"))
        save(images.grid(images.magnified(samples)), SAMPLES)
    if isinstance(model, Inferential):
        originals = images.from_bytes(splits.test.images[:COMPARED])
        rows = [("original", originals), ("reconstruction", generate.reconstruct(model, originals))]
        home = RECONSTRUCTIONS if isinstance(model, Generative) else SAMPLES
        save(images.labelled_rows(rows), home)
    if isinstance(model, Translating):
        save(translate.sheet(model, splits.test, COMPARED), SAMPLES)


def caption(values: Config, count: int, step: int) -> str:
    """Return what a sheet shows, of a training on ``count`` images: "57,600 images, 16.9 passes, averaged weights"."""
    seen = min(step * values.train.batch, values.train.images)
    passes = f"{seen / count:,.1f}".removesuffix(".0")
    weights = ["averaged weights"] if values.train.ema and step else []
    return ", ".join([f"{seen:,} images", f"{passes} pass{'' if passes == '1' else 'es'}", *weights])
