"""A game played by hand: a round at a time, some of the players holding still.

With nobody holding still the weights are those of `Trainer.advance`, to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from simulacra.models import Round
from simulacra.training.seeding import random_state, set_random_state
from simulacra.training.trainer import Trainer


@dataclass(frozen=True)
class Played:
    """A round that was played: whose turn it was, who moved, and the terms of their losses before the move."""

    step: int  # whole steps before this round
    turn: tuple[str, ...]
    moved: tuple[str, ...]
    terms: dict[str, float]  # "player/term", and what the model watches


class ByHand(Trainer):
    """A trainer whose steps are played a round at a time."""

    def __init__(self, *arguments: Any, seed: int = 0) -> None:
        super().__init__(*arguments, seed=seed)
        self._open: Iterator[Round] | None = None  # the step that has begun
        self._noise: list[Tensor] = []  # the state of the generators between two rounds

    def round(self, still: Collection[str] = ()) -> Played:
        """Play the next round; players that hold ``still`` have their turn and do not move.

        Raises `DivergenceError` where a term is not finite.
        """
        if not self.model.training:
            self.model.train()
        rounds = self._open or self._begun()
        set_random_state(self.loader.device, self._noise)
        players = self._turn(rounds, share=1)
        self._noise = random_state(self.loader.device)
        if not players:
            self._open = None
            self._end_step()
            return self.round(still)
        moved = tuple(player for player in players if player not in still)
        for player in players:
            if player in moved:
                self._move(player)
            else:
                self.optimizers[player].zero_grad()
        self._record(self.model.watched)
        return Played(self.step, tuple(players), moved, self.drain())

    def _begun(self) -> Iterator[Round]:
        """Begin a step: its noise and its batch depend on the seed and the step alone."""
        self._begin_step()
        self._noise = random_state(self.loader.device)
        self._open = self.model.rounds(self.loader.batch(self.step), self.step)
        return self._open
