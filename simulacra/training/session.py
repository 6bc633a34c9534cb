"""A training with its run folder: draw, save, train, roll back, finish.

`Session` is iterable: it yields `Progress` and writes everything on the way, so a command line, a page or a
test all watch the same loop.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simulacra.data import Given
from simulacra.data.given import Labels, Source
from simulacra.errors import CollapseError, ConfigError, DivergenceError, InterruptedTraining, StorageError
from simulacra.pages import report
from simulacra.runs import checkpoint, model_file
from simulacra.runs.checkpoint import Checkpoints
from simulacra.runs.folder import CHECKPOINTS, CONFIG, DISTANCE, MODEL, REPORT, TENSORBOARD, WARNING
from simulacra.runs.run import Run
from simulacra.training import Progress, follower, interrupts, legs, length, processes, resume, setup, sheets, watchdog
from simulacra.training.opening import open_folder
from simulacra.training.setup import Plan
from simulacra.training.team import ALONE, Team, asked_for
from simulacra.training.watchdog import Observer


class Session:
    """One training and the folder it fills; make one with `Session.start`."""

    def __init__(self, plan: Plan) -> None:
        self.config = plan.values
        self.splits = plan.splits
        self.fingerprint = plan.splits.fingerprint()
        self.trainer = plan.trainer
        self.data_root = plan.data_root
        self.given = plan.given
        self.folder = plan.folder
        self.checkpoints = Checkpoints(self.path / CHECKPOINTS)
        self.observer = Observer(self.trainer, self.splits, self.config)
        self.inherited = plan.inherited
        self.notice = ""  # what a person should be told besides numbers, e.g. of a roll-back
        self._events: Any = None  # TensorBoard's writer, once it is needed

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
        init: str | Path | None = None,
        team: Team = ALONE,
    ) -> Session:
        """Prepare a training: read the recipe and the data, build the model, open or continue the run folder.

        ``changes`` are nested tables laid over the recipe, e.g. ``{"train": {"batch": 64}}``. ``out`` is
        ``runs/RECIPE`` when absent, ``runs/RECIPE-DATA`` on other data than the recipe's. ``given`` are images from
        Python, which are trained on instead of a data set with a name; to resume, the same ones are given again.
        ``init`` is a run whose weights are taken over where they fit; ``team`` are the processes that train.
        Nothing is written before everything was found right; raises `UserError`.
        """
        if team.count == 1 and asked_for():
            raise ConfigError(
                "This program was started as one of several processes, which only `simulacra train RECIPE` and "
                "simulacra.train() can use. Start it once."
            )
        name = data_name if given is None else given.name
        tables = setup.asked(name, seed, changes or {})
        resume |= processes.restarted()
        plan = setup.prepare(recipe, tables, out, data_root, given, resuming=resume, init=init, team=team)
        follower.announce(plan, team)
        session = cls(plan)
        session.notice = open_folder(plan, session.checkpoints, session.observer)
        return session

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    def remarks(self) -> list[str]:
        """Lines for a person before the training begins: where its weights come from, the model's own, its length."""
        inherited = [] if self.inherited is None else [str(self.inherited)]
        model, train = self.trainer.model, self.config.train
        lasting = [
            *length.remarks(train, len(self.splits.train)),
            *model.remarks_on(math.ceil(train.images / train.batch)),
        ]
        return [*inherited, *model.remarks(), *lasting, *legs.remarks(train)]

    def history(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl`` so far."""
        return list(self.folder.rows)

    def run(self) -> Run:
        """Train to the end and open the result."""
        for _ in self:
            pass
        return Run.open(self.path, data_root=self.data_root, data=self.given)

    def __iter__(self) -> Iterator[Progress]:
        """Train to the end, writing the run folder on the way and yielding `Progress` at each log line.

        Raises `InterruptedTraining` after saving on SIGINT, SIGTERM or SIGHUP, `DivergenceError` when rolling back
        did not help, `StorageError` when the disk refused; in each case the last checkpoint is whole.
        """
        self.trainer.interrupted = False
        with interrupts.deferred(self._stop):
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
                self.folder.unlock()

    def _train(self) -> Iterator[Progress]:
        before = self.trainer.images
        for progress in self.trainer.train():
            measured = self.observer.measure(before)
            fault = self._log(progress, measured)
            if self._sheet_is_due(before):
                self._draw()
            better = self.observer.is_better(measured)
            saved = better or self.trainer.passed(before, self.config.train.checkpoint)
            if saved:
                self._save(best=better)
            if fault:
                self._warn(fault)
            before = progress.images
            try:
                yield progress
            finally:  # also where the one who watches cannot go on, as when a terminal was closed
                if self.trainer.interrupted and not saved:
                    self._save()
            if self.trainer.interrupted and not self.trainer.finished:
                raise InterruptedTraining(f"Stopped after {progress.images:,} images. {self._where_to_resume()}")

    def _sheet_is_due(self, before: int) -> bool:
        if self.config.train.sheets == "even":
            return self.trainer.passed(before, self.config.train.sheet)
        first = self.config.train.log
        doublings = [(images // first).bit_length() for images in (before, self.trainer.images)]
        return doublings[1] > doublings[0] or self.trainer.finished

    def _stop(self) -> None:
        self.trainer.interrupted = True

    def _log(self, progress: Progress, measured: Mapping[str, float]) -> str | None:
        """Append to the log; return what it shows to have gone wrong."""
        values = {**progress.terms, **measured}
        row = {"step": progress.step, "images": progress.images, "seconds": round(progress.seconds, 3), **values}
        rows, total = [*self.folder.rows, row], self.config.train.images
        fault = (
            watchdog.alarm(rows, total)
            if DISTANCE in row
            else watchdog.lasting_complaint(self.trainer.model, rows, total)
        )
        self.folder.append(row if fault is None else {**row, WARNING: fault})
        self._tensorboard(values, progress.images)
        return fault

    def _tensorboard(self, values: Mapping[str, float], images_seen: int) -> None:
        if not self.config.train.tensorboard:
            return
        from torch.utils.tensorboard import SummaryWriter

        if self._events is None:
            self._events = SummaryWriter(str(self.path / TENSORBOARD), purge_step=images_seen)
        for name, value in values.items():
            self._events.add_scalar(name, value, images_seen)
        self._events.flush()

    def _warn(self, fault: str) -> None:
        """Tell a person of a fault, or roll back where that was asked for."""
        if self.config.train.collapse == "roll_back":
            raise CollapseError(fault)
        self.notice = f"Warning: {fault}."
        if self.checkpoints.best() is not None and self.config.train.keep != "best":
            self.notice += f" The best weights are kept; to use them: {self._resume_command()} --train.keep best"

    def _draw(self) -> None:
        with watchdog.diverging():
            sheets.draw(self.trainer.average.model, self.splits, self.config, self.folder, self.trainer.step)

    def _save(self, *, best: bool = False) -> None:
        """Write the checkpoint and the model; the name of the latest comes last, it makes the others valid."""
        if not self.trainer.healthy():
            raise DivergenceError(f"a weight became NaN or infinite before step {self.trainer.step:,}")
        path = self.checkpoints.write(resume.state(self.config, self.trainer, self.observer, self.fingerprint))
        if best or self.config.train.keep == "last" or self.checkpoints.best() is None:
            try:
                model_file.save_model(self.trainer.average.model, self.config, self.path / MODEL)
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
                f"{good}. In a new folder, try a lower --train.optimizer.learning_rate, or --train.clip 1."
            ) from None
        resume.restore(checkpoint.load(good), good, self.trainer, self.observer)
        self.trainer.retry = retry
        self.folder.forget_after(self.trainer.step)
        self.checkpoints.forget_after(self.trainer.step)
        self.notice = (
            f"Training {what}: {error}. Rolled back to step {self.trainer.step:,}; "
            f"continuing with {0.5**retry:g} times the learning rate."
        )
        trainer = self.trainer
        row = {"step": trainer.step, "images": trainer.images, "seconds": round(trainer.seconds, 3)}
        self.folder.append({**row, WARNING: self.notice})

    def _finish(self) -> None:
        best = self.checkpoints.best() if self.config.train.keep == "best" else None
        model = self.trainer.average.model if best is None else checkpoint.averaged(checkpoint.load(best), self.config)
        model_file.save_model(model, self.config, self.path / MODEL)
        report.write(Run.open(self.path, data_root=self.data_root, data=self.given), self.splits, self.path / REPORT)

    def _where_to_resume(self) -> str:
        latest = self.checkpoints.latest()
        if latest is None:
            return "No checkpoint had been written yet."
        return f"The last checkpoint is {latest}. To continue: {self._resume_command()}"

    def _resume_command(self) -> str:
        root = [] if self.data_root is None else ["--data-root", str(self.data_root)]
        return shlex.join(["simulacra", "train", str(self.path / CONFIG), "--out", str(self.path), *root, "--resume"])


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
    init: str | Path | None = None,
) -> Run:
    """Train a recipe to the end and return the `Run`; iterate over a `Session` instead to watch it.

    ``data`` is a name, a path, or images with their ``labels`` as `simulacra.data.Given` takes them; ``changes`` are
    nested tables over the recipe: ``{"model": {"latent": 8}}``; ``init`` is a run to take weights over from.
    """
    name = str(data) if isinstance(data, str | Path) else None
    given = Given.of(None if isinstance(data, str | Path) else data, labels)
    with processes.job() as team:
        if team.leads:
            return Session.start(
                recipe,
                data_name=name,
                out=out,
                seed=seed,
                changes=changes,
                data_root=data_root,
                resume=resume,
                given=given,
                init=init,
                team=team,
            ).run()
        path = follower.serve(team, given)
    return Run.open(path, data_root=data_root, data=given)
