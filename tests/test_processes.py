"""A training that continues with another number of processes, and a job of ``torchrun`` whose processes fail."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from simulacra import config, parallel
from simulacra.config import Optimizer, Train
from simulacra.data import ImageLoader
from simulacra.errors import ConfigError, LostProcess, UserError
from simulacra.testing import small
from simulacra.training import Trainer, follower, setup, team
from simulacra.training.session import Session
from simulacra.training.team import Team
from tests.processes import together

BATCH = 12  # which 1, 2, 3 and 4 processes can share
STEPS = 2  # of each part


def part(team: Team, state: dict[str, Any] | None, steps: int) -> tuple[dict[str, Any], list[list[int]]]:
    """Train so many steps from a state; return the new one, and the images that this process saw."""
    model = small.build("gan", "mlp-batch-norm", small.SHAPES[0], seed=team.rank)
    images = small.noise_images(50, 1, 8)
    batches = ImageLoader(images, BATCH, seed=5, augment=("flip",))
    images_seen: list[list[int]] = []
    plain = batches._indices
    batches._indices = lambda place: _noted(images_seen, plain(place))  # type: ignore[method-assign]
    begun = 0 if state is None else state["step"]
    values = Train(images=(begun + steps) * BATCH, batch=BATCH, log=BATCH, verify=1, optimizer=Optimizer(epsilon=1e-4))
    trainer = Trainer(model, batches, values, seed=5, team=team)
    if not team.leads:
        trainer.follow()
    else:
        if state is not None:
            trainer.load_state_dict(state)
        list(trainer.train())
        team.tell({"end": 0})
    return trainer.state_dict(), images_seen


def _noted(seen: list[list[int]], indices: Tensor) -> Tensor:
    seen.append(parallel.own(indices).tolist())
    return indices


def test_a_training_goes_on_with_another_number_of_processes() -> None:
    whole, order = together(1, part, None, 4 * STEPS)[0]
    state, steps = None, []
    for count in (4, 2, 3, 1):
        parts = together(count, part, state, STEPS)
        state = parts[0][0]
        steps += [[image for _, seen in parts for image in seen[step]] for step in range(STEPS)]
    assert steps == order
    assert state is not None
    assert state["step"] == whole["step"] == 4 * STEPS
    for name, tensor in whole["model"].items():
        assert torch.allclose(tensor, state["model"][name], atol=2e-5), name


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    values = config.parse(config.merge(config.recipe("gan").values, {"train": {"batch": 100}}))
    setup.check_parts(values, Team(0, 4))
    with pytest.raises(ConfigError, match=r"100 images cannot be divided equally among 3 .* --train.batch 99 or 102"):
        setup.check_parts(values, Team(0, 3))
    packed = values.model_copy(update={"model": values.model.model_copy(update={"packing": 2})})
    with pytest.raises(ConfigError, match=r"packs of 2 images. Set --train.batch 96 or 104"):
        setup.check_parts(packed, Team(0, 4))


def fails_in_one(team: Team) -> str:
    def prepare() -> None:
        if team.rank == 1:
            raise ConfigError("There are no images here.")

    with pytest.raises(UserError) as caught:
        team.agree(prepare)
    return str(caught.value)


def test_what_one_process_cannot_do_all_refuse() -> None:
    assert together(2, fails_in_one) == ["Process 1 of 2: There are no images here."] * 2


def drifts(team: Team) -> str:
    state = {"same": torch.ones(3), "other": torch.tensor([1.0, -0.0 if team.rank else 0.0])}
    with pytest.raises(LostProcess) as caught:
        team.refuse_differences(state)
    return str(caught.value)


def test_the_first_tensor_that_differs_is_named() -> None:
    assert together(2, drifts) == ["Process 1 of 2 has another other than process 0."] * 2


CHANGES = {"train": {"images": 320, "batch": 16, "log": 80, "sheet": 160, "score": 320, "checkpoint": 160, "verify": 5}}


def session(team: Team, home: str) -> list[str]:
    """Train a recipe into a folder; return the files that this process wrote or renamed."""
    written: list[str] = []
    plain = Path.replace
    Path.replace = lambda path, target: (written.append(str(target)), plain(path, target))[1]  # type: ignore[method-assign]
    if team.leads:
        Session.start("gan-mlp", data_name="digits", out=f"{home}/{team.count}", changes=CHANGES, team=team).run()
        team.tell({"end": 0})
    else:
        assert follower.serve(team) == Path(home).resolve() / str(team.count)
    return written


def test_one_process_leads_and_writes(tmp_path: Path) -> None:
    leader, other = together(2, session, str(tmp_path))
    assert leader
    assert other == []
    together(1, session, str(tmp_path))
    one, two = (json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1]) for name in "12")
    assert one["images"] == two["images"] == 320
    for name, value in one.items():
        if name != "seconds":
            assert two[name] == pytest.approx(value, rel=0.02, abs=1e-3), name


def test_tasks_of_slurm_find_each_other() -> None:
    known = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "4711"}
    for nodes, first in (("n[003-010,012]", "n003"), ("big,small", "big"), ("one", "one")):
        found = {**known, "SLURM_STEP_NODELIST": nodes}
        team.adopt_slurm(found)
        assert (found["RANK"], found["WORLD_SIZE"], found["LOCAL_RANK"]) == ("3", "4", "1")
        assert (found["MASTER_ADDR"], found["MASTER_PORT"]) == (first, "24711")
    for other in ({"SLURM_STEP_NUM_TASKS": "1"}, {}, {**known, "RANK": "0"}):
        before = dict(other)
        team.adopt_slurm(other)
        assert other == before


def test_an_attempt_does_not_meet_the_dead_of_the_one_before() -> None:
    store, names = dist.HashStore(), []
    for places in ([2, 1, 0], [1, 0, 2], [0, 2, 1]):
        with ThreadPoolExecutor(3) as pool:
            waiting = []
            for rank in places:
                waiting.append(pool.submit(team.agreed_name, store, rank, 3))
                time.sleep(0.06)
            found = {one.result(5) for one in waiting}
        assert len(found) == 1
        names += found
        store.set("asking 1", "somebody who was killed while asking")
    assert len(set(names)) == 3


def test_verbs_that_train_alone_are_refused_in_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29500")
    with pytest.raises(ConfigError, match=r"one of several processes"):
        Session.start("gan-mlp", data_name="digits", out=tmp_path / "run")


# ----------------------------------------------------------------------------------------------- torchrun

LENGTH = ["--train.images", "9600", "--train.batch", "16", "--train.log", "160", "--train.sheet", "9600"]
COMMAND = ["train", "gan-mlp", "--data", "digits", *LENGTH, "--train.score", "9600", "--train.checkpoint", "320"]


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def torchrun() -> Iterator[Start]:
    """Start so many processes, which train into a folder; whatever is left of them at the end is killed."""
    jobs: list[subprocess.Popen[str]] = []

    def start(count: int, out: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
        run = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), *options]
        words = [sys.executable, "-m", *run, "-m", "simulacra", *COMMAND, "--out", str(out)]
        jobs.append(subprocess.Popen(
            words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        ))  # fmt: skip
        return jobs[-1]

    yield start
    for job in jobs:
        for one in [*workers(job), job.pid] if job.poll() is None else []:
            os.kill(one, signal.SIGKILL)
        job.wait()


def workers(job: subprocess.Popen[str]) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]


def images_of(out: Path) -> int:
    log = out / "metrics.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return int(json.loads(lines[-1])["images"]) if lines else 0


def wait_for(out: Path, images: int, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while images_of(out) < images:
        assert time.monotonic() < end, "the training does not move"
        time.sleep(0.05)


def weights(out: Path) -> dict[str, Tensor]:
    return torch.load(sorted((out / "checkpoints").glob("*.pt"))[-1], weights_only=True)["model"]  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_killed_workers_are_started_again_and_nothing_is_lost(torchrun: Start, tmp_path: Path) -> None:
    plain = torchrun(2, tmp_path / "plain")
    said, _ = plain.communicate(timeout=1_500)
    assert plain.returncode == 0, said
    job, out, draw = torchrun(2, tmp_path / "killed", "--max-restarts", "5"), tmp_path / "killed", random.Random(1)
    killed: set[int] = set()
    for index in range(5):
        wait_for(out, 1_000 * (index + 1) + draw.randrange(1_000))
        present = started(job, killed)
        os.kill(draw.choice(present), signal.SIGKILL)
        killed |= set(present)
    said, _ = job.communicate(timeout=1_500)
    assert job.returncode == 0, said
    assert said.count("was killed or stands still") == 5
    for name, tensor in weights(tmp_path / "plain").items():
        assert torch.equal(tensor, weights(out)[name]), name


def started(job: subprocess.Popen[str], before: set[int], count: int = 2, seconds: float = 300.0) -> list[int]:
    """Wait until torchrun has started other workers than those before; return them."""
    end = time.monotonic() + seconds
    while len(present := sorted(set(workers(job)) - before)) < count:
        assert time.monotonic() < end, "no worker was started again"
        time.sleep(0.05)
    return present


@pytest.mark.slow
def test_a_dead_worker_ends_the_job_within_seconds(torchrun: Start, tmp_path: Path) -> None:
    job = torchrun(2, tmp_path / "run")
    wait_for(tmp_path / "run", 480)
    os.kill(workers(job)[1], signal.SIGKILL)
    killed = time.monotonic()
    said, _ = job.communicate(timeout=120)
    assert time.monotonic() - killed < 20
    assert "Process 1 of 2 (counted from 0) was killed or stands still." in said
    assert said.count("simulacra: ") == 1
    assert job.returncode != 0


@pytest.mark.slow
def test_a_request_to_terminate_saves(torchrun: Start, tmp_path: Path) -> None:
    job = torchrun(2, tmp_path / "run")
    wait_for(tmp_path / "run", 480)
    job.send_signal(signal.SIGTERM)
    said, _ = job.communicate(timeout=120)
    assert "Stopped after" in said
    log = images_of(tmp_path / "run")
    assert weights(tmp_path / "run")
    assert log >= 480


@pytest.mark.slow
def test_a_process_that_stands_still_ends_the_job(torchrun: Start, tmp_path: Path) -> None:
    job = torchrun(2, tmp_path / "run", SIMULACRA_SILENCE="10")
    wait_for(tmp_path / "run", 480)
    os.kill(workers(job)[1], signal.SIGSTOP)
    stopped = time.monotonic()
    said, _ = job.communicate(timeout=200)
    assert time.monotonic() - stopped < 90
    assert "has not answered for 10 seconds" in said
