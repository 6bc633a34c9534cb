"""A signal at the worst moment leaves no half file, no temporary folder and no thread that goes on writing."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from simulacra import storage
from simulacra.data import Dataset, Splits
from simulacra.errors import ConfigError
from simulacra.images.batch import each
from simulacra.steering import enlarge

PACKAGE = Path(storage.__file__).parent
Start = Callable[[threading.Thread], None]


def interrupted(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    """Let Ctrl-C come while a pool starts its first thread: the pool does not know that thread afterwards."""
    once = iter([start])

    def starting(self: threading.Thread) -> None:
        next(once, real)(self)
        raise KeyboardInterrupt

    real = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", starting)


def test_work_that_a_signal_surprised_is_ended_before_the_program_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = threading.Thread.start
    begun, ended = threading.Event(), []

    def start(thread: threading.Thread) -> None:
        real(thread)
        begun.wait()

    def work(item: int) -> None:
        begun.set()
        time.sleep(0.05)
        ended.append(item)

    interrupted(monkeypatch, start)
    with pytest.raises(KeyboardInterrupt):
        list(each(range(5), work, 2))
    assert ended == [0]


def test_work_that_had_not_begun_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    real = threading.Thread.start
    unknown: list[threading.Thread] = []
    done: list[int] = []
    interrupted(monkeypatch, unknown.append)
    with pytest.raises(KeyboardInterrupt):
        list(each(range(5), done.append, 2))
    monkeypatch.undo()
    real(unknown[0])
    unknown[0].join(5)
    assert not unknown[0].is_alive()
    assert done == []


def test_work_that_waits_for_memory_ends_when_it_is_not_wanted_any_more() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.02)
        done.append(item)
        return item

    results = each(range(8), work, 4, lambda _: 1 << 40)
    assert next(results) == 0
    results.close()
    assert len(done) <= 2, "the first, and one that had begun"


@pytest.mark.parametrize("function", ["touch", "mkdir", "chmod", "replace"])
def test_a_signal_in_the_middle_of_writing_leaves_nothing(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(Path, function)

    def late(self: Path, *arguments: Any, **options: Any) -> Any:
        if function != "replace":
            real(self, *arguments, **options)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, function, late)
    with pytest.raises(KeyboardInterrupt), storage.atomic(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("whole")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not storage._unfinished


def test_the_end_of_the_process_removes_what_threads_still_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError), storage.atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        storage.discard_unfinished()
        assert list(tmp_path.iterdir()) == []


def test_temporary_folders_go_with_their_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), storage.scratch() as folder:
        (folder / "a").write_text("x")
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    real = Path.mkdir

    def late(self: Path, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", late)
    with pytest.raises(KeyboardInterrupt), storage.scratch():
        raise AssertionError("not reached")
    assert list(tmp_path.iterdir()) == []


def _enlarged() -> tuple[enlarge.Enlarged, Splits]:
    data = Dataset("x", torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    records = tuple(enlarge._named([enlarge.Record("", "", "real", k) for k in range(2)]))
    return enlarge.Enlarged(data, records, {}), Splits(data, data)


def test_an_enlarged_set_is_replaced_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, splits = _enlarged()
    out = enlarge.write(made, splits, tmp_path / "out", {"first": True})
    kept = (out / enlarge.ABOUT).read_bytes()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt):
        enlarge.write(made, splits, out, {"first": False}, force=True)
    monkeypatch.undo()
    assert (out / enlarge.ABOUT).read_bytes() == kept
    assert list(tmp_path.iterdir()) == [out]
    enlarge.write(made, splits, out, {"first": False}, force=True)
    assert (out / enlarge.ABOUT).read_bytes() != kept
    assert list(tmp_path.iterdir()) == [out]


POOLS = {"images/batch.py", "data/loader.py", "studio/work.py", "studio/sets.py"}  # the last three write nothing
MAKERS = {"mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "SpooledTemporaryFile"}


def test_temporary_files_and_pools_have_one_home() -> None:
    """Whoever makes them elsewhere makes anew the moments at which a signal leaves something behind."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        used = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree)}
        assert not used & MAKERS, path
        assert "ThreadPoolExecutor" not in used or path.relative_to(PACKAGE).as_posix() in POOLS, path
