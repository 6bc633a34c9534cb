"""What somebody would try who knows neither the code nor the lists: odd files, names, folders, pages and processes."""

from __future__ import annotations

import json
import os
import resource
import struct
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.hostile.case import Case, Place
from tests.hostile.pictures import _chunk, _moving_png, _png, _saved, _tiff
from tests.hostile.store import MLP, SHORT, picture, resuming
from tests.hostile.weights import _resumed as _with_checkpoints
from tests.hostile.weights import _state, closed, opened

Build = Callable[[Place], Sequence[str]]


def cases() -> Iterator[Case]:
    """Situations made by hand."""
    for name, content in PICTURES.items():
        yield Case(f"outsider/{name}", "images", _transformed(name, content))
    for name, (build, check) in NAMES.items():
        yield Case(f"outsider/{name}", "images", build, check=check)
    for name, build in SETS.items():
        yield Case(f"outsider/set-{name}", "data", build)
    for name in SPARSE:
        yield Case(f"outsider/sparse-{name}", "cli", SPARSE[name], refused=True)
    for name, (owner, build, refused) in RUNS.items():
        yield Case(f"outsider/run-{name}", owner, build, refused=refused)
    for name, (build, check) in PAGES.items():
        yield Case(f"outsider/page-{name}", "evaluation", build, check=check)
    for name, words in WORDS.items():
        yield Case(f"outsider/words-{name}", "cli", _said(words), refused=name not in FINE)
    for name, (build, during) in PROCESSES.items():
        yield Case(f"outsider/process-{name}", "cli", build, during=during, also=130)


# ------------------------------------------------------------------------------------------------- pictures


Content = Callable[[Place], bytes]


def _transformed(name: str, content: Content) -> Build:
    def build(place: Place) -> Sequence[str]:
        file = place.file(name.replace("/", "-"), content(place))
        more = ["--frames", "all"] if "frames" in name else []
        return ["transform", "flip", file, *more, "--out", place.out()]

    return build


def _frames(count: int, format_: str) -> Content:
    def content(place: Place) -> bytes:
        frames = [picture("L", 4, 4, seed=seed) for seed in range(count)]
        return _saved(frames[0], format_, save_all=True, append_images=frames[1:], duration=20)

    return content


def _jpeg_header(at: int, number: int) -> Content:
    """A JPEG with one byte of its frame header replaced: 4 is the depth, 9 the number of components."""

    def content(place: Place) -> bytes:
        raw = bytearray(place.bytes("pictures/grey.jpg"))
        raw[raw.index(b"\xff\xc0") + at] = number
        return bytes(raw)

    return content


def _big_tiff(place: Place) -> bytes:
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63 - 1) + bytes(64)


def _pages_one_bad(place: Place) -> bytes:
    raw = _saved(picture("RGB"), "TIFF", save_all=True, append_images=[picture("RGB", seed=1)])
    return raw[:-40]


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


