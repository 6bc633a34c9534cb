"""`digits`: 1,797 real handwritten digits of 8 x 8 pixels, shipped with the package."""

from __future__ import annotations

import io
from importlib import resources

import numpy as np
import torch

from simulacra.data.dataset import Dataset

TEST = 297  # the last images, by other writers than most of the first


def load() -> tuple[Dataset, Dataset]:
    """Return the training images (1,500) and the test images (297), grey, 8 x 8.

    Source: Optical Recognition of Handwritten Digits (1998), https://doi.org/10.24432/C50P49, CC BY 4.0
    """
    packed = (resources.files("simulacra") / "data" / "digits.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        ink, digit = arrays["images"], arrays["labels"]
    images = torch.from_numpy(np.rint(ink * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    whole = Dataset("digits", images, torch.from_numpy(digit.astype(np.int64)), tuple("0123456789"))
    indices = torch.arange(len(whole))
    return whole.take(indices[:-TEST]), whole.take(indices[-TEST:])
