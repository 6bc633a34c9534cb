"""Damaged files, absurd values and odd surroundings: whatever comes, one line, the right status, and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import worker
from tests.hostile.case import Case
from tests.hostile.known import KNOWN
from tests.hostile.verdict import KINDS, Verdict

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60  # of processor time for all cases


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every case of the short suite, run once."""
    file = tmp_path_factory.mktemp("hostile") / "verdicts.jsonl"
    command = [sys.executable, str(ROOT / "scripts" / "fuzz.py"), "--short", "--json", str(file)]
    subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=1500)
    assert file.exists(), "the suite itself failed"
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("kind", KINDS)
def test_no_case_has_a_fault_of_this_kind(kind: str, verdicts: list[dict[str, Any]]) -> None:
    found = {v["name"]: v["faults"][kind] for v in verdicts if kind in v["faults"] and v["name"] not in KNOWN}
    assert not found, KINDS[kind]


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_there_are_as_many_files_and_values_as_promised(verdicts: list[dict[str, Any]]) -> None:
    values = sum(verdict["name"].startswith("option/") for verdict in verdicts)
    assert values >= 200
    assert len(verdicts) - values >= 300
    assert len({verdict["name"] for verdict in verdicts}) == len(verdicts)


# ------------------------------------------------------------------------------------------------- the judge


def _judged(main: Callable[[Sequence[str]], int], folder: Path, **facts: Any) -> Verdict:
    (folder / "store").mkdir(parents=True)
    case = Case("x", "tests", lambda place: [str(place.path)], **facts)
    return next(iter(worker.run([case], folder, main, keep=True)))


def _say(text: str, status: int) -> Callable[[Sequence[str]], int]:
    def main(words: Sequence[str]) -> int:
        print(text, file=sys.stderr)
        return status

    return main


def _raises(words: Sequence[str]) -> int:
    raise ValueError("x")


def _hangs(words: Sequence[str]) -> int:
    time.sleep(60)
    return 0


def _grows(words: Sequence[str]) -> int:
    return len(bytearray(b"x") * (2 << 30)) * 0


def _runs(words: Sequence[str]) -> int:
    subprocess.run(["true"], check=False)
    return 0


def _dies(words: Sequence[str]) -> int:
    os.abort()


def _writes(name: str, status: int = 0) -> Callable[[Sequence[str]], int]:
    def main(words: Sequence[str]) -> int:
        path = Path(words[0]) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        print("simulacra: x", file=sys.stderr)
        return status

    return main


def _moves_without_a_word_to_python(words: Sequence[str]) -> int:
    os.truncate(os.open(Path(words[0]) / "beside" / "kept.txt", os.O_RDONLY), 0)
    return 0


@pytest.mark.parametrize(
    ("main", "kind"),
    [
        (_raises, "traceback"),
        (_say("simulacra: no", 77), "status"),
        (_say("no", 2), "silent"),
        (_say("simulacra: no\nsimulacra: no", 2), "lines"),
        (_say("simulacra: " + "x" * 1000, 2), "long"),
        (_say("simulacra: \x1b[31m", 2), "unprintable"),
        (_say("x.py:5: UserWarning: x", 0), "warning"),
        (_writes("out/x", 2), "wrote"),
        (_writes("beside/x"), "outside"),
        (_writes("beside/kept.txt"), "outside"),
        (_moves_without_a_word_to_python, "outside"),
        (_writes("out/.x.part"), "left"),
        (_writes("tmp/x"), "left"),
        (_runs, "did"),
        (_grows, "memory"),
        (_dies, "died"),
    ],
)
def test_the_judge_sees_a_fault_of_every_kind(main: Callable[[Sequence[str]], int], kind: str, tmp_path: Path) -> None:
    assert kind in _judged(main, tmp_path).faults


def test_the_judge_sees_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SECONDS", 0.5)
    assert "hang" in _judged(_hangs, tmp_path).faults


def test_the_judge_sees_a_value_taken_and_a_file_lost(tmp_path: Path) -> None:
    assert "accepted" in _judged(_say("", 0), tmp_path / "a", refused=True).faults

    def there(place: Any) -> list[str]:
        (place.path / "out").mkdir()
        (place.path / "out" / "x").write_text("kept")
        return [str(place.path)]

    (tmp_path / "b" / "store").mkdir(parents=True)
    case = Case("x", "tests", there)
    assert "overwritten" in next(iter(worker.run([case], tmp_path / "b", _writes("out/x")))).faults


def test_the_judge_finds_nothing_where_all_is_well(tmp_path: Path) -> None:
    assert not _judged(_writes("out/x"), tmp_path / "a").faults
    assert not _judged(_say("simulacra: There is no file x. Give a picture.", 2), tmp_path / "b").faults
