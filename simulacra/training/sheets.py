"""The pictures that a training draws of itself: samples, reconstructions, translations, always of the same inputs."""

from __future__ import annotations

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
    if isinstance(model, Generative):
        samples = generate.sample(model, values.train.samples, seed=derived_seed(values.seed, "sheet"))
        images.save(images.grid(images.magnified(samples)), folder.path / SAMPLES / name)
    if isinstance(model, Inferential):
        originals = images.from_bytes(splits.test.images[:COMPARED])
        rows = [("original", originals), ("reconstruction", generate.reconstruct(model, originals))]
        home = RECONSTRUCTIONS if isinstance(model, Generative) else SAMPLES
        images.save(images.labelled_rows(rows), folder.path / home / name)
    if isinstance(model, Translating):
        images.save(translate.sheet(model, splits.test, COMPARED), folder.path / SAMPLES / name)
