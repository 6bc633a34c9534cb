"""Mutated files and odd names of folders: whatever is read answers with images or with one clear error."""

from __future__ import annotations

import gzip
import io
import random
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import data, machine
from simulacra.config import Data
from simulacra.data import Pairs, Unpaired, folders, idx, layout, shapes
from simulacra.errors import ConfigError, DataError
from simulacra.images.files import Entry

Draw = random.Random
MUTATIONS = 50  # of each kind of file
PARTS = [
    "train",
    "test",
    "val",
    "Training",
    "test_set",
    "a",
    "B",
    "trainA",
    "testB",
    "cats",
    "..",
    " ",
    "ä",
    "x.png",
    "\\",
]


def mutated(content: bytes, draw: Draw) -> bytes:
    """Change, cut, repeat or insert a few bytes; headers, at the beginning and the end, come first."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        near = draw.choice([40, 200, len(changed)])
        at = draw.choice([0, max(0, len(changed) - near)]) + draw.randrange(max(1, min(near, len(changed))))
        kind = draw.randrange(5)
        if kind == 0:
            changed[at : at + 1] = bytes([draw.randrange(256)])
        elif kind == 1:
            changed[at : at + 4] = draw.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        elif kind == 2:
            del changed[at : at + draw.randint(1, 60)]
        elif kind == 3:
            changed[at:at] = draw.randbytes(draw.randint(1, 20))
        else:
            changed[at:at] = changed[at : at + 30]
    return bytes(changed)


def picture(format_: str, level: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(level).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format_)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(4):
            archive.writestr(f"set/{'train' if index < 3 else 'test'}/{index}.png", picture("PNG", index))
    return buffer.getvalue()


IDX = b"\0\0\x08\3" + b"".join(size.to_bytes(4, "big") for size in (3, 5, 5)) + bytes(range(75))


def read_idx(content: bytes, _: Path) -> None:
    assert isinstance(idx.parse(content), torch.Tensor)


def read_gz(content: bytes, folder: Path) -> None:
    (folder / "little").mkdir(exist_ok=True)
    (folder / "little" / "file.gz").write_bytes(content)
    idx.fetch(idx.Source("little", (), (), {"file": "0" * 64}), "file", folder)


def read_zip(content: bytes, folder: Path) -> None:
    (folder / "set.zip").write_bytes(content)
    values = Data(name=str(folder / "set.zip"), corrupt="skip", size=8)
    assert folders.load(folder / "set.zip", values).train.images.dtype == torch.uint8


def read_picture(content: bytes, folder: Path) -> None:
    for index in range(3):
        (folder / f"{index}.png").write_bytes(picture("PNG", index))
    (folder / "odd.tif").write_bytes(content)
    data.load(Data(name=str(folder)))


READERS: dict[str, tuple[bytes, Callable[[bytes, Path], None]]] = {
    "idx": (IDX, read_idx),
    "gz": (gzip.compress(IDX * 20), read_gz),
    "zip": (zipped(), read_zip),
    **{format_: (picture(format_, 9), read_picture) for format_ in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")},
}


@pytest.mark.parametrize("kind", READERS)
def test_a_mutated_file_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    content, read = READERS[kind]
    draw = random.Random(kind)
    refused: list[str] = []
    for _ in range(MUTATIONS if kind in ("idx", "gz", "zip") else 10):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(mutated(content, draw), tmp_path)
        except (DataError, ConfigError) as error:
            refused.append(str(error))
    assert refused, "some of the mutations do harm"
    assert not any("\n" in message or len(message) > 1500 for message in refused)


def test_folders_of_any_names_are_laid_out_or_refused(tmp_path: Path) -> None:
    draw = random.Random("names")
    laid_out = 0
    for _ in range(200):
        names = {"/".join([*draw.choices(PARTS, k=draw.randint(0, 4)), f"{draw.randrange(9)}.png"]) for _ in range(8)}
        entries = [Entry(PurePosixPath(name), lambda: b"") for name in sorted(names)]
        try:
            found = layout.of(entries, "set")
        except DataError:
            continue
        laid_out += 1
        known = {item.label for item in found.placed if item.split == "train"}
        assert known == {None} or None not in known
        assert {item.label for item in found.placed} <= known
        left = sum(int(line.split()[0]) for line in found.left_out)
        assert len(found.placed) + left == len(entries), "every file is placed or counted"
        for batch in (Unpaired, Pairs):
            with pytest.raises(DataError):
                data.load(Data(name=str(tmp_path / "none")), None, batch)
    assert laid_out > 50


def test_sizes_beyond_the_memory_are_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(picture("PNG", index))
    monkeypatch.setattr(machine, "free_memory", lambda: 10_000_000)
    monkeypatch.setattr(shapes, "generate", lambda *_: pytest.fail("drawn"))
    for name, told in ((str(tmp_path), "3 images of 1024 x 1024"), ("shapes", "14,000 sprites of 1024 x 1024")):
        with pytest.raises(ConfigError, match=rf"{told} pixels would take about .* Choose a smaller --data.size"):
            data.load(Data(name=name, size=1024, resident="true"))
    with pytest.raises(ConfigError, match="1,500 images of 256 x 256"):
        data.load(Data(name="digits", size=256))
    assert len(data.load(Data(name=str(tmp_path), size=64)).train) == 2


def test_a_file_beyond_any_of_the_set_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "little").mkdir()
    with (tmp_path / "little" / "file").open("wb") as file:
        file.truncate(20 << 30)  # sparse
    with pytest.raises(DataError, match="larger than any file"):
        idx.fetch(idx.Source("little", (), (), {"file": "0" * 64}), "file", tmp_path)
