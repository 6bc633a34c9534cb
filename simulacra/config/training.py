"""The section `train`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulacra.config.base import Fraction, PositiveInt, Section

__all__ = ["Optimizer", "OptimizerChange", "Schedule", "Train"]


class Optimizer(Section):
    """How a player's parameters move."""

    kind: Literal["adam", "adamw", "rmsprop", "sgd"] = Field("adam", description="the rule of the update")
    rate: Annotated[float, Field(gt=0)] = Field(1e-3, description="learning rate")
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), description="adam, adamw; sgd takes the first as momentum")
    epsilon: Annotated[float, Field(gt=0)] = Field(1e-8, description="added to the denominator")
    decay: Annotated[float, Field(ge=0)] = Field(0.0, description="weight decay")


class OptimizerChange(Section):
    """What one player's optimizer has different from the others'."""

    kind: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    rate: Annotated[float, Field(gt=0)] | None = None
    betas: tuple[Fraction, Fraction] | None = None
    epsilon: Annotated[float, Field(gt=0)] | None = None
    decay: Annotated[float, Field(ge=0)] | None = None


class Schedule(Section):
    """The learning rate over time: a linear warm-up, then constant or falling to zero at the end."""

    kind: Literal["constant", "linear", "cosine"] = Field("constant", description="how the rate falls to zero")
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="images over which the rate rises from 0")
    start: Fraction = Field(0.0, description="share of the training after which linear or cosine begins to fall")


class Train(Section):
    """How long, how fast, and what is kept on the way. Time is counted in images seen."""

    images: PositiveInt = Field(600_000, description="length of the training")
    batch: PositiveInt = Field(128, description="images in a step")
    optimizer: Optimizer = Optimizer()
    players: dict[str, OptimizerChange] = Field({}, description="what a player's optimizer has different")
    schedule: Schedule = Schedule()
    clip: Annotated[float, Field(gt=0)] | None = Field(None, description="largest norm of a player's gradient")
    ema: Annotated[int, Field(ge=0)] = Field(
        0, description="half-life of the averaged weights in images; 0: no averaging"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32", description="auto: bfloat16 where the hardware multiplies it"
    )
    compile: bool = Field(False, description="torch.compile the networks: pays only in trainings of hours")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    log: PositiveInt = Field(5_000, description="images between two lines of metrics.jsonl")
    sheet: PositiveInt = Field(50_000, description="images between two sample sheets")
    samples: PositiveInt = Field(64, description="images on a sample sheet")
    score: PositiveInt = Field(100_000, description="images between two measurements on held-out images")
    checkpoint: PositiveInt = Field(50_000, description="images between two checkpoints")
    keep: Literal["last", "best"] = Field(
        "last",
        description="which weights become model.safetensors; best needs data.validation where a score decides",
    )
    collapse: Literal["warn", "roll_back"] = Field(
        "warn", description="what to do when samples become alike or worse: say so, or go back to the best weights"
    )
    retries: Annotated[int, Field(ge=0)] = Field(2, description="roll-backs at most")
    tensorboard: bool = Field(False, description="also write TensorBoard event files")

    def optimizer_of(self, player: str) -> Optimizer:
        """The optimizer of one player: the common one with that player's changes."""
        change = self.players.get(player, OptimizerChange())
        return self.optimizer.model_copy(update=change.model_dump(exclude_none=True))
