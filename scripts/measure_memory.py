"""Peak memory of work on many small and on large pictures, beside that of one small picture.

    python scripts/measure_memory.py [FOLDER] [--small 5000] [--large 20] [--only WORD]

Makes 5,000 pictures of 64 pixels and 20 of 40 megapixels (4 PNGs, the rest JPEGs), sends them through `transform` and
`compose collage`, and reads them as `train` does. Prints the peak of each command, and what exceeds one small picture.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

TRAIN = [
    "train",
    "vae-mlp",
    "--data.size",
    "64",
    "--train.images",
    "128",
    "--train.batch",
    "64",
    "--train.samples",
    "16",
]
RUNS = {
    "small": [
        ["transform", "invert"],
        ["transform", "rotate", "--degrees", "20"],
        TRAIN,
    ],
    "large": [
        ["transform", "invert"],
        ["transform", "resize", "--width", "6000"],
        ["transform", "flip"],
        ["transform", "crop", "--height", "4000", "--width", "6000"],
        ["transform", "pad", "--top", "100"],
        ["transform", "shift", "--right", "0.1"],
        ["transform", "rotate", "--degrees", "20"],
        ["transform", "rotate", "--degrees", "20", "--expand"],
        ["transform", "affine", "--shear", "10"],
        ["transform", "perspective", "--tilt", "30"],
        ["transform", "elastic", "--strength", "4"],
        ["transform", "contrast"],
        ["transform", "equalize"],
        ["compose", "collage"],
        TRAIN,
    ],
}


def main() -> None:
    """Make the pictures, run the commands, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "memory")
    parser.add_argument("--small", type=int, default=5000)
    parser.add_argument("--large", type=int, default=20)
    parser.add_argument("--only", default="", help="commands that hold this word, such as train or elastic")
    options = parser.parse_args()
    small, large = options.folder / "small", options.folder / "large"
    if not large.exists():
        _make(small, large, options.small, options.large)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        base = _peak(
            ["-m", "simulacra", "transform", "invert", str(small / "00000.png"), "--out", str(out / "one.png")]
        )
        print(f"one small picture: {base} MB")
        for kind, folder in (("small", small), ("large", large)):
            for number, words in enumerate(RUNS[kind]):
                if options.only and options.only not in words:
                    continue
                peak = _peak(_command(words, folder, out / f"{kind}-{number}"))
                print(f"| `{' '.join(words[:2])}`, {kind} | {peak - base} |", flush=True)


def _command(words: list[str], folder: Path, out: Path) -> list[str]:
    verb, operation, *rest = words
    if verb == "train":
        place = ["--data", str(folder), "--data.max_megapixels", "50"]
        return ["-m", "simulacra", verb, operation, *place, *rest, "--out", str(out)]
    out = out.with_suffix(".png") if operation == "collage" else out
    return ["-m", "simulacra", verb, operation, str(folder), *rest, "--max-megapixels", "50", "--out", str(out)]


def _make(small: Path, large: Path, count: int, huge: int) -> None:
    random = np.random.default_rng(0)
    for folder in (small, large):
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(small / f"{index:05}.png")
    tile = Image.fromarray(random.integers(0, 256, (600, 1000, 3), np.uint8))
    whole = tile.resize((8000, 5000), Image.Resampling.BICUBIC)
    for index in range(huge):
        whole.save(large / f"{index:02}.{'png' if index < 4 else 'jpg'}", quality=85, compress_level=1)


def _peak(words: list[str]) -> int:
    """Run Python with these words; return the peak of its memory in MB."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, words
    return usage.ru_maxrss >> 10


if __name__ == "__main__":
    main()
