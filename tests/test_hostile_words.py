"""Words that make no sense together: one line with status 2 at once, before anything is read, measured or written."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from simulacra import cli, machine
from simulacra.cli import anomaly
from simulacra.errors import ConfigError
from simulacra.training import processes, proposal
from tests import studio


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    studio.untrained(folder / "run", "vae", latent=2)
    (folder / "pictures").mkdir()
    Image.new("RGB", (16, 16)).save(folder / "pictures" / "0.png")
    return folder


def refused(words: Sequence[str], home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that refuses a command; nothing was written, and nothing was said beside it."""
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    status = cli.main([word.replace("HOME", str(home)) for word in words])
    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert told.err.startswith("simulacra: ")
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train auto --data HOME/pictures --resume", "--resume is not for the recipe auto"),
        ("train auto --data HOME/pictures --init HOME/run", "--init is not for the recipe auto"),
        ("train auto --data HOME/pictures --seed 3", "--seed is not for the recipe auto"),
        ("train auto --data HOME/pictures --augment flip", "--augment is not for the recipe auto"),
        ("train auto --data HOME/pictures --preview HOME/x.png", "--preview is not for the recipe auto"),
        ("train auto --data HOME/pictures --data-root HOME", "--data-root is not for the recipe auto"),
        ("train vae --out zoo:mine", "--out cannot be 'zoo:mine': names that begin with zoo: are for the models"),
        ("sample HOME/run --out zoo:x.png", "--out cannot be 'zoo:x.png'"),
        ("quickstart HOME/pictures --out HOME/run", "already holds a run"),
        ("quickstart HOME/pictures", "holds 1 picture that can be read, and a model needs at least 16"),
        ("anomaly HOME/run HOME/pictures --rate 1", "--rate must lie between 0 and 1, such as 0.01, not at 1"),
        ("studio HOME --host= --no-browser", "--host is empty. Type an address"),
        ("transform flip HOME/none.simpack --out HOME/new", "There is no"),
        ("pack HOME/x.simpack --check", "There is no pack HOME/x.simpack. Make it: simulacra pack PATH --out FILE"),
        ("pack HOME/x.simpack --check --out HOME/y.simpack", "so --out has no meaning beside it"),
        ("pack HOME/x.simpack --check --data.size 8", "so --data.size has no meaning beside it"),
        ("pack HOME/x.simpack --check --force", "so --force has no meaning beside it"),
    ],
)
def test_words_without_sense_are_refused(
    words: str, message: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal, "speed", lambda _: pytest.fail("measured before the refusal"))
    assert message.replace("HOME", str(home)) in refused(words.split(), home, capsys)


ONE = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29555"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RANK": "a"}, "The environment variable RANK must be a whole number from 0 to 1, not 'a'."),
        ({"RANK": "2"}, "RANK must be a whole number from 0 to 1, not '2'"),
        ({"RANK": "-1"}, "RANK must be a whole number from 0 to 1, not '-1'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE must be a whole number from 1 to 1000000, not '0'. torchrun sets it"),
        ({"WORLD_SIZE": "-2"}, "to train in one process: unset WORLD_SIZE"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE must be a whole number"),
        ({"MASTER_PORT": "x"}, "MASTER_PORT must be a whole number from 0 to 65535, not 'x'"),
        ({"MASTER_PORT": "70000"}, "MASTER_PORT must be a whole number from 0 to 65535, not '70000'"),
        ({"MASTER_ADDR": None}, "but not MASTER_ADDR and MASTER_PORT. Start it with torchrun."),
    ],
)
def test_numbers_of_processes_are_looked_at_before_any_waits(
    changes: dict[str, str | None],
    message: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**ONE, **changes}.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    assert message in refused(["train", "quickstart", "--out", f"{home}/new"], home, capsys)


def test_a_restart_is_counted_in_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ONE, processes.ATTEMPT: "often"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="TORCHELASTIC_RESTART_COUNT must be a whole number"):
        processes.restarted()


def test_a_plugin_that_ends_the_program_is_said_to(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.py").write_text("import sys; sys.exit(0)")
    assert "x.py failed: SystemExit: 0" in refused(["recipes", "--plugin", f"{tmp_path}/x.py"], home, capsys)


def test_names_in_a_table_are_nothing_that_a_spreadsheet_computes(tmp_path: Path) -> None:
    names = ["=cmd|calc!A1.png", "+1.png", "-1.png", "@x.png", "a,b.png", "\udcff.png"]
    anomaly._write_scores(tmp_path / "x.csv", names, torch.arange(6.0), 2.5)
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "score", "anomalous"]
    assert [row[0] for row in rows[:0:-1]] == [*(f"./{name}" for name in names[:4]), "a,b.png", "\\udcff.png"]
    assert [row[2] for row in rows[1:]] == ["1", "1", "1", "0", "0", "0"]


def test_help_beside_auto_is_that_of_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "auto", "--help"]) == 0
    assert "usage: simulacra train" in capsys.readouterr().out


def test_a_pack_is_not_a_picture(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.simpack").write_bytes(bytes(100))
    words = ["transform", "flip", f"{tmp_path}/x.simpack", "--out", f"{tmp_path}/new"]
    assert "x.simpack is a pack, from which only train reads." in refused(words, home, capsys)


def test_a_card_is_written_whole_or_not_at_all(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = studio.untrained(tmp_path / "run", "vae", latent=2)
    (run / "evaluation.json").write_text("[]")
    assert "is not a file of scores" in refused(["card", str(run), "--out", f"{tmp_path}/c.md"], tmp_path, capsys)
    (run / "evaluation.json").unlink()
    licence = "MIT\n---\n# Free\x1b[31m"
    assert cli.main(["card", str(run), "--out", f"{tmp_path}/c.md", "--licence", licence]) == 0
    text = (tmp_path / "c.md").read_text()
    assert "\n# Free" not in text
    assert "\x1b" not in text


def test_the_runtime_of_exports_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime reports to its makers unless a variable is set before it is imported."""
    seen: list[str | None] = []
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setattr(machine, "import_module", lambda _: seen.append(os.environ.get("ORT_DISABLE_TELEMETRY")))
    machine.extra("onnxruntime", "--format onnx", "export")
    assert seen == ["1"]
