"""Make a folder of 200 mixed real-world files, for the verbs that work on pictures.

    .venv/bin/python scripts/make_mixed_files.py /tmp/mixed

Pictures are drawn, so that nothing is downloaded: a scene of a sky, hills and a sun, different for every file. Ten
kinds take turns: colour and grey, palette, alpha, 16 bits, CMYK, turned by EXIF, animated, a profile of its own,
corrupt, huge. `MANIFEST.json` says what each is and whether it can be read.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 200
Made = tuple[str, bytes, bool]  # the name's ending, the content, whether it can be read


def scene(number: int, width: int = 0, height: int = 0) -> np.ndarray:
    """A landscape ``(H, W, 3)`` in [0, 255] with an up and a down."""
    random = np.random.default_rng(number)
    width, height = width or int(random.integers(40, 400)), height or int(random.integers(40, 300))
    row, column = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    sky = np.stack([0.35 + 0.4 * row, 0.55 + 0.3 * row, 0.95 - 0.1 * row], -1)
    hills = 0.62 + 0.1 * np.sin(6 * column + random.uniform(0, 6)) + 0.04 * np.sin(23 * column)
    ground = np.stack([0.2 + 0.3 * (row - hills), 0.45 - 0.1 * row, 0.15 + 0 * row], -1)
    picture = np.where((row > hills)[..., None], ground, sky)
    place = random.uniform(0.15, 0.4), random.uniform(0.1, 0.9)
    sun = (row - place[0]) ** 2 + ((column - place[1]) * width / height) ** 2 < 0.008
    picture[sun] = (1.0, 0.9, 0.3)
    return np.clip(255 * (picture + random.normal(0, 0.02, picture.shape)), 0, 255).round().astype(np.uint8)


def encoded(picture: Image.Image, format_: str, **options: object) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def plain(number: int) -> Made:
    """Colour, or grey every other time, in four formats."""
    picture = Image.fromarray(scene(number))
    picture = picture.convert("L") if number % 20 >= 10 else picture
    ending, format_ = [(".png", "PNG"), (".jpg", "JPEG"), (".webp", "WEBP"), (".bmp", "BMP")][number // 10 % 4]
    return ending, encoded(picture, format_), True


def palette(number: int) -> Made:
    """A palette, with one transparent colour every other time."""
    picture = Image.fromarray(scene(number)).quantize(32)
    options = {"transparency": 3} if number % 20 >= 10 else {}
    return ".png", encoded(picture, "PNG", **options), True


def transparent(number: int) -> Made:
    """An opaque disc; what it hides is pure green."""
    pixels = scene(number)
    height, width = pixels.shape[:2]
    row, column = np.mgrid[0:height, 0:width]
    distance = np.hypot(row - height / 2, column - width / 2) / (min(height, width) / 2)
    alpha = (255 * np.clip(4 * (1 - distance), 0, 1)).astype(np.uint8)
    pixels[alpha == 0] = (0, 255, 0)
    format_ = ("PNG", "WEBP")[number // 10 % 2]
    return f".{format_.lower()}", encoded(Image.fromarray(np.dstack([pixels, alpha])), format_, lossless=True), True


def deep(number: int) -> Made:
    """16 bits: grey, or colour every fourth time."""
    pixels = scene(number).astype(np.uint16) * 257
    if number // 10 % 4 == 3:
        return ".png", png(pixels), True
    ending, format_ = [(".png", "PNG"), (".tif", "TIFF")][number // 10 % 2]
    return ending, encoded(Image.fromarray(pixels[..., 1]), format_), True


def cmyk(number: int) -> Made:
    """Four inks."""
    return ".jpg", encoded(Image.fromarray(scene(number)).convert("CMYK"), "JPEG"), True


WAY = Image.Transpose
LYING = {
    2: WAY.FLIP_LEFT_RIGHT, 3: WAY.ROTATE_180, 4: WAY.FLIP_TOP_BOTTOM, 5: WAY.TRANSPOSE, 6: WAY.ROTATE_90,
    7: WAY.TRANSVERSE, 8: WAY.ROTATE_270,
}  # fmt: skip


def turned(number: int) -> Made:
    """Stored lying or mirrored, upright by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation = 2 + number // 10 % 7
    lying = Image.fromarray(scene(number)).transpose(LYING[orientation])
    return ".jpg", encoded(lying, "JPEG", exif=exif, quality=95), True