PICTURES: dict[str, Content] = {
    "gamma-0.png": lambda place: _png(8, 8, _chunk(b"gAMA", bytes(4))),
    "million-chunks.png": lambda place: _png(8, 8, *[_chunk(b"tEXt", b"a\0b")] * 100_000),
    "bad-check.png": lambda place: _png(8, 8, _chunk(b"tEXt", b"a\0b")[:-1] + b"\0"),
    "no-data.png": lambda place: (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + _chunk(b"IEND", b"")
    ),
    "two-headers.png": lambda place: _png(8, 8, _chunk(b"IHDR", struct.pack(">IIBBBBB", 9999, 9999, 8, 2, 0, 0, 0))),
    "colour-48.png": lambda place: _png(8, 8, depth=16, colour=2, rows=bytes((8 * 6 + 1) * 8)),
    "palette-index.png": lambda place: _png(8, 8, _chunk(b"PLTE", b"abc"), colour=3, rows=(b"\0" + b"\xff" * 8) * 8),
    "transparent-palette.png": lambda place: _png(
        8, 8, _chunk(b"PLTE", b"abc"), _chunk(b"tRNS", b"\0" * 999), colour=3
    ),
    "frames-outside.png": lambda place: (
        _moving_png(2)[:33]
        + _chunk(b"acTL", struct.pack(">II", 2, 0))
        + _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9999, 9999, 500, 500, 1, 1, 0, 0))
        + _moving_png(2)[53:]
    ),
    "frames-500.webp": _frames(500, "WEBP"),
    "frames-500.png": _frames(500, "PNG"),
    "frames-500.tif": _frames(500, "TIFF"),
    "frames-none.gif": lambda place: b"GIF89a\x08\0\x08\0\0\0\0;",
    "frames-far.gif": lambda place: (
        b"GIF89a\x08\0\x08\0\x80\0\0\0\0\0\xff\xff\xff,\xf0\xff\xf0\xff\xff\xff\xff\xff\0\x02\x02D\x01\0;"
    ),
    "frames-delay.gif": lambda place: (
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
        + b"!\xf9\x04\0\xff\xff\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0" * 3
        + b";"
    ),
    "depth-12.jpg": _jpeg_header(4, 12),
    "components-2.jpg": _jpeg_header(9, 2),
    "components-0.jpg": _jpeg_header(9, 0),
    "no-height.jpg": lambda place: _zero_height(place),
    "big.tif": _big_tiff,
    "frames-one-bad.tif": _pages_one_bad,
    "tile-0.tif": lambda place: _tiff(
        [
            (256, 4, 1, 8),
            (257, 4, 1, 8),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (322, 4, 1, 0),
            (323, 4, 1, 0),
            (324, 4, 1, 8),
            (325, 4, 1, 64),
        ],
        body=bytes(64),
    ),
    "double.tif": lambda place: _saved_array(np.linspace(0, 1, 64).reshape(8, 8)),
    "lzw-bomb.tif": lambda place: _saved(Image.new("L", (1500, 1500)), "TIFF", compression="tiff_lzw"),
    "jpeg-in.tif": lambda place: _saved(picture("RGB"), "TIFF", compression="jpeg"),
    "fax.tif": lambda place: _saved(picture("1"), "TIFF", compression="group4"),
    "two-bits.bmp": lambda place: (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 62, 40, 8, 8, 1, 2, 0, 0, 0, 0, 2**31 - 1, 0) + bytes(16)
    ),
    "packed.bmp": lambda place: (
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 1078, 40, 4000, 4000, 1, 8, 1, 0, 0, 0, 256, 0)
        + bytes(1024)
        + b"\xff\0" * 100
    ),
    "heic.png": lambda place: _box(b"ftyp", b"heic\0\0\0\0mif1heic") + _box(b"meta", bytes(100)),
    "avif.png": lambda place: _box(b"ftyp", b"avif\0\0\0\0avifmif1") + _box(b"meta", bytes(100)),
    "canvas.webp": lambda place: _odd_canvas(place),
    "gif-and-zip.gif": lambda place: place.bytes("pictures/moving.gif") + place.bytes("data/classes.zip"),
    "gif-and-zip.zip": lambda place: place.bytes("pictures/moving.gif") + place.bytes("data/classes.zip"),
    "1x30000.png": lambda place: _saved(picture("L", 1, 30_000), "PNG"),
}


def _zero_height(place: Place) -> bytes:
    raw = bytearray(place.bytes("pictures/grey.jpg"))
    at = raw.index(b"\xff\xc0") + 5
    raw[at : at + 2] = bytes(2)
    return bytes(raw)


def _saved_array(values: np.ndarray) -> bytes:  # type: ignore[type-arg]
    """A TIFF of 64-bit floating point."""
    body = values.astype("<f8").tobytes()
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 64), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 134),
               (277, 3, 1, 1), (278, 4, 1, 8), (279, 4, 1, len(body)), (339, 3, 1, 3)]  # fmt: skip
    return _tiff(entries, body=body)


def _odd_canvas(place: Place) -> bytes:
    """A WebP whose canvas is larger than its picture."""
    inner = place.bytes("pictures/colour.webp")[12:]
    header = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff\x3f\0\xff\x3f\0"
    return b"RIFF" + struct.pack("<I", len(header) + len(inner) + 4) + b"WEBP" + header + inner


# ------------------------------------------------------------------------------------------------- names and folders


