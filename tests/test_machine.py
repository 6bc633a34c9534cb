"""What the machine has: memory is asked before it is allocated, a cache is found also without a home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulacra import machine
from simulacra.errors import ConfigError


def test_more_than_the_free_memory_is_refused_with_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 2_000_000_000)
    machine.refuse_more_than_memory(1_999_999_999, "Nothing", "Ask for less.")
    with pytest.raises(ConfigError) as caught:
        machine.refuse_more_than_memory(3.25e12, "1,000,000,000 images", "Ask for fewer: --n N.")
    assert str(caught.value) == (
        "1,000,000,000 images would take about 3 TB of memory; 2.0 GB are free. Ask for fewer: --n N."
    )


def test_nothing_is_refused_where_free_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    machine.refuse_more_than_memory(1e18, "Everything", "")


def test_free_memory_is_that_of_this_machine() -> None:
    free = machine.free_memory()
    assert free is not None
    assert 10e6 < free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_the_smaller_of_the_two_limits_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_available", lambda: 5)
    monkeypatch.setattr(machine, "_unused_of_container", lambda: 3)
    assert machine.free_memory() == 3


def _without_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    return tmp_path / f"simulacra-{os.getuid()}"


def test_a_user_without_a_home_has_a_private_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = _without_home(monkeypatch, tmp_path)
    assert machine.cache() == machine.cache() == expected
    assert expected.stat().st_mode & 0o777 == 0o700


def test_a_cache_that_somebody_else_laid_out_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = _without_home(monkeypatch, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="XDG_CACHE_HOME"):
        machine.cache()


def test_memory_is_kept_only_where_the_c_library_is_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    machine.keep_freed_memory()
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr(machine.ctypes, "CDLL", None)  # to call it would fail
    machine.keep_freed_memory()
