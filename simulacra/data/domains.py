"""Images of two domains: folders or zips of your own, and sets with a name.

Domains are told by folders, ``trainA trainB testA testB`` or ``A B`` (with ``train`` and ``test`` above or below), or
lie side by side in each picture, A at the left. In folders equal names are pairs.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import torch
from PIL import Image

from simulacra import images, machine
from simulacra.config import Data
from simulacra.data import files, shapes
from simulacra.data.dataset import Dataset, Pairs, Unpaired
from simulacra.data.files import DEFAULT_SIZE, LARGEST_NATIVE
from simulacra.errors import DataError, nearest
from simulacra.images.files import Entry
from simulacra.images.files import find as find_files

FOLDER = re.compile(r"^(train|test|val)?[ _-]?([A-Z])$", re.IGNORECASE)
SPLIT_NAMES = ("train", "test", "val", "valid", "validation")
LAYOUTS = (
    "Two domains are given by folders trainA and trainB (and testA, testB), or A and B; or side by side in pictures "
    "that are twice as wide as high."
)
ARCHIVES = {
    "emoji-noto2twemoji": ("emoji in two styles: Noto, Twemoji", "675 + 693, 128 test pairs, colour, 64 x 64"),
    "facades": ("house fronts beside their labels (CMP)", "400 + 106 pairs, colour, 256 x 256"),
}


@dataclass(frozen=True)
class Placed:
    """An image file, the split and the domain it is of, and its name there; side by side it is of both."""

    entry: Entry
    split: str
    domain: str
    name: str


def load(
    data: Data, batch: type[Unpaired | Pairs], root: Path | None
) -> tuple[Dataset, Dataset | None, tuple[str, ...]]:
    """Read two domains; return the training set, the test set if there is one, and what was skipped.

    Raises `DataError` for sources without two domains, and for pairs where names differ.
    """
    if data.name == "shapes":
        train, test = shapes.domains(data.size or 32, paired=batch is Pairs)
        return _swapped(train, data), _swapped(test, data), ()
    path = find(data.name, root) if data.name in ARCHIVES or not os.path.exists(data.name) else Path(data.name)  # noqa: PTH110
    placed = _placed(find_files(path), path)
    decoded, problems = _decoded(placed, data)
    if batch is Pairs:
        decoded, bereft = _whole_pairs(placed, decoded)
        problems += bereft
    parts = {
        split: _dataset(path, [item for item in decoded if item[0].split == split], data, split)
        for split in ("train", "test")
        if split == "train" or any(item[0].split == split for item in decoded)
    }
    if batch is Pairs:
        parts = {split: _in_pairs(part, path) for split, part in parts.items()}
    left = Counter(item.split for item in placed if item.split not in ("train", "test"))
    problems += [f"{count} images of {split}" for split, count in left.items()]
    return parts["train"], parts.get("test"), tuple(problems)


def of_domain(entries: Sequence[Entry], domain: str) -> list[Entry]:
    """The images of one domain where folders tell the domain of every image, else all of them."""
    placed = [place for entry in entries for place in [_place(entry)] if place is not None]
    told = len(placed) == len(entries)
    return [place.entry for place in placed if place.domain == domain] if told else list(entries)


def find(name: str, root: Path | None) -> Path:
    """Find the zip of a known name in ``root``, ``$SIMULACRA_DATA`` or the user cache. Raises `DataError`."""
    if name not in ARCHIVES:
        names = ", ".join(["shapes", *ARCHIVES])
        raise DataError(
            f"There is no data set of two domains, or path, '{name}'.{nearest(name, ['shapes', *ARCHIVES])} "
            f"Names: {names}; or a folder or a zip. {LAYOUTS}"
        )
    found = where(name, root)
    if found is None:
        raise DataError(
            f"{name}.zip is not on this machine. Put it into a folder, and name that with --data-root or in "
            "$SIMULACRA_DATA; docs/data.md says where it comes from."
        )
    return found


def where(name: str, root: Path | None) -> Path | None:
    """Return the zip of a known name, or None where it is not on this machine."""
    given = os.environ.get("SIMULACRA_DATA")
    folders = [root, Path(given) if given else None, machine.cache() / "data"]
    candidates = [folder / f"{name}.zip" for folder in folders if folder is not None]
    return next((path for path in candidates if path.is_file()), None)


def _placed(entries: Sequence[Entry], path: Path) -> list[Placed]:
    """Say of each file which split and domain it is of. Raises `DataError` unless there are two domains."""
    placed = [place for entry in entries for place in [_place(entry)] if place is not None]
    if not placed:
        return _with_training(_side_by_side(entries, path), path)
    known = sorted({place.domain for place in placed})
    if len(known) > 2:
        raise DataError(
            f"{path} holds {len(known)} domains: {', '.join(known)}. A translator knows two; train one for each pair, "
            "from folders with only these two in them."
        )
    if known != ["A", "B"]:
        raise DataError(f"{path} holds images of domain {known[0]} only. {LAYOUTS}")
    for split in {place.split for place in placed} & {"train", "test"}:
        there = {place.domain for place in placed if place.split == split}
        if len(there) < 2:
            lacking = "B" if "A" in there else "A"
            raise DataError(
                f"{path}: domain {lacking} of the {split} images is empty. Put images into {split}{lacking}."
            )
    return _with_training(placed, path)


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
            split, domain = (match[1] or split).lower(), match[2].upper()
        elif part.lower() in SPLIT_NAMES:
            split = part.lower()
        else:
            rest.append(part)
    name = str(PurePosixPath(*rest, PurePosixPath(entry.name.name).stem))
    return Placed(entry, split, domain, name) if domain else None


def _side_by_side(entries: Sequence[Entry], path: Path) -> list[Placed]:
    """Pictures that are twice as wide as high hold both domains."""
    known = [(entry, images.dimensions(source)) for entry in entries if (source := files.source_of(entry)) is not None]
    wrong = [(entry, size) for entry, size in known if size is not None and size[0] != 2 * size[1]]
    if wrong:
        folders = sorted({entry.name.parts[0] for entry, _ in wrong if len(entry.name.parts) > 1})
        found = f"folders {', '.join(folders[:5])}" if folders else f"{wrong[0][0].name} of {wrong[0][1]} pixels"
        raise DataError(f"{path} holds no two domains, but {found}. {LAYOUTS}")
    splits = [
        next((part.lower() for part in e.name.parts[:-1] if part.lower() in SPLIT_NAMES), "train") for e in entries
    ]
    return [Placed(e, split, "AB", str(e.name.with_suffix(""))) for e, split in zip(entries, splits, strict=True)]


def _decoded(placed: Sequence[Placed], data: Data) -> tuple[list[tuple[Placed, Image.Image]], list[str]]:
    """Read the files of both splits: squares, two for pictures side by side; and what cannot be read."""
    wanted = [place for place in placed if place.split in ("train", "test")]
    size, halves = data.size or _common_size(wanted), wanted[0].domain == "AB"
    read, problems = files.pictures([place.entry for place in wanted], data, size, halves=halves)
    if problems and data.corrupt == "refuse":
        raise DataError(files.refusal(problems, "To leave such files out: --data.corrupt skip"))
    found = [(place, picture) for place, picture in zip(wanted, read, strict=True) if picture is not None]
    if not halves:
        return found, problems
    cuts = {"A": (0, 0, size, size), "B": (size, 0, 2 * size, size)}
    return [(replace(p, domain=domain), both.crop(cut)) for p, both in found for domain, cut in cuts.items()], problems


def _whole_pairs(
    placed: Sequence[Placed], decoded: Sequence[tuple[Placed, Image.Image]]
) -> tuple[list[tuple[Placed, Image.Image]], list[str]]:
    """Leave out the counterparts of files that cannot be read; return the others, and one line for each left out."""
    read = {place.entry.name for place, _ in decoded}
    lost = {(place.split, place.name) for place in placed if place.entry.name not in read}
    bereft = [place.entry.name for place, _ in decoded if (place.split, place.name) in lost]
    kept = [(place, picture) for place, picture in decoded if (place.split, place.name) not in lost]
    return kept, [f"{name} is sound, but its counterpart cannot be read." for name in bereft]


def _common_size(placed: Sequence[Placed]) -> int:
    """The side where all are equal squares of a moderate size, else the default."""
    sizes = {images.dimensions(source) for place in placed if (source := files.source_of(place.entry)) is not None} - {
        None
    }
    width, height = sizes.pop() or (0, 0) if len(sizes) == 1 else (0, 0)
    side = height if placed[0].domain == "AB" else width
    return side if height == side and 8 <= side <= LARGEST_NATIVE else DEFAULT_SIZE


def _dataset(path: Path, decoded: Sequence[tuple[Placed, Image.Image]], data: Data, split: str) -> Dataset:
    asked = {"A": data.channels, "B": data.channels_b or data.channels}
    if data.swap:
        asked = {"A": asked["B"], "B": asked["A"]}
    parts = []
    for domain in ("A", "B"):
        chosen = [(place.name, picture) for place, picture in decoded if place.domain == domain]
        if not chosen:
            raise DataError(f"{path}: none of the {split} images of domain {domain} can be read.")
        channels = asked[domain] or _common_channels(domain, [picture for _, picture in chosen])
        pixels = torch.stack([images.to_tensor(picture, channels) for _, picture in chosen])
        parts.append(Dataset(path.stem, pixels, names=tuple(name for name, _ in chosen)))
    return _swapped(replace(parts[0], other=parts[1]), data)


def _common_channels(domain: str, pictures: Sequence[Image.Image]) -> int:
    modes = Counter(picture.mode for picture in pictures)
    if len(modes) > 1:
        option = "--data.channels" if domain == "A" else "--data.channels_b"
        raise DataError(
            f"{modes['RGB']} images of domain {domain} are in colour and {modes['L']} are grey. "
            f"Say which is meant: {option} 3 or {option} 1"
        )
    return 1 if "L" in modes else 3


def _swapped(dataset: Dataset, data: Data) -> Dataset:
    if not data.swap:
        return dataset
    a, b = dataset.domains.values()
    return replace(b, other=a)


def _in_pairs(dataset: Dataset, path: Path) -> Dataset:
    """The pictures that have a counterpart; all must have one. Raises `DataError`."""
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
        raise DataError(f"{path}: two images of domain A have the same name, so pairs cannot be told.")
    return dataset
