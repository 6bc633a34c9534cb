"""Pictures that are damaged, swapped, too large, or more than they seem."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from tests.hostile.case import Case, Place
from tests.hostile.mutate import mutated
from tests.hostile.store import picture

SOURCES = (
    "grey.png", "colour.png", "alpha.png", "palette.png", "bits.png", "deep.png", "profile.png", "grey.jpg",
    "colour.jpg", "print.jpg", "moving.gif", "moving.webp", "moving.png", "colour.webp", "colour.bmp", "colour.tif",
    "packed.tif", "float.tif", "deep.tif",
)  # fmt: skip
POSTSCRIPT = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n"
Use = Callable[[Place, str], Sequence[str]]

USES: dict[str, Use] = {
    "transform": lambda place, file: ["transform", "flip", file, "--out", place.out()],
    "frames": lambda place, file: ["transform", "box", file, "--frames", "all", "--out", place.out()],
    "collage": lambda place, file: ["compose", "collage", file, place.sound("pictures/grey.png"), "--out",
                                    place.out("x.png")],
    "encode": lambda place, file: ["encode", place.sound("runs/vae"), file, "--out", place.out("x.npz")],
    "reconstruct": lambda place, file: ["reconstruct", place.sound("runs/vae"), "--images", file, "--out",
                                        place.out("x.png")],
    "mask": lambda place, file: ["inpaint", place.sound("runs/vae"), place.sound("pictures/grey.png"), "--mask", file,
                                 "--steps", "1", "--out", place.out("x.png")],
    "repair": lambda place, file: ["repair", place.sound("runs/vae"), file, "--steps", "1", "--out",
                                   place.out("x.png")],
    "translate": lambda place, file: ["translate", place.sound("runs/pix2pix"), file, "--out", place.out()],
    "invert": lambda place, file: ["invert", place.sound("runs/vae"), file, "--steps", "1", "--out",
                                   place.out("x.png")],
    "between": lambda place, file: ["interpolate", "--route", "pixel", "--from", file, "--to",
                                    place.sound("pictures/grey.png"), "--out", place.out("x.png")],
    "train": lambda place, file: _trained(place, file),
    "augment": lambda place, file: ["augment", str(_set_with(place, file)), "--preview", place.out("x.png"),
                                    "--classical", "flip"],
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Pictures made by hand."""
    for name, make in MADE.items():
        for use in ("transform", "frames", "reconstruct", "train"):
            yield Case(f"picture/{name}/{use}", "images", _used(make, use), refused=name in REFUSED)
    for tenth in range(10):
        for source in ("colour.png", "colour.jpg", "moving.gif", "colour.webp", "packed.tif", "colour.bmp"):
            yield Case(f"picture/{source}/cut-{tenth}", "images", _used(_cut(source, tenth), "transform"))


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Damaged pictures, each through another verb."""
    uses = list(USES)
    for number in range(count):
        source, use = SOURCES[number % len(SOURCES)], uses[number % len(uses)]
        yield Case(f"picture/{source}/damaged-{number}/{use}", "images", _used(_damaged(source), use), seed=seed)


Make = Callable[[Place], str]


def _used(make: Make, use: str) -> Callable[[Place], Sequence[str]]:
    return lambda place: USES[use](place, make(place))


def _cut(source: str, tenth: int) -> Make:
    def make(place: Place) -> str:
        content = place.bytes(f"pictures/{source}")
        return place.file(source, content[: len(content) * tenth // 10])

    return make


def _damaged(source: str) -> Make:
    return lambda place: place.file(source, mutated(place.bytes(f"pictures/{source}"), place.random))


def _set_with(place: Place, file: str) -> str:
    """A folder of sound pictures with one more."""
    folder = place.copy("data/classes/a", "set/a")
    name = file.rpartition("/")[2]
    (folder / f"bad.{name.rpartition('.')[2]}").write_bytes(open(file, "rb").read())  # noqa: PTH123, SIM115
    return str(folder.parent)


def _trained(place: Place, file: str) -> list[str]:
    from tests.hostile.store import MLP, SHORT

    return ["train", "vae-2d", "--data", _set_with(place, file), "--data.channels", "1", *SHORT, *MLP, "--out",
            place.out()]  # fmt: skip


# ------------------------------------------------------------------------------------------------- made by hand


def _saved(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *extra: bytes, depth: int = 8, colour: int = 0, rows: bytes | None = None) -> bytes:
    """A PNG with any header and any chunks."""
    pixels = bytes((width + 1) * height) if rows is None else rows
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
        + b"".join(extra)
        + _chunk(b"IDAT", zlib.compress(pixels, 1))
        + _chunk(b"IEND", b"")
    )


def _tiff(entries: Sequence[tuple[int, int, int, int]], *, following: int = 0, body: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory: tag, type, count, value; ``following`` is the next directory's place."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + body


def _plain_tiff(width: int, height: int, **kinds: int) -> list[tuple[int, int, int, int]]:
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, kinds.get("bits", 8)),
        (259, 3, 1, kinds.get("packing", 1)),
        (262, 3, 1, kinds.get("photometric", 1)), (273, 4, 1, kinds.get("offset", 8)), (277, 3, 1, 1),
        (278, 4, 1, height), (279, 4, 1, width * height),
    ]  # fmt: skip


def _gif_of(count: int) -> bytes:
    """A GIF of many frames of one pixel."""
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + frame * count + b";"


def _moving_png(frames: int) -> bytes:
    """A PNG whose animation chunk promises many frames."""
    return _png(8, 8, _chunk(b"acTL", struct.pack(">II", frames, 0)))


def _named(name: str, content: Callable[[Place], bytes | str] | bytes | str) -> Make:
    return lambda place: place.file(name, content(place) if callable(content) else content)


def _of(source: str) -> Callable[[Place], bytes]:
    return lambda place: place.bytes(f"pictures/{source}")


ROUNDS = _tiff(_plain_tiff(4, 4), following=8, body=bytes(64))

MADE: dict[str, Make] = {
    "empty.png": _named("x.png", b""),
    "postscript.png": _named("x.png", POSTSCRIPT),
    "postscript.jpg": _named("x.jpg", POSTSCRIPT),
    "pdf.png": _named("x.png", "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"),
    "text.png": _named("x.png", "This is not a picture.\n"),
    "svg.png": _named("x.png", '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    "zip.png": _named("x.png", lambda place: place.bytes("data/classes.zip")),
    "toml.png": _named("x.png", lambda place: place.bytes("runs/vae/config.toml")),
    "weights.png": _named("x.png", lambda place: place.bytes("runs/vae/model.safetensors")),
    "jpeg.png": _named("x.png", _of("colour.jpg")),
    "png.jpg": _named("x.jpg", _of("colour.png")),
    "ppm.png": _named("x.png", b"P6 4 4 255\n" + bytes(48)),
    "ppm-vast.png": _named("x.png", b"P6 60000 60000 255\n" + bytes(48)),
    "ico.png": _named("x.png", lambda place: _saved(picture("RGBA", 16, 16), "ICO")),
    "tga.png": _named("x.png", lambda place: _saved(picture("RGB", 16, 16), "TGA")),
    "fits.png": _named("x.png", b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800)),
    "vast.png": _named("x.png", _png(2**31 - 1, 2**31 - 1, rows=bytes(10))),
    "long.png": _named("x.png", _png(1, 3_000_000, rows=bytes(10))),
    "nothing-wide.png": _named("x.png", _png(0, 5)),
    "bomb.png": _named("x.png", lambda place: _png(9000, 9000)),
    "depth.png": _named("x.png", _png(8, 8, depth=3)),
    "colour-type.png": _named("x.png", _png(8, 8, colour=9)),
    "no-palette.png": _named("x.png", _png(8, 8, colour=3)),
    "text-bomb.png": _named(
        "x.png", lambda place: _png(8, 8, *[_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20)))] * 99)
    ),
    "giant-text.png": _named("x.png", lambda place: _png(8, 8, _chunk(b"tEXt", b"k\0" + b"x" * (8 << 20)))),
    "profile-bomb.png": _named(
        "x.png", lambda place: _png(8, 8, _chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(100 << 20), 1)))
    ),
    "profile-junk.png": _named("x.png", _png(8, 8, _chunk(b"iCCP", b"p\0\0" + zlib.compress(b"junk" * 40)))),
    "promises.png": _named("x.png", _moving_png(2**31 - 1)),
    "frames.gif": _named("x.gif", lambda place: _gif_of(2_000)),
    "rounds.tif": _named("x.tif", ROUNDS),
    "self.tif": _named("x.tif", b"II*\0" + struct.pack("<I", 0)),
    "vast.tif": _named("x.tif", _tiff(_plain_tiff(60_000, 60_000))),
    "count.tif": _named("x.tif", _tiff([(256, 4, 2**32 - 1, 8), *_plain_tiff(4, 4)[1:]])),
    "entries.tif": _named("x.tif", b"II*\0\x08\0\0\0\xff\xff" + bytes(50)),
    "packing.tif": _named("x.tif", _tiff(_plain_tiff(4, 4, packing=34712), body=bytes(64))),
    "lab.tif": _named("x.tif", lambda place: _saved(picture("RGB").convert("LAB"), "TIFF")),
    "ycc.tif": _named("x.tif", lambda place: _saved(picture("RGB").convert("YCbCr"), "TIFF")),
    "nan.tif": _named("x.tif", lambda place: _saved(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF")),
    "comment.jpg": _named("x.jpg", lambda place: _with_segments(place, 0xFE, 200)),
    "exif-rounds.jpg": _named(
        "x.jpg", lambda place: _with_exif(place, b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\x08\0\0\0")
    ),
    "exif-vast.jpg": _named(
        "x.jpg", lambda place: _with_exif(place, b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x02\xff\xff\xff\xff" * 99)
    ),
    "jpeg-vast.jpg": _named("x.jpg", lambda place: _resized_jpeg(place, 65_000)),
    "huge.bmp": _named(
        "x.bmp",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, -(2**31 - 1), 1, 24, 0, 0, 0, 0, 0, 0),
    ),
    "webp-size.webp": _named("x.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\x0a\0\0\0\0\0\0\0" + b"\xff" * 6),
    "frame-sizes.tif": _named(
        "x.tif",
        lambda place: _saved(
            picture("RGB"), "TIFF", save_all=True, append_images=[picture("RGB", 9, 3), picture("L", 2, 2)]
        ),
    ),
    "one-pixel.png": _named("x.png", lambda place: _saved(picture("RGB", 1, 1), "PNG")),
}

REFUSED = frozenset({
    "empty.png", "postscript.png", "postscript.jpg", "pdf.png", "text.png", "svg.png", "zip.png", "toml.png",
    "weights.png", "fits.png", "vast.png", "nothing-wide.png", "bomb.png", "self.tif", "vast.tif", "huge.bmp",
    "ppm-vast.png",
})  # fmt: skip


def _with_segments(place: Place, marker: int, count: int) -> bytes:
    content = place.bytes("pictures/colour.jpg")
    return content[:2] + (bytes([0xFF, marker]) + struct.pack(">H", 65_535) + b"x" * 65_533) * count + content[2:]


def _with_exif(place: Place, exif: bytes) -> bytes:
    content = place.bytes("pictures/grey.jpg")
    body = b"Exif\0\0" + exif
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]


def _resized_jpeg(place: Place, side: int) -> bytes:
    content = bytearray(place.bytes("pictures/grey.jpg"))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", side, side)
    return bytes(content)
