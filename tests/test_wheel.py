"""What is built is whole: installed elsewhere, away from the repository, it trains, samples and exports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = "from setuptools import build_meta as b; print(b.build_sdist('dist')); print(b.build_wheel('dist'))"


@pytest.mark.slow
def test_the_wheel_works_away_from_the_repository(tmp_path: Path) -> None:
    source, site, work = tmp_path / "source", tmp_path / "site", tmp_path / "work"
    shutil.copytree(ROOT / "simulacra", source / "simulacra", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    work.mkdir()
    _run([sys.executable, "-c", BUILD], source)
    (wheel,) = (source / "dist").glob("*.whl")
    models = sum(path.stat().st_size for path in (ROOT / "simulacra" / "zoo").rglob("*.safetensors"))
    assert models < 6_000_000
    assert wheel.stat().st_size - models < 3_600_000  # as it was with the first model
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    _run([sys.executable, *install], work)
    where = _run([sys.executable, "-c", "import simulacra; print(simulacra.__file__)"], work, site)
    assert Path(where.strip()).is_relative_to(site)
    for words in (
        ["sample", "zoo:quickstart", "--n", "4"],
        ["export", "zoo:quickstart", "--format", "html"],
        ["export", "zoo:quickstart", "--format", "onnx", "--out", "files"],
        ["train", "quickstart", "--train.images", "640", "--out", "run"],
    ):
        _run([sys.executable, "-m", "simulacra", *words], work, site)
    assert {"sample.png", "page.html", "files", "run"} <= {path.name for path in work.iterdir()}


def _run(words: list[str], folder: Path, site: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout
