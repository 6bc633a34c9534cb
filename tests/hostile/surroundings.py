"""Odd surroundings: streams closed, no home, a working folder that is gone, limits, signals, links in run folders."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.hostile.case import Case, Place
from tests.hostile.store import MLP, SHORT, resuming

Change = Callable[[Place], None]
Build = Callable[[Place], Sequence[str]]
NOBODY = 65534

WORK: dict[str, Build] = {
    "recipes": lambda place: ["recipes"],
    "data": lambda place: ["data"],
    "help": lambda place: ["train", "--help"],
    "mistake": lambda place: ["sample"],
    "sample": lambda place: ["sample", place.sound("runs/vae"), "--n", "2", "--out", place.out("x.png")],
    "transform": lambda place: ["transform", "flip", place.sound("data/classes"), "--out", place.out()],
    "train": lambda place: ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--out", place.out("run")],
    "evaluate": lambda place: ["evaluate", place.sound("runs/vae"), "--n", "8", "--features", "pixels", "--out",
                               place.out("x.json")],
    "encode": lambda place: ["encode", place.sound("runs/vae"), place.sound("data/classes"), "--out",
                             place.out("x.npz")],
    "augment": lambda place: ["augment", place.sound("data/classes"), "--classical", "flip", "--out", place.out("s")],
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Situations made by hand."""
    for name, change in STREAMS.items():
        for work in ("recipes", "data", "help", "mistake", "sample", "transform", "train", "evaluate"):
            yield Case(f"streams/{name}/{work}", "cli", WORK[work], during=change, mute=True, also=141)
    for name, value in VARIABLES.items():
        for work in ("recipes", "evaluate", "transform") if name in TERMINAL else ("data", "train", "evaluate"):
            yield Case(f"variable/{name}/{work}", "cli", WORK[work], during=_variable(name.partition("=")[0], value),
                       mute=name == "FORCE_COLOR")  # fmt: skip
    for name, limit in LIMITS.items():
        for work in ("sample", "transform", "train", "evaluate", "encode", "augment"):
            yield Case(f"limit/{name}/{work}", "training" if work == "train" else "cli", WORK[work], during=limit,
                       mute=name in ("file-0", "file-100"))  # fmt: skip
    for name, change in CLOCKS.items():
        for work in ("train", "transform"):
            yield Case(f"clock/{name}/{work}", "training", WORK[work], during=change)
    for name, number in SIGNALS.items():
        yield Case(f"signal/{name}/train", "training", _long, during=_soon(number), also=130)
    for name, spoil in RUNS.items():
        yield Case(f"run/{name}/resume", "training", _resumed(spoil))
        yield Case(f"run/{name}/sample", "models", _sampled(spoil))
    for name, build in FORBIDDEN.items():
        yield Case(f"rights/{name}", "cli", build, during=_as_nobody)
    for work in ("sample", "transform", "train"):
        yield Case(f"folder/gone/{work}", "cli", WORK[work], during=_leave_nowhere)
    yield Case("folder/gone/relative", "cli", lambda place: ["transform", "flip", "x.png", "--out", "y"],
               during=_leave_nowhere, refused=True)  # fmt: skip


# ------------------------------------------------------------------------------------------------- streams


def _close(number: int) -> Change:
    """A stream that is closed, as by ``>&-``: Python then has none."""

    def change(place: Place) -> None:
        os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)

    return change


def _onto(number: int, path: str) -> Change:
    def change(place: Place) -> None:
        _lead(number, os.open(path, os.O_WRONLY))

    return change


def _lead(number: int, handle: int) -> None:
    """Let a stream, and Python's object for it, lead somewhere else."""
    os.dup2(handle, number)
    os.close(handle)
    stream = open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    setattr(sys, ("stdin", "stdout", "stderr")[number], stream)


def _broken(number: int) -> Change:
    """A pipe that nobody reads, as after ``| head -1``."""

    def change(place: Place) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        _lead(number, writing)

    return change


