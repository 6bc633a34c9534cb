"""Samples beside the training images that are nearest to them: whether a model repeats what it was shown."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from simulacra import images
from simulacra.data import Dataset
from simulacra.metrics.neighbours import nearest, nearest_few
from simulacra.pages import layout

SHOWN = 12  # samples
NEAREST = 3  # training images below each
MAX_MEDIAN_IMAGES = 500  # test images whose distance to the training images is the yardstick


def section(samples: Tensor, fake: Tensor, train: Dataset, known: Tensor, real: Tensor, name: str) -> str:
    """Return a section with the first samples ``(n, C, H, W)``, each above its nearest training images.

    ``fake``, ``known`` and ``real`` are the features ``(n, F)`` of samples, training images and test images.
    """
    distance, index = nearest_few(fake[:SHOWN], known, NEAREST)
    step = -(-len(real) // MAX_MEDIAN_IMAGES)
    usual = nearest(real[::step], known)[0].median()
    columns = []
    for sample, far, which in zip(samples, distance.tolist(), index, strict=False):
        found = zip(images.from_bytes(train.images[which]), [f"{d:.3g}" for d in far], strict=True)
        columns.append(column([(sample, ""), *found]))
    note = (
        f"Has the model memorised training images? Each framed sample stands above the {NEAREST} training images that "
        f"are nearest to it in the {name} features, with their distances. The median test image, which cannot be a "
        f"copy, is {float(usual):.3g} away from its nearest training image. Copies would be much nearer and look the "
        "same."
    )
    shown = layout.box("neighbours", *columns)
    return layout.section("Samples and their nearest training images", note, shown, kind="wide")


def column(stack: Iterable[tuple[Tensor, str]]) -> str:
    """Return pictures one above the other, each with a line below it."""
    shown = (
        layout.picture(images.magnified(image, 64), "image") + f"<figcaption>{text}</figcaption>"
        for image, text in stack
    )
    return f"<figure>{''.join(shown)}</figure>"
