"""VAE-GAN: each player's step against one computed in isolation; signs; where the discriminator is cut."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from simulacra import config, models, networks
from simulacra.adversarial import PENALTIES
from simulacra.config import Conv, Mlp, Optimizer, Train
from simulacra.data import ImageLoader, Images, derived_seed
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models.vaegan import VAEGAN, feature_nll
from simulacra.steering import generate
from simulacra.testing.small import noise_images
from simulacra.training import Trainer
from tests import contract

BATCH, SEED, RATE, GAMMA, WEIGHT = 6, 5, 0.5, 0.3, 2.0
SHAPE = Shape(1, 8)
PAPER: dict[str, Any] = {}
PENALISED: dict[str, Any] = {"loss": "relativistic", "penalty": {"kind": "r1_r2", "weight": WEIGHT}}
GAMES = pytest.mark.parametrize("rules", [PAPER, PENALISED], ids=["paper", "penalised"])
PLAYERS = pytest.mark.parametrize("player", ["encoder", "decoder", "discriminator"])


def game(gamma: float = GAMMA, **rules: Any) -> VAEGAN:
    torch.manual_seed(0)
    network = {"kind": "mlp", "hidden": [12, 10], "activation": "tanh"}
    given = {"latent": 3, "gamma": gamma, "layer": 1, **rules}
    values = config.parse({"model": {"family": "vaegan", "network": network, "discriminator": network, **given}})
    model = models.build(values.model, SHAPE)
    assert isinstance(model, VAEGAN)
    return model


def play(model: VAEGAN) -> Trainer:
    """A trainer whose step moves every weight by its gradient times the rate."""
    optimizer = Optimizer(kind="sgd", learning_rate=RATE, betas=(0.0, 0.0))
    values = Train(images=BATCH, batch=BATCH, optimizer=optimizer)
    return Trainer(model, ImageLoader(noise_images(BATCH, 1, 8), BATCH, seed=SEED), values, seed=SEED)


def isolated(model: VAEGAN, x: torch.Tensor, player: str, rules: dict[str, Any]) -> torch.Tensor:
    """The loss of one player written from algorithm 1, with everything of the others cut off."""
    torch.manual_seed(derived_seed(SEED, "noise", 0, 0))
    mean, log_variance = model.encoder(x).chunk(2, dim=1)
    z = mean + torch.exp(log_variance / 2) * torch.randn(BATCH, 3)
    p = torch.randn(BATCH, 3)
    if player != "encoder":
        z = z.detach()
    back, drawn = torch.tanh(model.decoder(z)), torch.tanh(model.decoder(p))
    if player == "discriminator":
        back, drawn = back.detach(), drawn.detach()
    seen, returned, imagined = (model.similarity(image) for image in (x, back, drawn))
    nll = 0.5 * (seen.detach() - returned).pow(2).sum() / BATCH / seen.detach().pow(2).mean()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum() / BATCH
    real, fakes = model.head(seen), [model.head(returned), model.head(imagined)]
    if rules == PAPER:
        decoder = -sum(F.logsigmoid(fake).mean() for fake in fakes) / 2
        discriminator = -F.logsigmoid(real).mean() - sum(F.logsigmoid(-fake).mean() for fake in fakes) / 2
    else:
        decoder = -sum(F.logsigmoid(fake - real.detach()).mean() for fake in fakes) / 2
        discriminator = -sum(F.logsigmoid(real - fake).mean() for fake in fakes) / 2
        slopes = [squared_slope(model, image) for image in (x, back, drawn)]
        discriminator = discriminator + WEIGHT / 2 * (slopes[0] + (slopes[1] + slopes[2]) / 2)
    return {"encoder": kl + nll, "decoder": GAMMA * nll + decoder, "discriminator": discriminator}[player]


def squared_slope(model: VAEGAN, x: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(model.head(model.similarity(x)).sum(), x, create_graph=True)
    return slope.pow(2).sum() / BATCH


@GAMES
@PLAYERS
def test_a_players_step_is_that_of_its_loss_in_isolation(player: str, rules: dict[str, Any]) -> None:
    model = game(**rules)
    alone, trainer = deepcopy(model), play(model)
    own = [(name, p) for name, p in alone.named_parameters() if name in names_of(alone, player)]
    loss = isolated(alone, trainer.loader.batch(0).image, player, rules)
    expected = torch.autograd.grad(loss, [p for _, p in own], allow_unused=True)
    trainer.advance()
    after = dict(model.named_parameters())
    for (name, before), gradient in zip(own, expected, strict=True):
        moved = (before - after[name]) / RATE
        assert (float(gradient.abs().max()) > 1e-6) != (rules == PENALISED and name == "head.2.bias"), name
        torch.testing.assert_close(moved, gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_the_penalty_is_the_discriminators_alone() -> None:
    """On real images, and on reconstructions and samples alike; a linear discriminator's slope is its weight."""
    plain, penalised = terms(game()), terms(game(penalty=PENALISED["penalty"]))
    r1, r2 = (penalised["discriminator"].pop(name) for name in ("r1", "r2"))
    assert penalised == plain
    assert r1 > 0
    assert r2 > 0
    linear = game(**PENALISED)
    linear.similarity, linear.head = networks.Network(nn.Flatten()), networks.Network(nn.Linear(64, 1))
    slope = float(linear.head[0].weight.detach().square().sum())
    found = terms(linear)["discriminator"]
    assert found["r1"] == pytest.approx(WEIGHT / 2 * slope, rel=1e-5)
    assert found["r2"] == pytest.approx(WEIGHT / 2 * slope, rel=1e-5)


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("loss", ["non_saturating", "least_squares", "hinge", "relativistic"])
def test_every_objective_and_penalty_keeps_the_contract(loss: str, kind: str) -> None:
    def build(seed: int) -> VAEGAN:
        torch.manual_seed(seed)
        return game(loss=loss, penalty={"kind": kind, "every": 2})

    contract.terms_are_finite_scalars(build(0))
    contract.a_round_moves_exactly_its_players(build(0), frozenset({"head.2.bias"}))
    contract.resuming_is_exact(build)


