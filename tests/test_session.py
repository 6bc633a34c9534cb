"""Runs and their folders: what is written, exact resume after kills and signals, NaN, a full disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from simulacra import Run, config, images
from simulacra.errors import ConfigError, DivergenceError, InterruptedTraining, RunError, StorageError
from simulacra.images import sheets
from simulacra.models import Round
from simulacra.models.vae import VAE
from simulacra.pages import report
from simulacra.runs import checkpoint, model_file
from simulacra.training import watchdog
from simulacra.training.session import Session
from tests.conftest import SHORT


def start(out: Path, recipe: str = "quickstart", *, resume: bool = False, **train: Any) -> Session:
    return Session.start(recipe, out=out, changes=config.merge(SHORT, {"train": train}), resume=resume)


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(checkpoint.Checkpoints(run / "checkpoints").latest() or run)
    return {**{f"m.{k}": v for k, v in state["model"].items()}, **{f"a.{k}": v for k, v in state["average"].items()}}


def same(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "finished"
    start(out).run()
    return out


def test_the_run_folder(finished: Path) -> None:
    names = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    assert {"config.toml", "environment.json", "metrics.jsonl", "model.safetensors", "report.html"} <= names
    assert {"samples/00000000.png", "samples/00000010.png", "samples/00000020.png"} <= names
    assert {"reconstructions/00000000.png", "checkpoints/00000020.pt", "checkpoints/latest"} <= names
    assert sum(name.endswith(".pt") for name in names) == checkpoint.KEPT
    assert not [name for name in names if name.endswith(".part")]


def test_the_log(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [row["images"] for row in rows] == list(range(64, 641, 64))
    assert all({"step", "seconds", "model/nll", "model/kl"} <= row.keys() for row in rows)
    assert [row["images"] for row in rows if "test/negative_elbo" in row] == [320, 640]
    assert rows[-1]["model/nll"] < rows[0]["model/nll"]


def test_the_config_says_everything(finished: Path) -> None:
    values = config.parse(config.loads((finished / "config.toml").read_text()))
    assert (values.data.size, values.data.channels, values.train.precision) == (8, 1, "float32")
    assert Run.open(finished).config == values


def test_one_file_is_a_whole_model(finished: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((finished / "model.safetensors").read_bytes())
    assert torch.equal(Run.open(alone).sample(4, seed=3), Run.open(finished).sample(4, seed=3))


def test_the_model_holds_the_averaged_weights(finished: Path) -> None:
    state = checkpoint.load(checkpoint.Checkpoints(finished / "checkpoints").latest() or finished)
    model = Run.open(finished).model.state_dict()
    assert all(torch.equal(model[name], tensor) for name, tensor in state["average"].items())
    assert not all(torch.equal(model[name], tensor) for name, tensor in state["model"].items())


def test_the_same_seed_gives_the_same_run_and_another_does_not(finished: Path, tmp_path: Path) -> None:
    start(tmp_path / "again").run()
    assert same(finished, tmp_path / "again")
    Session.start("quickstart", out=tmp_path / "other", changes=SHORT, seed=1).run()
    assert not same(finished, tmp_path / "other")


def test_a_folder_with_a_run_is_not_overwritten(finished: Path) -> None:
    before = (finished / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match="--resume"):
        start(finished)
    assert (finished / "model.safetensors").read_bytes() == before


def test_a_foreign_folder_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        start(tmp_path)


def test_resuming_a_finished_run_changes_nothing(finished: Path) -> None:
    before = weights(finished)
    session = start(finished, resume=True)
    session.run()
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(finished).items())


def test_a_run_can_be_made_longer(tmp_path: Path) -> None:
    constant = {"schedule": {"kind": "constant"}}
    start(tmp_path / "a", images=320, **constant).run()
    start(tmp_path / "a", images=640, resume=True, **constant).run()
    start(tmp_path / "b", images=640, **constant).run()
    assert same(tmp_path / "a", tmp_path / "b")


def test_what_determines_the_weights_cannot_change_on_resume(tmp_path: Path) -> None:
    start(tmp_path / "a").run()
    with pytest.raises(ConfigError, match=r"train\.batch = 32, not 16"):
        start(tmp_path / "a", resume=True, batch=16)


def test_a_signal_saves_and_resuming_is_exact(finished: Path, tmp_path: Path) -> None:
    session = start(tmp_path / "a")
    with pytest.raises(InterruptedTraining, match="--resume"):
        for progress in session:
            if progress.images == 192:
                os.kill(os.getpid(), signal.SIGTERM)
    assert checkpoint.Checkpoints(tmp_path / "a" / "checkpoints").latest() is not None
    start(tmp_path / "a", resume=True).run()
    assert same(finished, tmp_path / "a")


def test_log_lines_after_the_checkpoint_are_not_repeated(tmp_path: Path) -> None:
    session = iter(start(tmp_path / "a", checkpoint=320))
    for progress in session:
        if progress.images == 448:
            break
    session.close()  # type: ignore[attr-defined]
    start(tmp_path / "a", resume=True, checkpoint=320).run()
    rows = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert [row["images"] for row in rows] == list(range(64, 641, 64))


@pytest.mark.slow
def test_attacked_trainings_end_as_undisturbed_ones(tmp_path: Path) -> None:
    """Killed at random moments and before renamings, stopped by signals, on a full disk: equal to the last bit."""
    script = Path(__file__).parent.parent / "scripts" / "kill_and_resume.py"
    counts = ["--kills", "2", "--aimed", "2", "--signals", "1", "--sizes", "1"]
    command = [sys.executable, str(script), "--families", "gan", *counts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("identical to the last bit") == 4


def poisoned(monkeypatch: pytest.MonkeyPatch, steps: set[int], *, times: int = 10**9) -> None:
    """Make the VAE's loss NaN at some steps, a limited number of times."""
    original, left = VAE.rounds, [times]

    def rounds(self: VAE, batch: Any, step: int) -> Iterator[Round]:
        for round_ in original(self, batch, step):
            if step in steps and left[0] > 0:
                left[0] -= 1
                round_["model"]["nll"] = round_["model"]["nll"] * float("nan")
            yield round_

    monkeypatch.setattr(VAE, "rounds", rounds)


