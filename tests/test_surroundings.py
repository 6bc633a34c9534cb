"""Odd surroundings: streams that are closed or full, names that a terminal would act on, errors that nobody foresaw."""

from __future__ import annotations

import ast
import errno
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from simulacra import cli
from simulacra.cli import output, surroundings
from simulacra.errors import LONGEST, ConfigError, printable

CLI = Path(cli.__file__).parent


def program(arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the program in a shell: ``arguments`` may redirect."""
    line = f"{sys.executable} -m simulacra {arguments}"
    return subprocess.run(line, shell=True, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("recipes >&-", 0, ""),
        ("recipes > /dev/full", 4, "Standard output could not be written: No space left on device."),
        ("--help > /dev/full", 4, "Standard output could not be written: No space left on device."),
        ("sample --help > /dev/full", 4, "Standard output could not be written: No space left on device."),
        ("smaple 2>&-", 2, ""),
        ("smaple 2> /dev/full", 2, ""),
        ("smaple >&- 2>&- <&-", 2, ""),
    ],
)
def test_streams_that_are_closed_or_full(arguments: str, status: int, message: str) -> None:
    done = program(arguments)
    assert done.returncode == status
    assert done.stderr == (f"simulacra: {message}\n" if message else "")


def test_a_reader_that_leaves_ends_the_program_quietly() -> None:
    done = program('recipes | head -1; exit "${PIPESTATUS[0]}"', executable="/bin/bash")
    assert done.returncode in (0, surroundings.PIPE_CLOSED), "0 where all was written before the reader left"
    assert done.stderr == ""


def test_a_working_folder_that_was_deleted(tmp_path: Path) -> None:
    code = f"mkdir gone; cd gone; rmdir ../gone; {sys.executable} -m simulacra recipes"
    root = str(Path(cli.__file__).parents[2])
    done = subprocess.run(
        ["/bin/sh", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "simulacra: The working folder no longer exists. Change to one that does: cd FOLDER\n"


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_names_that_the_terminal_cannot_show(locale: dict[str, str]) -> None:
    done = program("sample прогон", env={**os.environ, **locale, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert done.stderr.startswith("simulacra: There is no run \\u043f" if "PYTHONUTF8" not in locale else "simulacra: ")
    assert done.stderr.count("\n") == 1


# ------------------------------------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with é and 猫", "plain, with é and 猫"),
        ("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab"),
        ("\x1b[31mred\x1b[0m\x07", "\\x1b[31mred\\x1b[0m\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("gnp\u202e.exe", "gnp\\u202e.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_text_is_printed_as_one_line_that_no_terminal_acts_on(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    assert printable(f"Unknown {'x' * 1_000} Type: this") == f"Unknown {'x' * 50}...{'x' * 40} Type: this"
    words = "word " * 1_000
    shown = printable(f"Unknown {words}Type: this")
    assert shown.startswith("Unknown word word")
    assert shown.endswith("word Type: this")
    assert "4,518 characters left out" in shown
    assert len(shown) == LONGEST + len(" [... 4,518 characters left out ...] ")


@pytest.mark.parametrize("text", ["x" * 1_000_135, "\n" * 100_000, "word " * 100_000, "\x1b[31m " * 400])
def test_no_message_is_longer_than_is_read_and_its_remedy_survives(text: str) -> None:
    remedy = "Allowed here: latent, likelihood, beta. Continue it with --resume, or choose another folder with --out."
    shown = printable(f"There is no run {text}. {remedy}")
    assert len(shown) < LONGEST + 50
    assert shown.startswith("There is no run ")
    assert shown.endswith(remedy)


def test_a_message_with_escapes_is_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", "a\n\x1b[2Jb"]) == 2
    assert capsys.readouterr().err.startswith("simulacra: There is no run a\\n\\x1b[2Jb. ")


def test_cells_of_tables_are_harmless_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows(("name",), [("[red]a\n\x1b[2J",)])
    assert "[red]a\\n\\x1b[2J" in capsys.readouterr().out


def test_the_command_line_prints_in_one_place_only() -> None:
    """Else a name could reach the terminal as it is."""
    for path in CLI.glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        named = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
        assert not named or path.name == "output.py", path.name


def test_libraries_do_not_warn_before_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(_: object) -> Iterator[str]:
        warnings.warn("look out", stacklevel=1)
        raise ConfigError("wrong")

    monkeypatch.setattr("simulacra.cli.verbs.overview", lambda: warn(None))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert cli.main(["--help"]) == 2
        assert not caught
        assert cli.main(["--help", "--debug"]) == 2
        assert [str(one.message) for one in caught] == ["look out"]


# ------------------------------------------------------------------------------------------------ what is left


def _raising(error: BaseException) -> Callable[[], list[str]]:
    def overview() -> list[str]:
        raise error

    return overview


def _deep() -> list[str]:
    return [*_deep()]


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (MemoryError(), 2, "There is not enough memory for this."),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
            2,
            "enough memory",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 2, "enough memory"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "x"), 2, "ulimit -n 256"),
        (ImportError("libx.so: cannot open shared object file: Too many open files"), 2, "ulimit -n 256"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x.png"), 4, "x.png: No space left on device."),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "x.png"), 2, "x.png: Permission denied."),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed"), 2, "not valid in UTF-8"),
        (RecursionError("maximum recursion depth exceeded"), 2, "nested too deeply"),
        (KeyError("x"), 2, "This is a bug in simulacra: KeyError in"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_nobody_foresaw_is_one_line(
    error: BaseException, status: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("simulacra.cli.verbs.overview", _raising(error))
    assert cli.main(["--help"]) == status
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("simulacra: ")
    assert said.count("\n") == 1
    assert cli.main(["--help", "--debug"]) == status
    assert "Traceback" in capsys.readouterr().err


def test_output_that_fails_late_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main(["--version"]) == 4
    assert capsys.readouterr().err == "simulacra: Standard output could not be written: No space left on device.\n"


def test_a_user_whom_the_system_does_not_know_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "")  # so that the variable is put back
    monkeypatch.delenv("LOGNAME")
    with surroundings.prepared(debug=False):
        assert getpass.getuser() == f"user-{os.getuid()}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_batch_without_half_files(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for index in range(40):
        Image.new("RGB", (8, 8)).save(tmp_path / "in" / f"{index:02d}.png")
    save = Image.Image.save

    once = threading.Lock()  # a second Ctrl-C would not wait
    saved = itertools.count()

    def slow(self: Image.Image, *arguments: object, **options: object) -> None:
        if next(saved) >= 1 and (number != signal.SIGINT or once.acquire(blocking=False)):
            os.kill(os.getpid(), number)
        time.sleep(0.02)  # until the main thread has heard of it
        save(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", slow)
    before = signal.getsignal(number)
    assert cli.main(["transform", "invert", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "simulacra: Interrupted.\n"
    written = list((tmp_path / "out").iterdir())
    assert len(written) < 40
    assert not [path for path in written if path.suffix == ".part"]
    assert all(Image.open(path).size == (8, 8) for path in written)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    "reason",
    [
        "libtorch_cpu.so: failed to map segment from shared object",
        "libx.so: cannot allocate memory in static TLS block",
        "libx.so: cannot create shared object descriptor: Cannot allocate memory",
    ],
)
def test_a_library_that_does_not_fit_the_memory_is_not_a_fault_of_the_program(reason: str) -> None:
    line, status = surroundings.explained(ImportError(reason))
    assert status == 2
    assert "not enough memory" in line
    assert "ulimit -v" in line
