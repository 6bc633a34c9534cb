"""Training on a pack far larger than memory: peak memory, batches a second, resuming in the middle.

``python -m benchmarks.packs [--count 2000000] [--size 64] [--out /tmp/large.simpack]``. The pack is a sparse file: its
pixels are zeros that take no room on the disk, so reading it shows what mapping, gathering and memory cost, and not how
fast a disk is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from simulacra import data
from simulacra.config import Data
from simulacra.data import Dataset, ImageLoader, packs
from simulacra.training.session import Session

BATCH, SECONDS = 128, 5.0
PART = 80_000  # pictures that are also held in memory: 1 GB at 64 x 64


def make(path: Path, count: int, size: int) -> None:
    """Write a sparse pack of black pictures."""
    sets = {"train": count, "test": 1_000}
    row, start, tensors = 3 * size * size, 0, {}
    for split, own in sets.items():
        tensors[f"{split}.images"] = ("U8", [own, 3, size, size], own * row)
    names = {split: json.dumps([f"{split}/{index}" for index in range(own)]).encode() for split, own in sets.items()}
    pixels = sum(sets.values()) * row
    full, rest = divmod(pixels, packs.BLOCK)
    black = [hashlib.blake2b(bytes(length), digest_size=packs.DIGEST).digest() for length in (packs.BLOCK, rest)]
    blocks = black[0] * full + (black[1] if rest else b"")
    header = {}
    tensors |= {f"{split}.names": ("U8", [len(text)], len(text)) for split, text in names.items()}
    tensors["blocks"] = ("U8", [len(blocks) // packs.DIGEST, packs.DIGEST], len(blocks))
    for name, (kind, shape, length) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, start + length]}
        start += length
    digests = json.dumps({split: f"black {own}" for split, own in sets.items()})
    about = {"simpack": packs.VERSION, "classes": "[]", "sha256": digests, "about": "{}"}
    with path.open("wb") as file:
        text = json.dumps({"__metadata__": about, **header}).encode()
        file.write((packs.HEADER - 8).to_bytes(8, "little") + text.ljust(packs.HEADER - 8))
        file.seek(packs.HEADER + pixels)
        file.write(b"".join([*names.values(), blocks]))


def rate(dataset: Dataset, *, ordered: bool = False) -> float:
    """Return pictures a second that a loader yields, in random order or in that of the file."""
    loader = ImageLoader(dataset, BATCH)
    if ordered:
        loader._order = lambda epoch: torch.arange(len(dataset))  # type: ignore[method-assign]  # noqa: ARG005
    for step in range(3):
        loader.batch(step)
    start, step = time.perf_counter(), 3
    while time.perf_counter() - start < SECONDS:
        loader.batch(step)
        step += 1
    return (step - 3) * BATCH / (time.perf_counter() - start)


def memory(key: str) -> float:
    """Return a line of this process's status in GB: VmHWM is the peak with mapped pages, RssAnon is its own now."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1e6


def resumed(pack: Path) -> tuple[bool, float]:
    """Train 20 steps at once, and 20 of which the last ten are resumed; return whether both are equal, and memory."""
    train = {"images": 20 * 16, "batch": 16, "log": 16 * 10, "checkpoint": 160, "score": 320, "sheet": 320}
    changes = {"train": {**train, "precision": "float32"}, "data": {"resident": "false", "size": 64}}
    with tempfile.TemporaryDirectory() as home:
        whole = Session.start("pictures", data_name=str(pack), out=f"{home}/whole", changes=changes)
        for _ in whole:
            pass
        half = Session.start("pictures", data_name=str(pack), out=f"{home}/half", changes=changes)
        for _ in half:
            break
        half.folder.unlock()
        again = Session.start("pictures", data_name=str(pack), out=f"{home}/half", changes=changes, resume=True)
        assert 0 < again.trainer.step < 20
        for _ in again:
            pass
        one, other = whole.trainer.model.state_dict(), again.trainer.model.state_dict()
        return all(torch.equal(one[key], other[key]) for key in one), memory("RssAnon")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the pack, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "large.simpack")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    make(options.out, options.count, options.size)
    told = options.out.stat()
    print(f"{options.count:,} pictures: {told.st_size / 1e9:.1f} GB, {told.st_blocks * 512 / 1e9:.3f} GB on the disk")
    start = time.perf_counter()
    mapped = data.load(Data(name=str(options.out), resident="false")).train
    print(f"opened in {time.perf_counter() - start:.1f} s; own memory {memory('RssAnon'):.2f} GB")
    part = mapped._slice(0, min(PART, len(mapped)))
    held = Dataset("part", torch.from_numpy(np.array(part.images.numpy())))
    for name, dataset, ordered in (
        ("all, random", mapped, False), ("all, in order", mapped, True), ("part, random", part, False),
        ("part in memory, random", held, False),
    ):  # fmt: skip
        print(f"{name:<24}{rate(dataset, ordered=ordered):>10,.0f} pictures/s")
    del held
    equal, own = resumed(options.out)
    print(f"resumed in the middle: {'equal' if equal else 'DIFFERENT'} to the last bit; own memory {own:.2f} GB, "
          f"peak with the pages of the file {memory('VmHWM'):.2f} GB")  # fmt: skip


if __name__ == "__main__":
    main()