def test_divergence_rolls_back_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, {11}, times=1)
    session = start(tmp_path / "a")
    notices = []
    for _ in session:
        if session.notice:
            notices.append(session.notice)
            session.notice = ""
    assert len(notices) == 1
    assert "Rolled back to step 8" in notices[0]
    assert session.trainer.retry == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights(tmp_path / "a").values())


def test_hopeless_divergence_ends_with_a_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, set(range(11, 100)))
    with pytest.raises(DivergenceError, match="last good checkpoint") as caught:
        start(tmp_path / "a").run()
    assert caught.value.exit_status == 3
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights(tmp_path / "a").values())
    assert Run.open(tmp_path / "a").sample(2).isfinite().all()


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.write_bytes

    def full(self: Path, content: Any) -> int:
        if self.parent.name == "checkpoints" and session.trainer.images > 256:
            original(self, bytes(memoryview(content))[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    session = start(tmp_path / "a")
    with pytest.raises(StorageError, match=r"No space left on device.*00000008\.pt.*--resume") as caught:
        session.run()
    assert caught.value.exit_status == 4
    assert not list((tmp_path / "a").rglob("*.part"))
    monkeypatch.undo()
    start(tmp_path / "a", resume=True).run()
    assert Run.open(tmp_path / "a").sample(2).isfinite().all()


def test_keep_best_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([5.0, 0.0, 3.0, 9.0, 4.0, 9.0, 9.0, 9.0, 9.0, 9.0])  # validation and test in turn
    monkeypatch.setattr("simulacra.training.trainer.Trainer.score", lambda self, _: {"negative_elbo": next(scores)})
    changes = config.merge(SHORT, {"data": {"validation": 0.1}, "train": {"keep": "best", "score": 128}})
    session = Session.start("quickstart", out=tmp_path / "a", changes=changes)
    run = session.run()
    best = checkpoint.Checkpoints(tmp_path / "a" / "checkpoints").best()
    assert best is not None
    assert best.name == "00000008.pt"
    average = checkpoint.load(best)["average"]
    assert all(torch.equal(run.model.state_dict()[name], tensor) for name, tensor in average.items())


@pytest.mark.parametrize("recipe", ["autoencoder", "gan-mlp"])
def test_other_families_leave_a_whole_run_folder(recipe: str, tmp_path: Path) -> None:
    changes = {"data": {"name": "digits", "size": 8}, "train": SHORT["train"]}
    if recipe == "autoencoder":
        changes["model"] = {"network": {"kind": "mlp", "hidden": [16]}}
    run = Session.start(recipe, out=tmp_path / "a", changes=changes).run()
    assert (tmp_path / "a" / "samples" / "00000020.png").is_file()
    assert (tmp_path / "a" / "report.html").is_file()
    assert run.history()[-1]["images"] == 640


def test_the_report_is_self_contained(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("data:image/png;base64,") >= 5
    for word in ("manifold", "Reconstructions", "Samples", "model/nll", "negative_elbo", "quickstart"):
        assert word in page


def test_the_report_escapes_what_it_quotes(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text("<script>alert(1)</script>")
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, "images": 32, "seconds": 1, "x/</script>": 1.0}))
    run = Run.open(finished)
    hostile = Run(tmp_path, run.model, run.config)
    page = report.write(hostile, run.splits, tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "x/</script>" not in page


def test_sheets_show_the_same_digits_all_the_time(finished: Path) -> None:
    first, last = (images.read(finished / "reconstructions" / f"{n:08d}.png", "sheet") for n in (0, 20))
    middle = (first.height - sheets.HEAD) // 2  # above the line that says how old the sheet is
    top = (0, 0, first.width, middle)
    bottom = (100, middle, first.width, 2 * middle)
    assert first.crop(top).tobytes() == last.crop(top).tobytes()
    assert first.crop(bottom).tobytes() != last.crop(bottom).tobytes()


def test_missing_tools_are_named_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match=r"simulacra\[tensorboard\]"):
        start(tmp_path / "a", tensorboard=True)
    with pytest.raises(ConfigError, match=r"C\+\+ compiler"):
        start(tmp_path / "a", compile=True)
    assert not (tmp_path / "a").exists()


def test_scores_of_weights_that_will_be_no_more_are_removed(tmp_path: Path) -> None:
    constant = {"schedule": {"kind": "constant"}}
    start(tmp_path / "a", images=320, **constant).run()
    files = [tmp_path / "a" / name for name in ("evaluation.json", "evaluation.html")]
    for file in files:
        file.write_text("")
    start(tmp_path / "a", images=320, resume=True, **constant)
    assert all(file.exists() for file in files), "nothing is left to train"
    start(tmp_path / "a", images=640, resume=True, **constant)
    assert not any(file.exists() for file in files)


def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    start(tmp_path / "a", tensorboard=True).run()
    assert any(path.stat().st_size > 100 for path in (tmp_path / "a" / "tensorboard").iterdir())


def test_a_longer_run_can_be_resumed_from_its_own_config(tmp_path: Path) -> None:
    constant = {"schedule": {"kind": "constant"}}
    start(tmp_path / "a", images=320, **constant).run()
    session = start(tmp_path / "a", images=640, resume=True, **constant)
    with pytest.raises(InterruptedTraining, match=r"a/config\.toml --out .*a --resume"):
        for progress in session:
            if progress.images == 448:
                os.kill(os.getpid(), signal.SIGINT)
    Session.start(str(tmp_path / "a" / "config.toml"), out=tmp_path / "a", resume=True).run()
    assert Run.open(tmp_path / "a").history()[-1]["images"] == 640


def test_the_end_of_a_falling_rate_cannot_move_before_it_is_reached(tmp_path: Path) -> None:
    _stopped(start(tmp_path / "a", images=320), at=128)
    with pytest.raises(ConfigError, match=r"train\.images = 320, not 640 .*once the run is finished"):
        start(tmp_path / "a", images=640, resume=True)


def _stopped(session: Session, at: int) -> None:
    """Train until so many images were seen, then interrupt."""
    with pytest.raises(InterruptedTraining):
        for progress in session:
            if progress.images >= at:
                os.kill(os.getpid(), signal.SIGINT)


def test_a_finished_run_goes_on_in_a_leg_with_a_schedule_of_its_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        start(tmp_path / name, images=320).run()
    longer = start(tmp_path / "a", images=640, resume=True)
    assert longer.config.train.leg_start == 320
    assert any("in a leg of 10 steps" in line for line in longer.remarks())
    longer.trainer._set_rates()
    rates = {group["lr"] for optimizer in longer.trainer.optimizers.values() for group in optimizer.param_groups}
    assert rates == {longer.config.train.optimizer.learning_rate}
    longer.run()
    assert Run.open(tmp_path / "a").config.train.leg_start == 320
    assert [row["images"] for row in Run.open(tmp_path / "a").history() if "leg_start" in row] == [320]
    _stopped(start(tmp_path / "b", images=640, resume=True), at=448)
    start(tmp_path / "b", images=640, resume=True).run()
    assert same(tmp_path / "a", tmp_path / "b")


def test_a_finished_run_that_is_asked_for_nothing_more_stays_as_it_is(tmp_path: Path) -> None:
    start(tmp_path / "a", images=320).run()
    before = weights(tmp_path / "a")
    again = start(tmp_path / "a", images=320, resume=True)
    assert again.config.train.leg_start == 0
    again.run()
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(tmp_path / "a").items())