Check = Callable[[Place, int], str]


def _count(expected: int) -> Check:
    """Either all results are there, or nothing is and the status says so."""

    def check(place: Place, status: int) -> str:
        found = [path for path in (place.path / "out").rglob("*") if path.is_file()]
        if status == 0 and len(found) != expected:
            return f"status 0 and {len(found)} files of {expected}"
        return f"status {status} and {len(found)} files" if status == 2 and found else ""

    return check


def _of_names(*names: str) -> Build:
    def build(place: Place) -> Sequence[str]:
        for name in names:
            place.copy("pictures/grey.png", f"set/{name}")
        return ["transform", "flip", str(place.files / "set"), "--out", place.out()]

    return build


def _onto_itself(*more: str) -> Build:
    def build(place: Place) -> Sequence[str]:
        target = place.copy("pictures/grey.png", "out/x.png")
        return ["transform", "flip", str(target), "--out", str(target), *more]

    return build


def _unchanged(place: Place, status: int) -> str:
    same = (place.path / "out" / "x.png").read_bytes() == place.bytes("pictures/grey.png")
    return "" if same and status == 2 else f"status {status}, {'un' if same else ''}changed"


def _hard_link(place: Place) -> Sequence[str]:
    """The result is a hard link of a file beside: that must stay."""
    (place.path / "out").mkdir()
    os.link(place.beside / "kept.txt", place.path / "out" / "x.png")
    return ["transform", "flip", place.sound("pictures/grey.png"), "--out", place.out("x.png"), "--force"]


def _kept(place: Place, status: int) -> str:
    return "" if (place.beside / "kept.txt").read_text() == "kept" else "the other name of the file was overwritten"


def _twice(place: Place) -> Sequence[str]:
    file = place.sound("pictures/grey.png")
    return ["transform", "flip", file, file, "--out", place.out()]


def _two_folders(place: Place) -> Sequence[str]:
    a, b = (str(place.copy("pictures/grey.png", f"{name}/x.png")) for name in "ab")
    return ["transform", "flip", a, b, "--out", place.out()]


def _folder_onto_itself(place: Place) -> Sequence[str]:
    place.copy("data/classes/a", "out/set")
    return ["transform", "flip", place.out("set"), "--out", place.out("set")]


def _through_dots(place: Place) -> Sequence[str]:
    return ["transform", "flip", place.sound("pictures/grey.png"), "--out", place.out() + "/a/../x.png"]