def _narrow(place: Place) -> None:
    """Streams that know ASCII only."""
    sys.stdout = open(1, "w", encoding="ascii", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="ascii", errors="backslashreplace", closefd=False)  # noqa: SIM115


STREAMS: dict[str, Change] = {
    "no-stdin": _close(0), "no-stdout": _close(1), "no-stderr": _close(2), "full-stdout": _onto(1, "/dev/full"),
    "full-stderr": _onto(2, "/dev/full"), "broken-stdout": _broken(1), "broken-stderr": _broken(2), "ascii": _narrow,
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- variables


def _variable(name: str, value: str | None) -> Change:
    def change(place: Place) -> None:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value.replace("FILE", str(place.beside / "kept.txt")).replace("PLACE", str(place.path))

    return change


VARIABLES: dict[str, str | None] = {
    "HOME=none": None, "HOME=empty": "", "HOME=absent": "/nowhere", "HOME=file": "FILE", "HOME=long": "/x" * 3000,
    "XDG_CACHE_HOME=empty": "", "XDG_CACHE_HOME=file": "FILE", "XDG_CACHE_HOME=device": "/dev/null",
    "XDG_CACHE_HOME=long": "/" + "x" * 300, "XDG_CACHE_HOME=proc": "/proc/1/x",
    "TMPDIR=absent": "/nowhere", "TMPDIR=file": "FILE", "TMPDIR=empty": "",
    "SIMULACRA_DATA=empty": "", "SIMULACRA_DATA=file": "FILE", "SIMULACRA_DATA=device": "/dev/zero",
    "SIMULACRA_DATA=long": "/" + "x" * 5000, "SIMULACRA_DATA=escapes": "\x1b[31m\n", "SIMULACRA_DATA=other": "\udcff",
    "COLUMNS=0": "0", "COLUMNS=below-0": "-5", "COLUMNS=text": "abc", "COLUMNS=vast": "9" * 30, "COLUMNS=empty": "",
    "LINES=0": "0", "TERM=empty": "", "TERM=dumb": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "1",
    "PYTHONUTF8": "x", "LANG=C": "C", "OMP_NUM_THREADS": "abc", "TZ": "\x00x"[1:], "CUDA_VISIBLE_DEVICES": "abc",
}  # fmt: skip
TERMINAL = frozenset(name for name in VARIABLES if name.startswith(("COLUMNS", "LINES", "TERM", "NO_", "FORCE")))


# ------------------------------------------------------------------------------------------------- limits, clocks


def _limit(kind: int, most: int) -> Change:
    return lambda place: resource.setrlimit(kind, (most, most))


LIMITS: dict[str, Change] = {
    **{f"file-{size}": _limit(resource.RLIMIT_FSIZE, size) for size in (0, 100, 5_000, 60_000)},
    "handles": _limit(resource.RLIMIT_NOFILE, 12),
}


def _still(name: str) -> Change:
    def change(place: Place) -> None:
        now = getattr(time, name)()
        setattr(time, name, lambda: now)

    return change


def _backwards(name: str) -> Change:
    def change(place: Place) -> None:
        real = getattr(time, name)
        start = real()
        setattr(time, name, lambda: 2 * start - real())

    return change


CLOCKS: dict[str, Change] = {
    "still": _still("monotonic"),
    "wall-still": _still("time"),
    "wall-back": _backwards("time"),
    "wall-1970": lambda place: setattr(time, "time", lambda: 0.0),
}


# ------------------------------------------------------------------------------------------------- signals


def _long(place: Place) -> Sequence[str]:
    words = ["--train.images", "100000000", "--train.checkpoint", "1000000", "--train.sheet", "100000000",
             "--train.score", "100000000"]  # fmt: skip
    return ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, *words, "--out", place.out("run")]


def _soon(number: int) -> Change:
    """A signal once a checkpoint or a log line could be there."""

    def change(place: Place) -> None:
        def send() -> None:
            end = time.monotonic() + 8
            while not (place.path / "out" / "run" / "metrics.jsonl").exists() and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(0.3)
            os.kill(os.getpid(), number)

        threading.Thread(target=send, daemon=True).start()

    return change