def test_a_leg_may_last_epochs_or_minutes_and_have_another_learning_rate(tmp_path: Path) -> None:
    start(tmp_path / "a", images=320).run()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    rate = {"optimizer": {"learning_rate": 1e-4}}
    with pytest.raises(ConfigError, match="learning_rate"):
        start(tmp_path / "a", images=320, resume=True, **rate)
    epochs = start(tmp_path / "a", epochs=1, resume=True, **rate)
    assert (epochs.config.train.leg_start, epochs.config.train.images) == (320, -(-len(epochs.splits.train) // 32) * 32)
    assert epochs.folder.config().train.optimizer.learning_rate == 1e-4
    minutes = start(tmp_path / "b", minutes=0.01, resume=True)
    assert minutes.config.train.leg_start == 320
    assert minutes.config.train.images > 320


def test_a_new_run_from_the_config_of_several_legs_has_one(tmp_path: Path) -> None:
    start(tmp_path / "a", images=320).run()
    start(tmp_path / "a", images=352, resume=True).run()
    fresh = Session.start(str(tmp_path / "a" / "config.toml"), out=tmp_path / "b")
    assert fresh.config.train.leg_start == 0


def test_a_data_set_that_changed_is_not_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(40):
        images.save(torch.full((1, 8, 8), index / 40), folder / f"{index:02d}.png")
    changes = config.merge(SHORT, {"data": {"name": str(folder)}})
    Session.start("quickstart", out=tmp_path / "a", changes=changes).run()
    images.save(torch.zeros(1, 8, 8), folder / "new.png")
    with pytest.raises(ConfigError, match="are not those that"):
        Session.start("quickstart", out=tmp_path / "a", changes=changes, resume=True)


def test_a_score_that_is_no_number_is_a_divergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAE, "score", lambda self, batch, generator=None: {"negative_elbo": torch.tensor(float("nan"))})
    with pytest.raises(DivergenceError, match="negative_elbo of held-out images became nan"):
        start(tmp_path / "a").run()


def test_the_latest_is_committed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between the model and ``latest`` must leave a run that is resumed from the older state."""
    original = checkpoint.Checkpoints.commit
    written = []

    def commit(self: checkpoint.Checkpoints, path: Path, *, best: bool = False) -> None:
        written.append((path.name, (tmp_path / "a" / "model.safetensors").stat().st_mtime_ns))
        if path.name == "00000012.pt":
            raise KeyboardInterrupt
        original(self, path, best=best)

    monkeypatch.setattr(checkpoint.Checkpoints, "commit", commit)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "a").run()
    assert written[-1][1] > written[-2][1], "the model was not written before the commit"
    assert (tmp_path / "a" / "checkpoints" / "latest").read_text() == "00000008.pt\n"
    monkeypatch.undo()
    start(tmp_path / "a", resume=True).run()
    start(tmp_path / "b").run()
    assert same(tmp_path / "a", tmp_path / "b")


def test_an_older_checkpoint_can_be_chosen_by_hand(finished: Path, tmp_path: Path) -> None:
    session = start(tmp_path / "a")
    for progress in session:
        if progress.images == 512:
            break
    (tmp_path / "a" / "checkpoints" / "latest").write_text("00000012.pt\n")
    start(tmp_path / "a", resume=True).run()
    assert same(finished, tmp_path / "a")


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    changes = {"data": {"size": 8, "name": "digits"}, "train": {"batch": 1}}
    with pytest.raises(ConfigError, match="2 or more"):
        Session.start("gan-mlp", out=tmp_path / "a", changes=changes)
    assert not (tmp_path / "a").exists()


def test_the_report_does_not_load_the_data_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(tmp_path / "a")
    monkeypatch.setattr("simulacra.data.load", lambda *_: pytest.fail("the data was loaded again"))
    session.run()
    assert (tmp_path / "a" / "report.html").is_file()


def test_broken_statistics_are_not_saved(tmp_path: Path) -> None:
    changes = {"data": SHORT["data"], "train": SHORT["train"]}
    session = Session.start("gan-mlp", out=tmp_path / "a", changes=changes)
    assert session.trainer.healthy()
    next(buffer for name, buffer in session.trainer.model.named_buffers() if "mean" in name).fill_(float("inf"))
    assert not session.trainer.healthy()


def test_one_folder_takes_one_training_at_a_time(tmp_path: Path) -> None:
    first = start(tmp_path / "a")
    with pytest.raises(RunError, match="Another training is writing"):
        start(tmp_path / "a", resume=True)
    first.run()
    start(tmp_path / "a", resume=True).run()


def test_a_disk_too_full_for_the_model_keeps_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = model_file.save_model

    def full(model: Any, values: Any, path: Path) -> None:
        if session.trainer.images > 256:
            raise StorageError("model.safetensors could not be written: No space left on device.")
        original(model, values, path)

    monkeypatch.setattr(model_file, "save_model", full)
    session = start(tmp_path / "a")
    with pytest.raises(StorageError, match=r"00000012\.pt"):
        session.run()
    monkeypatch.undo()
    start(tmp_path / "a", resume=True).run()
    start(tmp_path / "b").run()
    assert same(tmp_path / "a", tmp_path / "b")


def test_other_data_goes_into_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [
        Session.start("vae", data_name=data, changes={"train": SHORT["train"]}).path for data in ("digits", "shapes")
    ]
    assert [str(name) for name in names] == ["runs/vae-digits", "runs/vae-shapes"]


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    start(tmp_path / "a").run()
    latest = checkpoint.Checkpoints(tmp_path / "a" / "checkpoints").latest()
    assert latest is not None
    state = checkpoint.load(latest)
    state["model"] = {name: tensor[:1] for name, tensor in state["model"].items()}
    checkpoint.save(state, latest)
    with pytest.raises(RunError, match="does not fit the config"):
        start(tmp_path / "a", resume=True)


def test_what_a_model_finds_wrong_is_told_once_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(tmp_path / "run")
    monkeypatch.setattr(session.trainer.model, "diagnose", lambda row: ["all alike"] if row["variety"] < 0.2 else [])

    def told(*variety: float, before: str | None = None) -> str | None:
        rows = [{"images": 10 * (index + 1), "variety": value} for index, value in enumerate(variety)]
        return watchdog.lasting_complaint(
            session.trainer.model, [{"images": 0, "warning": before, "variety": 1.0}, *rows], total=50
        )

    assert told(0.1, 0.1, 0.1, 0.1) == "all alike"
    assert told(0.1, 0.1, 0.1, 0.1, before="all alike") is None
    assert told(0.1, 0.1, 0.9, 0.1) is None
    assert told(0.1, 0.1) is None
