"""The clauses of the conformance suite: what every family must do on every network."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from simulacra.config import Optimizer, Train
from simulacra.data import Dataset, ImageLoader
from simulacra.distributions import Bernoulli
from simulacra.models import Generative, Inferential, Model, Scored, Translating
from simulacra.steering.translate import OTHER
from simulacra.testing.small import BATCH, noise_images, trainer
from simulacra.training import Trainer


def players_partition_the_parameters(model: Model) -> None:
    owned = [id(p) for player in model.players().values() for p in player.parameters() if p.requires_grad]
    assert len(owned) == len(set(owned)), "a parameter belongs to two players"
    assert set(owned) == {id(p) for p in model.parameters() if p.requires_grad}, "a parameter belongs to nobody"


def a_round_moves_exactly_its_players(model: Model, idle: frozenset[str] = frozenset()) -> None:
    """Each player's own losses move it and leave the others as they were; statistics of batches may change.

    ``idle`` names parameters that the loss does not depend on.
    """
    play = trainer(model, rate=0.01)  # larger steps saturate a discriminator: its gradient underflows to 0
    batch = play.loader.batch(0)
    names = {id(p): name for name, p in model.named_parameters()}
    model.train()
    for round_ in model.rounds(batch, 0):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        assert round_.keys() <= model.players().keys()
        for player, terms in round_.items():
            loss = sum(terms.values(), torch.zeros(()))
            torch.autograd.backward(loss, inputs=play.parameters[player], retain_graph=True)
        for player in round_:
            play.optimizers[player].step()
            play.optimizers[player].zero_grad()
        movers = {names[id(p)] for player in round_ for p in play.parameters[player]}
        for name, p in model.named_parameters():
            moved = not torch.equal(before[name], p)
            assert name in idle or moved == (name in movers), f"{name} moved: {moved}"


def every_parameter_moves_in_one_step(model: Model) -> None:
    play = trainer(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.train()
    play.advance()
    still = [name for name, p in model.named_parameters() if torch.equal(before[name], p)]
    assert not still, f"never moved: {still}"


def terms_are_finite_scalars(model: Model) -> None:
    model.train()
    rounds = list(model.rounds(trainer(model).loader.batch(0), 0))
    assert rounds
    for round_ in rounds:
        for terms in round_.values():
            for name, term in terms.items():
                assert term.shape == (), name
                assert bool(torch.isfinite(term)), name


def translating_has_the_shape_and_range(model: Model) -> None:
    """Images may have any side that the downsamplings divide, and numbers far from those of training."""
    if not isinstance(model, Translating):
        return
    model.eval()
    for to in model.directions:
        source, target = model.domains[OTHER[to]], model.domains[to]
        with torch.no_grad():
            y = model.translate(10 * torch.randn(2, source.channels, source.size, 2 * source.size).clamp(-0.1, 0.1), to)
        assert y.shape == (2, target.channels, source.size, 2 * source.size)
        assert y.dtype == torch.float32
        assert float(y.abs().max()) <= 1


def translating_does_not_depend_on_the_batch(model: Model) -> None:
    if not isinstance(model, Translating):
        return
    trainer(model).advance()
    model.eval()
    for to in model.directions:
        source = model.domains[OTHER[to]]
        x = torch.rand(4, source.channels, source.size, source.size) * 2 - 1
        with torch.no_grad():
            together, alone = model.translate(x, to), torch.cat([model.translate(x[i : i + 1], to) for i in range(4)])
        assert torch.allclose(together, alone, atol=1e-5)


def decoding_has_the_shape_and_range(model: Model) -> None:
    if isinstance(model, Translating):
        return
    model.eval()
    z = model.prior(5, torch.Generator().manual_seed(0)) if isinstance(model, Generative) else torch.randn(5, 4)
    assert isinstance(model, Generative | Inferential)
    assert z.shape == (5, model.latent)
    with torch.no_grad():
        x = model.decode(10 * z)
    assert x.shape == (5, model.shape.channels, *model.shape.sides)
    assert x.dtype == torch.float32
    assert float(x.min()) >= -1
    assert float(x.max()) <= 1


def decoding_does_not_depend_on_the_batch(model: Model) -> None:
    if isinstance(model, Translating):
        return
    trainer(model).advance()  # moves batch statistics
    model.eval()
    assert isinstance(model, Generative | Inferential)
    z = torch.randn(6, model.latent)
    with torch.no_grad():
        together, alone = model.decode(z), torch.cat([model.decode(z[i : i + 1]) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-5)


def encoding_has_the_shape(model: Model) -> None:
    if isinstance(model, Inferential):
        model.eval()
        with torch.no_grad():
            z = model.encode(trainer(model).loader.batch(0).image)
        assert z.shape == (BATCH, model.latent)


def the_prior_follows_its_generator(model: Model) -> None:
    if isinstance(model, Generative):
        first, again = (model.prior(3, torch.Generator().manual_seed(7)) for _ in range(2))
        assert torch.equal(first, again)
        assert not torch.equal(first, model.prior(3, torch.Generator().manual_seed(8)))


def the_state_round_trips(model: Model) -> None:
    play = trainer(model, ema=2 * BATCH)
    model.train()
    play.advance()
    other = trainer(copy.deepcopy(model), ema=2 * BATCH)
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.add_(1.0)
    other.load_state_dict(copy.deepcopy(play.state_dict()))
    for a, b in ((play.model, other.model), (play.average.model, other.average.model)):
        for name, tensor in a.state_dict().items():
            assert torch.equal(tensor, b.state_dict()[name]), name


def resuming_is_exact(make: Callable[[int], Model]) -> None:
    """Four steps are two steps, saved, loaded into a fresh trainer, and two more: bit for bit.

    ``make`` builds the model from a seed.
    """
    whole = trainer(make(0), ema=2 * BATCH)
    for _ in range(4):
        whole.advance()
    half = trainer(make(0), ema=2 * BATCH)
    for _ in range(2):
        half.advance()
    resumed = trainer(make(99), ema=2 * BATCH)
    resumed.load_state_dict(copy.deepcopy(half.state_dict()))
    torch.manual_seed(1234)
    for _ in range(2):
        resumed.advance()
    for a, b in ((whole.model, resumed.model), (whole.average.model, resumed.average.model)):
        for name, tensor in a.state_dict().items():
            assert torch.equal(tensor, b.state_dict()[name]), name


def one_player_overfits_a_batch(model: Model) -> None:
    """A family that only minimises must get far better on a batch that it sees again and again."""
    if len(model.players()) > 1 or not isinstance(model, Scored):
        return
    dataset = noise_images(4, model.shape.channels, *model.shape.sides)
    values = Train(images=4 * 250, batch=4, log=40, optimizer=Optimizer(learning_rate=1e-2))
    play = Trainer(model, ImageLoader(dataset, 4), values)
    before, floor = next(iter(play.score(dataset).values())), _floor(dataset, model)
    after = before
    for _ in range(5):
        model.train()
        for _ in range(50):
            play.advance()
        after = next(iter(play.score(dataset).values()))
        if after - floor < 0.75 * (before - floor):
            return
    raise AssertionError(f"{before:.1f} -> {after:.1f}, floor {floor:.1f}")


def _floor(dataset: Dataset, model: Model) -> float:
    """The entropy of grey pixels, below which no Bernoulli likelihood can get; 0 for squared errors."""
    if not isinstance(getattr(model, "likelihood", None), Bernoulli):
        return 0.0
    p = (dataset.images.double() / 255).clamp(1e-9, 1 - 1e-9)
    return float(-(p * p.log() + (1 - p) * (1 - p).log()).flatten(1).sum(1).mean())


MODEL_CLAUSES = (
    players_partition_the_parameters,
    a_round_moves_exactly_its_players,
    every_parameter_moves_in_one_step,
    terms_are_finite_scalars,
    translating_has_the_shape_and_range,
    translating_does_not_depend_on_the_batch,
    decoding_has_the_shape_and_range,
    decoding_does_not_depend_on_the_batch,
    encoding_has_the_shape,
    the_prior_follows_its_generator,
    the_state_round_trips,
    one_player_overfits_a_batch,
)
