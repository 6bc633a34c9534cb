"""What is sound: pictures of every format, archives, and runs of a few steps, made once and then only copied."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

SHORT = [
    "--data.size", "8", "--train.images", "32", "--train.batch", "16", "--train.log", "16", "--train.sheet", "32",
    "--train.score", "32", "--train.checkpoint", "16", "--train.samples", "4",
]  # fmt: skip
MLP = ["--model.network.kind", "mlp", "--model.network.hidden", "[8]"]


def resuming(run: Path) -> list[str]:
    """The words that train a sound run longer."""
    return ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--train.images", "64", "--out", str(run), "--resume"]


TRANSLATOR = ["--model.generator.width", "4", "--model.generator.blocks", "1", "--model.discriminator.width", "4"]


def make(folder: Path, main: Callable[[Sequence[str]], int]) -> None:
    """Fill ``folder``: ``pictures/``, ``runs/``, ``data/``."""
    pictures(folder / "pictures")
    data(folder / "data")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        for words in commands(folder):
            status = main(words)
            if status != 0:
                raise RuntimeError(f"{words} ended with {status}: {err.getvalue()[-500:]}")


def commands(folder: Path) -> list[list[str]]:
    """The command lines that make the runs."""
    runs = folder / "runs"
    vae = str(runs / "vae")
    pairs = str(folder / "data" / "pairs")
    return [
        ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--out", vae],
        ["fit-prior", vae, "--prior", "gmm", "--components", "2"],
        ["evaluate", vae, "--n", "20", "--features", "pixels"],
        ["train", "cvae", "--data", "digits", *SHORT, "--model.network.kind", "mlp", "--model.network.hidden", "[8]",
         "--out", str(runs / "cvae")],
        ["train", "infogan", "--data", "digits", *SHORT, "--out", str(runs / "infogan")],
        ["train", "pix2pix", "--data", pairs, "--data.size", "16", "--train.images", "4", "--train.batch", "2",
         "--train.samples", "2", "--out", str(runs / "pix2pix")],
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- pictures


def picture(mode: str = "RGB", width: int = 20, height: int = 16, seed: int = 0) -> Image.Image:
    """A picture of noise and a ramp."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    values[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)
    if mode in ("I;16", "I", "F"):
        grey = values[..., 0].astype(np.uint16) * 257
        return Image.fromarray(grey if mode == "I;16" else grey.astype(np.int32 if mode == "I" else np.float32))
    image = Image.fromarray(values)
    return image.convert("RGB").convert(mode) if mode != "RGBA" else image


def pictures(folder: Path) -> None:
    """One small file of each format and mode."""
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, mode in (("grey", "L"), ("colour", "RGB"), ("alpha", "RGBA"), ("palette", "P"), ("bits", "1")):
        picture(mode).save(folder / f"{name}.png")
    picture("I;16").save(folder / "deep.png")
    picture("RGB").save(folder / "profile.png", icc_profile=profile)
    picture("L").save(folder / "grey.jpg")
    picture("RGB").save(folder / "colour.jpg", exif=exif, progressive=True)
    picture("CMYK").save(folder / "print.jpg")
    frames = [picture("RGB", seed=seed) for seed in range(3)]
    for ending in ("gif", "webp", "png"):
        frames[0].save(folder / f"moving.{ending}", save_all=True, append_images=frames[1:], duration=50)
    picture("RGB").save(folder / "colour.webp")
    picture("RGB").save(folder / "colour.bmp")
    picture("RGB").save(folder / "colour.tif")
    picture("RGB").save(folder / "packed.tif", compression="tiff_lzw")
    picture("F").save(folder / "float.tif")
    picture("I;16").save(folder / "deep.tif")


# ------------------------------------------------------------------------------------------------- data


def data(folder: Path) -> None:
    """Folders and zips of classes and of pairs, and IDX files."""
    for kind, size in (("classes", 8), ("pairs", 16)):
        for number in range(8):
            for split in ("a", "b") if kind == "classes" else ("trainA", "trainB", "testA", "testB"):
                path = folder / kind / split / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture("L" if kind == "classes" else "RGB", size, size, seed=number).save(path)
        zipped(folder / f"{kind}.zip", {
            str(path.relative_to(folder / kind)): path.read_bytes() for path in sorted((folder / kind).rglob("*.png"))
        })  # fmt: skip
    (folder / "images.idx").write_bytes(idx((10, 28, 28)))
    (folder / "images.idx.gz").write_bytes(gzip.compress(idx((10, 28, 28)), mtime=0))
    (folder / "lines.jsonl").write_text("".join(json.dumps({"step": n, "images": n}) + "\n" for n in range(5)))


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def idx(sizes: tuple[int, ...]) -> bytes:
    """Bytes of an IDX file of zeros."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + bytes(int(np.prod(sizes)))


def read_only(folder: Path) -> None:
    """Take the right to write from everything below a folder: a help where one is not the superuser."""
    for path in folder.rglob("*"):
        os.chmod(path, 0o555 if path.is_dir() else 0o444)  # noqa: PTH101
