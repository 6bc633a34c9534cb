"""Images of two domains: folders or zips of your own, and sets with a name.

Domains are told by folders, ``trainA trainB testA testB`` or ``A B`` (with the splits' names above or below), or lie
side by side in each picture, A on the left. In folders, files of the same name are pairs.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from simulacra import images
from simulacra.config import Data
from simulacra.data import archives, reading, shapes
from simulacra.data.archives import ARCHIVES
from simulacra.data.dataset import Dataset, Pairs, Parts, Unpaired
from simulacra.data.layout import SPLIT_WORDS, split_of
from simulacra.data.reading import Pixels
from simulacra.errors import ConfigError, DataError, nearest
from simulacra.images.find import Entry, find_with_others

FOLDER = re.compile(rf"^({SPLIT_WORDS})?[ _-]?([A-Z])$", re.IGNORECASE)
LAYOUTS = (
    "Two domains are given by folders trainA and trainB (and testA, testB), or A and B; or side by side in pictures "
    "that are twice as wide as high, or have an edge where two meet in the middle."
)
SQUARE_PROPORTIONS = 2  # width by height, from which on a picture holds two side by side
SPLITS = ("train", "test", "validation")
LOOKED_AT = 16  # pictures in which an edge in the middle is looked for
STEEP, TOLD = 1.5, 0.75  # times the steps elsewhere; share of the pictures that must have such an edge


@dataclass(frozen=True)
class Placed:
    """An image file, its split and domain ("AB" side by side), and the name by which a pair is known."""

    entry: Entry
    split: str
    domain: str
    name: str


Decoded = tuple[Placed, Pixels]


def load(data: Data, batch: type[Unpaired | Pairs], root: Path | None) -> Parts:
    """Read two domains in the splits that they have.

    Raises `DataError` for sources without two domains, and for pairs where names or proportions differ.
    """
    if data.width not in (None, data.size):
        raise ConfigError("Two domains are translated as squares, so data.width is for families of one domain.")
    if data.name == "shapes":
        train, test = shapes.domains(data.size or 32, paired=batch is Pairs)
        return Parts(swapped(train, data), swapped(test, data))
    path = _source(data.name, root)
    files, others = find_with_others(path)
    found = placed(files, path)
    if batch is Pairs:
        refuse_unlike_proportions(found, data)
    decoded, problems = _decoded(found, data)
    problems += [str(others)] if others.counts else []
    if batch is Pairs:
        whole, bereft = whole_pairs(found, [place for place, _ in decoded])
        kept = set(whole)
        decoded = [(place, pixels) for place, pixels in decoded if place in kept]
        problems += bereft
    parts = {
        split: _dataset(path, [item for item in decoded if item[0].split == split], data, split)
        for split in SPLITS
        if split == "train" or any(item[0].split == split for item in decoded)
    }
    if batch is Pairs:
        for part in parts.values():
            _refuse_alone(part, path)
    return Parts(parts["train"], parts.get("test"), parts.get("validation"), tuple(problems))


def of_domain(entries: Sequence[Entry], domain: str) -> list[Entry]:
    """Return the images of one domain where folders tell the domain of every image, else all of them."""
    placed = [place for entry in entries for place in [_place(entry)] if place is not None]
    told = len(placed) == len(entries)
    return [place.entry for place in placed if place.domain == domain] if told else list(entries)


def _source(name: str, root: Path | None) -> Path:
    """The path of a known zip or of a folder or zip of one's own."""
    if name in ARCHIVES:
        return archives.find(name, root)
    if os.path.exists(name):  # noqa: PTH110 - unlike Path.exists it is false for impossible names
        return Path(name)
    names = ", ".join(["shapes", *ARCHIVES])
    raise DataError(
        f"There is no data set with two domains, and no path, called '{name}'.{nearest(name, ['shapes', *ARCHIVES])} "
        f"Names: {names}; or a folder or a zip. {LAYOUTS}"
    )


