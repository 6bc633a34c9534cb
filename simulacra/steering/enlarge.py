"""An enlarged data set: real, changed and generated images, as many of each class as asked for, and no duplicates.

Every image that is added is farther than a threshold from all training images and from all images added before:

    d(x, y) = sqrt(mean (x - y)^2)         on the [0, 1] scale, of images reduced to 32 pixels at most
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import images
from simulacra.data import Dataset, Splits, derived_seed
from simulacra.errors import ConfigError, DataError
from simulacra.images.batch import each
from simulacra.metrics import nearest
from simulacra.models import Conditional, Model
from simulacra.steering import synthetic
from simulacra.storage import component, refused

Make = Callable[[Tensor, int], tuple[Tensor, Tensor | None]]
"""Makes images from labels ``(n,)`` and a seed: float32 ``(n, C, H, W)``, and the real images they come from."""

DUPLICATE = 0.02  # distance up to which two images count as duplicates
COMPARED_SIDE = 32  # pixels to which images are reduced before they are compared
MOST_DRAWS = 20  # times that a duplicate is drawn again
MANIFEST, ABOUT = "manifest.jsonl", "about.json"
WRITERS = 4


@dataclass(frozen=True)
class Record:
    """Where one image of the enlarged set comes from: a line of the manifest.

    ``source`` is the name or the index of the real image that it was made from, ``seed`` the seed of the batch that it
    was drawn in, ``place`` its place in that batch, and ``distance`` its distance to the nearest training image.
    """

    file: str
    label: str
    origin: str
    source: str | int | None = None
    seed: int | None = None
    place: int | None = None
    distance: float | None = None


@dataclass(frozen=True)
class Enlarged:
    """The data set, a record for each image, and for each class how many images are missing of those asked for."""

    dataset: Dataset
    records: tuple[Record, ...]
    missing: Mapping[str, int]


def changing(real: Dataset, change: Callable[[Tensor, torch.Generator], Tensor]) -> Make:
    """Return a maker that changes real images of a class at random."""

    def make(labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(derived_seed(seed, "changing"))
        chosen = synthetic.some_of_classes(real, labels, generator)
        return change(images.from_bytes(real.images[chosen]), generator), chosen

    return make


def generating(real: Dataset, model: Model) -> Make:
    """Return a maker that asks a model; see `synthetic.generated`. Raises what that raises, at once."""
    synthetic.require(model, real)
    return lambda labels, seed: (synthetic.generated(model, real, labels, seed=seed), None)


def enlarge(
    real: Dataset,
    makers: Mapping[str, Make],
    per_class: int,
    *,
    seed: int = 0,
    duplicate: float = DUPLICATE,
    progress: Callable[[str], None] | None = None,
) -> Enlarged:
    """Add images to every class of a data set until it has ``per_class``, in equal shares from ``makers``.

    Larger classes keep what they have. A duplicate is drawn again, up to 20 times.
    Raises `ConfigError` where there is nothing to make images with, or nothing to add.
    """
    if not makers:
        raise ConfigError("New images need a source: give --classical, --run, or both.")
    labels = torch.zeros(len(real), dtype=torch.int64) if real.labels is None else real.labels
    classes = real.classes or ("",)
    have = torch.bincount(labels, minlength=len(classes)).tolist()
    if per_class <= min(have):
        raise ConfigError(
            f"Every class of {real.name} already has {min(have):,} images or more. Ask for more with --per-class."
        )
    known = _Known(real.images, duplicate)
    pixels, targets = [real.images], [labels]
    records = [Record("", classes[k], "real", _source(real, i)) for i, k in enumerate(labels.tolist())]
    missing: dict[str, int] = {}
    for k, name in enumerate(classes):
        shares = _shares(max(0, per_class - have[k]), makers)
        for origin, count in shares.items():
            if progress is not None and count:
                progress(f"{count:,} {origin} images of class {name}" if name else f"{count:,} {origin} images")
            made, found = _distinct(makers[origin], origin, k, name, count, known, real, seed)
            pixels.append(made)
            targets.append(torch.full((len(made),), k))
            records += found
            missing[name] = missing.get(name, 0) + count - len(made)
    dataset = replace(
        real,
        images=torch.cat(pixels),
        labels=None if real.labels is None else torch.cat(targets),
        names=(),
        factors=None,
    )
    return Enlarged(dataset, tuple(_named(records)), {name: count for name, count in missing.items() if count})


def _shares(count: int, makers: Mapping[str, Make]) -> dict[str, int]:
    return {origin: (count + i) // len(makers) for i, origin in enumerate(makers)}


def _distinct(
    make: Make, origin: str, label: int, name: str, count: int, known: _Known, real: Dataset, seed: int
) -> tuple[Tensor, list[Record]]:
    pixels = [real.images[:0]]
    records: list[Record] = []
    for attempt in range(MOST_DRAWS):
        if len(records) == count:
            break
        own = derived_seed(seed, origin, label, attempt)
        made, sources = make(torch.full((count - len(records),), label), own)
        candidates = images.to_bytes(made)
        distances, new = known.add(candidates)
        pixels.append(candidates[new])
        records += [
            Record("", name, origin, None if sources is None else _source(real, int(sources[i])), own, i, distances[i])
            for i in torch.nonzero(new).view(-1).tolist()
        ]
    return torch.cat(pixels), records


def _source(real: Dataset, index: int) -> str | int:
    return real.names[index] if real.names else index


def _named(records: Sequence[Record]) -> Iterator[Record]:
    for index, record in enumerate(records):
        folder = f"train/{component(record.label)}" if record.label else "train"
        yield replace(record, file=f"{folder}/{record.origin}-{index:06d}.png")


class _Known:
    """The images that a new one must differ from: those of the training set, and those added."""

    def __init__(self, pixels: Tensor, duplicate: float) -> None:
        self.duplicate = duplicate
        self.training = _seen(pixels)
        self.added: list[Tensor] = []

    def add(self, pixels: Tensor) -> tuple[list[float], Tensor]:
        """Return the distances to the training images, and which of the images are new ``(n,)``; keep those."""
        x = _seen(pixels)
        distances = nearest(x, self.training)[0] / x.shape[1] ** 0.5
        new = distances > self.duplicate
        if self.added and bool(new.any()):
            new[new.clone()] &= nearest(x[new], torch.cat(self.added))[0] / x.shape[1] ** 0.5 > self.duplicate
        for i in torch.nonzero(new).view(-1).tolist():  # among each other: the first of two stays
            earlier = x[:i][new[:i]]
            new[i] = len(earlier) == 0 or bool((earlier - x[i]).square().mean(1).min().sqrt() > self.duplicate)
        self.added = [*self.added, x[new]]
        return [round(value, 5) for value in distances.tolist()], new


def _seen(pixels: Tensor) -> Tensor:
    """Values in [0, 1] ``(n, D)`` by which images ``(n, C, H, W)`` are compared: at most 32 x 32 pixels."""
    parts = [images.to_unit(images.from_bytes(part)) for part in torch.split(pixels, 4096)]
    if max(pixels.shape[2:]) > COMPARED_SIDE:
        parts = [F.interpolate(part, size=(COMPARED_SIDE, COMPARED_SIDE), mode="area") for part in parts]
    return torch.cat(parts).flatten(1)


# ------------------------------------------------------------------------------------------------- writing


def write(enlarged: Enlarged, splits: Splits, out: Path, about: Mapping[str, Any], *, force: bool = False) -> Path:
    """Write the enlarged training set, the untouched test set and their origins to a folder, whole or not at all.

    ``OUT/train/CLASS/*.png``, ``OUT/test/CLASS/*.png``, ``manifest.jsonl`` (a `Record` a line), ``about.json``.
    Raises `ConfigError` where something is there that must not be replaced, `StorageError`.
    """
    refuse_existing(out, force)
    mark = hashlib.sha256(out.name.encode("utf-8", "replace")).hexdigest()[:12]
    scratch, earlier = out.with_name(f".{mark}.part"), out.with_name(f".{mark}.old")
    shutil.rmtree(scratch, ignore_errors=True)
    test = splits.test
    untouched = [] if test.labels is None else [component(test.classes[k]) for k in test.labels.tolist()]
    places = [f"test/{untouched[i]}/{i:06d}.png" if untouched else f"test/{i:06d}.png" for i in range(len(test))]
    try:
        _write_all(scratch, [record.file for record in enlarged.records], enlarged.dataset.images)
        _write_all(scratch, places, test.images)
        lines = "".join(json.dumps(asdict(record)) + "\n" for record in enlarged.records)
        (scratch / MANIFEST).write_text(lines)
        counts = _counts(enlarged.records)
        summary = {**about, "counts": counts, "manifest_sha256": hashlib.sha256(lines.encode()).hexdigest()}
        (scratch / ABOUT).write_text(json.dumps(summary, indent=2) + "\n")
        _put(scratch, out, earlier)
    except OSError as error:
        raise refused(out, error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return out


def _put(new: Path, out: Path, earlier: Path) -> None:
    """Rename a folder to the name of another, which is kept aside until that is done."""
    try:
        if out.exists():
            out.rename(earlier)
        new.rename(out)
    finally:
        if earlier.exists() and not out.exists():
            earlier.rename(out)
    shutil.rmtree(earlier, ignore_errors=True)


def refuse_existing(out: Path, force: bool) -> None:
    """Refuse to replace anything unasked, and anything but an enlarged data set. Raises `ConfigError`."""
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / MANIFEST).is_file()):
        raise ConfigError(f"{out} exists and is not an enlarged data set. Choose another --out.")
    if any(out.iterdir()) and not force:
        raise ConfigError(f"{out} exists already. Replace it with --force, or choose another --out.")


def _write_all(root: Path, places: Sequence[str], pixels: Tensor) -> None:
    for folder in sorted({(root / place).parent for place in places}):
        folder.mkdir(parents=True, exist_ok=True)

    def one(pair: tuple[str, Tensor]) -> None:
        images.picture(images.from_bytes(pair[1])).save(root / pair[0], "PNG")

    for _ in each(zip(places, pixels, strict=True), one, WRITERS):
        pass


def _counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for record in records:
        row = found.setdefault(record.label, {})
        row[record.origin] = row.get(record.origin, 0) + 1
    return found


def refuse_other_classes(real: Dataset, model: Model) -> None:
    """Refuse a model that was told other classes than the data has. Raises `DataError`."""
    told = getattr(model, "codes", None) if isinstance(model, Conditional) else None
    names = () if told is None else next(iter(told)).names
    if told is not None and names != real.classes:
        raise DataError(
            f"The model was trained on the classes {', '.join(names)}; {real.name} has {', '.join(real.classes)}."
        )
