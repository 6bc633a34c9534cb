"""`mnist` and `fashion-mnist`: IDX files, looked up on disk or downloaded, always checked by their content.

Source: https://yann.lecun.org/exdb/mnist (format); https://github.com/zalandoresearch/fashion-mnist
"""

from __future__ import annotations

import gzip
import hashlib
import urllib.request
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from simulacra.data.dataset import Dataset
from simulacra.errors import DataError
from simulacra.machine import ROOT_VARIABLE, data_folders
from simulacra.storage import atomic

TYPES = {0x08: np.uint8, 0x09: np.int8, 0x0B: np.int16, 0x0C: np.int32, 0x0D: np.float32, 0x0E: np.float64}
LARGEST = 64 << 20  # bytes, packed or not, above any file here: a guard against hostile archives
DIMENSIONS = 8  # of an array at most


@dataclass(frozen=True)
class Source:
    """A pair of IDX files per split: where to find them, and the SHA-256 of each after decompression."""

    name: str
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    digests: dict[str, str]


MNIST = Source(
    "mnist",
    tuple("0123456789"),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = Source(
    "fashion-mnist",
    ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    (
        "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)


def load(source: Source, root: Path | None = None) -> tuple[Dataset, Dataset]:
    """Return the training (60,000) and test (10,000) images with labels, grey, 28 x 28.

    Looks in ``root``, ``$SIMULACRA_DATA`` and the user cache, then downloads into the cache. Raises `DataError`.
    """
    arrays = {file: parse(fetch(source, file, root), file) for file in source.digests}
    return _split(source, arrays, "train"), _split(source, arrays, "t10k")


def _split(source: Source, arrays: dict[str, Tensor], split: str) -> Dataset:
    images = arrays[f"{split}-images-idx3-ubyte"].unsqueeze(1)
    return Dataset(source.name, images, arrays[f"{split}-labels-idx1-ubyte"].long(), source.classes)


def find(source: Source, root: Path | None = None) -> Path | None:
    """Return the folder that holds all files of a source (not yet checked), or None."""
    for place in data_folders(root):
        folder = place / source.name
        if all(_candidates(folder, file) for file in source.digests):
            return folder
    return None


def fetch(source: Source, file: str, root: Path | None = None) -> bytes:
    """Return the decompressed content of one file, from disk or from a mirror, with its SHA-256 checked."""
    for place in data_folders(root):
        for path in _candidates(place / source.name, file):
            content = _unpack(_packed(path), str(path))
            _check(content, source.digests[file], str(path))
            return content
    return _download(source, file, data_folders(root)[-1] / source.name / f"{file}.gz")


def _candidates(folder: Path, file: str) -> list[Path]:
    return [path for path in (folder / f"{file}.gz", folder / file) if path.is_file()]


def _download(source: Source, file: str, target: Path) -> bytes:
    problems = []
    for mirror in source.mirrors:
        url = f"{mirror}{file}.gz"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                packed = response.read(LARGEST)
            content = _unpack(packed, url)
            _check(content, source.digests[file], url)
        except (OSError, HTTPException, DataError) as error:
            problems.append(f"{url}: {error}")
            continue
        with atomic(target) as temporary:
            temporary.write_bytes(packed)
        return content
    raise DataError(
        f"{source.name} is not on this machine and could not be downloaded ({'; '.join(problems)}). "
        f"Put the IDX files in a folder {source.name}/ and name its parent: "
        f"--data-root FOLDER or {ROOT_VARIABLE}=FOLDER."
    )


def _packed(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if len(packed) > LARGEST:
        raise DataError(f"{path} is larger than any file of this data set. Delete it and try again.")
    return packed


def _unpack(packed: bytes, origin: str) -> bytes:
    if packed[:2] != b"\x1f\x8b":
        return packed
    try:
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        content = unpacker.decompress(packed, LARGEST)
        if not unpacker.eof:
            raise DataError(
                f"{origin} is truncated, or larger than any file of this data set. Delete it and try again."
            )
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{origin} is damaged: {error}. Delete it and try again.") from None
    return content


def _check(content: bytes, digest: str, origin: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise DataError(
            f"{origin} does not match the published file (SHA-256 {found[:12]}..., expected {digest[:12]}...). "
            "Delete it and try again."
        )


def parse(content: bytes, origin: str = "IDX data") -> Tensor:
    """Parse IDX bytes: two zeros, a type, the number of dimensions, the big-endian sizes, the values."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or content[3] > DIMENSIONS:
        raise DataError(f"{origin} is not an IDX file.")
    header = 4 + 4 * content[3]
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    type_ = np.dtype(TYPES[content[2]]).newbyteorder(">")
    if len(content) != header + int(np.prod(sizes, dtype=object)) * type_.itemsize:
        raise DataError(f"{origin}: the sizes {sizes} in its header do not fit its {len(content):,} bytes.")
    try:
        values = np.frombuffer(content, type_, offset=header).reshape(sizes)
    except ValueError:  # empty, with other sizes beyond what an array may have
        raise DataError(f"{origin}: the sizes {sizes} in its header are beyond what an array can have.") from None
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("=")))
