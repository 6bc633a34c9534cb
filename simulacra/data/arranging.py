"""What lies where in a pack: its parts, one after the other, and the order of the pictures in each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from simulacra.config import Data
from simulacra.config.seeds import derived_seed
from simulacra.data import domains, layout, reading
from simulacra.data.dataset import Images, Pairs, Unpaired, held_out, share_of
from simulacra.data.packs import DOMAINS, SPLITS
from simulacra.data.reading import Pixels, Sides
from simulacra.errors import DataError
from simulacra.images.find import Entry

JUDGED = 512  # pictures that tell whether a set is in colour


@dataclass(frozen=True)
class Item:
    """A picture of a pack: its file, the name that the pack keeps, and its class, where it has one."""

    entry: Entry
    name: str
    label: str | None = None


@dataclass(frozen=True)
class Part:
    """Pictures that lie together: those of a split (``train``), or of one domain of it (``trainA``)."""

    name: str
    items: tuple[Item, ...]
    channels: int
    half: slice | None  # the columns of this domain, in files that hold two side by side


@dataclass(frozen=True)
class Arrangement:
    """The parts of a pack, height and width of all its pictures, the classes, and what a person should know of it."""

    parts: tuple[Part, ...]
    sides: Sides
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    aligned: bool = True  # whether the images of each pair have the same proportions

    @property
    def count(self) -> int:
        """The number of pictures."""
        return sum(len(part.items) for part in self.parts)

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """Channels, height and width of the pictures: of one domain, or of both."""
        return tuple((part.channels, *self.sides) for part in self.parts if part.name.startswith("train"))

    @property
    def bytes(self) -> int:
        """The bytes of all pixels."""
        return sum(len(part.items) * part.channels for part in self.parts) * self.sides[0] * self.sides[1]


def arrange(
    files: Sequence[Entry],
    source: Path,
    data: Data,
    batch: type[Images] = Images,
    *,
    ordered: bool = False,
    without: Collection[Entry] = (),
) -> Arrangement:
    """Say which pictures a pack holds, and in which order.

    ``batch`` says whether two domains are looked for. Each split lies in random order, so that a share of it is held
    out without copying; with ``ordered`` all pictures lie, and shares are held out, as in a set that is read into
    memory. Files ``without`` which to do are left out, and so are their counterparts where names are pairs.
    Raises `DataError`.
    """
    if batch in (Unpaired, Pairs):
        return _of_two(files, source, data, batch, ordered, without)
    kept = [entry for entry in files if entry not in without]
    found = layout.of(kept, source)
    items = {
        split: [Item(one.entry, str(one.entry.name), one.label) for one in found.placed if one.split == split]
        for split in SPLITS
    }
    splits = _divided(items, data, ordered=ordered)
    sides = reading.common_size([one.entry for one in found.placed], data)
    channels = data.channels or _channels(splits["train"], data, sides)
    parts = tuple(Part(split, tuple(own), channels, None) for split, own in splits.items() if own)
    classes = sorted({one.label for one in found.placed if one.label is not None})
    return Arrangement(parts, sides, tuple(classes), found.left_out)


def _of_two(
    files: Sequence[Entry], source: Path, data: Data, batch: type[Images], ordered: bool, without: Collection[Entry]
) -> Arrangement:
    placed = domains.placed(files, source)
    halves = placed[0].domain == "AB"
    side = data.size or reading.common_side([one.entry for one in placed], halves=halves)
    kept, bereft = [one for one in placed if one.entry not in without], list[str]()
    if halves or batch is Pairs or _are_pairs(placed):
        kept, bereft = domains.whole_pairs(placed, kept)
    columns = domains.halves_of(side)
    parts: dict[str, Part] = {}
    for domain, asked in domains.asked_channels(data).items():
        own = [Item(one.entry, one.name) for one in kept if one.domain in (domain, "AB")]
        of_split = {one.entry: one.split for one in kept}
        items = {split: [item for item in own if of_split[item.entry] == split] for split in SPLITS}
        divided = _divided(items, data, ordered=ordered)
        half = columns[domain] if halves else None
        channels = asked or _channels(divided["train"], data, (side, side), half)
        for split, chosen in divided.items():
            parts[split + domain] = Part(split + domain, tuple(chosen), channels, half)
    in_order = [parts[f"{split}{domain}"] for split in SPLITS for domain in DOMAINS]
    aligned = _are_aligned(placed, data, batch)
    return Arrangement(tuple(part for part in in_order if part.items), (side, side), (), tuple(bereft), aligned)


def _divided(items: dict[str, list[Item]], data: Data, *, ordered: bool) -> dict[str, list[Item]]:
    """Order the splits; a share of the training images becomes a split that is wanted and missing.

    Only a set in the order in which it is read has validation images divided off: in random order, any share is.
    """
    if not ordered:
        items = {split: _shuffled(own, split) for split, own in items.items()}
    wanted = [("test", data.test, 1), *([("validation", data.validation, 2)] if ordered and data.validation else [])]
    for split, share, seed in wanted:
        train = items["train"]
        if not items[split] and len(train) > 1:
            rest, held = held_out(len(train), share, seed) if ordered else _first(len(train), share)
            items = {**items, "train": [train[i] for i in rest], split: [train[i] for i in held]}
    return items


def _shuffled(items: list[Item], split: str) -> list[Item]:
    """The pictures in random order: the same in both domains, where these have the same names."""
    items = sorted(items, key=lambda item: item.name)
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(derived_seed("pack", split)))
    return [items[index] for index in order.tolist()]


def _first(count: int, share: float) -> tuple[list[int], list[int]]:
    held = share_of(count, share)
    return list(range(held, count)), list(range(held))


def _channels(items: Sequence[Item], data: Data, sides: Sides, half: slice | None = None) -> int:
    """Whether pictures are in colour, by some of them, evenly spaced. Raises `DataError` for a mixture."""
    judged = list(items[:: max(1, len(items) // JUDGED)])
    read = reading.sized(
        [item.entry for item in judged], data.model_copy(update={"corrupt": "skip"}), sides, halves=half is not None
    )
    sound = [(item.name, one) for item, one in zip(judged, read.pixels, strict=True) if one is not None]
    if not sound:
        raise DataError(
            f"None of {len(judged):,} pictures can be read. First: {(read.problems or ['there are none'])[0]}"
        )
    return reading.common_channels([one for _, one in sound], [name for name, _ in sound])


def _are_pairs(placed: Sequence[domains.Placed]) -> bool:
    a, b = (sorted((one.split, one.name) for one in placed if one.domain == domain) for domain in DOMAINS)
    return a == b


def _are_aligned(placed: Sequence[domains.Placed], data: Data, batch: type[Images]) -> bool:
    """Whether the images of each pair have the same proportions. Raises `DataError` unless, for `Pairs`."""
    try:
        domains.refuse_unlike_proportions(placed, data)
    except DataError:
        if batch is Pairs:
            raise
        return False
    return True


def pixels_of(part: Part, pixels: Pixels) -> Pixels:
    """The columns of a decoded file that belong to a part."""
    return pixels if part.half is None else pixels[:, part.half]
