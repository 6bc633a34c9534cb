"""A training with its run folder: start or resume, train, log, draw, save, survive.

`Session` is iterable: it yields `Progress` and writes everything on the way, so a command line, a page or a
test all watch the same loop.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import torch

from simulacra import __version__, config, data, features, images, machine, models
from simulacra.config import Config
from simulacra.data import Given, Splits, derived_seed
from simulacra.data.given import PREFIX, Labels, Source
from simulacra.errors import (
    CollapseError,
    ConfigError,
    DivergenceError,
    InterruptedTraining,
    RunError,
    StorageError,
)
from simulacra.models import Generative, Inferential, Scored, Translating
from simulacra.pages import report
from simulacra.runs import checkpoint
from simulacra.runs.checkpoint import Checkpoints
from simulacra.runs.folder import (
    CHECKPOINTS,
    CONFIG,
    DISTANCE,
    ENVIRONMENT,
    EVALUATION,
    EVALUATION_PAGE,
    METRICS,
    MODEL,
    RECONSTRUCTIONS,
    REPORT,
    SAMPLES,
    WARNING,
    pictures_in,
    read_metrics,
)
from simulacra.runs.run import Run
from simulacra.steering import generate, translate
from simulacra.storage import atomic
from simulacra.training import Progress, Trainer, watchdog
from simulacra.training.setup import check_model, resolve, same_run, saved_config
from simulacra.training.watchdog import Watchdog

SETTLED = 0.1  # share of a training before which its pictures may look like anything
PAIRS = 12  # originals and reconstructions on a sheet
LOCK = ".lock"
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """One training and the folder it fills; make one with `Session.start`."""

    def __init__(
        self,
        values: Config,
        path: Path,
        splits: Splits,
        trainer: Trainer,
        data_root: Path | None = None,
        given: Given | None = None,
    ) -> None:
        self.config = values
        self.path = path
        self.splits = splits
        self.trainer = trainer
        self.data_root = data_root
        self.given = given
        self.digest = splits.digest()
        self.fingerprint = splits.fingerprint()
        self.checkpoints = Checkpoints(path / CHECKPOINTS)
        self.best: float | None = None
        self._lock: IO[str] | None = None
        self._events: Any = None  # TensorBoard's writer, once it is needed
        self.notice = ""  # what a person should be told besides numbers, e.g. of a roll-back

    # ------------------------------------------------------------------------------------------- beginning

    @classmethod
    def start(
        cls,
        recipe: str,
        *,
        data_name: str | None = None,
        out: str | Path | None = None,
        seed: int | None = None,
        changes: Mapping[str, Any] | None = None,
        data_root: str | Path | None = None,
        resume: bool = False,
        given: Given | None = None,
    ) -> Session:
        """Prepare a training: read the recipe and the data, build the model, open or continue the run folder.

        ``changes`` are nested tables laid over the recipe, e.g. ``{"train": {"batch": 64}}``. ``out`` is
        ``runs/RECIPE`` when absent, ``runs/RECIPE-DATA`` on other data than the recipe's. ``given`` are images from
        Python, which are trained on instead of a data set with a name; to resume, the same ones are given again.
        Nothing is written before everything was found right; raises `UserError`.
        """
        shipped = config.recipe(recipe).values
        values = config.parse(
            config.merge(shipped, _changes(data_name if given is None else given.name, seed, changes or {}))
        )
        path = Path(out) if out is not None else _default_folder(values, config.parse(shipped))
        root = None if data_root is None else Path(data_root)
        exists = _check_folder(path, resume)
        family = models.FAMILIES[values.model.family]
        splits = data.load(values.data, root, family.batch, given)
        device = machine.device(values.train.device)
        machine.check_tools(values.train, device)
        before = saved_config(path) if exists else None
        values = resolve(values, splits, device) if before is None else same_run(values, before, splits, path)
        torch.manual_seed(derived_seed(values.seed, "weights"))
        model = models.build(values.model, checkpoint.shape_of(values)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        loader = data.LOADERS[family.batch](
            splits.train, values.train.batch, seed=values.seed, device=device, augment=values.data.augment
        )
        check_model(values, model)
        session = cls(values, path, splits, Trainer(model, loader, values.train, seed=values.seed), root, given)
        session._open(exists)
        return session

    @cached_property
    def watchdog(self) -> Watchdog | None:
        """What watches the samples of models that draw any, beside validation or training images: never test images."""
        held = self.splits.validation
        real = held if held is not None and len(held) >= watchdog.FEWEST else self.splits.train
        if not isinstance(self.trainer.model, Generative) or len(real) < watchdog.FEWEST:
            return None
        return Watchdog(real, features.ready(self.config.data.name, real.shape), seed=self.config.seed)

    def _open(self, exists: bool) -> None:
        latest = self.checkpoints.latest() if exists else None
        state = None if latest is None else checkpoint.load(latest)
        if state is not None and not self.splits.matches(str(state.get("data"))):
            raise ConfigError(
                f"The images of {self.config.data.name}, their classes or their splits are not those that {self.path} "
                "was trained on. Restore them, or choose another folder with --out."
            )
        if state is not None:
            self._restore(state, latest)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self.path} cannot be made: {error.strerror}. Choose another folder with --out.") from None
        self._lock = _locked(self.path)
        if not self.trainer.finished or (exists and saved_config(self.path).train.keep != self.config.train.keep):
            for name in (EVALUATION, EVALUATION_PAGE):  # about weights that will be no more
                (self.path / name).unlink(missing_ok=True)
        with atomic(self.path / CONFIG) as temporary:
            temporary.write_text(config.dumps(self.config))
        with atomic(self.path / ENVIRONMENT) as temporary:
            temporary.write_text(json.dumps(self._environment(), indent=2) + "\n")
        self._forget_after(self.trainer.step)

    def _restore(self, state: dict[str, Any], origin: Path | None) -> None:
        """Continue from a state; raises `RunError` for one of another model."""
        try:
            self.trainer.load_state_dict(state)
            self.best = state["best"]
        except (KeyError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(
                f"{origin} does not fit the config beside it: {reason} Restore the run, or train anew."
            ) from None

    def _forget_after(self, step: int) -> None:
        """Drop what an interrupted run wrote after its checkpoint, and half-written files."""
        for leftover in self.path.rglob(".*.part"):
            leftover.unlink(missing_ok=True)
        for folder in (SAMPLES, RECONSTRUCTIONS):
            for at, sheet in pictures_in(self.path / folder):
                if at > step:
                    sheet.unlink()
        self.checkpoints.forget_after(step)
        kept = [row for row in self.history() if row.get("step", 0) <= step]
        with atomic(self.path / METRICS) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def _environment(self) -> dict[str, Any]:
        return {
            "simulacra": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "machine": platform.platform(),
            "processor": machine.processor(),
            "threads": torch.get_num_threads(),
            "device": str(self.trainer.loader.device),
            "command": sys.argv,
            "data": {"name": self.splits.train.name, "train": len(self.splits.train), "test": len(self.splits.test)},
            "data_sha256": self.digest,
            "data_fingerprint": self.fingerprint,
        }

    # -------------------------------------------------------------------------------------------- training

    def __iter__(self) -> Iterator[Progress]:
        """Train to the end, writing the run folder on the way and yielding `Progress` at each log line.

        Raises `InterruptedTraining` after saving on SIGINT or SIGTERM, `DivergenceError` when rolling back did
        not help, `StorageError` when the disk refused; in each case the last checkpoint is whole.
        """
        self.trainer.interrupted = False
        with self._interrupts():
            try:
                if self.trainer.step == 0:
                    self._draw()
                    self._save()
                while True:
                    try:
                        yield from self._train()
                        break
                    except DivergenceError as error:
                        self._roll_back(error)
                self._finish()
            except StorageError as error:
                raise StorageError(f"{error} {self._where_to_resume()}") from None
            finally:
                if self._lock is not None:
                    self._lock.close()

    def run(self) -> Run:
        """Train to the end and open the result."""
        for _ in self:
            pass
        return Run.open(self.path, data_root=self.data_root, data=self.given)

    def history(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl`` so far."""
        return read_metrics(self.path / METRICS)

    def _train(self) -> Iterator[Progress]:
        before = self.trainer.images
        for progress in self.trainer.train():
            measured = {**self._score_if_due(before), **self._watch_if_due(before)}
            fault = self._log(progress, measured)
            if self._passed(before, self.config.train.sheet):
                self._draw()
            better = self._is_better(measured)
            if better or self._passed(before, self.config.train.checkpoint):
                self._save(best=better)
            if fault:
                self._warn(fault)
            before = progress.images
            yield progress
            if self.trainer.interrupted and not self.trainer.finished:
                self._save()
                raise InterruptedTraining(f"Stopped after {progress.images:,} images. {self._where_to_resume()}")

    def _passed(self, before: int, every: int) -> bool:
        return self.trainer.images // every > before // every or self.trainer.finished

    def _score_if_due(self, before: int) -> dict[str, float]:
        """Measure the held-out images; those of the validation split, by which ``keep`` chooses, come first."""
        if not self._passed(before, self.config.train.score):
            return {}
        parts = {"validation": self.splits.validation, "test": self.splits.test}
        return {
            f"{split}/{name}": value
            for split, dataset in parts.items()
            if dataset is not None
            for name, value in self.trainer.score(dataset).items()
        }

    def _watch_if_due(self, before: int) -> dict[str, float]:
        """Measure samples, by which a family without a score of its own is chosen."""
        if self.watchdog is None or not self._passed(before, watchdog.interval(self.config.train.images)):
            return {}
        return self.watchdog.measure(self.trainer.average.model)

    def _is_better(self, measured: Mapping[str, float]) -> bool:
        """Whether these are the best weights so far, by the score or, in families without one, by samples."""
        scored = isinstance(self.trainer.model, Scored)
        prefix = "validation/" if scored else DISTANCE
        value = next((value for name, value in measured.items() if name.startswith(prefix)), None)
        if value is None or (scored and self.config.train.keep != "best"):
            return False
        if self.best is not None and value >= self.best:
            return False
        self.best = value
        return True

    def _log(self, progress: Progress, measured: Mapping[str, float]) -> str | None:
        """Append to the log; return what it shows to have gone wrong."""
        values = {**progress.terms, **measured}
        row = {"step": progress.step, "images": progress.images, "seconds": round(progress.seconds, 3), **values}
        rows, total = [*self.history(), row], self.config.train.images
        fault = watchdog.alarm(rows, total) if DISTANCE in row else self._complaint(rows, total)
        self._append(row if fault is None else {**row, WARNING: fault})
        self._tensorboard(values, progress.images)
        return fault

    def _append(self, row: Mapping[str, Any]) -> None:
        with _storage(self.path / METRICS), (self.path / METRICS).open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _warn(self, fault: str) -> None:
        """Tell a person of a fault, or roll back where that was asked for."""
        if self.config.train.collapse == "roll_back":
            raise CollapseError(fault)
        self.notice = f"Warning: {fault}."
        if self.checkpoints.best() is not None and self.config.train.keep != "best":
            self.notice += f" The best weights are kept; to use them: {self._resume_command()} --train.keep best"

    def _complaint(self, rows: Sequence[Mapping[str, Any]], total: int) -> str | None:
        """What the model itself finds wrong several times in a row after a training's beginning, once."""
        last = [row for row in rows if row["images"] > SETTLED * total][-watchdog.PATIENCE :]
        if len(last) < watchdog.PATIENCE:
            return None
        told = {row.get(WARNING) for row in rows}
        first, *others = (self.trainer.model.diagnose(row) for row in last)
        return next((said for said in first if said not in told and all(said in other for other in others)), None)

    def _tensorboard(self, values: Mapping[str, float], images_seen: int) -> None:
        if not self.config.train.tensorboard:
            return
        from torch.utils.tensorboard import SummaryWriter

        if self._events is None:
            self._events = SummaryWriter(str(self.path / "tensorboard"), purge_step=images_seen)
        for name, value in values.items():
            self._events.add_scalar(name, value, images_seen)
        self._events.flush()

    def _draw(self) -> None:
        """Write the sheets: the same latents and the same test images every time, so that a person can watch."""
        model, name = self.trainer.average.model, f"{self.trainer.step:08d}.png"
        if isinstance(model, Generative):
            sheet = generate.sample(model, self.config.train.samples, seed=derived_seed(self.config.seed, "sheet"))
            images.save(images.grid(images.magnified(sheet)), self.path / SAMPLES / name)
        if isinstance(model, Inferential):
            originals = images.from_bytes(self.splits.test.images[:PAIRS])
            rows = [("original", originals), ("reconstruction", generate.reconstruct(model, originals))]
            folder = RECONSTRUCTIONS if isinstance(model, Generative) else SAMPLES
            images.save(images.labelled_rows(rows), self.path / folder / name)
        if isinstance(model, Translating):
            images.save(translate.sheet(model, self.splits.test, PAIRS), self.path / SAMPLES / name)

    def _save(self, *, best: bool = False) -> None:
        """Write the checkpoint and the model; the name of the latest comes last, it makes the others valid."""
        if not self.trainer.healthy():
            raise DivergenceError(f"a weight became NaN or infinite before step {self.trainer.step:,}")
        path = self.checkpoints.write({**self.trainer.state_dict(), "best": self.best, "data": self.fingerprint})
        if best or self.config.train.keep == "last" or self.checkpoints.best() is None:
            try:
                checkpoint.save_model(self.trainer.average.model, self.config, self.path / MODEL)
            except StorageError:
                if not best:
                    self.checkpoints.commit(path)  # the state is whole; the model is written again when resumed
                raise
        self.checkpoints.commit(path, best=best)

    def _roll_back(self, error: DivergenceError) -> None:
        """Return to the last good checkpoint with half the learning rate and other noise, or give up."""
        retry, good, what = self.trainer.retry + 1, self.checkpoints.latest(), "diverged"
        if isinstance(error, CollapseError) and (best := self.checkpoints.best()) is not None:
            self.checkpoints.commit(best, best=True)
            good, what = best, "collapsed"
        if retry > self.config.train.retries or good is None:
            raise type(error)(
                f"Training {what}: {error}, after {self.trainer.retry} roll-backs. The last good checkpoint is kept: "
                f"{good}. In a new folder, try a lower --train.optimizer.rate, or --train.clip 1."
            ) from None
        self._restore(checkpoint.load(good), good)
        self.trainer.retry = retry
        self._forget_after(self.trainer.step)
        self.notice = (
            f"Training {what}: {error}. Rolled back to step {self.trainer.step:,}; "
            f"going on with {0.5**retry:g} of the learning rate."
        )
        trainer = self.trainer
        row = {"step": trainer.step, "images": trainer.images, "seconds": round(trainer.seconds, 3)}
        self._append({**row, WARNING: self.notice})

    def _finish(self) -> None:
        best = self.checkpoints.best() if self.config.train.keep == "best" else None
        model = self.trainer.average.model if best is None else checkpoint.averaged(checkpoint.load(best), self.config)
        checkpoint.save_model(model, self.config, self.path / MODEL)
        report.write(Run.open(self.path, data_root=self.data_root, data=self.given), self.splits, self.path / REPORT)

    def _where_to_resume(self) -> str:
        latest = self.checkpoints.latest()
        if latest is None:
            return "No checkpoint had been written yet."
        return f"The last checkpoint is {latest}. Go on with: {self._resume_command()}"

    def _resume_command(self) -> str:
        root = [] if self.data_root is None else ["--data-root", str(self.data_root)]
        return shlex.join(["simulacra", "train", str(self.path / CONFIG), "--out", str(self.path), *root, "--resume"])

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the present step, not the process; a second one does what it always did."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in INTERRUPTS}

        def stop(number: int, _: object) -> None:
            self.trainer.interrupted = True
            signal.signal(number, before[signal.Signals(number)])

        for number in INTERRUPTS:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def train(
    recipe: str,
    *,
    data: str | Path | Source | None = None,
    labels: Labels | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
    data_root: str | Path | None = None,
    resume: bool = False,
) -> Run:
    """Train a recipe to the end and return the `Run`; iterate over a `Session` instead to watch it.

    ``data`` is a name, a path, or images with their ``labels`` as `simulacra.data.Given` takes them; ``changes`` are
    nested tables over the recipe: ``{"model": {"latent": 8}}``.
    """
    name = str(data) if isinstance(data, str | Path) else None
    given = Given.of(None if isinstance(data, str | Path) else data, labels)
    return Session.start(
        recipe, data_name=name, out=out, seed=seed, changes=changes, data_root=data_root, resume=resume, given=given
    ).run()