def animated(number: int) -> Made:
    """Six frames in which the picture moves."""
    frames = [Image.fromarray(np.roll(scene(number, 60, 48), 5 * step, 1)) for step in range(6)]
    format_ = ("GIF", "WEBP")[number // 10 % 2]
    return (
        f".{format_.lower()}",
        encoded(frames[0], format_, save_all=True, append_images=frames[1:], duration=80),
        True,
    )


def profiled(number: int) -> Made:
    """Stored with exchanged channels and a profile that says so; every other time the profile is broken."""
    pixels = scene(number)
    if number % 20 < 10:
        return ".jpg", encoded(Image.fromarray(pixels), "JPEG", icc_profile=b"no profile"), True
    return ".png", encoded(Image.fromarray(pixels[..., [1, 2, 0]].copy()), "PNG", icc_profile=exchanged_profile()), True


def exchanged_profile() -> bytes:
    """An ICC profile whose red is the green of sRGB, its green the blue, its blue the red; gamma 2.2."""
    colourants = {
        b"rXYZ": (0.3851, 0.7169, 0.0971),
        b"gXYZ": (0.1431, 0.0606, 0.7139),
        b"bXYZ": (0.4361, 0.2225, 0.0139),
    }

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    text = b"exchanged\0"
    tags = {name: xyz(values) for name, values in colourants.items()}
    tags |= {name: b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(2.2 * 256)) for name in (b"rTRC", b"gTRC", b"bTRC")}
    tags |= {b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78 + -len(text) % 4 + 2)
    table, data, place = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", place + len(data), len(content))
        data += padded
    white = b"".join(struct.pack(">i", round(value * 65536)) for value in (0.9642, 1.0, 0.8249))
    head = struct.pack(">I", place + len(data)) + bytes(4) + struct.pack(">I", 0x02400000) + b"mntrRGB XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + data


def corrupt(number: int) -> Made:
    """Cut off, words, empty, or a wrong byte in the middle."""
    whole = encoded(Image.fromarray(scene(number)), "PNG")
    middle = len(whole) // 2
    kinds: list[bytes] = [
        whole[:middle], b"words, not pixels\n" * 30, b"", whole[:middle] + b"\0\0\0\0" + whole[middle + 4 :]
    ]  # fmt: skip
    return ".png", kinds[number // 10 % 4], False


def huge(number: int) -> Made:
    """A header that declares 900 megapixels, or 48 that are really there."""
    if number // 10 % 2:
        return ".png", header(30_000, 30_000, 8, 2) + chunk(b"IEND", b""), False
    return ".png", encoded(Image.new("L", (8000, 6000), number), "PNG"), False


def header(width: int, height: int, depth: int, colour: int) -> bytes:
    """The beginning of a PNG."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels: np.ndarray) -> bytes:
    """A PNG of 16-bit colour, which Pillow does not write."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return header(width, height, 16, 2) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


KINDS: list[Callable[[int], Made]] = [
    plain, palette, transparent, deep, cmyk, turned, animated, profiled, corrupt, huge,
]  # fmt: skip


def make(folder: Path, count: int = COUNT) -> list[dict[str, object]]:
    """Write the files and the manifest, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest: list[dict[str, object]] = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        ending, content, readable = kind(number)
        name = f"{number:03d}-{kind.__name__}{ending}"
        (folder / name).write_bytes(content)
        manifest.append({"file": name, "kind": kind.__name__, "readable": readable})
    (folder / "MANIFEST.json").write_text(json.dumps(manifest, indent=1), "utf-8")
    return manifest


if __name__ == "__main__":
    print(f"{sys.argv[1]}: {len(make(Path(sys.argv[1])))} files")
