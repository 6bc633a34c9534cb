"""What tests share: small data, small models, and where real data is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from simulacra import config
from simulacra.data import Dataset

os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty user cache, so that tests neither use nor change the real one."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the real MNIST and Fashion-MNIST, or skip."""
    root = os.environ.get("SIMULACRA_DATA")
    if not root or not (Path(root) / "mnist").is_dir():
        pytest.skip("SIMULACRA_DATA names no folder with mnist/")
    return Path(root)


def noise_images(count: int, channels: int, size: int, seed: int = 0) -> Dataset:
    """Random uint8 images with two classes."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, channels, size, size), generator=generator, dtype=torch.uint8)
    return Dataset("noise", pixels, torch.arange(count) % 2, ("even", "odd"))


def noise_domains(count: int, channels_a: int, channels_b: int, size: int, *, paired: bool = True) -> Dataset:
    """Random uint8 images of two domains, without pairs one more in B."""
    a = noise_images(count, channels_a, size)
    b = noise_images(count if paired else count + 1, channels_b, size, seed=1)
    names = tuple(map(str, range(len(b))))
    other = Dataset("noise", b.images, names=names)
    return Dataset("noise", a.images, names=names[:count], other=other)


def tiny(recipe: str = "quickstart", **tables: dict[str, object]) -> config.Config:
    """A shipped recipe, shortened to a few steps on the embedded digits."""
    short = {
        "data": {"name": "digits", "size": 8},
        "train": {"images": 640, "batch": 32, "log": 64, "sheet": 320, "score": 320, "checkpoint": 128},
    }
    return config.parse(config.merge(config.merge(config.recipe(recipe).values, short), tables))


SHORT: dict[str, object] = {
    "data": {"name": "digits", "size": 8},
    "model": {"network": {"kind": "mlp", "hidden": [16]}},
    "train": {
        "images": 640, "batch": 32, "log": 64, "sheet": 320, "score": 320, "checkpoint": 128, "ema": 100,
        "precision": "float32",
    },
}  # fmt: skip