def placed(entries: Sequence[Entry], path: Path) -> list[Placed]:
    """Say of each file which split and domain it is of. Raises `DataError` unless there are two domains."""
    found = [place for entry in entries for place in [_place(entry)] if place is not None]
    if not found:
        return _with_training(_side_by_side(entries, path), path)
    known = sorted({place.domain for place in found})
    if len(known) > 2:
        raise DataError(
            f"{path} holds {len(known)} domains: {', '.join(known)}. A translator knows two; train one for each pair, "
            "from folders with only these two in them."
        )
    if known != ["A", "B"]:
        raise DataError(f"{path} holds images of domain {known[0]} only. {LAYOUTS}")
    for split in sorted({place.split for place in found}):
        there = {place.domain for place in found if place.split == split}
        if len(there) < 2:
            lacking = "B" if "A" in there else "A"
            raise DataError(
                f"{path}: domain {lacking} of the {split} images is empty. Put images into {split}{lacking}."
            )
    return _with_training(found, path)


def _with_training(placed: list[Placed], path: Path) -> list[Placed]:
    if not any(place.split == "train" for place in placed):
        raise DataError(f"{path} holds no training images. Put them into trainA and trainB, or into train.")
    return placed


def _place(entry: Entry) -> Placed | None:
    """Read split and domain off the folders of a file; None where these name no domain."""
    split, domain, rest = "train", "", []
    for part in entry.name.parts[:-1]:
        match = FOLDER.match(part)
        if match and not domain:
            split, domain = split_of(match[1] or "") or split, match[2].upper()
        elif named := split_of(part):
            split = named
        else:
            rest.append(part)
    name = str(PurePosixPath(*rest, PurePosixPath(entry.name.name).stem))
    return Placed(entry, split, domain, name) if domain else None


def _side_by_side(entries: Sequence[Entry], path: Path) -> list[Placed]:
    """Pictures that are at least twice as wide as high, or have an edge in the middle, hold both domains."""
    known = [(entry, reading.dimensions(entry)) for entry in entries]
    wrong = [(entry, size) for entry, size in known if size is not None and size[0] < SQUARE_PROPORTIONS * size[1]]
    if wrong and not _are_tall_halves([(entry, size) for entry, size in known if size is not None]):
        folders = sorted({entry.name.parts[0] for entry, _ in wrong if len(entry.name.parts) > 1})
        found = f"the folders {', '.join(folders[:5])}" if folders else f"{wrong[0][0].name} of {wrong[0][1]} pixels"
        raise DataError(f"{path} does not hold two domains, but {found}. {LAYOUTS}")
    return [Placed(entry, _split(entry), "AB", str(entry.name.with_suffix(""))) for entry in entries]


