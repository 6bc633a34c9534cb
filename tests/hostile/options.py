"""Absurd values of every option of every verb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.hostile.case import Case, Place
from tests.hostile.store import MLP, SHORT

Base = Callable[[Place], list[str]]

RUN = "runs/vae"
BASES: dict[str, Base] = {
    "train": lambda place: ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--out", place.out("run")],
    "data": lambda place: ["data"],
    "sample": lambda place: ["sample", place.sound(RUN), "--n", "2", "--out", place.out("x.png")],
    "sample-codes": lambda place: ["sample", place.sound("runs/infogan"), "--n", "2", "--out", place.out("x.png")],
    "sample-classes": lambda place: ["sample", place.sound("runs/cvae"), "--n", "2", "--out", place.out("x.png")],
    "reconstruct": lambda place: ["reconstruct", place.sound(RUN), "--n", "2", "--out", place.out("x.png")],
    "manifold": lambda place: ["manifold", place.sound(RUN), "--side", "2", "--out", place.out("x.png")],
    "interpolate": lambda place: ["interpolate", place.sound(RUN), "--steps", "2", "--out", place.out("x.png")],
    "traverse": lambda place: ["traverse", place.sound(RUN), "--steps", "2", "--out", place.out("x.png")],
    "encode": lambda place: ["encode", place.sound(RUN), place.sound("data/classes"), "--out", place.out("x.npz")],
    "translate": lambda place: ["translate", place.sound("runs/pix2pix"), place.sound("pictures/colour.png"), "--out",
                                place.out("t")],
    "fit-prior": lambda place: ["fit-prior", place.sound(RUN), "--prior", "gmm", "--components", "2", "--out",
                                place.out("p.safetensors")],
    "invert": lambda place: ["invert", place.sound(RUN), place.sound("data/classes/a"), "--steps", "1", "--out",
                             place.out("x.png")],
    "arithmetic": lambda place: ["arithmetic", place.sound(RUN), "--plus", place.sound("data/classes/a"), "--minus",
                                 place.sound("data/classes/b"), "--n", "1", "--out", place.out("x.png")],
    "inpaint": lambda place: ["inpaint", place.sound(RUN), place.sound("data/classes/a"), "--steps", "1", "--out",
                              place.out("x.png")],
    "repair": lambda place: ["repair", place.sound(RUN), place.sound("data/classes/a"), "--steps", "1", "--out",
                             place.out("x.png")],
    "anomaly": lambda place: ["anomaly", place.sound(RUN), place.sound("data/classes/a"), "--out", place.out("x.png")],
    "transform": lambda place: ["transform", "gaussian", place.sound("pictures/colour.png"), "--out", place.out("t")],
    "resize": lambda place: ["transform", "resize", place.sound("pictures/colour.png"), "--out", place.out("t")],
    "crop": lambda place: ["transform", "crop", place.sound("pictures/colour.png"), "--out", place.out("t")],
    "pad": lambda place: ["transform", "pad", place.sound("pictures/colour.png"), "--out", place.out("t")],
    "rotate": lambda place: ["transform", "rotate", place.sound("pictures/colour.png"), "--out", place.out("t")],
    "box": lambda place: ["transform", "box", place.sound("pictures/colour.png"), "--out", place.out("t")],
    "pipeline": lambda place: ["transform", "pipeline", place.sound("pictures/colour.png"), "--steps", "flip", "--out",
                               place.out("t")],
    "over": lambda place: ["compose", "over", place.sound("pictures/colour.png"), "--with",
                           place.sound("pictures/alpha.png"), "--out", place.out("t")],
    "collage": lambda place: ["compose", "collage", place.sound("pictures/colour.png"), "--out", place.out("x.png")],
    "augment": lambda place: ["augment", place.sound("data/classes"), "--classical", "flip", "--out", place.out("set")],
    "evaluate": lambda place: ["evaluate", place.sound(RUN), "--n", "8", "--features", "pixels", "--out",
                               place.out("x.json")],
    "compare": lambda place: ["compare", place.sound(RUN), place.sound("runs/vae"), "--out", place.out("x.html")],
    "bench": lambda place: ["bench", "ledger", "no-such-row", "--page", place.out("x.md"), "--out", place.out("runs")],
    "quickstart": lambda place: ["quickstart", "--dry-run", "--out", place.out("run"), place.sound("data/classes")],
    **{f"{verb}-path": lambda place, words=words: [*words(place), ""] for verb, words in {
        "quickstart": lambda place: ["quickstart", "--dry-run", "--out", place.out("run")],
        "sample": lambda place: ["sample", "--n", "2", "--out", place.out("x.png")],
        "evaluate": lambda place: ["evaluate", "--n", "8", "--out", place.out("x.json")],
        "compare": lambda place: ["compare", "--out", place.out("x.html"), place.sound(RUN)],
        "encode": lambda place: ["encode", "--out", place.out("x.npz"), place.sound(RUN)],
        "invert": lambda place: ["invert", "--steps", "1", "--out", place.out("x.png"), place.sound(RUN)],
        "inpaint": lambda place: ["inpaint", "--steps", "1", "--out", place.out("x.png"), place.sound(RUN)],
        "anomaly": lambda place: ["anomaly", "--out", place.out("x.png"), place.sound(RUN)],
        "translate": lambda place: ["translate", "--out", place.out("t"), place.sound("runs/pix2pix")],
        "transform": lambda place: ["transform", "flip", "--out", place.out("t")],
        "collage": lambda place: ["compose", "collage", "--out", place.out("x.png")],
        "augment": lambda place: ["augment", "--classical", "flip", "--out", place.out("set")],
        "train": lambda place: ["train", *SHORT, *MLP, "--out", place.out("run")],
    }.items()},
}  # fmt: skip

COUNT, SEED, REAL, NAME, FROM, TO, STEPS, PATH = "count", "seed", "real", "name", "from", "to", "steps", ""
OPTIONS: dict[str, dict[str, str]] = {
    "train": {
        "--seed": SEED, "--data": FROM, "--out": TO, "--data-root": FROM, "--augment": STEPS, "--preview": TO,
        "--init": FROM, "--data.range": NAME,
        "--train.batch": COUNT, "--model.latent": COUNT, "--model.beta": REAL, "--model.likelihood": NAME,
        "--train.optimizer.rate": REAL, "--data.size": COUNT, "--data.test": REAL, "--train.device": NAME,
        "--model.network.hidden": COUNT, "--data.background": SEED, "--train.players": NAME, "--data.per_class": COUNT,
        "--data.max_megapixels": REAL, "--train.schedule.start": REAL,
    },
    "data": {"--data-root": FROM},
    "sample": {"--n": COUNT, "--seed": SEED, "--truncation": REAL, "--prior": NAME, "--label": NAME, "--out": TO},
    "sample-codes": {"--code": NAME},
    "sample-classes": {"--label": NAME},
    "reconstruct": {"--images": FROM, "--n": COUNT, "--out": TO},
    "manifold": {"--side": COUNT, "--out": TO},
    "interpolate": {"--route": NAME, "--from": FROM, "--to": FROM, "--steps": COUNT, "--seed": SEED, "--out": TO},
    "traverse": {"--steps": COUNT, "--seed": SEED, "--out": TO},
    "encode": {"--out": TO, "--data-root": FROM},
    "translate": {"--to": NAME, "--size": COUNT, "--max-megapixels": REAL, "--out": TO},
    "fit-prior": {"--prior": NAME, "--components": COUNT, "--seed": SEED, "--out": TO},
    "invert": {"--n": COUNT, "--steps": COUNT, "--seed": SEED, "--out": TO},
    "arithmetic": {"--plus": FROM, "--minus": FROM, "--images": FROM, "--n": COUNT, "--steps": COUNT,
                   "--strength": REAL, "--seed": SEED, "--out": TO},
    "inpaint": {"--n": COUNT, "--steps": COUNT, "--seed": SEED, "--out": TO, "--mask": FROM},
    "repair": {"--n": COUNT, "--steps": COUNT, "--seed": SEED, "--out": TO},
    "anomaly": {"--rate": REAL, "--n": COUNT, "--steps": COUNT, "--seed": SEED, "--out": TO},
    "transform": {"--range": NAME, "--sigma": REAL, "--format": NAME, "--frames": NAME, "--seed": SEED,
                  "--max-megapixels": REAL,
                  "--workers": COUNT, "--preview": TO, "--report": TO, "--out": TO},
    "resize": {"--width": COUNT, "--height": COUNT},
    "crop": {"--width": COUNT, "--height": COUNT, "--top": COUNT, "--left": COUNT},
    "pad": {"--top": COUNT, "--left": COUNT},
    "rotate": {"--degrees": REAL},
    "box": {"--size": COUNT},
    "pipeline": {"--steps": STEPS},
    "over": {"--with": FROM, "--top": COUNT, "--scale": REAL, "--opacity": REAL},
    "collage": {"--width": COUNT, "--out": TO},
    "augment": {"--classical": STEPS, "--run": FROM, "--per-class": COUNT, "--labels": COUNT, "--size": COUNT,
                "--seed": SEED, "--duplicate": REAL, "--out": TO, "--preview": TO, "--data.background": SEED,
                "--data.test": REAL},
    "evaluate": {"--n": COUNT, "--seed": SEED, "--features": FROM, "--features-sha256": NAME, "--prior": NAME,
                 "--labels": COUNT, "--repeats": COUNT, "--classical": STEPS, "--out": TO},
    "compare": {"--out": TO},
    "bench": {"--seeds": COUNT, "--page": TO},
    "quickstart": {"--minutes": REAL, "--plugin": FROM},
    **{name: {PATH: FROM} for name in BASES if name.endswith("-path")},
}  # fmt: skip

NUMBERS = (
    "nan", "inf", "-inf", "-1", "0", "1e309", "1000000000000000000", "9" * 5000, "abc", "", "٣", "1.5", "0x10", " ",
    "1" + "_" * 2 + "0", "x" * 100_000, "\x1b[31m\n", "\udcff", "[1]", "{a = 1}", "true", "1,2", "--", "\u202e5",
)  # fmt: skip
NEVER_A_NUMBER = frozenset(NUMBERS) - {"-1", "0", "1000000000000000000", "٣", "1.5", "0x10", "true", "[1]", "1,2"}
NAMES = (
    "", " ", "abc", "9" * 5000, "x" * 100_000, "\x1b]0;x\x07", "a\nb", "\udcff", "nan", "__class__", "hostile_trap",
    "hostile_trap:evil", "../../beside", "{a = 1}", "[[", "digit=nan", "digit=99999999999999999999", "c1=inf", "c1=",
    "=1", "digit=٣", "Ü" * 400, "-1", "c1=1e309", "None",
)  # fmt: skip
STEP_TEXTS = (
    "", ",", "abc", "flip flip=1", "rotate degrees=nan", "rotate degrees=-1e309..1e309", "rotate degrees=5..",
    "rotate degrees=" + "9" * 5000, "box size=1000000001", "box size=-1", "box size=0", "gaussian sigma=inf",
    "hostile_trap", "flip," * 5000, "over with=/etc/passwd", "x" * 100_000, "\x1b[31m", "rotate degrees=1..2..3",
    "noise sigma=1e308", "elastic alpha=1e308", "flip\nflip", "rotate degrees=__import__('os')", "crop width=0",
)  # fmt: skip


def cases(seed: int = 0, share: float = 1.0) -> Iterator[Case]:
    """Every option with some of the values of its kind, chosen by seed: ``share`` of all."""
    import random

    chance = random.Random(seed)
    for verb, options in OPTIONS.items():
        for option, kind in options.items():
            values = list(_values(kind))
            for number in sorted(chance.sample(range(len(values)), max(1, round(share * len(values))))):
                name, value = values[number]
                if option == "--steps" and name == "1000000000000000000":
                    continue  # steps of a descent: work that was asked for, and can be interrupted
                refused = kind in (COUNT, SEED, REAL) and name in NEVER_A_NUMBER_NAMES and verb != "quickstart"
                yield Case(f"option/{verb}{option}/{name}", owner(verb), _build(verb, option, value), refused=refused)


def owner(verb: str) -> str:
    """The room that answers for a verb."""
    verb = verb.removesuffix("-path")
    if verb in ("transform", "resize", "crop", "pad", "rotate", "box", "pipeline", "over", "collage", "augment",
                "translate", "inpaint", "repair"):  # fmt: skip
        return "images"
    if verb in ("evaluate", "compare", "bench"):
        return "evaluation"
    return "training" if verb in ("train", "invert", "arithmetic", "quickstart") else "cli"


Value = Callable[[Place], str]


def _values(kind: str) -> Iterator[tuple[str, Value]]:
    if kind in (COUNT, SEED, REAL):
        yield from ((_short(text), _plain(text)) for text in NUMBERS)
    elif kind == NAME:
        yield from ((_short(text), _plain(text)) for text in NAMES)
    elif kind == STEPS:
        yield from ((_short(text), _plain(text)) for text in STEP_TEXTS)
    elif kind == FROM:
        yield from SOURCES.items()
    else:
        yield from TARGETS.items()


def _plain(text: str) -> Value:
    return lambda place: text


def _short(text: str) -> str:
    """A name for a value: printable and short."""
    return ascii(text)[1:-1] if len(text) <= 30 else f"{ascii(text[:8])[1:-1]}-{len(text)}"


NEVER_A_NUMBER_NAMES = frozenset(map(_short, NEVER_A_NUMBER))


def _build(verb: str, option: str, value: Value) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        words = BASES[verb](place)
        text = value(place)
        if option in words:  # the empty one is a path's place
            words[words.index(option) + bool(option)] = text
            return words
        return [*words, option, text]

    return build


# ------------------------------------------------------------------------------------------------- paths


def _fifo(place: Place, name: str = "fifo.png") -> str:
    path = place.files / name
    os.mkfifo(path)
    return str(path)


def _loop(place: Place) -> str:
    path = place.files / "loop.png"
    path.symlink_to(path)
    return str(path)


def _link(place: Place, target: str, name: str = "link.png") -> str:
    path = place.files / name
    path.symlink_to(target)
    return str(path)


def _folder_of(place: Place, make: Callable[[Place], str]) -> str:
    """A folder that holds a sound picture and something else."""
    place.copy("pictures/grey.png", "a.png")
    make(place)
    return str(place.files)


def _unnamed(place: Place) -> str:
    """A folder with a name that is not UTF-8, and a picture in it of such a name."""
    return str(place.copy("pictures/grey.png", "\udcff\udcfe/\udcff.png").parent)


def _circle(place: Place) -> str:
    place.copy("pictures/grey.png", "set/a/x.png")
    (place.files / "set" / "a" / "again").symlink_to(place.files / "set")
    return str(place.files / "set")


def _named_odd(place: Place) -> str:
    return str(place.copy("pictures/grey.png", "a\n\x1b[31m\x07.png"))


SOURCES: dict[str, Value] = {
    "empty": lambda place: "",
    "absent": lambda place: str(place.files / "absent"),
    "empty-folder": lambda place: str(place.files),
    "text": lambda place: place.file("x.txt", "text"),
    "no-picture.png": lambda place: place.file("x.png", "text"),
    "fifo.png": _fifo,
    "fifo": lambda place: _fifo(place, "fifo"),
    "fifo-in-folder": lambda place: _folder_of(place, _fifo),
    "zero": lambda place: "/dev/zero",
    "link-to-zero.png": lambda place: _link(place, "/dev/zero"),
    "zero-in-folder": lambda place: _folder_of(place, lambda place: _link(place, "/dev/zero")),
    "null": lambda place: "/dev/null",
    "loop.png": _loop,
    "loop-in-folder": lambda place: _folder_of(place, _loop),
    "circle": _circle,
    "300-characters": lambda place: str(place.files / ("x" * 300)),
    "5000-characters": lambda place: str(place.files / ("x" * 5000)),
    "5000-deep": lambda place: str(place.files) + "/x" * 2500,
    "escapes": lambda place: str(place.files / "a\n\x1b[31mb"),
    "escapes-there": _named_odd,
    "not-utf-8": lambda place: str(place.files) + "/\udcff",
    "not-utf-8-there": _unnamed,
    "below-a-file": lambda place: place.file("x.png", "x") + "/y.png",
    "memory": lambda place: "/proc/self/mem",
    "a-run": lambda place: place.sound("runs/vae"),
    "npz": lambda place: place.file("x.npz", b"PK\x03\x04" + bytes(100)),
    "home": lambda place: "~nobody-here/x",
    "url": lambda place: "https://example.invalid/x.png",
    "dash": lambda place: "-",
}


def _there(place: Place, name: str, content: str = "kept") -> str:
    """A file that is there already, below ``out/``."""
    path = place.path / "out" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


def _all_there(place: Place) -> str:
    """Nothing of the name itself, but what would go beside it."""
    for ending in (".html", ".npz", ".json"):
        _there(place, f"y{ending}")
    return place.out("y.png")


def _link_beside(place: Place, name: str) -> str:
    path = place.path / "out" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(place.beside / "kept.txt")
    return str(path)


def _link_to_folder(place: Place) -> str:
    path = place.path / "out"
    path.symlink_to(place.beside)
    return str(path / "kept.txt")


TARGETS: dict[str, Value] = {
    "empty": lambda place: "",
    "a-file": lambda place: _there(place, "taken"),
    "a-picture": lambda place: _there(place, "taken.png"),
    "json": lambda place: _there(place, "taken.json"),
    "npz": lambda place: _there(place, "taken.npz"),
    "html": lambda place: _there(place, "taken.html"),
    "weights": lambda place: _there(place, "taken.safetensors"),
    "beside-it": _all_there,
    "below-a-file": lambda place: _there(place, "taken") + "/x.png",
    "a-folder": lambda place: str(Path(_there(place, "f.png/x")).parent),
    "full": lambda place: "/dev/full",
    "null": lambda place: "/dev/null",
    "in-devices": lambda place: "/dev/null/x.png",
    "300-characters": lambda place: place.out("x" * 300 + ".png"),
    "250-characters": lambda place: place.out("x" * 245 + ".png"),
    "5000-characters": lambda place: place.out("x" * 5000 + ".png"),
    "escapes": lambda place: place.out("a\n\x1b[31m.png"),
    "not-utf-8": lambda place: place.out("\udcff.png"),
    "link-beside": lambda place: _link_beside(place, "x.png"),
    "no-ending": lambda place: place.out("x"),
    "odd-ending": lambda place: place.out("x.exe"),
    "upper-ending": lambda place: place.out("X.PNG"),
    "only-ending": lambda place: place.out(".png"),
    "slash": lambda place: place.out("x.png") + "/",
}