SIGNALS = {"term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}


# ------------------------------------------------------------------------------------------------- run folders


def _resumed(spoil: Callable[[Path, Place], None]) -> Build:
    def build(place: Place) -> Sequence[str]:
        run = place.copy("runs/vae", "out/run")
        spoil(run, place)
        return resuming(run)

    return build


def _sampled(spoil: Callable[[Path, Place], None]) -> Build:
    def build(place: Place) -> Sequence[str]:
        run = place.copy("runs/vae", "out/run")
        spoil(run, place)
        return ["sample", str(run), "--n", "2", "--out", place.out("x.png")]

    return build


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _linked(name: str, to: str = "") -> Callable[[Path, Place], None]:
    """A part of the run that is a link to a folder or file beside."""

    def spoil(run: Path, place: Place) -> None:
        target = place.beside / "linked"
        if to:
            target = Path(to)
        elif (run / name).is_dir():
            shutil.copytree(run / name, target)
        else:
            target.write_bytes((run / name).read_bytes())
        _gone(run / name)
        (run / name).symlink_to(target)

    return spoil


def _sheets_linked(run: Path, place: Place) -> None:
    """Sheets of a later step, in a folder that is a link."""
    (place.beside / "sheets").mkdir()
    (place.beside / "sheets" / "99999999.png").write_bytes(place.bytes("pictures/grey.png"))
    _gone(run / "samples")
    (run / "samples").symlink_to(place.beside / "sheets")


def _folder(name: str) -> Callable[[Path, Place], None]:
    def spoil(run: Path, place: Place) -> None:
        _gone(run / name)
        (run / name).mkdir()

    return spoil


def _queue(name: str) -> Callable[[Path, Place], None]:
    def spoil(run: Path, place: Place) -> None:
        _gone(run / name)
        os.mkfifo(run / name)

    return spoil


def _absent(name: str) -> Callable[[Path, Place], None]:
    return lambda run, place: _gone(run / name)


def _latest(text: str) -> Callable[[Path, Place], None]:
    return lambda run, place: (run / "checkpoints" / "latest").write_text(text) and None


def _odd_sheets(run: Path, place: Place) -> None:
    for name in ("x.png", "-5.png", "9" * 200 + ".png", "٣.png", "1e9.png", "\x1b[31m.png"):
        (run / "samples" / name).write_bytes(b"")
    (run / "samples" / "99999998.png").mkdir()


def _cut(name: str) -> Callable[[Path, Place], None]:
    return lambda run, place: os.truncate(run / name, (run / name).stat().st_size // 2)


def _part_linked(run: Path, place: Place) -> None:
    """What looks like a half-written file, in a folder that is a link."""
    (place.beside / ".x.part").write_text("not ours")
    (run / "other").symlink_to(place.beside)
    (run / ".link.part").symlink_to(place.beside / "kept.txt")


RUNS: dict[str, Callable[[Path, Place], None]] = {
    **{f"{name.replace('/', '-')}-linked": _linked(name) for name in
       (".lock", "samples", "checkpoints", "metrics.jsonl", "config.toml", "model.safetensors", "environment.json",
        "report.html", "checkpoints/latest", "evaluation.json", "prior.safetensors")},
    **{f"{name.replace('/', '-')}-zero": _linked(name, "/dev/zero") for name in
       ("metrics.jsonl", "config.toml", "model.safetensors", "checkpoints/latest", "prior.safetensors")},
    **{f"{name.replace('/', '-')}-folder": _folder(name) for name in
       (".lock", "metrics.jsonl", "config.toml", "model.safetensors", "environment.json", "report.html",
        "checkpoints/latest", "evaluation.json", "prior.safetensors")},
    **{f"{name.replace('/', '-')}-queue": _queue(name) for name in
       (".lock", "metrics.jsonl", "config.toml", "model.safetensors", "checkpoints/latest", "prior.safetensors")},
    **{f"{name.replace('/', '-')}-absent": _absent(name) for name in
       (".lock", "samples", "checkpoints", "metrics.jsonl", "config.toml", "model.safetensors", "checkpoints/latest")},
    **{f"{name.replace('/', '-')}-cut": _cut(name) for name in
       ("config.toml", "model.safetensors", "environment.json", "prior.safetensors")},
    "latest-up": _latest("../../../beside/kept.txt"), "latest-absolute": _latest("/etc/passwd"),
    "latest-empty": _latest(""), "latest-escapes": _latest("\x1b[31m\n\n"), "latest-long": _latest("x" * 1_000_000),
    "sheets-linked": _sheets_linked, "sheets-odd": _odd_sheets, "part-linked": _part_linked,
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- rights, folders


def _as_nobody(place: Place) -> None:
    """Without the rights of the superuser, and without a home."""
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _locked(place: Place, name: str, mode: int = 0) -> str:
    path = place.copy("data/classes/a" if "." not in name else "pictures/grey.png", name)
    path.chmod(mode)
    return str(path)


def _unreadable_in_folder(place: Place) -> str:
    place.copy("pictures/grey.png", "set/a.png")
    return str(Path(_locked(place, "set/b.png")).parent)


def _unreadable_below(place: Place) -> str:
    place.copy("pictures/grey.png", "set/a.png")
    return str(Path(_locked(place, "set/b")).parent)


def _read_only_out(place: Place) -> str:
    (place.path / "out").mkdir(mode=0o555)
    return place.out("x.png")


def _read_only_run(place: Place) -> str:
    run = place.copy("runs/vae", "out/run")
    for path in (*run.rglob("*"), run):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return str(run)


def _unreadable_run(place: Place, name: str) -> str:
    run = place.copy("runs/vae", "run")
    (run / name).chmod(0)
    return str(run)


FORBIDDEN: dict[str, Build] = {
    "picture": lambda place: ["transform", "flip", _locked(place, "x.png"), "--out", place.out()],
    "folder": lambda place: ["transform", "flip", _locked(place, "set"), "--out", place.out()],
    "picture-in-folder": lambda place: ["transform", "flip", _unreadable_in_folder(place), "--out", place.out()],
    "folder-below": lambda place: ["transform", "flip", _unreadable_below(place), "--out", place.out()],
    "train-picture": lambda place: ["train", "vae-2d", "--data", _unreadable_in_folder(place), *SHORT, *MLP, "--out",
                                    place.out("run")],
    "train-folder": lambda place: ["train", "vae-2d", "--data", _locked(place, "set"), *SHORT, *MLP, "--out",
                                   place.out("run")],
    "recipe": lambda place: ["train", _locked(place, "r.toml"), "--out", place.out("run")],
    "out": lambda place: ["sample", place.sound("runs/vae"), "--n", "1", "--out", _read_only_out(place)],
    "out-train": lambda place: ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--out", _read_only_out(place)],
    "out-transform": lambda place: ["transform", "flip", place.sound("pictures/grey.png"), "--out",
                                    _read_only_out(place)],
    "resume": lambda place: ["train", "vae-2d", "--data", "digits", *SHORT, *MLP, "--train.images", "64", "--resume",
                             "--out", _read_only_run(place)],
    "weights": lambda place: ["sample", _unreadable_run(place, "model.safetensors"), "--out", place.out("x.png")],
    "prior": lambda place: ["sample", _unreadable_run(place, "prior.safetensors"), "--prior", "fitted", "--out",
                            place.out("x.png")],
    "data-root": lambda place: ["train", "vae-2d", "--data", "mnist", "--data-root", _locked(place, "set"), *SHORT,
                                *MLP, "--out", place.out("run")],
}  # fmt: skip


def _leave_nowhere(place: Place) -> None:
    (place.path / "gone").mkdir()
    os.chdir(place.path / "gone")
    (place.path / "gone").rmdir()
