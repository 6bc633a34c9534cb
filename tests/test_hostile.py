"""Hostile input on every verb: a part of what `scripts/fuzz.py` tries; and its judge, which must be able to fail."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.hostile import fuzzing, known, options, worker
from tests.hostile.case import Case, Place

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
Program = Callable[[Sequence[str]], int]

# ------------------------------------------------------------------------------------------------- the judge


def _says(*lines: str, status: int = 2) -> Program:
    def program(arguments: Sequence[str]) -> int:
        for line in lines:
            print(line, file=sys.stderr)
        return status

    return program


def _writes(name: str, status: int = 0, said: str = "") -> Program:
    def program(arguments: Sequence[str]) -> int:
        path = Path(arguments[0]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        return _says(*([said] if said else []), status=status)([])

    return program


def _raises(arguments: Sequence[str]) -> int:
    raise ValueError("unforeseen")


def _runs(arguments: Sequence[str]) -> int:
    subprocess.run(["true"], check=True)
    return 0


def _catches_what_it_may_not(arguments: Sequence[str]) -> int:
    try:
        subprocess.run(["true"], check=True)
    except PermissionError:
        return 0
    return 0


def _sleeps(arguments: Sequence[str]) -> int:
    time.sleep(30)
    return 0


def _computes(arguments: Sequence[str]) -> int:
    while True:
        pass


def _fills(arguments: Sequence[str]) -> int:
    taken = mmap.mmap(-1, 200 << 20)  # not from the heap, where a grown process has room
    taken[:: mmap.PAGESIZE] = bytes(len(taken) // mmap.PAGESIZE)
    return 0


def _dies(arguments: Sequence[str]) -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


LINE = "simulacra: There is no file x. Name another one."
BAD: dict[str, tuple[str, Program]] = {
    "an exception": ("traceback", _raises),
    "the last resort": ("traceback", _says("simulacra: This is a bug in simulacra: KeyError in x.py, line 3: 5.")),
    "an odd status": ("status", _says(LINE, status=7)),
    "no line": ("silent", _says()),
    "a line of somebody else": ("silent", _says("error: no")),
    "two lines": ("lines", _says(LINE, LINE)),
    "a long line": ("long", _says(f"simulacra: {'x ' * 400}")),
    "an escape": ("unprintable", _says("simulacra: \x1b[31mred")),
    "a warning": ("warning", _says("x.py:3: UserWarning: of a library", status=0)),
    "nonsense that is taken": ("accepted", _says(status=0)),
    "a file beside a refusal": ("wrote", _writes("out/x.png", 2, LINE)),
    "a file outside": ("outside", _writes("beside/new.txt")),
    "a change outside": ("outside", _writes("beside/kept.txt")),
    "a file above": ("outside", _writes("../above.txt")),
    "a program": ("did", _runs),
    "a program, unsaid": ("did", _catches_what_it_may_not),
    "half a file": ("left", _writes("out/.x.part")),
    "a temporary file": ("left", _writes("tmp/x")),
    "an overwritten file": ("overwritten", _writes("out/old.txt")),
    "sleep": ("hang", _sleeps),
    "a loop": ("hang", _computes),
    "a greed": ("memory", _fills),
    "a death": ("died", _dies),
}


def _build(place: Place) -> list[str]:
    (place.path / "out").mkdir()
    (place.path / "out" / "old.txt").write_text("kept")
    return [str(place.path)]


def _judged(program: Program, folder: Path, case: Case) -> dict[str, str]:
    (folder / "store").mkdir()
    folder.chmod(0o755)
    (verdict,) = worker.run([case], folder, program)
    return verdict.faults


@pytest.mark.parametrize("name", BAD)
def test_the_judge_sees_what_may_never_happen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, program = BAD[name]
    monkeypatch.setattr(worker, "SECONDS", 0.5)
    monkeypatch.setattr(worker, "GROWTH", 100 << 20)
    case = Case(name, "tests", _build, refused=kind == "accepted")
    assert set(_judged(program, tmp_path, case)) == {kind}


@pytest.mark.parametrize("program", [_says(status=0), _says(LINE), _writes("out/new.txt"), _writes("cache/x")])
def test_the_judge_finds_nothing_where_all_is_well(program: Program, tmp_path: Path) -> None:
    assert _judged(program, tmp_path, Case("well", "tests", _build)) == {}


def test_the_judge_names_cases_that_are_wrong_themselves(tmp_path: Path) -> None:
    def build(place: Place) -> list[str]:
        raise OSError("no such disk")

    assert set(_judged(_says(status=0), tmp_path, Case("harness", "tests", build))) == {"harness"}


def test_the_judge_asks_the_case_what_was_written(tmp_path: Path) -> None:
    case = Case("check", "tests", _build, check=lambda place, status: "another picture")
    assert _judged(_says(status=0), tmp_path, case) == {"wrong": "another picture"}


# ------------------------------------------------------------------------------------------------- the program


def test_there_are_enough_cases() -> None:
    damaged = [case for module, part in fuzzing.SHARES.items() for case in module.random_cases(round(part * 300), 0)]
    assert len(damaged) >= 300
    assert sum(1 for _ in options.cases(0, 1.0)) >= 200
    names = [case.name for case in fuzzing.cases(300, 0)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("chosen", "least"),
    [(fuzzing.brief, 40), pytest.param(fuzzing.quick, 150, marks=pytest.mark.slow)],
    ids=["brief", "quick"],
)
def test_hostile_input_is_refused_in_one_line_and_harms_nothing(
    chosen: Callable[[], list[Case]], least: int, tmp_path: Path
) -> None:
    """A part of the cases that `python scripts/fuzz.py` tries: some of each kind, or a sixth and all escapes."""
    verdicts = list(fuzzing.run(chosen(), tmp_path))
    assert len(verdicts) >= least
    assert [verdict.line() for verdict in verdicts if verdict.faults and verdict.name not in known.KNOWN] == []
