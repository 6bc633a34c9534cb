"""The only training loop: pull a round, let each of its players move on its own loss, pull the next.

A step is a function of (weights, optimizer state, seed, step): the batch and the noise are derived from the
seed and the step, so nothing else needs saving for an exact resume.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from simulacra import parallel
from simulacra.config import Train
from simulacra.data import Loader, derived_seed
from simulacra.data.dataset import Dataset
from simulacra.errors import ConfigError, DivergenceError, nearest
from simulacra.models import Model, Round, Scored, mean_score
from simulacra.parallel import Part
from simulacra.runs.model_file import refuse_unlike
from simulacra.training import optim
from simulacra.training.average import Average
from simulacra.training.progress import Progress
from simulacra.training.seeding import random_state, seed_noise, set_random_state
from simulacra.training.team import ALONE, Team


class Trainer:
    """Plays a model's game on a loader's batches, as its config says."""

    def __init__(self, model: Model, loader: Loader, values: Train, *, seed: int = 0, team: Team = ALONE) -> None:
        if team.count > 1:
            parallel.synchronised(model)
        self.model = model
        self.team = team
        self.loader = loader
        self.values = values
        self.seed = seed
        self.step = 0
        self.seconds = 0.0
        self.interrupted = False  # set from outside: report after the present step
        self.average = Average(model, values.ema if team.leads else 0)
        self.parameters = {name: _trainable(player) for name, player in model.players().items()}
        _refuse_unknown_players(values, self.parameters)
        self.optimizers = {
            name: optim.build(values.optimizer_of(name), parameters) for name, parameters in self.parameters.items()
        }
        self._rates = {name: values.optimizer_of(name).learning_rate for name in self.parameters}
        self._stopping = False  # whether a process of the team was interrupted
        self._news = True  # whether followers do not know the leader's state yet
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        if values.compile:
            for network in model.children():
                network.compile()

    @property
    def images(self) -> int:
        """Images seen so far."""
        return self.step * self.values.batch

    @property
    def retry(self) -> int:
        """How often training was rolled back; each time the rates are halved and the noise is drawn anew."""
        return self.loader.retry

    @retry.setter
    def retry(self, count: int) -> None:
        self.loader.retry, self._news = count, True

    @property
    def finished(self) -> bool:
        """Whether as many images were seen as the config asks for."""
        return self.images >= self.values.images

    def train(self) -> Iterator[Progress]:
        """Train to the end, yielding `Progress` each ``log`` images and at the end. Raises `DivergenceError`."""
        while not self.finished:
            start, before = time.perf_counter(), self.images
            self._tell()
            self.stretch()
            terms = self.drain()
            elapsed = time.perf_counter() - start
            self.seconds += elapsed
            yield Progress(
                step=self.step,
                images=self.images,
                total=self.values.images,
                seconds=self.seconds,
                rate=(self.images - before) / elapsed if elapsed > 0 else 0.0,
                terms=terms,
            )

    def stretch(self) -> None:
        """Play the steps up to the next report, or until a process is interrupted."""
        self.advance()
        while not (self.due(self.values.log) or self.finished or self._stops):
            self.advance()
        self.interrupted |= self._stopping
        self._sums = self.team.mean(self._sums)

    @property
    def _stops(self) -> bool:
        """Whether to report after the present step: all processes decide alike."""
        return self._stopping if self.team.count > 1 else self.interrupted

    def follow(self) -> dict[str, Any]:
        """Play as the leader of the team tells, to the end; return its last order."""
        while "end" not in (order := self.team.told()):
            if "state" in order:
                self.load_state_dict(order["state"])
            self.stretch()
            self._sums, self._counts = {}, {}
        return order

    def _tell(self) -> None:
        """Let the others begin the next stretch too, from the same state."""
        if self.team.count > 1:
            self.team.tell({"state": {**self.state_dict(), "average": {}}} if self._news else {"go": True})
            self._news = False

    def advance(self) -> None:
        """Play one step: every round, every player of it on its own parameters only."""
        if not self.model.training:
            self.model.train()
        self._begin_step()
        self._play(self.team.parts(self.values.batch, self.values.accumulate))
        self._record(self.model.watched)
        self._end_step()
        if self.values.verify and self.step % self.values.verify == 0 and self.team.count > 1:
            self.team.refuse_differences(self.model.state_dict())

    def _begin_step(self) -> None:
        """Let the noise of a step depend on the seed and the step alone, and set its learning rates."""
        seed_noise(self.loader.device, derived_seed(self.seed, "noise", self.retry, self.step))
        self._set_rates()

    def _end_step(self) -> None:
        self.step += 1
        self.average.update(self.images, self.values.batch)

    def _play(self, parts: Sequence[Part]) -> None:
        """Play all rounds, each on one part of the batch after the other; all parts draw from the same random state."""
        games = [(part, self._dealt(part)) for part in parts]
        players: list[str] = []
        while True:
            before = random_state(self.loader.device)
            for index, (part, rounds) in enumerate(games):
                if index:
                    set_random_state(self.loader.device, before)
                with parallel.divided(part):
                    players = self._turn(rounds, share=1 / len(games))
            if not players:
                return
            for player in players:
                self._stopping = self.team.average_gradients(self.parameters[player], self.interrupted)
            for player in players:
                self._move(player)

    def _dealt(self, part: Part) -> Iterator[Round]:
        with parallel.divided(part):
            return self.model.rounds(self.loader.batch(self.step), self.step)

    def _turn(self, rounds: Iterator[Round], share: float) -> list[str]:
        """Add a share of the gradients of a game's next round; return its players, none at the end."""
        round_ = self._pull(rounds) or {}
        losses = {player: torch.stack(list(terms.values())).sum() for player, terms in round_.items()}
        for index, (player, loss) in enumerate(losses.items()):
            loss = loss if share == 1 else share * loss
            torch.autograd.backward(loss, inputs=self.parameters[player], retain_graph=index < len(losses) - 1)
        for player, terms in round_.items():
            self._record({f"{player}/{name}": term for name, term in terms.items()})
        return list(round_)

    def due(self, every: int) -> bool:
        """Whether the last step passed a multiple of ``every`` images."""
        return self.images // every > (self.images - self.values.batch) // every

    def passed(self, before: int, every: int) -> bool:
        """Whether a multiple of ``every`` images was passed since ``before`` images, or the training is finished."""
        return self.images // every > before // every or self.finished

    def drain(self) -> dict[str, float]:
        """Return the means of all recorded values since the last call; raises `DivergenceError` unless finite."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        wrong = [name for name, value in means.items() if not math.isfinite(value)]
        if wrong:
            raise DivergenceError(f"{wrong[0]} became {means[wrong[0]]} before step {self.step:,}")
        return means

    def score(self, dataset: Dataset) -> dict[str, float]:
        """Measure the averaged model on held-out images, with fixed noise; empty for models without a score."""
        model = self.average.model
        if not isinstance(model, Scored):
            return {}
        model.eval()
        generator = torch.Generator().manual_seed(derived_seed("score"))
        means = mean_score(model, self.loader.fixed(dataset), generator)
        wrong = [name for name, value in means.items() if not math.isfinite(value)]
        if wrong:
            raise DivergenceError(f"{wrong[0]} of held-out images became {means[wrong[0]]}")
        return means

    def healthy(self) -> bool:
        """Whether all weights and statistics, and their averages, are finite."""
        states = (self.model.state_dict(), self.average.model.state_dict())
        return all(bool(torch.isfinite(tensor).all()) for state in states for tensor in state.values())

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs, as tensors, numbers and strings."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "retry": self.retry,
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict() if self.average.half_life else {},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by `state_dict`.

        Raises KeyError, TypeError, ValueError or RuntimeError for a state of another model or of no training.
        """
        _refuse_odd_counts(state)
        refuse_unlike(self.model.state_dict(), state["model"], "model")
        refuse_unlike(self.average.model.state_dict() if self.average.half_life else {}, state["average"], "average")
        if not isinstance(state["optimizers"], Mapping) or state["optimizers"].keys() != self.optimizers.keys():
            raise ValueError("its optimizers are those of another model.")
        optim.refuse_unmoved(self.optimizers.values(), state["optimizers"].values(), state["step"])
        self.step, self.seconds, self.retry = state["step"], state["seconds"], state["retry"]
        self.model.load_state_dict(state["model"])
        if self.average.half_life:
            self.average.model.load_state_dict(state["average"])
        for name, optimizer in self.optimizers.items():
            optim.restore(optimizer, state["optimizers"][name])
        self._sums, self._counts = {}, {}
        self._news = True

    def _pull(self, rounds: Iterator[Round]) -> Round | None:
        half = self.values.precision == "bfloat16"
        with torch.autocast(self.loader.device.type, torch.bfloat16, enabled=half):
            return next(rounds, None)

    def _move(self, player: str) -> None:
        if self.values.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters[player], self.values.clip)
        self.optimizers[player].step()
        self.optimizers[player].zero_grad()

    def _set_rates(self) -> None:
        start = self.values.leg_start
        scale = optim.factor(self.values.schedule, self.images - start, self.values.images - start) * 0.5**self.retry
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = scale * self._rates[name]

    def _record(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach()
            self._counts[name] = self._counts.get(name, 0) + 1


def _refuse_odd_counts(state: Mapping[str, Any]) -> None:
    for name, kinds in (("step", int), ("retry", int), ("seconds", (int, float))):
        value = state[name]
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value < math.inf:
            raise ValueError(f"its {name} is {value!r:.40}.")


def _trainable(player: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in player.parameters() if parameter.requires_grad]


def _refuse_unknown_players(values: Train, players: dict[str, Any]) -> None:
    for name in values.players:
        if name not in players:
            raise ConfigError(
                f"train.players.{name}: this family has no such player.{nearest(name, players)} "
                f"Players: {', '.join(players)}."
            )
