"""Adversarial losses and their gradients against values by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from simulacra import config
from simulacra.adversarial import (
    OBJECTIVES,
    Hinge,
    LeastSquares,
    NonSaturating,
    RelativisticPairing,
    Saturating,
    Wasserstein,
    accuracy,
)
from simulacra.data import Images
from simulacra.images import Shape
from simulacra.models.gan import GAN, pack
from simulacra.testing import small


class Constant(nn.Module):
    """A discriminator that is ``weight * mean pixel``: its gradients can be written down."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x.flatten(1).mean(1, keepdim=True)


class Uniform(nn.Module):
    """A generator of images of one grey level, ``level``, whatever the noise."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.level.expand(len(z), 1, 8, 8)


def test_at_chance_every_term_is_log_two() -> None:
    logits = torch.zeros(4, 1)
    terms = NonSaturating().discriminator(logits, logits) | NonSaturating().generator(logits)
    assert [float(t) for t in terms.values()] == pytest.approx([math.log(2)] * 3)
    assert float(accuracy(logits, logits)) == 0.0


def test_terms_by_hand() -> None:
    real, fake = torch.full((2, 1), 1.0), torch.full((2, 1), -0.5)
    terms = NonSaturating().discriminator(real, fake)
    assert float(terms["real"]) == pytest.approx(math.log(1 + math.exp(-1.0)))
    assert float(terms["fake"]) == pytest.approx(math.log(1 + math.exp(-0.5)))
    assert float(NonSaturating().generator(fake)["adversarial"]) == pytest.approx(math.log(1 + math.exp(0.5)))


def test_accuracy_counts_the_right_signs() -> None:
    assert float(accuracy(torch.tensor([[1.0], [-1.0]]), torch.tensor([[-1.0], [-2.0]]))) == 0.75


def test_the_generator_does_not_saturate() -> None:
    """With a sure discriminator the gradient stays near -1: -log D, not log(1 - D)."""
    logits = torch.full((1, 1), -18.0, requires_grad=True)
    NonSaturating().generator(logits)["adversarial"].backward()
    assert logits.grad is not None
    assert float(logits.grad) == pytest.approx(-1.0, rel=1e-3)


def game(weight: float = 2.0, level: float = -0.5) -> GAN:
    return GAN(Uniform(level), Constant(weight), Shape(1, 8), config.GAN(latent=3))


def test_each_players_gradient_is_its_own() -> None:
    model, real = game(), torch.full((4, 1, 8, 8), 0.5)
    fake = math.tanh(-0.5)
    rounds = model.rounds(Images(real), 0)
    discriminator = next(rounds)["discriminator"]
    sum(discriminator.values()).backward()  # type: ignore[union-attr]
    sigmoid = torch.sigmoid
    expected = -0.5 * float(sigmoid(torch.tensor(-1.0))) + fake * float(sigmoid(torch.tensor(2 * fake)))
    assert float(model.discriminator.weight.grad) == pytest.approx(expected, rel=1e-5)  # type: ignore[arg-type]
    assert model.generator.level.grad is None, "the discriminator's loss reaches the generator"
    next(rounds)["generator"]["adversarial"].backward()
    slope = -float(sigmoid(torch.tensor(-2 * fake))) * 2 * (1 - fake**2)
    assert float(model.generator.level.grad) == pytest.approx(slope, rel=1e-5)


def test_the_generator_meets_the_moved_discriminator() -> None:
    model, real = game(), torch.full((4, 1, 8, 8), 0.5)
    rounds = model.rounds(Images(real), 0)
    next(rounds)
    with torch.no_grad():
        model.discriminator.weight.fill_(7.0)
    term = next(rounds)["generator"]["adversarial"]
    assert float(term) == pytest.approx(math.log(1 + math.exp(-7.0 * math.tanh(-0.5))), rel=1e-5)


def test_discriminator_steps() -> None:
    model = GAN(Uniform(0.0), Constant(1.0), Shape(1, 8), config.GAN(latent=3, discriminator_steps=3))
    batch = Images(torch.zeros(2, 1, 8, 8))
    played = [[next(iter(round_)) for round_ in model.rounds(batch, step)] for step in range(6)]
    assert ["generator" in players for players in played] == [False, False, True] * 2


def test_the_accuracy_is_watched_not_minimised() -> None:
    model = game()
    rounds = list(model.rounds(Images(torch.full((4, 1, 8, 8), 0.5)), 0))
    assert set(rounds[0]["discriminator"]) == {"real", "fake"}
    assert float(model.watched["discriminator/accuracy"]) == 1.0


REAL, FAKE = torch.tensor([[1.0], [0.5]]), torch.tensor([[-0.5], [2.0]])


def softplus(value: float) -> float:
    return math.log(1 + math.exp(value))


@pytest.mark.parametrize(
    ("objective", "discriminator", "generator"),
    [
        (
            Saturating(),
            {"real": (softplus(-1) + softplus(-0.5)) / 2, "fake": (softplus(-0.5) + softplus(2)) / 2},
            -(softplus(-0.5) + softplus(2)) / 2,
        ),
        (
            LeastSquares(),  # verdicts (1 + D) / 2: 1, 0.75 and 0.25, 1.5
            {"real": 0.25**2 / 2, "fake": (0.25**2 + 1.5**2) / 2},
            (0.75**2 + 0.5**2) / 2,
        ),
        (Hinge(), {"real": (0 + 0.5) / 2, "fake": (0.5 + 3) / 2}, -0.75),
        (Wasserstein(), {"real": -0.75, "fake": 0.75}, -0.75),
        (
            RelativisticPairing(),
            {"pairs": (softplus(-1.5) + softplus(1.5)) / 2},
            (softplus(1.5) + softplus(-1.5)) / 2,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objectives_by_hand(objective: Hinge, discriminator: dict[str, float], generator: float) -> None:
    terms = objective.discriminator(REAL, FAKE)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(discriminator)
    (term,) = objective.generator(FAKE, lambda: REAL).values()
    assert float(term) == pytest.approx(generator)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_pulls_real_up_and_generated_down(name: str) -> None:
    real, fake = (torch.zeros(3, 1, requires_grad=True) for _ in range(2))
    sum(OBJECTIVES[name].discriminator(real, fake).values()).backward()  # type: ignore[union-attr]
    assert bool((real.grad < 0).all())  # type: ignore[operator]
    assert bool((fake.grad > 0).all())  # type: ignore[operator]
    fake.grad = None
    sum(OBJECTIVES[name].generator(fake, lambda: real).values()).backward()  # type: ignore[union-attr]
    assert bool((fake.grad < 0).all()), "the generator wants its images to look real"  # type: ignore[operator]


def test_only_relativistic_pairing_asks_for_real_logits_in_the_generators_round() -> None:
    asked = []
    for name, objective in OBJECTIVES.items():
        objective.generator(FAKE, lambda name=name: asked.append(name) or REAL)  # type: ignore[misc,func-returns-value]
    assert asked == ["relativistic"]
    with pytest.raises(TypeError, match="real images"):
        RelativisticPairing().generator(FAKE)


def test_relative_objectives_do_not_see_a_shift_of_all_logits() -> None:
    for objective in (RelativisticPairing(), Wasserstein()):
        shifted = sum(objective.discriminator(REAL + 7, FAKE + 7).values())
        assert float(shifted) == pytest.approx(float(sum(objective.discriminator(REAL, FAKE).values())), abs=1e-5)
        assert float(objective.accuracy(REAL + 7, FAKE + 7)) == 0.5
    assert float(Hinge().accuracy(REAL, FAKE)) == 0.75


def test_the_generators_round_compares_with_the_moved_discriminator_on_the_same_pairs() -> None:
    model, real = game(), torch.full((4, 1, 8, 8), 0.5)
    model.loss = RelativisticPairing()
    rounds = model.rounds(Images(real), 0)
    next(rounds)
    with torch.no_grad():
        model.discriminator.weight.fill_(7.0)
    term = next(rounds)["generator"]["adversarial"]
    assert float(term) == pytest.approx(softplus(7.0 * (0.5 - math.tanh(-0.5))), rel=1e-5)
    model.discriminator.weight.grad = None
    term.backward()
    fake = math.tanh(-0.5)
    slope = -7.0 * float(torch.sigmoid(torch.tensor(7.0 * (0.5 - fake)))) * (1 - fake**2)
    assert float(model.generator.level.grad) == pytest.approx(slope, rel=1e-5)  # type: ignore[arg-type]


def test_packs_lay_neighbours_on_each_others_channels() -> None:
    x = torch.arange(4 * 3 * 2 * 2).view(4, 3, 2, 2)
    packed = pack(x, 2)
    assert packed.shape == (2, 6, 2, 2)
    assert torch.equal(packed[1], torch.cat([x[2], x[3]]))
    assert pack(x, 1) is x


def test_the_generator_moves_only_in_its_turn_and_its_fakes_then_have_gradients() -> None:
    model = GAN(Uniform(0.0), Constant(1.0), Shape(1, 8), config.GAN(latent=3, discriminator_steps=2))
    batch = Images(torch.zeros(2, 1, 8, 8))
    assert len(list(model.rounds(batch, 0))) == 1
    _, last = model.rounds(batch, 1)
    last["generator"]["adversarial"].backward()
    assert model.generator.level.grad is not None


@pytest.mark.parametrize("family", ["gan", "cgan"])
def test_one_pass_over_real_and_generated_images_gives_the_gradients_of_two(family: str) -> None:
    found = []
    for apart in (False, True):
        play = small.trainer(small.build(family, "conv", Shape(1, 8)))
        assert not play.model.mixes_images
        play.model.mixes_images = apart
        torch.manual_seed(0)
        terms = next(play.model.rounds(play.loader.batch(0), 0))["discriminator"]
        torch.stack(list(terms.values())).sum().backward()
        found.append([parameter.grad for parameter in play.parameters["discriminator"]])
    for together, alone in zip(*found, strict=True):
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-7)


def test_batch_normalisation_sees_real_and_generated_images_apart() -> None:
    assert small.build("gan", "mlp-batch-norm", Shape(1, 8)).mixes_images