def _changes(data_name: str | None, seed: int | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if data_name is not None:
        given["data"] = {"name": data_name}
    if seed is not None:
        given["seed"] = seed
    return config.merge(given, changes)


def _default_folder(values: Config, shipped: Config) -> Path:
    name = "" if values.data.name == shipped.data.name else f"-{Path(values.data.name.removeprefix(PREFIX)).stem}"
    return Path("runs") / f"{values.recipe}{name}"


def _locked(path: Path) -> IO[str] | None:
    """Hold a run folder for one training; the operating system lets go of it when the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    lock = (path / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise RunError(f"Another training is writing to {path}. Wait for it, or choose another folder.") from None
    return lock


def _check_folder(path: Path, resume: bool) -> bool:
    """Return whether ``path`` holds a run to continue; refuse one that would be overwritten."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file. Name a folder with --out.")
    if (path / CONFIG).is_file():
        if resume:
            return True
        raise RunError(f"{path} already holds a run. Continue it with --resume, or choose another folder with --out.")
    if path.is_dir() and any(not entry.name.endswith(".part") and entry.name != LOCK for entry in path.iterdir()):
        raise RunError(f"{path} is not empty and holds no run. Choose another folder with --out.")
    parent = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise RunError(f"{path} cannot be made: {parent} is not writable. Choose another folder with --out.")
    return False


@contextlib.contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror or error}.") from None
