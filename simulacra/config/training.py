"""The section `train`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulacra.config.base import Fraction, PositiveInt, Section, Weight

__all__ = ["Optimizer", "OptimizerChange", "Schedule", "Train"]

Rule = Literal["adam", "adamw", "rmsprop", "sgd"]
Positive = Annotated[float, Field(gt=0)]


class Optimizer(Section):
    """How a player's parameters are updated."""

    kind: Rule = Field("adam", description="optimizer")
    learning_rate: Positive = Field(1e-3, description="learning rate")
    betas: tuple[Fraction, Fraction] = Field(
        (0.9, 0.999), description="decay rates of the moments of adam and adamw; sgd takes the first as its momentum"
    )
    epsilon: Positive = Field(1e-8, description="constant added to the denominator")
    weight_decay: Weight = Field(0.0, description="weight decay")


class OptimizerChange(Section):
    """What one player's optimizer has different from the others'."""

    kind: Rule | None = Field(None, description="optimizer of this player")
    learning_rate: Positive | None = Field(None, description="learning rate of this player")
    betas: tuple[Fraction, Fraction] | None = Field(None, description="decay rates of the moments of this player")
    epsilon: Positive | None = Field(None, description="constant added to the denominator for this player")
    weight_decay: Weight | None = Field(None, description="weight decay of this player")


class Schedule(Section):
    """The learning rate over time: a linear warm-up, then constant or falling to zero at the end."""

    kind: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="schedule of the learning rate; linear and cosine fall to zero"
    )
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="images over which the learning rate rises from 0")
    start: Fraction = Field(0.0, description="share of the training after which linear or cosine begins to fall")


class Train(Section):
    """How long, how fast, and what is kept on the way. Time is counted in images seen."""

    images: PositiveInt = Field(600_000, description="length of the training in images")
    epochs: Positive | None = Field(
        None, description="length of the training in passes over the training images; replaces images"
    )
    minutes: Positive | None = Field(
        None,
        description="length of the training in minutes, converted by the speed measured at the start; replaces images",
    )
    leg_start: Annotated[int, Field(ge=0)] = Field(
        0,
        description="images seen before the current leg of the training; set when a finished run is continued with "
        "--resume",
    )
    batch: Annotated[int, Field(gt=0, le=65_536)] = Field(128, description="batch size")
    accumulate: PositiveInt = Field(
        1, description="number of parts of a batch that are computed one after the other, for cards with little memory"
    )
    optimizer: Optimizer = Optimizer()
    players: dict[str, OptimizerChange] = Field({}, description="changes to the optimizer for individual players")
    freeze: dict[str, PositiveInt] = Field(
        {},
        description="number of first layers of individual players that keep the weights of the run given with "
        "--init, such as discriminator = 2",
    )
    schedule: Schedule = Schedule()
    clip: Positive | None = Field(
        None, description="largest norm of a player's gradient, above which it is scaled down; default: no clipping"
    )
    ema: Annotated[int, Field(ge=0)] = Field(
        0, description="half-life of the averaged weights in images; 0: no averaging"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32", description="number format of the networks; auto: bfloat16 where the hardware supports it natively"
    )
    compile: bool = Field(False, description="compile the networks with torch.compile; pays off in trainings of hours")
    device: str = Field("auto", description="device: auto, cpu, cuda, cuda:1 or mps")
    log: PositiveInt = Field(5_000, description="images between two lines of metrics.jsonl")
    sheet: PositiveInt = Field(50_000, description="images between two sheets of samples")
    sheets: Literal["even", "doubling"] = Field(
        "even",
        description="times at which sheets are drawn: every train.sheet images, or after 1, 2, 4, 8, ... times "
        "train.log images",
    )
    samples: Annotated[int, Field(gt=0, le=10_000)] = Field(64, description="number of images on a sheet of samples")
    score: PositiveInt = Field(100_000, description="images between two measurements on held-out images")
    checkpoint: PositiveInt = Field(50_000, description="images between two checkpoints")
    keep: Literal["last", "best"] = Field(
        "last",
        description="weights that become model.safetensors; best needs data.validation if the family has a score",
    )
    collapse: Literal["warn", "roll_back"] = Field(
        "warn", description="response to samples that collapse or get worse: a warning, or a return to the best weights"
    )
    retries: Annotated[int, Field(ge=0)] = Field(2, description="largest number of roll-backs")
    verify: Annotated[int, Field(ge=0)] = Field(
        0, description="steps between two checks that all processes hold the same weights; 0: no checks"
    )
    tensorboard: bool = Field(False, description="also write TensorBoard event files")

    def optimizer_of(self, player: str) -> Optimizer:
        """Return the optimizer of one player: the common one with that player's changes."""
        change = self.players.get(player, OptimizerChange())
        return self.optimizer.model_copy(update=change.model_dump(exclude_none=True))
