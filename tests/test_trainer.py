"""The loop on toy games whose moves are known: simultaneous rounds, rates, clipping, averages, divergence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from simulacra.config import Optimizer, OptimizerChange, Schedule, Train
from simulacra.data import ImageLoader, Images
from simulacra.errors import ConfigError, DivergenceError
from simulacra.images import Shape
from simulacra.models import Model, Round
from simulacra.testing.small import noise_images
from simulacra.training import Average, Trainer, optim
from simulacra.training.seeding import seed_noise
from tests import contract


class Number(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


class Bilinear(Model):
    """min over a, min over b of two losses on shared values: a pays a * b, b pays -a * b, in one round or in two."""

    def __init__(self, simultaneous: bool) -> None:
        super().__init__(Shape(1, 8))
        self.a, self.b = Number(1.0), Number(2.0)
        self.simultaneous = simultaneous

    def players(self) -> dict[str, nn.Module]:
        return {"a": self.a, "b": self.b}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        if self.simultaneous:
            product = self.a.value * self.b.value
            yield {"a": {"loss": product}, "b": {"loss": -product}}
        else:
            yield {"a": {"loss": self.a.value * self.b.value}}
            yield {"b": {"loss": -self.a.value * self.b.value}}


class Slope(Model):
    """One number that pays ``slope * number`` (and, from a step on, NaN)."""

    def __init__(self, slope: float = 1.0, bad_from: int = 10**9) -> None:
        super().__init__(Shape(1, 8))
        self.number, self.slope, self.bad_from = Number(0.0), slope, bad_from

    def players(self) -> dict[str, nn.Module]:
        return {"only": self.number}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        self.watch("only/step", torch.tensor(float(step)))
        factor = float("nan") if step >= self.bad_from else 1.0
        yield {
            "only": {
                "first": 0.25 * factor * self.slope * self.number.value,
                "second": 0.75 * self.slope * self.number.value,
            }
        }


def sgd(model: Model, *, rate: float = 0.1, images: int = 80, **options: object) -> Trainer:
    optimizer = Optimizer(kind="sgd", learning_rate=rate, betas=(0.0, 0.0))
    values = Train(images=images, batch=8, log=16, optimizer=optimizer, **options)  # type: ignore[arg-type]
    return Trainer(model, ImageLoader(noise_images(16, 1, 8), 8), values)


def test_players_of_one_round_move_simultaneously() -> None:
    model = Bilinear(simultaneous=True)
    sgd(model).advance()
    assert float(model.a.value) == pytest.approx(1.0 - 0.1 * 2.0)
    assert float(model.b.value) == pytest.approx(2.0 + 0.1 * 1.0)


def test_between_rounds_weights_have_changed() -> None:
    model = Bilinear(simultaneous=False)
    sgd(model).advance()
    assert float(model.a.value) == pytest.approx(0.8)
    assert float(model.b.value) == pytest.approx(2.0 + 0.1 * 0.8)


def test_a_loss_is_the_sum_of_its_terms() -> None:
    model = Slope(slope=2.0)
    sgd(model).advance()
    assert float(model.number.value) == pytest.approx(-0.2)


def test_progress_reports_means_counts_and_the_end() -> None:
    model = Slope()
    reports = list(sgd(model, images=40).train())
    assert [p.images for p in reports] == [16, 32, 40]
    assert [p.step for p in reports] == [2, 4, 5]
    assert [p.terms["only/step"] for p in reports] == [0.5, 2.5, 4.0]
    assert reports[0].terms["only/second"] == pytest.approx(0.75 * (0.0 - 0.1) / 2)
    assert reports[-1].seconds_left == 0.0


def test_each_player_may_have_its_own_rate() -> None:
    model = Bilinear(simultaneous=True)
    sgd(model, players={"b": OptimizerChange(learning_rate=0.5)}).advance()
    assert float(model.a.value) == pytest.approx(0.8)
    assert float(model.b.value) == pytest.approx(2.5)


def test_unknown_players_are_refused() -> None:
    with pytest.raises(ConfigError, match="Players: a, b"):
        sgd(Bilinear(simultaneous=True), players={"aa": OptimizerChange(learning_rate=0.5)})


def test_clipping_bounds_the_norm() -> None:
    model = Slope(slope=100.0)
    sgd(model, clip=1.0).advance()
    assert float(model.number.value) == pytest.approx(-0.1, rel=1e-3)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [1, 1, 1, 1]),
        (Schedule(kind="linear"), [1, 0.75, 0.5, 0]),
        (Schedule(kind="linear", start=0.5), [1, 1, 1, 0]),
        (Schedule(kind="cosine"), [1, 0.8535534, 0.5, 0]),
        (Schedule(warmup=50), [0, 0.5, 1, 1]),
    ],
)
def test_schedules(schedule: Schedule, expected: list[float]) -> None:
    assert [optim.factor(schedule, images, 100) for images in (0, 25, 50, 100)] == pytest.approx(expected)


def test_the_schedule_reaches_the_optimizer() -> None:
    model = Slope()
    trainer = sgd(model, images=32, schedule=Schedule(kind="linear"))
    for _ in trainer.train():
        pass
    assert float(model.number.value) == pytest.approx(-0.1 * (1 + 0.75 + 0.5 + 0.25))


def test_the_average_has_the_half_life_it_says() -> None:
    model = Slope()
    average = Average(model, half_life=400)
    with torch.no_grad():
        model.number.value.fill_(1.0)
    for _ in range(50):
        average.update(images=10**9, batch=8)
    assert float(average.model.number.value) == pytest.approx(0.5, rel=1e-4)  # type: ignore[arg-type, union-attr]


def test_the_average_forgets_the_beginning() -> None:
    model = Slope()
    average = Average(model, half_life=10**9)
    with torch.no_grad():
        model.number.value.fill_(1.0)
    for step in range(1, 1001):
        average.update(images=8 * step, batch=8)
    assert float(average.model.number.value) > 0.99  # type: ignore[arg-type, union-attr]


def test_averages_take_batch_statistics_along() -> None:
    class Norm(Slope):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

    model = Norm()
    average = Average(model, half_life=8)
    model.norm(torch.randn(64, 2) + 5)
    average.update(images=10**9, batch=8)
    assert torch.allclose(average.model.norm.running_mean, model.norm.running_mean / 2)  # type: ignore[union-attr, operator, arg-type]
    assert int(average.model.norm.num_batches_tracked) == 1  # type: ignore[union-attr, arg-type]


def test_divergence_is_found_and_named() -> None:
    trainer = sgd(Slope(bad_from=3))
    with pytest.raises(DivergenceError, match="only/first became nan before step 4"):
        list(trainer.train())
    assert not trainer.healthy()


def test_a_retry_halves_the_rate_and_draws_other_noise() -> None:
    model = Slope()
    trainer = sgd(model)
    first = trainer.loader.batch(0).image
    trainer.retry = 2
    trainer.advance()
    assert float(model.number.value) == pytest.approx(-0.1 / 4)
    assert not torch.equal(first, trainer.loader.batch(0).image)


def test_bfloat16_stays_near_float32() -> None:
    from tests import contract

    results = []
    for precision in ("float32", "bfloat16"):
        model = contract.build("vae", "conv", Shape(1, 8))
        values = Train(images=64, batch=8, log=64, precision=precision)  # type: ignore[arg-type]
        trainer = Trainer(model, ImageLoader(noise_images(32, 1, 8), 8), values)
        results.append(next(iter(trainer.train())).terms["model/nll"])
    assert results[0] != results[1]
    assert results[0] == pytest.approx(results[1], rel=0.02)


@pytest.mark.parametrize("kind", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_descends(kind: str) -> None:
    parameter = nn.Parameter(torch.tensor([3.0]))
    optimizer = optim.build(Optimizer(kind=kind, learning_rate=0.05), [parameter])  # type: ignore[arg-type]
    for _ in range(200):
        parameter.square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert abs(float(parameter)) < 0.5


def test_the_average_keeps_singular_vectors_of_length_one() -> None:
    """A mean of unit vectors is none; under spectral normalisation it would make the averaged weights too large."""
    play = contract.trainer(contract.build_gan({"discriminator": {"norm": "spectral"}}), ema=10_000, rate=0.1)
    for _ in range(5):
        play.advance()
    vectors = {name: t for name, t in play.average.model.state_dict().items() if name.endswith(("._u", "._v"))}
    assert len(vectors) == 4
    assert [float(v.norm()) for v in vectors.values()] == pytest.approx([1.0] * 4)


def test_the_noise_of_a_step_is_that_of_the_global_seed() -> None:
    torch.manual_seed(12345)
    expected = torch.randn(4)
    seed_noise(torch.device("cpu"), 12345)
    assert torch.equal(torch.randn(4), expected)
