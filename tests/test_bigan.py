"""BiGAN: an inverse pair cannot be told from its mirror; each player's gradient; what the encoder is measured by."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from simulacra import config, models
from simulacra.adversarial import OBJECTIVES
from simulacra.config import Mlp
from simulacra.data import Images
from simulacra.data.dataset import Labelled
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models.bigan import ALI, BiGAN, JointDiscriminator, joined, neighbour_error

SHAPE, LATENT = Shape(1, 8), 3


class Linear(nn.Module):
    """The generator ``W z``, an image before the tanh."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (z @ self.weight.T).view(-1, 1, 8, 8)


class Inverse(nn.Module):
    """The encoder ``sign W^+ atanh(x)``: with sign 1 the inverse of `Linear`, with -1 right in its marginal only."""

    def __init__(self, weight: torch.Tensor, sign: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(sign * torch.linalg.pinv(weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.atanh(x.flatten(1)) @ self.weight.T


def pair(sign: float = 1.0) -> BiGAN:
    torch.manual_seed(0)
    weight = torch.randn(64, LATENT) / 4
    seen = nn.Sequential(nn.Flatten(), nn.Linear(64, 32))
    discriminator = JointDiscriminator(seen, LATENT, 32)
    return BiGAN(Linear(weight), Inverse(weight, sign), discriminator, SHAPE, config.BiGAN(latent=LATENT))


def accuracy_of_a_trained_discriminator(model: BiGAN) -> tuple[float, float]:
    """Train the discriminator alone on images of the true G; return its accuracy and loss on new ones."""
    optimizer = torch.optim.Adam(model.discriminator.parameters(), 2e-3)
    torch.manual_seed(1)
    accuracies, losses = [], []
    for step in range(300):
        with torch.no_grad():
            x = model.decode(model.prior(128))
        terms = next(model.rounds(Images(x), step))["discriminator"]
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracies.append(float(model.watched["discriminator/accuracy"]))
        losses.append(float(loss.detach()))
    return sum(accuracies[-100:]) / 100, sum(losses[-100:]) / 100


def test_an_inverse_pair_cannot_be_told_apart() -> None:
    accuracy, loss = accuracy_of_a_trained_discriminator(pair())
    assert accuracy == pytest.approx(0.5, abs=0.02)
    assert loss == pytest.approx(2 * math.log(2), rel=0.02)


def test_right_marginals_do_not_suffice() -> None:
    """With E = -G^-1, images and latents are each distributed as they should be; only the pairs give it away."""
    accuracy, loss = accuracy_of_a_trained_discriminator(pair(sign=-1.0))
    assert accuracy > 0.9
    assert loss < 0.5


def game(family: type[config.BiGAN] = config.BiGAN) -> BiGAN:
    torch.manual_seed(0)
    network = Mlp(hidden=(12,), activation="tanh")
    model = models.build(family(latent=LATENT, joint=10, network=network, discriminator=network), SHAPE)
    assert isinstance(model, BiGAN)
    return model


def test_each_players_gradient_is_its_own() -> None:
    model, x = game(), torch.rand(5, 1, 8, 8) * 2 - 1
    torch.manual_seed(3)
    rounds = model.rounds(Images(x), 0)
    first = next(rounds)["discriminator"]
    torch.stack(list(first.values())).sum().backward()
    assert all(p.grad is None for p in model.players()["generator"].parameters())
    found = [p.grad.clone() for p in model.discriminator.parameters() if p.grad is not None]

    torch.manual_seed(3)
    z = torch.randn(5, LATENT)
    with torch.no_grad():
        fake, inferred = torch.tanh(model.generator(z)), model.encoder(x)
    score = model.discriminator
    loss = -F.logsigmoid(score(x, inferred)).mean() - F.logsigmoid(-score(fake, z)).mean()
    for a, b in zip(found, torch.autograd.grad(loss, list(score.parameters())), strict=True):
        torch.testing.assert_close(a, b)

    second = next(rounds)["generator"]
    own = list(model.players()["generator"].parameters())
    found = list(torch.autograd.grad(torch.stack(list(second.values())).sum(), own))
    fooled = -F.logsigmoid(score(torch.tanh(model.generator(z)), z)).mean()
    fooled = fooled - F.logsigmoid(-score(x, model.encoder(x))).mean()
    for a, b in zip(found, torch.autograd.grad(fooled, own), strict=True):
        torch.testing.assert_close(a, b)


def test_the_pairs_meet_the_moved_discriminator() -> None:
    model, x = game(), torch.rand(5, 1, 8, 8) * 2 - 1
    rounds = model.rounds(Images(x), 0)
    next(rounds)
    with torch.no_grad():
        model.discriminator.head.weight.zero_()
        model.discriminator.head.bias.fill_(2.0)
    terms = next(rounds)["generator"]
    assert float(terms["generated"]) == pytest.approx(math.log(1 + math.exp(-2.0)))
    assert float(terms["encoded"]) == pytest.approx(math.log(1 + math.exp(2.0)))


@pytest.mark.parametrize("name", ["non_saturating", "least_squares", "hinge", "relativistic"])
def test_generator_and_encoder_want_the_opposite_of_the_discriminator(name: str) -> None:
    """With sides that mirror each other, each player's slopes on the two logits are equal and opposite."""
    model, logits = game(), [torch.tensor([[value]], requires_grad=True) for value in (0.3, -0.3)]
    model.loss, asked = OBJECTIVES[name], iter(2 * logits)
    model.discriminator.forward = lambda x, z: next(asked)  # type: ignore[method-assign]
    rounds = model.rounds(Images(torch.zeros(1, 1, 8, 8)), 0)
    for player, sign in (("discriminator", -1), ("generator", 1)):
        encoded, generated = torch.autograd.grad(sum(next(rounds)[player].values(), torch.zeros(())), logits)
        assert float(encoded) == pytest.approx(-float(generated))
        assert float(encoded) * sign > 0


def test_relativistic_pairs_are_one_loss_of_both() -> None:
    """Each kind beside the other, held fixed: together the slopes of ``softplus(D(x, E(x)) - D(G(z), z))``."""
    model, x = game(), torch.rand(5, 1, 8, 8) * 2 - 1
    model.loss = OBJECTIVES["relativistic"]
    own = list(model.players()["generator"].parameters())
    torch.manual_seed(3)
    rounds = model.rounds(Images(x), 0)
    next(rounds)
    terms = next(rounds)["generator"]
    assert float(terms["generated"]) == pytest.approx(float(terms["encoded"]))
    torch.manual_seed(3)
    z = torch.randn(5, LATENT)
    loss = F.softplus(model.discriminator(x, model.encode(x)) - model.discriminator(model.decode(z), z)).mean()
    for a, b in zip(
        torch.autograd.grad(sum(terms.values(), torch.zeros(())), own), torch.autograd.grad(loss, own), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_the_penalty_is_on_the_slope_in_image_and_latent_together() -> None:
    model = models.build(
        config.BiGAN(latent=LATENT, joint=10, network=Mlp(hidden=(12,)), penalty={"kind": "r1", "weight": 2.0}), SHAPE
    )
    assert isinstance(model, BiGAN)
    x = torch.rand(5, 1, 8, 8) * 2 - 1
    term = next(model.rounds(Images(x), 0))["discriminator"]["r1"]
    z = model.encode(x).detach().requires_grad_()
    pixels = x.requires_grad_()
    slopes = torch.autograd.grad(model.discriminator(pixels, z).sum(), (pixels, z))
    expected = sum(slope.flatten(1).square().sum(1) for slope in slopes).mean()  # type: ignore[union-attr]
    assert float(term) == pytest.approx(float(expected), rel=1e-4)
    torch.testing.assert_close(model.logits(joined(x, z)), model.discriminator(x, z))


def test_a_penalty_needs_single_images() -> None:
    values = {"family": "bigan", "penalty": {"kind": "r1"}, "discriminator": {"norm": "batch"}}
    with pytest.raises(ConfigError, match="batch normalisation mixes images"):
        config.parse({"model": values})


def test_the_discriminator_sees_both() -> None:
    model, x, z = game(), torch.rand(4, 1, 8, 8), torch.randn(4, LATENT)
    logits = model.discriminator(x, z)
    assert logits.shape == (4, 1)
    assert not torch.allclose(logits, model.discriminator(x, z + 1))
    assert not torch.allclose(logits, model.discriminator(x - 1, z))


def test_neighbours_by_hand() -> None:
    z = torch.tensor([[0.0], [0.1], [1.0], [1.2]])
    assert float(neighbour_error(z, torch.tensor([0, 0, 1, 1]))) == 0.0
    assert float(neighbour_error(z, torch.tensor([0, 0, 1, 2]))) == 0.5
    assert float(neighbour_error(z, torch.tensor([0, 1, 0, 1]))) == 1.0


def test_the_score_of_an_inverse_pair_is_zero() -> None:
    model = pair()
    with torch.no_grad():
        x = model.decode(torch.randn(20, LATENT))
        unlabelled = model.score(Images(x))
        assert float(unlabelled["squared_error"]) == pytest.approx(0.0, abs=1e-4)
        assert list(model.score(Labelled(x, torch.zeros(20, dtype=torch.int64)))) == [
            "squared_error",
            "neighbour_error",
        ]


def test_the_anomaly_score() -> None:
    """Zero for what the pair can make; by hand at the ends of the weight."""
    model = pair()
    with torch.no_grad():
        known = model.decode(torch.randn(6, LATENT))
        strange = torch.rand(6, 1, 8, 8) - 0.5
        z = model.encode(strange)
        back = model.decode(z)
    assert float(model.anomaly(known).max()) < 0.05
    assert float(model.anomaly(strange).min()) > 1.0
    torch.testing.assert_close(model.anomaly(strange, weight=0.0), (strange - back).abs().flatten(1).sum(1))
    with torch.no_grad():
        seen = model.discriminator.features(strange, z) - model.discriminator.features(back, z)
    torch.testing.assert_close(model.anomaly(strange, weight=1.0), seen.abs().sum(1))
    with pytest.raises(ConfigError, match=r"\[0, 1\]; got 2"):
        model.anomaly(known, weight=2)


def test_the_stochastic_encoder_draws_around_its_mean() -> None:
    model = game(config.ALI)
    assert isinstance(model, ALI)
    x = torch.rand(2, 1, 8, 8) * 2 - 1
    with torch.no_grad():
        q = model.posterior(x)
        draws = torch.stack([model.paired(x) for _ in range(4000)])
        assert torch.equal(model.encode(x), q.mean)
    torch.testing.assert_close(draws.mean(0), q.mean, atol=0.1, rtol=0.05)
    torch.testing.assert_close(draws.std(0), q.std, atol=0.0, rtol=0.06)
