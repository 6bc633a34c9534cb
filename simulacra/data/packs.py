"""Packs: a folder or a zip of pictures, decoded once into one file that is read where it lies, however large it is.

A pack is a safetensors file that other tools can read too: for each split ``SPLIT.images``, uint8 ``(N, C, H, W)``,
``SPLIT.labels`` where there are classes, and ``SPLIT.names``, JSON. Two domains have parts of their own, ``trainA`` and
``trainB`` in place of ``train``; equal names at equal places are pairs. The pictures of each split lie in random order,
so that a share is held out without copying. Digests of blocks of the pixels tell a damaged pack from a whole one.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra import machine
from simulacra.config import Data
from simulacra.data.dataset import Dataset, Images, Pairs, Parts, Unpaired
from simulacra.errors import ConfigError, DataError
from simulacra.images.find import PACK

VERSION = "1"
HEADER = 1 << 16  # bytes before the pixels
BLOCK = 1 << 20  # bytes that have a digest of their own
DIGEST = 16  # bytes of it
MAKE = "simulacra pack PATH --out FILE.simpack"
CHECKED = 32  # blocks that are compared whenever a pack is opened
RESIDENT_SHARE = 0.5  # of the free memory, which a set that is held in memory may take
SPLITS = ("train", "test", "validation")
DOMAINS = ("A", "B")


def is_pack(name: str) -> bool:
    """Whether the name of a data set is that of a pack."""
    return name.lower().endswith(PACK)


def load(path: Path, data: Data, batch: type[Images] = Images) -> Parts:
    """Open a pack: its pixels are held in memory or read where they lie, as ``data.resident`` says.

    Raises `DataError` for a file that is damaged, was cut short, is not a pack, or does not hold what a ``batch`` is
    of, `ConfigError` for another size.
    """
    opened = Opened(path)
    _refuse_other_domains(opened, batch)
    opened.check(CHECKED)
    resident, told = _resident(opened, data)
    _refuse_other_options(opened, data, resident=resident)
    parts = {split: opened.split(split, data, resident=resident) for split in SPLITS if opened.holds(split)}
    if batch is Pairs and not all(part.paired for part in parts.values()):
        raise DataError(
            f"{path} holds two domains without pairs. Train without pairs: simulacra train cyclegan --data {path}"
        )
    return Parts(parts["train"], parts.get("test"), parts.get("validation"), (), (told,))


def _refuse_other_domains(opened: Opened, batch: type[Images]) -> None:
    """Refuse a pack of one domain where two are needed, or the other way about, and pairs that do not fit."""
    two = batch in (Unpaired, Pairs)
    if two and not opened.two:
        raise DataError(
            f"{opened.path} is a pack of one domain, and this family needs two. Make one of two: "
            f"simulacra pack PATH --domains --out FILE{PACK}"
        )
    if opened.two and not two:
        raise DataError(
            f"{opened.path} is a pack of two domains, which the families cyclegan and pix2pix translate. Type: "
            f"simulacra train cyclegan --data {opened.path}"
        )
    if batch is Pairs and not opened.about.get("aligned", True):
        raise DataError(
            f"{opened.path} holds pairs whose images had other proportions than their counterparts, so they no longer "
            "show the same. Make the pack again with --data.fit stretch, or from pictures with the same proportions."
        )


def _resident(opened: Opened, data: Data) -> tuple[bool, str]:
    """Whether to hold a pack in memory, and a line that says so."""
    size, free = opened.pixels, machine.free_memory()
    resident = data.resident == "true" or (data.resident == "auto" and (free is None or size < RESIDENT_SHARE * free))
    left = "" if free is None else f" ({machine.gigabytes(free)} of memory are free)"
    how = "held in memory" if resident else "read from the pack when they are needed"
    return resident, f"pixels: {machine.gigabytes(size)}, {how}{left}"


def _refuse_other_options(opened: Opened, data: Data, *, resident: bool) -> None:
    """A pack that is read where it lies cannot be changed as a whole."""
    channels, height, width = opened.shape
    asked = None if data.size is None and data.width is None else (data.size or data.width, data.width or data.size)
    other = asked not in (None, (height, width)) or _has_other_channels(opened, data)
    if not resident and (other or data.binarize_once):
        size, wide = asked or (height, width)
        raise ConfigError(
            f"{opened.path} holds pictures of {channels} x {height} x {width}, which are read where they lie, so they "
            f"cannot be resized or binarised as a whole. Make another pack: simulacra pack PATH --out FILE{PACK} "
            f"--data.size {size}{'' if wide == size else f' --data.width {wide}'} "
            f"--data.channels {data.channels or channels}"
        )


def _has_other_channels(opened: Opened, data: Data) -> bool:
    asked = (data.channels, data.channels_b or data.channels)
    shapes = opened.shapes[::-1] if data.swap else opened.shapes
    return any(one not in (None, shape[0]) for one, shape in zip(asked, shapes, strict=False))


class Opened:
    """A pack whose header was read and found to fit the file. Raises `DataError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._read_header()
            with path.open("rb") as file:
                self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._map = np.frombuffer(self._file, np.uint8, offset=HEADER)
            self.two = "train.images" not in self.tensors
            first = [f"train{domain}" for domain in DOMAINS] if self.two else ["train"]
            self.shapes: list[tuple[int, int, int]] = [tuple(self.tensors[f"{n}.images"]["shape"][1:]) for n in first]
            self.shape = self.shapes[0]
            self._refuse_odd_shapes()
        except FileNotFoundError:
            raise DataError(f"There is no pack {path}. Make it: {MAKE}") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
        except KeyError as error:
            raise self._damaged(f"it lacks {error}") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise self._damaged(str(error).splitlines()[0]) from None

    def _read_header(self) -> None:
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length != HEADER - 8:
                raise ValueError("it does not begin like a pack")
            content = file.read(length)
            end = file.seek(0, 2) - HEADER
        if end < 0:
            raise ValueError("it ends in its header")
        header = json.loads(content)
        metadata = header.pop("__metadata__")
        if metadata["simpack"] != VERSION:
            raise ValueError(f"it is of version {metadata['simpack']!r:.20}; this program reads version {VERSION}")
        self.tensors: dict[str, Any] = header
        self.classes = tuple(map(str, json.loads(metadata["classes"])))
        self.digests: dict[str, str] = json.loads(metadata["sha256"])
        self.about: dict[str, Any] = json.loads(metadata["about"])
        if not isinstance(self.about, dict) or not isinstance(self.digests, dict):
            raise ValueError("what it says of itself is not a table")
        place = 0
        for one in header.values():
            if one["data_offsets"][0] != place:
                raise ValueError("its parts do not follow each other")
            place = one["data_offsets"][1]
        if place != end:
            raise ValueError(f"it has {end:,} bytes after its header, and should have {place:,}")

    def _refuse_odd_shapes(self) -> None:
        for channels, height, width in self.shapes:
            if channels not in (1, 3, 4) or not 8 <= min(height, width) <= max(height, width) <= 1024:
                raise ValueError(f"its pictures are of {channels} x {height} x {width}")
            if (height, width) != self.shape[1:] or (self.two and height != width):
                raise ValueError("its two domains are not squares of one size")
        for name, one in self.tensors.items():
            start, end = one["data_offsets"]
            width = {"U8": 1, "I64": 8}[one["dtype"]]
            if int(np.prod(one["shape"], dtype=np.int64)) * width != end - start or min(one["shape"]) < 0:
                raise ValueError(f"its part {name} has another size than its shape says")
            own = self.shapes[-1] if name.endswith("B.images") else self.shape
            if name.endswith(".images") and (tuple(one["shape"][1:]) != own or one["dtype"] != "U8"):
                raise ValueError(f"its part {name} has pictures of another shape")

    @property
    def pixels(self) -> int:
        """The bytes of all pixels."""
        ends = (one["data_offsets"] for name, one in self.tensors.items() if name.endswith(".images"))
        return sum(end - start for start, end in ends)

    def check(self, blocks: int | None = None) -> int:
        """Compare so many blocks, evenly spaced, or all, with their digests; return how many. Raises `DataError`."""
        digests = self._array("blocks").reshape(-1, DIGEST)
        count = len(digests) if blocks is None else min(blocks, len(digests))
        if len(digests) != -(-self.pixels // BLOCK):
            raise self._damaged("it lacks digests of its pixels")
        for index in np.linspace(0, len(digests) - 1, count).round().astype(int).tolist():
            content = self._map[index * BLOCK : min((index + 1) * BLOCK, self.pixels)]
            if hashlib.blake2b(content.tobytes(), digest_size=DIGEST).digest() != digests[index].tobytes():
                raise self._damaged(f"its pixels have changed, about {index * BLOCK:,} bytes after the header")
        return count

    def holds(self, split: str) -> bool:
        """Whether there are pictures of a split."""
        return f"{split}{'A' if self.two else ''}.images" in self.tensors

    def split(self, split: str, data: Data, *, resident: bool) -> Dataset:
        """Return a split of one domain, or of two, exchanged where that was asked for."""
        if not self.two:
            return self.dataset(split, resident=resident)
        if f"{split}B.images" not in self.tensors:
            raise self._damaged(f"it has no {split} pictures of domain B")
        a, b = (self.dataset(f"{split}{domain}", resident=resident) for domain in DOMAINS)
        return replace(b, other=a) if data.swap else replace(a, other=b)

    def dataset(self, split: str, *, resident: bool) -> Dataset:
        """Return a split, its pixels in memory or where they lie."""
        images = self._tensor(f"{split}.images")
        labels = self._tensor(f"{split}.labels").clone() if self.classes else None
        if labels is not None and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.classes):
            raise self._damaged("it has labels without classes")
        try:
            names = tuple(map(str, json.loads(self._array(f"{split}.names").tobytes())))
        except (ValueError, KeyError) as error:
            raise self._damaged(str(error).splitlines()[0]) from None
        if len(names) != len(images) or (labels is not None and len(labels) != len(images)):
            raise self._damaged(f"it has {len(images):,} {split} pictures, and other numbers of names or labels")
        pixels = images.clone() if resident else images
        if not resident and hasattr(mmap, "MADV_RANDOM"):
            self._file.madvise(mmap.MADV_RANDOM)  # else the system reads ten times as much, for a reading in order
        return Dataset(
            self.path.stem, pixels, labels, self.classes, names, mapped=not resident, known=str(self.digests.get(split))
        )

    def _array(self, name: str) -> np.ndarray[Any, Any]:
        one = self.tensors[name]
        content = self._map[slice(*one["data_offsets"])]
        if one["dtype"] == "I64":  # perhaps not aligned
            return np.frombuffer(bytearray(content.tobytes()), "<i8").reshape(one["shape"])
        return content.reshape(one["shape"])

    def _tensor(self, name: str) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it cannot be written to: nothing writes to the images of a data set
            return torch.from_numpy(self._array(name))

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            f"{self.path} cannot be read as a pack: {reason}. It is damaged, was cut short or is something else. Make "
            f"another: {MAKE}"
        )
