"""Models published on the hub and opened from it, against a stand-in server of this test."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from simulacra import Run, cli
from simulacra.runs import hub, zoo
from simulacra.training.inherit import inherit
from tests.stand_in import StandIn, serving

pytest.importorskip("huggingface_hub")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with serving() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as a training leaves it, with what must not be published."""
    folder = tmp_path / "run"
    shutil.copytree(zoo.home() / "quickstart", folder)
    environment = {"command": ["/home/ada/simulacra"], "machine": "ada's", "torch": "2", "data_sha256": "12"}
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "1.pt").write_bytes(pickle.dumps("secret"))
    return folder


def said(words: list[str], capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    assert cli.main(words) == status
    captured = capsys.readouterr()
    text = captured.out if status == 0 else captured.err
    assert len(text.splitlines()) == 1, text
    return text.strip()


def test_a_run_is_published_and_opens_from_its_address(
    server: StandIn, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = said(["push", str(run), "digits", "--licence", "CC-BY-4.0"], capsys).partition(": ")[0]
    repository, _, commit = address.removeprefix(hub.PREFIX).partition("@")
    (files,) = server.repositories["ada/digits"].values()
    assert (repository, commit) == ("ada/digits", next(iter(server.repositories["ada/digits"])))
    assert set(files) == {"model.safetensors", "environment.json", "README.md", "card-samples.png"}
    assert json.loads(files["environment.json"]) == {"torch": "2", "data_sha256": "12"}
    assert b"license: cc-by-4.0" in files["README.md"]
    assert b'Run.open("hub:digits")' in files["README.md"]
    fetched = Run.open(address)
    assert torch.equal(fetched.sample(4), Run.open(run).sample(4))
    assert not list(fetched.path.glob("README.md"))
    asked = len(server.requests)
    Run.open(address)
    assert len(server.requests) == asked, "what was fetched is not fetched again"


def test_the_commit_is_pinned_in_what_is_written(server: StandIn, tmp_path: Path) -> None:
    first = server.commit(
        "ada/digits", {"model.safetensors": (zoo.home() / "quickstart/model.safetensors").read_bytes()}
    )
    assert inherit(Run.open("zoo:quickstart").model, "hub:ada/digits").origin == f"hub:ada/digits@{first}"
    server.commit("ada/digits", {"README.md": b"changed"})
    assert Run.open("hub:ada/digits").name != f"hub:ada/digits@{first}"
    assert Run.open(f"hub:ada/digits@{first}").name == f"hub:ada/digits@{first}"
    assert cli.main(["sample", f"hub:ada/digits@{first}", "--n", "1"]) == 0
    assert (tmp_path / "sample.png").exists(), "results go to the working folder, not to the cache"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hub:ada/nothing", "There is no model ada/nothing on the hub"),
        ("hub:ada/digits@v9", "ada/digits has no revision 'v9'"),
        ("hub:digits", "Write hub:OWNER/NAME"),
        ("hub:ada/../x", "Write hub:OWNER/NAME"),
        ("hub:ada/pickled", "pytorch_model.bin. Such files can run code when they are opened, and are not read."),
        ("hub:ada/hidden", "not a file of weights"),
        ("hub:ada/empty", "holds no model.safetensors"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_line(
    address: str, message: str, server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harmful = pickle.dumps(Path("/nowhere"))
    server.commit("ada/digits", {"README.md": b"x"})
    server.commit("ada/pickled", {"pytorch_model.bin": harmful})
    server.commit("ada/hidden", {"model.safetensors": harmful})
    server.commit("ada/empty", {"README.md": b"x"})
    assert message in said(["sample", address], capsys, 2)
    assert not list(tmp_path.glob("*.png"))
    assert not [one for one in server.requests if "pytorch_model" in one], "a pickle is not even fetched"


@pytest.mark.parametrize(("status", "message"), [(401, "Log in: hf auth login"), (403, "Log in"), (418, "(418)")])
def test_a_refusal_of_the_hub_is_told_in_one_line(
    status: int, message: str, server: StandIn, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refusal = status
    assert message in said(["push", str(run), "ada/digits"], capsys, 2)
    assert message in said(["sample", "hub:ada/digits"], capsys, 2)


def test_a_hub_that_does_not_answer_is_told_in_one_line(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "The hub does not answer about hub:ada/digits" in said(["sample", "hub:ada/digits"], capsys, 2)


@pytest.mark.parametrize("name", ["a/b/c", "../x", "a b", ""])
def test_names_that_cannot_be(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be the name of a model" in said(["push", str(run), name], capsys, 2)


def test_a_missing_extra_is_named(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert "pip install 'simulacra[hub]'" in said(["push", str(run), "digits"], capsys, 2)
    assert "pip install 'simulacra[hub]'" in said(["sample", "hub:ada/digits"], capsys, 2)
