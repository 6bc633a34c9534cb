"""Where splits and classes lie: read off the folders that the files are in.

Folders with the usual names of splits (``train``, ``training_set``, ``Testing``, ``val``, ...) are splits, below any
number of folders that hold nothing else. The folders in the splits are classes; without splits, those at the top are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulacra.errors import DataError, nearest
from simulacra.images.files import Entry

SPLIT_WORDS = "train|training|test|testing|val|valid|validation"
SPLIT = re.compile(rf"({SPLIT_WORDS})(?:[ _-]?(?:set|data|split|images))?", re.IGNORECASE)
SPLITS = {"tr": "train", "te": "test", "va": "validation"}

Folders = tuple[str, ...]  # those above a file, from the top


def split_of(folder: str) -> str | None:
    """Return "train", "test" or "validation" for a folder with a usual name of that split, else None."""
    match = SPLIT.fullmatch(folder.strip())
    return None if match is None else SPLITS[match[1][:2].lower()]


@dataclass(frozen=True)
class Placed:
    """A file with its split ("train", "test" or "validation") and its class, which is None where there are none."""

    entry: Entry
    split: str
    label: str | None


@dataclass(frozen=True)
class Layout:
    """The files of the splits; ``left_out`` counts the others, ``remarks`` say what a person might not expect."""

    placed: tuple[Placed, ...]
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def of(entries: Sequence[Entry], source: object) -> Layout:
    """Say which split and class each file belongs to; ``source`` is named in errors.

    Raises `DataError` where there are no training images, and for a class without training images.
    """
    divided = _divided([entry.name.parts[:-1] for entry in entries])
    labels = iter(_without_wrappers([folders for split, folders in divided if split]))
    placed = [
        Placed(entry, split, next(iter(next(labels)), None))
        for entry, (split, _) in zip(entries, divided, strict=True)
        if split is not None
    ]
    beside = [entry for entry, (split, _) in zip(entries, divided, strict=True) if split is None]
    left_out = [f"{_counted(beside)} beside the folders train and test, such as {beside[0].name}"] if beside else []
    if not any(item.split == "train" for item in placed):
        there = " and ".join(sorted({item.split for item in placed}))
        raise DataError(f"{source} holds {there} images only; put training images beside them in train/.")
    return _classified(placed, left_out, source)


def _classified(placed: list[Placed], left_out: list[str], source: object) -> Layout:
    """Keep the classes where every training image has one and there are several, else drop them all."""
    known = {item.label for item in placed if item.split == "train"}
    _refuse_new_classes(placed, known, source)
    if len(known) < 2 or None in known:
        without = tuple(replace(item, label=None) for item in placed)
        return Layout(without, tuple(left_out), tuple(_why_no_classes(placed)))
    bare = [item for item in placed if item.label is None]
    for split in sorted({item.split for item in bare}):
        those = [item.entry for item in bare if item.split == split]
        left_out.append(f"{_counted(those)} of {split} without a class, such as {those[0].name}")
    return Layout(tuple(item for item in placed if item.label is not None), tuple(left_out))


def _refuse_new_classes(placed: Sequence[Placed], known: set[str | None], source: object) -> None:
    """Raise `DataError` for a class of test or validation images that no training image belongs to."""
    held = [item for item in placed if item.split != "train" and item.label is not None]
    new = next((item for item in held if item.label not in known), None)
    if new is None or known == {None} or (len(known) == 1 and not known & {item.label for item in held}):
        return
    classes = sorted(label for label in known if label is not None)
    raise DataError(
        f"{source}: the class '{new.label}' has {new.split} images, such as {new.entry.name}, and no training images."
        f"{nearest(str(new.label), classes)} Put images of it into a folder of that name in train/, or remove it."
    )


def _why_no_classes(placed: Sequence[Placed]) -> list[str]:
    training = [item for item in placed if item.split == "train"]
    loose = [item.entry for item in training if item.label is None]
    folders = sorted({item.label for item in training if item.label is not None})
    if not loose or not folders:
        return []
    named = ", ".join(folders[:3]) + (", ..." if len(folders) > 3 else "")
    return [f"no classes, since {_counted(loose)} (such as {loose[0].name}) lie beside the folders ({named})"]


def _divided(folders: Sequence[Folders]) -> list[tuple[str | None, Folders]]:
    """Return the split of each file, None beside the splits, and the folders that are left below it."""
    folders = _without_wrappers(folders)
    tops = {parts[0] for parts in folders if parts}
    splits = {top: split for top in tops for split in [split_of(top)] if split is not None}
    if splits and not _is_class(splits, tops, folders):
        rest = None if "train" in splits.values() else "train"
        divided = [(splits[p[0]], p[1:]) if p and p[0] in splits else (rest, p) for p in folders]
        return _without_repeated(divided)
    if not splits and folders and all(len(parts) > 1 and split_of(parts[1]) for parts in folders):
        return [(split_of(parts[1]), (parts[0], *parts[2:])) for parts in folders]  # classes above splits
    if not splits and len(tops) == 1:  # one folder with loose files beside it: splits may lie in that folder
        inner = _divided([parts for parts in folders if parts])
        if {split for split, _ in inner} != {"train"}:
            below = iter(inner)
            return [next(below) if parts else (None, ()) for parts in folders]
    return [("train", parts) for parts in folders]


def _is_class(splits: dict[str, str], tops: set[str], folders: Sequence[Folders]) -> bool:
    """Whether a lone folder ``train`` is a class: it holds pictures itself, beside folders such as ``bus``."""
    lone = set(splits.values()) == {"train"} and splits.keys() < tops
    return lone and all(len(parts) == 1 for parts in folders if parts and parts[0] in splits)


def _without_repeated(divided: list[tuple[str | None, Folders]]) -> list[tuple[str | None, Folders]]:
    """Drop a split's name that all of its files repeat, as in ``training_set/training_set/cats``."""
    for split in {split for split, _ in divided}:
        below = [parts for own, parts in divided if own == split]
        if split and all(parts and split_of(parts[0]) == split for parts in below):
            divided = [(own, parts[1:] if own == split else parts) for own, parts in divided]
    return divided


def _without_wrappers(folders: Sequence[Folders]) -> list[Folders]:
    """Drop top folders that all files share: they are neither splits nor classes."""
    left = list(folders)
    while left and left[0] and len({parts[:1] for parts in left}) == 1 and split_of(left[0][0]) is None:
        left = [parts[1:] for parts in left]
    return left


def _counted(entries: Sequence[Entry]) -> str:
    return "1 image" if len(entries) == 1 else f"{len(entries):,} images"
