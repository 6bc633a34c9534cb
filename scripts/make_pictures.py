"""Draw the pictures of docs/python.md from one real run: `python -m scripts.make_pictures` (about a minute).

The data are the digits that the package embeds, so that nothing else is needed and nothing else is shown.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

import simulacra

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
COLOURS = 16  # shades of grey in a file, enough for digits


def main() -> None:
    """Train the recipe of the first run, and write one picture for each section of the page."""
    with tempfile.TemporaryDirectory() as folder:
        run = simulacra.train("quickstart", out=Path(folder) / "run")
        originals = run.examples(12)
        zeros, twos = run.of_class("0", 50), run.of_class("2", 50)
        moved = run.arithmetic(zeros[:4], plus=twos, minus=zeros, steps=8)
        _save("samples", simulacra.grid(run.sample(48), columns=12))
        rows = [originals, run.reconstruct(originals)]
        _save("reconstructions", simulacra.grid(rows, captions=["original", "reconstruction"]))
        _save("walk", simulacra.grid(run.interpolate(steps=12), columns=12))
        _save("manifold", simulacra.grid(run.manifold(side=12), columns=12))
        _save("arithmetic", simulacra.grid(moved.flatten(0, 1), columns=8))


def _save(name: str, picture: Image.Image) -> None:
    path = FOLDER / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    picture.convert("L").quantize(COLOURS).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