def _are_tall_halves(known: Sequence[tuple[Entry, tuple[int, int]]]) -> bool:
    """Whether pictures that are less than twice as wide as high are two each: nearly all have an edge in the middle."""
    if any(width <= height or width % 2 for _, (width, height) in known):
        return False
    some = known[:: max(1, len(known) // LOOKED_AT)][:LOOKED_AT]
    seams = [_seam(entry) for entry, _ in some]
    return sum(seam > STEEP for seam in seams) > TOLD * len(seams)


def _seam(entry: Entry) -> float:
    """How much steeper the step in the middle of a picture is than its other steps from column to column."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = images.read(entry.source(), str(entry.name))
    except DataError:
        return 0.0
    grey = np.asarray(picture.convert("L"), np.float32)
    steps = np.abs(np.diff(grey, axis=1)).mean(0)
    middle = picture.width // 2 - 1
    around = np.delete(steps, middle)
    return float(steps[middle] / (np.quantile(around, 0.95) + 1.0))  # a level, as flat pictures have steps of nearly 0


def _split(entry: Entry) -> str:
    return next((split for part in entry.name.parts[:-1] if (split := split_of(part))), "train")


def refuse_unlike_proportions(placed: Sequence[Placed], data: Data) -> None:
    """Raise `DataError` for a pair whose images would be cut or padded apart, so that they no longer show the same."""
    if data.fit == "stretch" or placed[0].domain == "AB":
        return
    of_a = {(place.split, place.name): place for place in placed if place.domain == "A"}
    for b in (place for place in placed if place.domain == "B"):
        a = of_a.get((b.split, b.name))
        sizes = None if a is None else (reading.dimensions(a.entry), reading.dimensions(b.entry))
        if a is None or sizes is None or None in sizes:
            continue
        (width, height), (other_width, other_height) = sizes  # type: ignore[misc]
        if abs(width * other_height - height * other_width) > max(width, height, other_width, other_height):
            verb = "cut" if data.fit == "crop" else "padded"
            raise DataError(
                f"{a.entry.name} has {width} x {height} pixels and its counterpart {b.entry.name} has {other_width} x "
                f"{other_height}: {verb} to squares they would no longer show the same. Give both the same "
                "proportions, or distort both to squares with --data.fit stretch"
            )


def _decoded(placed: Sequence[Placed], data: Data) -> tuple[list[Decoded], list[str]]:
    """Read the files: squares, two for pictures side by side; and what cannot be read."""
    entries, halves = [place.entry for place in placed], placed[0].domain == "AB"
    size = data.size or reading.common_side(entries, halves=halves)
    read = reading.sized(entries, data, (size, size), halves=halves)
    found = [(place, pixels) for place, pixels in zip(placed, read.pixels, strict=True) if pixels is not None]
    if not halves:
        return found, read.problems
    return [
        (replace(p, domain=domain), both[:, cut]) for p, both in found for domain, cut in halves_of(size).items()
    ], read.problems


def halves_of(size: int) -> dict[str, slice]:
    """Return the columns of each domain in a file that holds two squares of a size side by side."""
    return {"A": slice(0, size), "B": slice(size, 2 * size)}


def whole_pairs(placed: Sequence[Placed], read: Sequence[Placed]) -> tuple[list[Placed], list[str]]:
    """Leave out of what was ``read`` the counterparts of what was not; return the others, and a line for each."""
    names = {place.entry.name for place in read}
    lost = {(place.split, place.name) for place in placed if place.entry.name not in names}
    bereft = [place.entry.name for place in read if (place.split, place.name) in lost]
    kept = [place for place in read if (place.split, place.name) not in lost]
    return kept, [f"{name}: the image that it is paired with cannot be read." for name in bereft]


def asked_channels(data: Data) -> dict[str, int | None]:
    """Return the channels asked for of domains A and B, before they are exchanged."""
    a, b = data.channels, data.channels_b or data.channels
    return {"A": b, "B": a} if data.swap else {"A": a, "B": b}


def _dataset(path: Path, decoded: Sequence[Decoded], data: Data, split: str) -> Dataset:
    asked, parts = asked_channels(data), []
    for domain, option in (("A", "channels"), ("B", "channels_b")):
        names = tuple(place.name for place, _ in decoded if place.domain == domain)
        pixels = [pixels for place, pixels in decoded if place.domain == domain]
        if not pixels:
            raise DataError(f"{path}: none of the {split} images of domain {domain} can be read.")
        found = asked[domain] or reading.common_channels(pixels, names, of=f" of domain {domain}", option=option)
        parts.append(Dataset(path.stem, reading.stack(pixels, found), names=names))
    return swapped(replace(parts[0], other=parts[1]), data)


def swapped(dataset: Dataset, data: Data) -> Dataset:
    """Return two domains, exchanged where that was asked for."""
    if not data.swap:
        return dataset
    a, b = dataset.domains.values()
    return replace(b, other=a)


def _refuse_alone(dataset: Dataset, path: Path) -> None:
    """Raise `DataError` unless every image has exactly one counterpart of the same name."""
    a, b = dataset.domains.values()
    alone = sorted(set(a.names) ^ set(b.names))
    if alone:
        domain = "A" if alone[0] in a.names else "B"
        several = len(alone) > 1
        raise DataError(
            f"{path}: {len(alone)} {'images have' if several else 'image has'} no counterpart of the same name in the "
            f"other domain{', such as' if several else ':'} {alone[0]} in {domain}. Remove "
            f"{'them' if several else 'it'}, or train without pairs: simulacra train cyclegan --data {path}"
        )
    if len(set(a.names)) < len(a.names):
        raise DataError(f"{path}: two images of domain A have the same name, so it is unclear which belongs to which.")
