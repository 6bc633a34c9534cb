"""What tests share: small data, small models, and where real data is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulacra import config

os.environ.setdefault("OMP_NUM_THREADS", "2")


def pytest_configure() -> None:
    """Let signals be heard that a shell in the background, or nohup, has the tests ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
