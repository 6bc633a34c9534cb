"""Zips and IDX files that are damaged, or unpack to more than they seem, or to somewhere else."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence

from tests.hostile.case import Case, Place
from tests.hostile.mutate import mutated
from tests.hostile.store import MLP, SHORT, idx

Use = Callable[[Place, str], Sequence[str]]

USES: dict[str, Use] = {
    "transform": lambda place, file: ["transform", "flip", file, "--out", place.out()],
    "train": lambda place, file: ["train", "vae-2d", "--data", file, *SHORT, *MLP, "--out", place.out()],
    "translate": lambda place, file: ["translate", place.sound("runs/pix2pix"), file, "--out", place.out()],
    "inpaint": lambda place, file: ["inpaint", place.sound("runs/vae"), file, "--steps", "1", "--out", place.out()],
    "repair": lambda place, file: ["repair", place.sound("runs/vae"), file, "--steps", "1", "--out", place.out()],
    "augment": lambda place, file: ["augment", file, "--classical", "flip", "--out", place.out()],
    "encode": lambda place, file: ["encode", place.sound("runs/vae"), file, "--out", place.out("x.npz")],
    "pairs": lambda place, file: ["train", "pix2pix", "--data", file, "--data.size", "16", "--train.images", "2",
                                  "--train.batch", "2", "--train.samples", "2", "--out", place.out()],
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Archives made by hand."""
    for name, make in MADE.items():
        for use in ("transform", "train", "inpaint", "translate"):
            owner = "models" if use == "inpaint" else "data" if use == "train" else "images"
            yield Case(f"zip/{name}/{use}", owner, _used(make, use), refused=name in REFUSED)
    for name, members in ESCAPES.items():
        for use in ("transform", "inpaint", "repair", "translate", "augment"):
            yield Case(f"zip/escape-{name}/{use}", "images", _used(_zip_of(members), use))
    for name, content in IDX.items():
        for packed in (False, True):
            yield Case(f"idx/{name}{'.gz' if packed else ''}", "data", _idx(content, packed), refused=True)


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Damaged zips and IDX files."""
    uses = list(USES)
    for number in range(count):
        if number % 4 == 3:
            yield Case(f"idx/damaged-{number}", "data", _idx(_damaged_idx, number % 8 == 3), refused=True, seed=seed)
            continue
        use = uses[number % len(uses)]
        source = "data/pairs.zip" if use == "pairs" else "data/classes.zip"
        yield Case(f"zip/damaged-{number}/{use}", "images", _used(_damaged(source), use), seed=seed)


Make = Callable[[Place], str]


def _used(make: Make, use: str) -> Callable[[Place], Sequence[str]]:
    return lambda place: USES[use](place, make(place))


def _damaged(source: str) -> Make:
    return lambda place: place.file("x.zip", mutated(place.bytes(source), place.random))


def _damaged_idx(place: Place) -> bytes:
    return mutated(idx((10, 28, 28)), place.random)


def _idx(content: Callable[[Place], bytes] | bytes, packed: bool) -> Callable[[Place], Sequence[str]]:
    """A training on mnist, whose first file is this one."""

    def build(place: Place) -> Sequence[str]:
        raw = content(place) if callable(content) else content
        name = "mnist/train-images-idx3-ubyte" + (".gz" if packed else "")
        file = place.file(name, gzip.compress(raw) if packed else raw)
        root = file.rpartition("/mnist/")[0]
        return ["train", "vae-2d", "--data", "mnist", "--data-root", root, *SHORT, *MLP, "--out", place.out()]

    return build


IDX: dict[str, Callable[[Place], bytes] | bytes] = {
    "empty": b"",
    "sound-but-another": idx((10, 28, 28)),
    "255-dimensions": bytes([0, 0, 8, 255]) + b"\xff" * 1020,
    "vast": bytes([0, 0, 8, 3]) + struct.pack(">III", 2**32 - 1, 2**32 - 1, 2**32 - 1),
    "negative": bytes([0, 0, 9, 1]) + struct.pack(">I", 2**31),
    "gzip-in-gzip": gzip.compress(gzip.compress(bytes(1000))),
    "bomb": lambda place: bytes(1 << 26),
    "text": b"<html>not found</html>",
}


# ------------------------------------------------------------------------------------------------- made by hand


def _zip_of(members: dict[str, str]) -> Make:
    """A zip whose members are sound pictures, by name."""

    def make(place: Place) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, source in members.items():
                archive.writestr(_info(name.replace("BESIDE", str(place.beside))), place.bytes(source))
        return place.file("x.zip", buffer.getvalue())

    return make


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    return info


def _zip(write: Callable[[Place, zipfile.ZipFile], None], change: Callable[[bytes], bytes] = lambda raw: raw) -> Make:
    def make(place: Place) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            write(place, archive)
        return place.file("x.zip", change(buffer.getvalue()))

    return make


def _many(count: int) -> Callable[[Place, zipfile.ZipFile], None]:
    def write(place: Place, archive: zipfile.ZipFile) -> None:
        for number in range(count):
            archive.writestr(f"{number}.txt", b"")
        archive.writestr("x.png", b"not a picture")

    return write


def _zeros(members: int, megabytes: int) -> Make:
    """A zip of members that unpack to so many megabytes each; they are packed only once."""

    def make(place: Place) -> str:
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        block, check = bytes(1 << 20), 0
        parts = []
        for _ in range(megabytes):
            parts.append(packer.compress(block))
            check = zlib.crc32(block, check)
        packed = b"".join(parts) + packer.flush()
        sizes = struct.pack("<III", check, len(packed), megabytes << 20)
        body, directory = b"", b""
        for number in range(members):
            name = f"{number:02d}.png".encode()
            common = struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", len(name), 0)
            directory += (
                b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name
            )
            body += b"PK\3\4" + common + name + packed
        end = struct.pack("<HHHHIIH", 0, 0, members, members, len(directory), len(body), 0)
        return place.file("x.zip", body + directory + b"PK\5\6" + end)

    return make


def _pictures(place: Place, archive: zipfile.ZipFile) -> None:
    for number in range(4):
        archive.writestr(f"a/{number}.png", place.bytes("pictures/grey.png"))


def _one(name: str, content: bytes) -> Callable[[Place, zipfile.ZipFile], None]:
    return lambda place, archive: archive.writestr(_info(name), content)


def _flagged(raw: bytes) -> bytes:
    """All members marked as encrypted."""
    changed = bytearray(raw)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.find(mark)
        while place >= 0:
            changed[place + offset] |= 1
            place = changed.find(mark, place + 4)
    return bytes(changed)


def _method(number: int) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        changed = bytearray(raw)
        for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            place = changed.find(mark)
            while place >= 0:
                changed[place + offset : place + offset + 2] = struct.pack("<H", number)
                place = changed.find(mark, place + 4)
        return bytes(changed)

    return change


def _promised(size: int) -> Callable[[bytes], bytes]:
    """Sizes in the central directory that are not true."""

    def change(raw: bytes) -> bytes:
        changed = bytearray(raw)
        place = changed.find(b"PK\x01\x02")
        while place >= 0:
            changed[place + 24 : place + 28] = struct.pack("<I", size)
            place = changed.find(b"PK\x01\x02", place + 4)
        return bytes(changed)

    return change


def _overlapping(raw: bytes) -> bytes:
    """All members of the central directory at the first local header."""
    changed = bytearray(raw)
    place = changed.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + 42 : place + 46] = bytes(4)
        place = changed.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def _nested(place: Place, archive: zipfile.ZipFile) -> None:
    archive.writestr("x.zip", place.bytes("data/classes.zip"))
    archive.writestr("x.png", place.bytes("data/classes.zip"))


def _link(place: Place, archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("x.png")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, str(place.beside / "kept.txt"))


def _twice(place: Place, archive: zipfile.ZipFile) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("x.png", "x.png", "X.PNG", "x.jpg"):
            archive.writestr(name, place.bytes("pictures/grey.png"))


MADE: dict[str, Make] = {
    "empty-file": lambda place: place.file("x.zip", b""),
    "no-members": _zip(lambda place, archive: None),
    "only-end": lambda place: place.file("x.zip", b"PK\x05\x06" + bytes(18)),
    "text": lambda place: place.file("x.zip", "not a zip"),
    "gzip": lambda place: place.file("x.zip", gzip.compress(b"x" * 100)),
    "picture": lambda place: place.file("x.zip", place.bytes("pictures/grey.png")),
    "after-picture": lambda place: place.file(
        "x.zip", place.bytes("pictures/grey.png") + place.bytes("data/classes.zip")
    ),
    "many-members": _zip(_many(65_536)),
    "bomb": _zeros(12, 200),
    "one-vast": _zeros(1, 300),
    "encrypted": _zip(_pictures, _flagged),
    "method-99": _zip(_pictures, _method(99)),
    "method-lzma": _zip(_pictures, _method(14)),
    "method-bzip2": _zip(_pictures, _method(12)),
    "size-0": _zip(_pictures, _promised(0)),
    "size-4-gb": _zip(_pictures, _promised(2**32 - 2)),
    "overlapping": _zip(_pictures, _overlapping),
    "nested": _zip(_nested),
    "link": _zip(_link),
    "twice": _zip(_twice),
    "deep-name": _zip(_one("a/" * 3000 + "x.png", b"x")),
    "long-name": _zip(_one("x" * 300 + ".png", b"x")),
    "escape-in-name": _zip(_one("\x1b]0;title\x07\x1b[31m.png", b"x")),
    "newline-in-name": _zip(_one("a\nsimulacra: all is well\n.png", b"x")),
    "empty-name": _zip(_one("", b"x")),
    "only-dots": _zip(_one("...png", b"x")),
}  # fmt: skip

REFUSED = frozenset(MADE) - {"after-picture", "twice", "size-0"}

ESCAPES: dict[str, dict[str, str]] = {
    "absolute": {"a/g.png": "pictures/grey.png", "BESIDE/x.png": "pictures/grey.png"},
    "upwards": {"a/g.png": "pictures/grey.png", "../../beside/x.png": "pictures/grey.png"},
    "upwards-inside": {"a/g.png": "pictures/grey.png", "a/../../../beside/x.png": "pictures/grey.png"},
    "backslashes": {"a/g.png": "pictures/grey.png", "..\\..\\beside\\x.png": "pictures/grey.png"},
    "drive": {"a/g.png": "pictures/grey.png", "C:\\x.png": "pictures/grey.png"},
    "test-set": {
        f"{split}/{name}.png": "data/pairs/trainA/0.png"
        for split in ("trainA", "trainB", "testA", "testB")
        for name in ("0", "../../../beside/x")
    },
    "dot-name": {"a/g.png": "pictures/grey.png", "a/./../g.png": "pictures/grey.png"},
}
