"""The conformance suite: what every family on every network must do. A new family is found here by itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch

from simulacra import config, models
from simulacra.adversarial import OBJECTIVES, PENALTIES
from simulacra.config import Conv, Mlp, Optimizer, Patch, Resnet, ResnetTranslator, Train, Unet
from simulacra.data import LOADERS, ImageLoader
from simulacra.images import Shape
from simulacra.models import FAMILIES, Generative, Inferential, Model, Scored, Translating
from simulacra.steering.translate import OTHER
from simulacra.training import Trainer
from tests.conftest import noise_domains, noise_images

BATCH = 8
SMALL_CONV = Conv(widths=(8, 12), norm="none")
SMALL_MLP = Mlp(hidden=(24,))
NETWORKS: dict[str, config.Network] = {
    "mlp": SMALL_MLP,
    "conv": SMALL_CONV,
    "mlp-batch-norm": SMALL_MLP.model_copy(update={"norm": "batch", "activation": "leaky_relu"}),
    "resnet": Resnet(widths=(8, 12)),
    "conv-group-norm": SMALL_CONV.model_copy(update={"norm": "group", "strides": (1, 2), "kernel": 3, "dense": 10}),
}
SMALLEST = {"kind": "conv", "widths": [8]}
SHAPES = (Shape(1, 8), Shape(3, 13))
SMALL_RESNET = ResnetTranslator(width=4, downsamplings=1, blocks=1)
TRANSLATOR_NETWORKS: dict[str, config.Translator] = {
    "resnet": SMALL_RESNET,
    "resnet-kernel-3": SMALL_RESNET.model_copy(update={"downsamplings": 2, "kernel": 3, "norm": "none"}),
    "resnet-correct": SMALL_RESNET.model_copy(update={"residual": True}),
    "unet": Unet(width=4),
}
TRANSLATOR_SHAPES = (Shape(1, 8), Shape(3, 12))
POOL = 12  # filled by the second batch: later ones, before and after resuming, find earlier images


def section_of(family: str) -> Any:
    return next(member for member in config.model_sections() if member.model_fields["family"].default == family)


def translates(family: str) -> bool:
    return hasattr(FAMILIES[family], "translate")


def networks(family: str) -> dict[str, Any]:
    """The networks that a family is tested on, by name."""
    return TRANSLATOR_NETWORKS if translates(family) else NETWORKS


def translator_config(family: str, network: config.Translator, shape: Shape) -> config.ModelConfig:
    """The config of a small translator, grey to colour and the reverse unless it corrects its input."""
    channels = shape.channels if network.residual else 4 - shape.channels
    section = section_of(family)
    pool = {"pool": POOL} if "pool" in section.model_fields else {}
    small = Patch(width=4, downsamplings=1)
    return section(generator=network, discriminator=small, channels_b=channels, **pool)  # type: ignore[no-any-return]


def configs(family: str, network: config.Network | config.Translator) -> config.ModelConfig:
    """The config of a family with this network wherever it takes one, and few latents."""
    section = section_of(family)
    if isinstance(network, config.Translator):
        return translator_config(family, network, Shape(1, 8))
    wanted = {name: network for name, field in section.model_fields.items() if _is_network(field.default)}
    told = {"classes": ("even", "odd")} if "classes" in section.model_fields else {}
    return section(**wanted, **told, latent=4)  # type: ignore


def _is_network(value: object) -> bool:
    return isinstance(value, config.Network)


def cases() -> Iterator[tuple[str, str, Shape]]:
    """Every family on every network and shape."""
    for family in FAMILIES:
        for network in networks(family):
            for shape in TRANSLATOR_SHAPES if translates(family) else SHAPES:
                yield family, network, shape


def gans() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every objective with every penalty, and what else a GAN can be told, by name."""
    for loss in OBJECTIVES:
        for kind in PENALTIES:
            if (loss, kind) != ("wasserstein", "none"):
                yield f"{loss}-{kind}", {"loss": loss, "penalty": {"kind": kind}}
    everything = {"penalty": {"kind": "r1_r2", "every": 2}, "augment": ["colour", "translation", "cutout"]}
    yield "lazy-augmented", everything
    yield "packed", {"packing": 2, "penalty": {"kind": "gradient_penalty"}}
    yield "packed-relativistic-augmented", {"packing": 4, "loss": "relativistic", **everything}
    yield "two-discriminator-steps", {"discriminator_steps": 2, "loss": "wasserstein", "penalty": {"kind": "r1"}}
    for kind in ("mlp", "conv", "resnet"):
        spectral = {"kind": kind, "norm": "spectral"}
        yield f"spectral-{kind}", {"loss": "wasserstein", "generator": spectral, "discriminator": spectral}
    told = {"family": "cgan", "classes": ["even", "odd"]}
    for kind in PENALTIES:
        yield f"conditional-{kind}", {**told, "loss": "relativistic", "penalty": {"kind": kind}}
    yield "conditional-everything", {**told, "loss": "hinge", "discriminator_steps": 2, **everything}
    for kind in PENALTIES:
        yield f"bidirectional-{kind}", {"family": "bigan", "loss": "relativistic", "penalty": {"kind": kind}}
    for loss in ("non_saturating", "least_squares", "hinge"):
        yield f"bidirectional-{loss}", {"family": "ali", "loss": loss, "penalty": {"kind": "r1_r2", "every": 2}}


def build_gan(given: dict[str, Any], seed: int = 0) -> Model:
    """A small GAN of 8 x 8 pixels with these values."""
    family = given.get("family", "gan")
    players = [name for name, field in section_of(family).model_fields.items() if _is_network(field.default)]
    small = {"family": family, "latent": 4, **dict.fromkeys(players, SMALLEST)}
    torch.manual_seed(seed)
    return models.build(config.parse(config.merge({"model": small}, {"model": given})).model, Shape(1, 8))


def build(family: str, network: str, shape: Shape, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    if translates(family):
        return models.build(translator_config(family, TRANSLATOR_NETWORKS[network], shape), shape)
    return models.build(configs(family, NETWORKS[network]), shape)


def trainer(model: Model, *, images: int = 4 * BATCH, ema: int = 0, rate: float = 1e-3) -> Trainer:
    count = 3 * BATCH + 1
    if isinstance(model, Translating):
        dataset = noise_domains(count, *(shape.channels for shape in model.domains.values()), model.shape.size)
    else:
        dataset = noise_images(count, model.shape.channels, model.shape.size)
    values = Train(images=images, batch=BATCH, log=BATCH, ema=ema, optimizer=Optimizer(learning_rate=rate))
    return Trainer(model, LOADERS[model.batch](dataset, BATCH, seed=5), values, seed=5)


def snapshot(model: Model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


# ---------------------------------------------------------------------------------------------- the clauses


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
    """Of images of any side that the halvings divide, with numbers far from those of training."""
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
    assert x.shape == (5, model.shape.channels, model.shape.size, model.shape.size)
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
    dataset = noise_images(4, model.shape.channels, model.shape.size)
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


def _floor(dataset: object, model: Model) -> float:
    """The entropy of grey pixels, below which no Bernoulli likelihood can get; 0 for squared errors."""
    from simulacra.data import Dataset
    from simulacra.models.cvae import CVAE
    from simulacra.models.vae import VAE

    assert isinstance(dataset, Dataset)
    if not isinstance(model, VAE | CVAE):
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
