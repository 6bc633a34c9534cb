"""Run folders as they should not be: links, pipes, lost, edited or foreign files, two trainings at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from simulacra import Run, config, images, machine
from simulacra.errors import ConfigError, InterruptedTraining, RunError, SimulacraError
from simulacra.runs import checkpoint, model_file
from simulacra.runs.checkpoint import Checkpoints
from simulacra.runs.folder import RunFolder
from simulacra.training import interrupts, setup
from simulacra.training.session import Session
from tests.conftest import SHORT

CONSTANT = {"schedule": {"kind": "constant"}}


def start(out: Path, *, resume: bool = False, **train: Any) -> Session:
    return Session.start("quickstart", out=out, changes=config.merge(SHORT, {"train": train}), resume=resume)


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest = Checkpoints(run / "checkpoints").newest()
    assert newest is not None
    state: dict[str, torch.Tensor] = newest[1]["model"]
    return state


def same(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "original"
    start(out, **CONSTANT).run()
    return out


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


def everything(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# --------------------------------------------------------------------------- nothing outside is read or changed

MINE = "mine, and not to be touched"


@pytest.mark.parametrize(
    "name",
    [".lock", "config.toml", "environment.json", "metrics.jsonl", "model.safetensors", "report.html",
     "checkpoints/latest", "checkpoints/00000020.pt"],
)  # fmt: skip
def test_a_link_out_of_the_run_is_not_followed(name: str, run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text(MINE)
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(mine)
    with pytest.raises(RunError, match="leads out of the run folder"):
        start(run, resume=True, images=960, **CONSTANT)
    assert mine.read_text() == MINE
    assert (run / name).is_symlink()


@pytest.mark.parametrize("name", ["samples", "reconstructions", "checkpoints", "tensorboard"])
def test_a_folder_that_lies_elsewhere_is_not_written_to(name: str, run: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in ("99999999.png", "99999999.pt", ".a.part"):
        (elsewhere / file).write_text(MINE)
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).symlink_to(elsewhere)
    with pytest.raises(RunError, match="leads out of the run folder"):
        start(run, resume=True, images=960, **CONSTANT)
    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == dict.fromkeys(
        ("99999999.png", "99999999.pt", ".a.part"), MINE
    )


@pytest.mark.parametrize(
    "name", ["config.toml", "metrics.jsonl", "checkpoints/latest", "checkpoints/00000020.pt", ".lock"]
)
def test_a_pipe_does_not_stop_a_training(name: str, run: Path) -> None:
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(RunError, match="not a regular file"):
        start(run, resume=True, images=960, **CONSTANT)


@pytest.mark.parametrize("name", ["model.safetensors", "prior.safetensors"])
def test_a_pipe_does_not_stop_the_verbs(name: str, run: Path) -> None:
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(RunError, match="not a regular file"):
        Run.open(run).prior("fitted")


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl", "config.toml", "report.html", "evaluation.json"])
def test_a_folder_in_a_files_place_is_said(name: str, run: Path) -> None:
    (run / name).unlink(missing_ok=True)
    (run / name).mkdir()
    with pytest.raises(RunError, match=r"not a (regular )?file"):
        start(run, resume=True, images=960, **CONSTANT)


def test_links_inside_a_run_are_followed(run: Path) -> None:
    shutil.move(run / "model.safetensors", run / "weights.safetensors")
    (run / "model.safetensors").symlink_to("weights.safetensors")
    assert Run.open(run).sample(1).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("name", ["x" * 300, "y/" * 2_500])
def test_paths_that_cannot_be_are_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="File name too long"):
        start(tmp_path / name)
    with pytest.raises(RunError, match="There is no run"):
        Run.open(tmp_path / name)


# ------------------------------------------------------------------------------------------------ nothing is lost


@pytest.mark.parametrize("lost", ["latest", "best and latest"])
def test_a_lost_name_of_the_latest_checkpoint_costs_nothing(lost: str, run: Path, original: Path) -> None:
    for name in lost.split(" and "):
        (run / "checkpoints" / name).unlink(missing_ok=True)
    session = start(run, resume=True, **CONSTANT)
    assert session.trainer.step == 20
    session.run()
    assert same(run, original)
    assert (run / "checkpoints" / "latest").read_text() == "00000020.pt\n"


def test_a_damaged_checkpoint_is_passed_over_where_none_is_named(run: Path, original: Path) -> None:
    (run / "checkpoints" / "latest").unlink()
    (run / "checkpoints" / "00000020.pt").write_bytes(b"PK\x03\x04 cut short")
    session = start(run, resume=True, **CONSTANT)
    assert session.trainer.step == 16
    session.run()
    assert same(run, original)


def test_a_run_without_checkpoints_is_not_begun_anew(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    before = everything(run)
    with pytest.raises(RunError, match="no checkpoint to continue from"):
        start(run, resume=True, **CONSTANT)
    assert everything(run) == before


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path, original: Path) -> None:
    start(tmp_path / "run", **CONSTANT)  # writes the config, trains nothing
    start(tmp_path / "run", resume=True, **CONSTANT).run()
    assert same(tmp_path / "run", original)


def test_the_slower_of_two_trainings_does_not_overwrite_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = setup.data.load

    def slowly(*given: Any) -> Any:
        monkeypatch.undo()
        start(tmp_path / "run", images=320, **CONSTANT).run()
        return load(*given)

    monkeypatch.setattr("simulacra.data.load", slowly)
    with pytest.raises(RunError, match="already holds a run"):
        start(tmp_path / "run", images=640, **CONSTANT)
    assert Run.open(tmp_path / "run").history()[-1]["images"] == 320


def test_a_slow_resume_continues_from_what_the_first_one_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path / "run", images=320, **CONSTANT).run()
    load = setup.data.load

    def slowly(*given: Any) -> Any:
        monkeypatch.undo()
        start(tmp_path / "run", images=640, resume=True, **CONSTANT).run()
        return load(*given)

    monkeypatch.setattr("simulacra.data.load", slowly)
    with pytest.raises(ConfigError, match="has seen 640 images"):
        start(tmp_path / "run", images=480, resume=True, **CONSTANT)
    assert Run.open(tmp_path / "run").config.train.images == 640


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_each_signal_saves(number: signal.Signals, tmp_path: Path, original: Path) -> None:
    with pytest.raises(InterruptedTraining):
        for progress in start(tmp_path / "run", **CONSTANT):
            if progress.images == 192:
                os.kill(os.getpid(), number)
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == "00000006.pt\n"
    start(tmp_path / "run", resume=True, **CONSTANT).run()
    assert same(tmp_path / "run", original)


def test_a_closed_terminal_that_cannot_be_written_to_saves_too(tmp_path: Path) -> None:
    def show() -> None:
        for progress in start(tmp_path / "run", **CONSTANT):
            if progress.images == 192:
                os.kill(os.getpid(), signal.SIGHUP)
                raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        show()
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == "00000006.pt\n"


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stopped = []
    try:
        with interrupts.deferred(lambda: stopped.append(1)):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not stopped


# ----------------------------------------------------------------------------------------- what a resume must see


def test_fewer_images_than_were_seen_are_refused(run: Path) -> None:
    before = everything(run)
    with pytest.raises(ConfigError, match=r"has seen 640 images already, so --train.images cannot be 128"):
        start(run, resume=True, images=128, **CONSTANT)
    assert everything(run) == before


@pytest.mark.parametrize(
    ("old", "new"), [("learning_rate = 0.001", "learning_rate = 0.01"), ("batch = 32", "batch = 16")]
)
def test_an_edited_config_is_noticed(old: str, new: str, run: Path) -> None:
    file = run / "config.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    before = everything(run)
    with pytest.raises(ConfigError, match=f"The checkpoint .* has train.*{old.split()[-1]}"):
        Session.start(str(file), out=run, changes={"train": {"images": 960}}, resume=True)
    assert everything(run) == before


def test_a_picture_that_moved_to_another_class_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for index in range(40):
        images.save(torch.full((1, 8, 8), index / 40), folder / ("a" if index < 20 else "b") / f"{index:02d}.png")
    changes = config.merge(SHORT, {"data": {"name": str(folder)}, "train": {"images": 64}})
    Session.start("quickstart", out=tmp_path / "run", changes=changes).run()
    shutil.move(folder / "b" / "20.png", folder / "a" / "20.png")
    with pytest.raises(ConfigError, match="their classes or their splits are not those"):
        Session.start("quickstart", out=tmp_path / "run", changes=changes, resume=True)


def test_other_software_is_said_and_remembered(run: Path) -> None:
    file = run / "environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "torch": "1.0", "device": "cuda:7"}))
    session = start(run, resume=True, images=960, **CONSTANT)
    assert "torch 1.0 -> " in session.notice
    assert "device cuda:7 -> cpu" in session.notice
    earlier = json.loads(file.read_text())["earlier"]
    assert [(part["torch"], part["until_step"]) for part in earlier] == [("1.0", 20)]


def _edited(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {**state, **changes}


def _moments(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def edit(state: dict[str, Any]) -> dict[str, Any]:
        state["optimizers"]["model"]["state"][0] = change(state["optimizers"]["model"]["state"][0])
        return state

    return edit


def _weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {**state, "model": {name: change(tensor) for name, tensor in state["model"].items()}}


VAST = torch.zeros(1).expand(2**38)
ODD_STATES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a step below zero": _edited(step=-5),
    "half a step": _edited(step=1.5),
    "a step that is a truth": _edited(step=True),
    "a step in words": _edited(step="twenty"),
    "seconds that are no number": _edited(seconds=float("nan")),
    "a retry below zero": _edited(retry=-1),
    "a best in words": _edited(best="the last"),
    "a model that is a list": _edited(model=[1, 2]),
    "an average that is a number": _edited(average=3),
    "a model of numbers": lambda state: {**state, "model": dict.fromkeys(state["model"], 1.0)},
    "optimizers that are a list": _edited(optimizers=[]),
    "no optimizers": _edited(optimizers={}),
    "moments of another shape": _moments(lambda old: {**old, "exp_avg": torch.zeros(1)}),
    "a model with a part more": lambda state: {**state, "model": {**state["model"], "more": torch.zeros(1)}},
    "a model without a part": lambda state: {**state, "model": dict(list(state["model"].items())[1:])},
    "complex weights": _weights(lambda old: old.to(torch.complex64)),
    "weights of 64 bits": _weights(lambda old: old.double()),
    "weights of whole numbers": _weights(lambda old: old.long()),
    "weights without numbers": _weights(lambda old: old.to("meta")),
    "sparse weights": _weights(lambda old: old.to_sparse()),
    "weights of one number each": _weights(lambda old: torch.zeros(1).expand(old.numel()).view(old.shape)),
    "a list of averages": _edited(average=[1]),
    "an average that was not asked for": lambda state: {**state, "average": {"more": torch.zeros(1)}},
    "groups that are a number": lambda state: {
        **state,
        "optimizers": {"model": {**state["optimizers"]["model"], "param_groups": 5}},
    },
    "no moments after 20 steps": lambda state: {
        **state,
        "optimizers": {"model": {**state["optimizers"]["model"], "state": {}}},
    },
    "moments of one number that poses as a terabyte": _moments(lambda old: {**old, "exp_avg": VAST}),
    "moments of one number in the right shape": _moments(
        lambda old: {**old, "exp_avg": torch.zeros(1).expand(old["exp_avg"].numel()).view(old["exp_avg"].shape)}
    ),
    "moments of 64 bits": _moments(lambda old: {**old, "exp_avg": old["exp_avg"].double()}),
    "steps of a million optimizers": _moments(lambda old: {**old, "step": torch.zeros(1).expand(2**38)}),
    "moments that are missing": _moments(lambda old: {"step": old["step"]}),
    "moments that are NaN": _moments(lambda old: {**old, "exp_avg": old["exp_avg"] / 0}),
    "weights that are NaN": lambda state: {**state, "model": {k: v / 0 for k, v in state["model"].items()}},
}


@pytest.mark.parametrize("case", ODD_STATES)
def test_an_odd_checkpoint_is_refused(case: str, run: Path) -> None:
    path = run / "checkpoints" / "00000020.pt"
    state = ODD_STATES[case](checkpoint.load(path))
    checkpoint.save(state, path)
    before = everything(run)
    with pytest.raises(RunError, match=r"00000020\.pt"):
        start(run, resume=True, images=960, **CONSTANT)
    assert everything(run) == before


ODD_LINES = [
    "[]", "5", '"text"', "null", "{}", '{"step": "a", "images": 1, "seconds": 1}',
    '{"step": 1, "images": null, "seconds": 1}', '{"step": -1, "images": 1, "seconds": 1}',
    '{"step": 1, "images": 1, "seconds": [1]}', '{"step": 1, "images": 1, "seconds": 1, "model/nll": {}}',
    '{"step": 1, "images": 1, "seconds": 1, "warning": 4}', "[" * 20_000, "9" * 5_000,
    '{"step": 1, "images": 1' + "0" * 400 + ', "seconds": 1}',
]  # fmt: skip


@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
def test_an_odd_line_of_the_log_is_named(line: str, run: Path) -> None:
    log = run / "metrics.jsonl"
    log.write_text(line + "\n" + log.read_text())
    before = everything(run)
    for use in (lambda: start(run, resume=True, images=960, **CONSTANT), lambda: Run.open(run).history()):
        with pytest.raises(RunError, match="line 1 is not a line of a training's log"):
            use()
    assert everything(run) == before


def test_a_last_line_that_was_cut_short_is_left_out(run: Path) -> None:
    log = run / "metrics.jsonl"
    log.write_text(log.read_text() + '{"step": 21, "ima')
    assert Run.open(run).history()[-1]["step"] == 20


@pytest.mark.parametrize("text", ["", "[]", "5", "{", "[" * 20_000])
def test_an_odd_environment_is_no_obstacle(text: str, run: Path) -> None:
    (run / "environment.json").write_text(text)
    assert RunFolder(run).table("environment.json") == {}
    start(run, resume=True, **CONSTANT).run()
    assert json.loads((run / "environment.json").read_text())["torch"] == torch.__version__


def test_a_lost_log_is_no_obstacle(run: Path) -> None:
    (run / "metrics.jsonl").unlink()
    start(run, resume=True, **CONSTANT).run()
    assert (run / "report.html").is_file()


# --------------------------------------------------------------------------------------------------- model files


def rewritten(run: Path, change: Callable[[dict[str, torch.Tensor], dict[str, str]], None]) -> Path:
    path = run / "model.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata())  # noqa: SIM118
    change(tensors, metadata)
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float, run: Path) -> None:
    def poison(tensors: dict[str, torch.Tensor], _: dict[str, str]) -> None:
        next(iter(tensors.values())).view(-1)[0] = value

    rewritten(run, poison)
    with pytest.raises(RunError, match="NaN or infinite"):
        Run.open(run)


def test_weights_of_another_type_are_refused(run: Path) -> None:
    rewritten(run, lambda tensors, _: tensors.update({name: t.double() for name, t in tensors.items()}))
    with pytest.raises(RunError, match=r"is of type torch\.float64"):
        Run.open(run)


@pytest.mark.parametrize(
    ("old", "new"),
    [("hidden = [\n    16,\n]", f"hidden = {[64] * 100_000}"), ("16,", "65536,"), ("latent = 2", "latent = 65536")],
)
def test_a_config_that_asks_for_more_than_the_file_holds_is_refused(old: str, new: str, run: Path) -> None:
    def enlarge(_: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
        assert old in metadata["config"]
        metadata["config"] = metadata["config"].replace(old, new)

    rewritten(run, enlarge)
    with pytest.raises(RunError, match=r"cannot be opened|do not fit the config"):
        Run.open(run)


def test_equal_models_have_equal_digests(run: Path) -> None:
    opened, files = Run.open(run), set()
    opened.save_prior(opened.fit_prior("normal"))
    for _ in range(12):  # the order of the file's metadata is drawn anew each time
        model_file.save_model(opened.model, opened.config, run / "model.safetensors")
        files.add(model_file.file_digest(run / "model.safetensors"))
        assert Run.open(run).digest == opened.digest
        assert Run.open(run).prior("fitted") is not None
    assert len(files) > 1, "the files did not differ"


def test_other_weights_have_another_digest(run: Path) -> None:
    before = Run.open(run).digest
    rewritten(run, lambda tensors, _: next(iter(tensors.values())).view(-1)[:1].add_(1e-3))
    assert Run.open(run).digest != before


def test_a_prior_of_an_earlier_version_is_known_by_its_file(run: Path) -> None:
    opened = Run.open(run)
    file = model_file.file_digest(run / "model.safetensors")
    opened.__dict__["digest"] = file
    opened.save_prior(opened.fit_prior("normal"))
    assert Run.open(run).prior("fitted") is not None


# ------------------------------------------------------------------------------------------------------ the rest


def test_a_clock_that_stands_still_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 5.0)
    rates = [progress.rate for progress in start(tmp_path / "run", **CONSTANT)]
    assert set(rates) == {0.0}
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.parametrize("name", ["/absolute", "../x", "..", "a\nb", "x" * 400])
def test_a_recipes_name_stays_below_runs(name: str) -> None:
    values = config.parse({**config.recipe("quickstart").values, "recipe": name})
    folder = setup.default_folder(values, values)
    assert folder.parent == Path("runs")
    assert folder.name not in ("", ".", "..")
    assert len(folder.name.encode()) <= 255
    assert folder.name.isprintable()


def test_a_read_only_run_can_be_used(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any, flags: int, *_: Any) -> Iterator[None]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(SimulacraError, match=r"\.lock cannot be opened: Permission denied"):
        start(run, resume=True, **CONSTANT)
    monkeypatch.undo()
    for path in (*run.rglob("*"), run):
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert Run.open(run).sample(1).isfinite().all()
    for path in (run, *run.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


# ------------------------------------------------------------------------------------------------ files of any size


@pytest.mark.parametrize("name", ["metrics.jsonl", "config.toml", "environment.json", "checkpoints/latest"])
def test_a_text_of_twenty_gigabytes_is_not_read(name: str, run: Path) -> None:
    os.truncate(run / name, 20 << 30)  # takes no room on the disk
    with pytest.raises(RunError, match=r"has 21,474,836,480 bytes; at most [\d,]+ are read\."):
        start(run, resume=True, images=960, **CONSTANT)


@pytest.mark.parametrize("name", ["model.safetensors", "prior.safetensors"])
def test_a_pipe_in_place_of_tensors_is_not_waited_for(name: str, run: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match="is not a regular file"):
        if name.startswith("model"):
            model_file.load_model(tmp_path / name)
        else:
            Run.open(run).prior(tmp_path / name)


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoints/00000020.pt"])
def test_weights_beyond_the_memory_are_refused_with_what_is_free(
    name: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 50_000_000)
    os.truncate(run / name, 20 << 30)
    with pytest.raises(ConfigError, match=r"would take about 21\.5 GB of memory; 0\.1 GB are free"):
        model_file.load_model(run / name) if name.startswith("model") else checkpoint.load(run / name)


def test_a_crowd_of_runs_is_named_in_part(tmp_path: Path) -> None:
    for number in range(3_000):
        (tmp_path / f"{number:04d}").mkdir()
        (tmp_path / f"{number:04d}" / "model.safetensors").touch()
    with pytest.raises(RunError, match=r"Choose one: 0000, 0001, 0002, 0003, 0004 and 2,995 more\.$"):
        Run.open(tmp_path)


def test_weights_that_overflow_give_no_picture(run: Path) -> None:
    def overflow(tensors: dict[str, torch.Tensor], _: dict[str, str]) -> None:
        for tensor in tensors.values():
            tensor.view(-1)[::2], tensor.view(-1)[1::2] = 3e38, -3e38

    rewritten(run, overflow)
    with pytest.raises(RunError, match="outputs are NaN or infinite"):
        Run.open(run).sample(2)