NAMES: dict[str, tuple[Build, Check | None]] = {
    "case": (_of_names("A.png", "a.png", "a.PNG"), _count(3)),
    "endings": (_of_names("a.png", "a.jpg.png", "a.png.png"), _count(3)),
    "normal-forms": (
        _of_names(unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
        _count(2),
    ),
    "dashes": (_of_names("-rf.png", "--out.png"), _count(2)),
    "shell": (_of_names("$HOME.png", "`id`.png", "a;b.png", "~.png", "%s.png", "{0}.png"), _count(6)),
    "spaces": (_of_names(" .png", "a .png", "a.png ", "\t.png"), None),
    "devices": (_of_names("CON.png", "nul.png", "a:b.png"), _count(3)),
    "right-to-left": (_of_names("a\u202egnp.png"), _count(1)),
    "markup": (_of_names("[red]x[/red].png", "[/].png"), _count(2)),
    "255-bytes": (_of_names("x" * 251 + ".png"), _count(1)),
    "hidden": (_of_names(".a.png", "b.png"), _count(1)),
    "onto-itself": (_onto_itself(), _unchanged),
    "hard-link": (_hard_link, _kept),
    "given-twice": (_twice, None),
    "equal-names": (_two_folders, _count(2)),
    "folder-onto-itself": (_folder_onto_itself, None),
    "through-dots": (_through_dots, None),
}


# ------------------------------------------------------------------------------------------------- data sets


def _trained_on(*names: str, size: tuple[int, int] = (8, 8), more: Sequence[str] = ()) -> Build:
    def build(place: Place) -> Sequence[str]:
        for number, name in enumerate(names):
            place.file(f"set/{name}", _saved(picture("L", *size, seed=number), "PNG"))
        recipe = "cvae" if "/" in names[0] else "vae-2d"
        return ["train", recipe, "--data", str(place.files / "set"), *SHORT, *MLP, *more,
                "--out", place.out("run")]  # fmt: skip

    return build


SETS: dict[str, Build] = {
    "one-image": _trained_on("x.png"),
    "two-images": _trained_on("x.png", "y.png"),
    "one-class": _trained_on("a/x.png", "a/y.png", "a/z.png"),
    "300-classes": _trained_on(*[f"c{n}/{m}.png" for n in range(150) for m in range(2)]),
    "class-of-one": _trained_on("a/x.png", "b/x.png", "b/y.png", "b/z.png"),
    "class-names": _trained_on(
        *[f"{name}/{n}.png" for name in ("[red]", "a\nb", "\x1b[31m", "<b>", "x" * 250) for n in range(4)]
    ),
    "only-test": _trained_on("test/a/x.png", "test/b/x.png"),
    "deep": _trained_on(*["a/" * 100 + f"{n}.png" for n in range(4)]),
    "1-pixel": _trained_on("x.png", "y.png", "z.png", size=(1, 1)),
    "1x5000": _trained_on("x.png", "y.png", "z.png", size=(1, 5000)),
    "named-like-an-option": lambda place: _in_folder(place, "--data"),
}


def _in_folder(place: Place, name: str) -> Sequence[str]:
    (place.work / name).mkdir()
    for number in range(4):
        (place.work / name / f"{number}.png").write_bytes(place.bytes("data/classes/a/0.png"))
    return ["train", "vae-2d", f"--data={name}", *SHORT, *MLP, "--out", place.out("run")]


# ------------------------------------------------------------------------------------------------- sparse files


def _sparse(place: Place, name: str) -> str:
    """A file of 20 GB that takes no room."""
    path = place.files / name
    path.touch()
    os.truncate(path, 20 << 30)
    return str(path)


SPARSE: dict[str, Build] = {
    "picture": lambda place: ["transform", "flip", _sparse(place, "x.png"), "--out", place.out()],
    "zip": lambda place: ["transform", "flip", _sparse(place, "x.zip"), "--out", place.out()],
    "recipe": lambda place: ["train", _sparse(place, "x.toml"), "--out", place.out()],
    "weights": lambda place: ["sample", _sparse(place, "x.safetensors"), "--out", place.out("x.png")],
    "prior": lambda place: [
        "sample",
        place.sound("runs/vae"),
        "--prior",
        _sparse(place, "x.safetensors"),
        "--out",
        place.out("x.png"),
    ],
    "features": lambda place: [
        "evaluate",
        place.sound("runs/vae"),
        "--n",
        "8",
        "--features",
        _sparse(place, "x.pt2"),
        "--features-sha256",
        "0" * 64,
        "--out",
        place.out("x.json"),
    ],
    "idx": lambda place: [
        "train",
        "vae-2d",
        "--data",
        "mnist",
        "--data-root",
        str(Path(_idx(place)).parents[1]),
        *SHORT,
        *MLP,
        "--out",
        place.out(),
    ],
    "log": lambda place: _spoilt(place, "metrics.jsonl"),
    "scores": lambda place: _spoilt(place, "evaluation.json"),
    "config": lambda place: _spoilt(place, "config.toml", "train"),
    "checkpoint": lambda place: _spoilt(place, "checkpoints/latest", "train"),
}


def _idx(place: Place) -> str:
    (place.files / "mnist").mkdir()
    return _sparse(place, "mnist/train-images-idx3-ubyte")


def _spoilt(place: Place, name: str, verb: str = "compare") -> Sequence[str]:
    run = place.copy("runs/vae", "out/run")
    os.truncate(run / name, 20 << 30)
    if verb == "train":
        return ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--out", str(run), "--resume"]
    return ["compare", str(run), place.sound("runs/vae"), "--out", place.out("x.html")]


# ------------------------------------------------------------------------------------------------- runs


def _expanded(state: dict[str, object]) -> dict[str, object]:
    """Moments of an optimizer that take one number in the file and a terabyte when copied."""
    import torch

    optimizers = state["optimizers"]
    assert isinstance(optimizers, dict)
    for moments in optimizers["model"]["state"].values():
        moments["exp_avg"] = torch.zeros(1).expand(2**38)
    return state


def _odd_tensors(kind: str) -> Callable[[dict[str, object]], dict[str, object]]:
    import torch

    makers = {
        "complex": lambda old: old.to(torch.complex64),
        "sparse": lambda old: old.to_sparse(),
        "meta": lambda old: old.to("meta"),
        "double": lambda old: old.double(),
        "whole": lambda old: old.long(),
    }

    def change(state: dict[str, object]) -> dict[str, object]:
        model = state["model"]
        assert isinstance(model, dict)
        return state | {"model": {name: makers[kind](value) for name, value in model.items()}}

    return change


def _header(change: Callable[[bytes], bytes]) -> Build:
    def build(place: Place) -> Sequence[str]:
        content = place.bytes("runs/vae/model.safetensors")
        length = int.from_bytes(content[:8], "little")
        text = change(content[8 : 8 + length])
        file = place.file("m.safetensors", len(text).to_bytes(8, "little") + text + content[8 + length :])
        return ["sample", file, "--n", "2", "--out", place.out("x.png")]

    return build


def _numbers(number: float) -> Build:
    def build(place: Place) -> Sequence[str]:
        header, body = opened(place.bytes("runs/vae/model.safetensors"))
        file = place.file("m.safetensors", closed(header, struct.pack("<f", number) * (len(body) // 4)))
        return ["sample", file, "--n", "2", "--out", place.out("x.png")]

    return build


def _components(place: Place) -> Sequence[str]:
    """A mixture of 300,000 components."""
    header, _ = opened(place.bytes("runs/vae/prior.safetensors"))
    n = 300_000
    parts = {"classes": ("I64", [2], np.full(2, -1)), "factors": ("F64", [n, 2, 2], np.tile(np.eye(2), (n, 1, 1))),
             "means": ("F64", [n, 2], np.zeros((n, 2))), "weights": ("F64", [n], np.full(n, 1 / n))}  # fmt: skip
    body, changed = b"", {"__metadata__": header["__metadata__"]}
    for name, (kind, shape, values) in parts.items():
        raw = values.astype("<i8" if kind == "I64" else "<f8").tobytes()
        changed[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    file = place.file("p.safetensors", closed(changed, body))
    return ["sample", place.sound("runs/vae"), "--n", "2", "--prior", file, "--out", place.out("x.png")]


def _crowd(place: Place) -> Sequence[str]:
    """A folder of 3,000 runs in place of a run."""
    for number in range(3000):
        (place.files / "runs" / f"{number:05d}").mkdir(parents=True)
        (place.files / "runs" / f"{number:05d}" / "model.safetensors").touch()
    return ["sample", str(place.files / "runs"), "--out", place.out("x.png")]


def _swapped(place: Place) -> Sequence[str]:
    """The config of one run beside the weights of another."""
    run = place.copy("runs/vae", "out/run")
    (run / "config.toml").write_bytes(place.bytes("runs/infogan/config.toml"))
    return resuming(run)


def _of(words: Sequence[str]) -> Build:
    return lambda place: [*words, "--out", place.out("x.png")]


def _init(name: str) -> Build:
    return lambda place: ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--init", place.sound(name), "--out",
                          place.out("run")]  # fmt: skip


RUNS: dict[str, tuple[str, Build, bool]] = {
    "expanded-moments": ("training", _with_checkpoints(_state(_expanded)), True),
    **{
        f"{kind}-tensors": ("training", _with_checkpoints(_state(_odd_tensors(kind))), kind not in ("double", "whole"))
        for kind in ("complex", "sparse", "meta", "double", "whole")
    },
    "header-of-spaces": ("models", _header(lambda text: text + b" " * (50 << 20)), False),
    "header-doubled": ("models", _header(lambda text: text.replace(b'"decoder.0.bias"', b'"decoder.0.weight"')), True),
    "header-not-utf-8": ("models", _header(lambda text: text.replace(b"vae-2d", b"vae-\xffd")), True),
    "config-doubled": ("models", _header(lambda text: text.replace(b"seed = 0", b"seed = 0\\nseed = 1")), True),
    "weights-1e38": ("models", _numbers(1e38), False),
    "weights-tiny": ("models", _numbers(1e-45), False),
    "many-components": ("models", _components, False),
    "crowd": ("training", _crowd, True),
    "swapped-config": ("training", _swapped, True),
    "of-zoo": ("cli", _of(["sample", "zoo:vae"]), True),
    "of-hub": ("cli", _of(["sample", "hub:owner/../name@main"]), True),
    "of-dash": ("cli", _of(["sample", "-"]), True),
    "of-dots": ("cli", _of(["sample", ".."]), True),
    "of-root": ("cli", _of(["sample", "/"]), True),
    "of-proc": ("cli", _of(["sample", "/proc/self/fd"]), True),
    "init-other-family": ("training", _init("runs/pix2pix"), False),
    "init-prior": ("training", _init("runs/vae/prior.safetensors"), True),
    "init-picture": ("training", _init("pictures/grey.png"), True),
}


# ------------------------------------------------------------------------------------------------- pages


SCRIPT = "<script>alert(1)</script>"


def _no_script(name: str) -> Check:
    def check(place: Place, status: int) -> str:
        pages = list((place.path / "out").rglob("*.html"))
        if status == 0 and not pages:
            return "no page"
        return "a name is taken for HTML" if any(SCRIPT in page.read_text("utf-8") for page in pages) else ""

    return check


def _marked_run(place: Place) -> Sequence[str]:
    run = place.copy("runs/vae", "out/<img src=x onerror=alert(1)>").rename(place.path / "out" / "<b>run")
    (run / "metrics.jsonl").write_text(
        json.dumps({"step": 1, "images": 16, "seconds": 0.1, f"model/{SCRIPT}": 1.0}) + "\n"
    )
    text = (run / "evaluation.json").read_text()
    (run / "evaluation.json").write_text(text.replace('"nats"', json.dumps(SCRIPT)))
    return ["compare", str(run), place.sound("runs/vae"), "--out", place.out("x.html")]


def _marked_classes(place: Place) -> Sequence[str]:
    for number in range(12):
        kind = "<script>alert(1)<" if number % 2 else "b"
        place.file(f"set/{kind}/{number}.png", place.bytes("data/classes/a/0.png"))
    return ["train", "cvae", "--data", str(place.files / "set"), *SHORT, *MLP, "--out", place.out("run")]


def _logged(lines: Sequence[dict[str, object]]) -> Build:
    def build(place: Place) -> Sequence[str]:
        run = place.copy("runs/vae", "out/run")
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return ["compare", str(run), place.sound("runs/vae"), "--out", place.out("x.html")]

    return build


def _finite(place: Place, status: int) -> str:
    page = place.path / "out" / "x.html"
    text = page.read_text("utf-8") if page.exists() else ""
    wrong = [word for word in ('="nan', '="inf', " nan,", ",nan ", "NaN") if word in text]
    return f"the page holds {wrong[0]!r}" if wrong else ""


def _line(step: int, value: object) -> dict[str, object]:
    return {"step": step, "images": step * 16, "seconds": step * 0.1, "model/nll": value, "model/kl": 1.0}


PAGES: dict[str, tuple[Build, Check]] = {
    "script": (_marked_run, _no_script("x.html")),
    "script-class": (_marked_classes, _no_script("report.html")),
    "one-line": (_logged([_line(1, 5.0)]), _finite),
    "equal": (_logged([_line(n, 5.0) for n in range(1, 9)]), _finite),
    "vast": (_logged([_line(n, (-1) ** n * 1.7e308) for n in range(1, 9)]), _finite),
    "tiny": (_logged([_line(n, n * 5e-324) for n in range(1, 9)]), _finite),
    "steps-equal": (_logged([_line(3, float(n)) for n in range(1, 9)]), _finite),
    "steps-back": (_logged([_line(9 - n, float(n)) for n in range(1, 9)]), _finite),
    "whole-vast": (_logged([_line(1, 10**400), _line(2, 1.0)]), _finite),
    "many": (_logged([_line(n, 1 / n) for n in range(1, 100_000)]), _finite),
    "truths": (_logged([_line(n, n % 2 == 0) for n in range(1, 9)]), _finite),
}


# ------------------------------------------------------------------------------------------------- words


def _said(words: Sequence[str]) -> Build:
    return lambda place: [
        word.replace("RUN", place.sound("runs/vae"))
        .replace("OUT", place.out("x.png"))
        .replace("FILES", str(place.files))
        for word in words
    ]


WORDS: dict[str, Sequence[str]] = {
    "twice": ["sample", "RUN", "--n", "1", "--n", "2", "--out", "OUT"],
    "outs": ["sample", "RUN", "--out", "OUT", "--out", "OUT"],
    "equals": ["sample", "RUN", "--n=", "--out", "OUT"],
    "no-name": ["sample", "RUN", "--=5", "--out", "OUT"],
    "dashes": ["sample", "RUN", "--", "--out", "OUT"],
    "single": ["sample", "RUN", "-n", "5", "--out", "OUT"],
    "short": ["sample", "RUN", "--see", "5", "--out", "OUT"],
    "from-file": ["sample", "@RUN/config.toml", "--out", "OUT"],
    "no-words": [""],
    "many": ["sample", "RUN", *["--seed", "1"] * 1_000, "--out", "OUT"],
    "many-words": ["sample", *["x"] * 20_000],
    "long-verb": ["x" * 100_000],
    "escape-verb": ["\x1b[31m\n"],
    "long-option": ["sample", "RUN", "--" + "x" * 100_000],
    "escape-option": ["sample", "RUN", "--\x1b[31m\n"],
    "long-key": ["train", "vae-2d", "--model." + "x" * 100_000, "1"],
    "deep-key": ["train", "vae-2d", "--" + "a." * 5_000 + "a", "1"],
    "dotted-key": ["train", "vae-2d", "--model..latent", "1"],
    "last-dot": ["train", "vae-2d", "--model.", "1"],
    "table-key": ["train", "vae-2d", "--model", "{latent = 3}", "--data", "digits", "--train.images", "0"],
    "dunder-key": ["train", "vae-2d", "--model.__class__", "x"],
    "key-twice": ["train", "vae-2d", "--model.latent", "3", "--model.latent.x", "3"],
    "recipe-path": ["train", "../recipes/vae", "--out", "FILES/x"],
    "recipe-folder": ["train", "FILES.toml", "--out", "FILES/x"],
    "verb-twice": ["sample", "sample", "--out", "OUT"],
    "help-verb": ["sample", "--help", "--nonsense"],
    "version-more": ["--version", "x"],
}
FINE = frozenset({"twice", "outs", "many", "help-verb", "version-more"})


# ------------------------------------------------------------------------------------------------- processes


def _least(kind: int, most: int) -> Callable[[Place], None]:
    return lambda place: resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def _memory(place: Place) -> None:
    """200 MB of address space more than there is."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)


def _large(place: Place) -> Sequence[str]:
    file = place.file("x.png", _saved(Image.new("RGB", (5500, 5500)), "PNG", compress_level=1))
    return ["transform", "gaussian", file, "--out", place.out()]


def _errors(place: Place) -> None:
    import warnings

    warnings.simplefilter("error")


def _mask(mode: int) -> Callable[[Place], None]:
    return lambda place: os.umask(mode) and None


def _train(place: Place) -> Sequence[str]:
    return ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--out", place.out("run")]


def _transform(place: Place) -> Sequence[str]:
    return ["transform", "flip", place.sound("data/classes"), "--out", place.out()]


PROCESSES: dict[str, tuple[Build, Callable[[Place], None]]] = {
    "memory-transform": (_large, _memory),
    "memory-train": (_train, _memory),
    "memory-sample": (
        lambda place: ["sample", place.sound("runs/vae"), "--n", "500000", "--out", place.out("x.png")],
        _memory,
    ),
    "warnings-are-errors": (_train, _errors),
    "warnings-transform": (_transform, _errors),
    "mask-train": (_train, _mask(0o777)),
    "mask-transform": (_transform, _mask(0o777)),
    "stack": (_train, _least(resource.RLIMIT_STACK, 256 << 10)),
}