def test_a_penalty_needs_single_images() -> None:
    with pytest.raises(ConfigError, match="batch normalisation mixes images"):
        game(penalty={"kind": "r1"}, discriminator={"kind": "mlp", "norm": "batch"})


def names_of(model: VAEGAN, player: str) -> set[str]:
    owned = {id(p) for p in model.players()[player].parameters()}
    return {name for name, p in model.named_parameters() if id(p) in owned}


def terms(model: VAEGAN) -> dict[str, dict[str, float]]:
    torch.manual_seed(1)
    (round_,) = model.rounds(Images(play(model).loader.batch(0).image), 0)
    return {player: {name: float(term.detach()) for name, term in of.items()} for player, of in round_.items()}


def test_the_terms_of_the_decoder_are_weighed_by_gamma() -> None:
    once, thrice = terms(game(0.1)), terms(game(0.3))
    assert thrice["decoder"]["feature_nll"] == pytest.approx(3 * once["decoder"]["feature_nll"])
    assert once["decoder"]["feature_nll"] == pytest.approx(0.1 * once["encoder"]["feature_nll"])
    assert once["encoder"] == thrice["encoder"]


@PLAYERS
def test_a_players_step_lowers_its_own_loss(player: str) -> None:
    """And so a decoder that only deceives raises the logits of what it makes: its sign is not the discriminator's."""
    model = game(gamma=0.0)
    before = terms(model)
    torch.manual_seed(1)
    (round_,) = model.rounds(Images(play(model).loader.batch(0).image), 0)
    owned = list(model.players()[player].parameters())
    loss = torch.stack(list(round_[player].values())).sum()
    with torch.no_grad():
        for parameter, gradient in zip(owned, torch.autograd.grad(loss, owned), strict=True):
            parameter -= 1e-3 * gradient
    after = terms(model)
    assert sum(after[player].values()) < sum(before[player].values())
    if player == "decoder":
        assert after["discriminator"]["fake"] > before["discriminator"]["fake"]
    if player == "discriminator":
        assert after["decoder"]["adversarial"] > before["decoder"]["adversarial"]


def test_the_feature_error_is_a_gaussian_in_nats() -> None:
    features, mean = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    features /= features.square().mean().sqrt()
    expected = -torch.distributions.Normal(mean, 1.0).log_prob(features).flatten(1).sum(1) - 6 * math.log(2 * math.pi)
    torch.testing.assert_close(feature_nll(features, mean), expected)


def test_the_feature_error_does_not_know_the_scale_of_a_layer() -> None:
    features, mean = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(feature_nll(10 * features, 10 * mean), feature_nll(features, mean))


@pytest.mark.parametrize(
    "network", [Mlp(hidden=(6, 5)), Conv(widths=(4, 6), dense=5, norm="group")], ids=["mlp", "conv"]
)
def test_a_network_is_cut_after_any_hidden_layer(network: config.Network) -> None:
    whole, x = networks.encoder(network, SHAPE, 2), torch.randn(3, 1, 8, 8)
    hidden = len(network.hidden) if isinstance(network, Mlp) else len(network.widths) + 1
    for layer in range(1, hidden + 1):
        first, rest = networks.split(whole, layer)
        assert torch.equal(rest(first(x)), whole(x))
        assert len(list(rest.parameters())) > 0
    assert [len(part) for part in networks.split(whole, None)] == [len(first), len(rest)]
    with pytest.raises(ConfigError, match=f"hidden layer {hidden + 1}: .* 1 to {hidden}"):
        networks.split(whole, hidden + 1)


def test_a_prior_is_fitted_to_draws_from_the_posterior() -> None:
    """Fitted to means it would be too narrow: the covariance of draws is that of means plus the mean variance."""
    model = contract.build("vaegan", "mlp", Shape(1, 8))
    x = torch.zeros(2000, 1, 8, 8)
    drawn = generate.code(model, x, torch.Generator().manual_seed(0))
    q = model.posterior(x[:1])
    assert torch.allclose(drawn.var(0), q.std[0].square(), rtol=0.2)
