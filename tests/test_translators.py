"""What translators and critics are made of, and the terms of their games as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import config, images, networks
from simulacra.adversarial import OBJECTIVES, Replay, Terms
from simulacra.config import Patch, ResnetTranslator, Unet
from simulacra.data import Pairs, Unpaired
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.models.cyclegan import CycleGAN
from simulacra.models.pix2pix import Pix2Pix
from simulacra.networks.patch import field_of_view
from simulacra.networks.translators import Level, Reflect, Residual, _double

# --------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("size", [32, 64, 128, 256])
@pytest.mark.parametrize("channels", [(1, 3), (3, 1)], ids=str)
def test_translators_and_critics_take_all_sizes(size: int, channels: tuple[int, int]) -> None:
    source, target = (Shape(count, size) for count in channels)
    sections = (ResnetTranslator(width=2, blocks=1), Unet(width=2))
    with torch.device("meta"):
        x = torch.zeros(1, *(source.channels, size, size))
        for section in sections:
            assert networks.translator(section, source, target)(x).shape == (1, target.channels, size, size)
        for halvings in (0, 2, 3):
            logits = networks.critic(Patch(width=2, downsamplings=halvings), source)(x)
            assert logits.shape[:2] == (1, 1)
            assert min(logits.shape[2:]) >= 1


@pytest.mark.parametrize(("halvings", "view"), [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_a_patch_of_the_papers_size(halvings: int, view: int) -> None:
    section = Patch(width=2, downsamplings=halvings, norm="none")
    x = torch.zeros(1, 1, 160, 160, requires_grad=True)
    logits = networks.critic(section, Shape(1, 160))(x)
    middle = logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2]
    (slope,) = torch.autograd.grad(middle, x)
    rows = slope[0, 0].abs().sum(1).nonzero().squeeze(1)
    assert int(rows.max() - rows.min()) + 1 == field_of_view(section) == view


@pytest.mark.parametrize("margin", [1, 3])
def test_reflection_is_that_of_torch(margin: int) -> None:
    x = torch.randn(2, 3, 9, 7, dtype=torch.double, requires_grad=True)
    padded, expected = Reflect(margin)(x), F.pad(x, (margin,) * 4, mode="reflect")
    gradient = torch.randn_like(expected)
    assert torch.equal(padded, expected)
    assert torch.allclose(torch.autograd.grad(padded, x, gradient)[0], torch.autograd.grad(expected, x, gradient)[0])


def test_translators_leave_no_checkerboard_whatever_their_weights() -> None:
    """Of a grey image, an image whose even and odd columns have one mean: the kernel of 3 does not."""
    unevenness = {}
    for kernel in (3, 4):
        torch.manual_seed(0)
        network = networks.translator(
            ResnetTranslator(width=8, blocks=1, kernel=kernel, norm="none"), Shape(1, 64), Shape(1, 64)
        )
        inner = network(torch.full((1, 1, 64, 64), 0.3))[0, 0, 24:40, 24:40]
        unevenness[kernel] = float(inner.std())
    assert unevenness[4] < 1e-5 < 0.01 < unevenness[3]


@pytest.mark.parametrize("kernel", [3, 4])
def test_layers_that_double_keep_the_scale_of_activations(kernel: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 64, 16, 16).relu()
    layers = nn.Sequential(*_double(64, 1024, kernel, "relu"))
    y = layers(x).relu()
    assert y.shape == (4, 1024, 32, 32)
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert float(y[inside].square().mean() / x.square().mean()) == pytest.approx(1, abs=0.15)


def test_a_corrector_begins_near_its_input_and_can_leave_white() -> None:
    torch.manual_seed(0)
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    near, far = (
        (networks.translator(ResnetTranslator(width=8, blocks=1, residual=correct), Shape(3, 16), Shape(3, 16))(x) - x)
        .abs()
        .mean()
        for correct in (True, False)
    )
    assert near < 0.5 * far
    white = torch.ones(1, 3, 16, 16)
    network = networks.translator(ResnetTranslator(width=8, blocks=1, residual=True), Shape(3, 16), Shape(3, 16))
    slopes = torch.autograd.grad(network(white).sum(), list(network.parameters())[-1])[0]
    assert float(slopes.min()) > 0.1 * 16 * 16


def test_sides_that_do_not_fit_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"not a multiple of 4.*--data.size 48 or 52"):
        networks.translator(ResnetTranslator(), Shape(3, 50), Shape(3, 50))
    with pytest.raises(ConfigError, match=r"70 x 70 patches, which needs 24.*downsamplings 2"):
        networks.critic(Patch(), Shape(3, 16))
    with pytest.raises(ConfigError, match=r"leave one pixel of 16. Choose --data.size 32"):
        networks.translator(ResnetTranslator(downsamplings=4), Shape(3, 16), Shape(3, 16))
    with pytest.raises(ConfigError, match="same number of channels"):
        networks.translator(ResnetTranslator(residual=True), Shape(1, 32), Shape(3, 32))


def layers(network: nn.Module) -> Iterator[str]:
    """Convolutions as ``c<kernel>s<stride> <inputs>-<outputs>``, transposed ones with a u; the others by name."""
    names = {nn.InstanceNorm2d: "norm", nn.ReLU: "relu", nn.LeakyReLU: "leaky", nn.Dropout: "drop"}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            letter = "c" if isinstance(module, nn.Conv2d) else "u"
            yield f"{letter}{module.kernel_size[0]}s{module.stride[0]} {module.in_channels}-{module.out_channels}"
        elif isinstance(module, Residual):
            yield "R"
        elif type(module) in names:
            yield names[type(module)]


@pytest.mark.parametrize("blocks", [6, 9])
def test_the_resnet_has_the_papers_layers(blocks: int) -> None:
    with torch.device("meta"):
        network = networks.translator(ResnetTranslator(kernel=3, blocks=blocks), Shape(1, 32), Shape(3, 32))
    residual = ["R", "c3s1 256-256", "norm", "relu", "c3s1 256-256", "norm"]
    assert list(layers(network)) == [
        "c7s1 1-64", "norm", "relu", "c3s2 64-128", "norm", "relu", "c3s2 128-256", "norm", "relu",
        *(blocks * residual),
        "u3s2 256-128", "norm", "relu", "u3s2 128-64", "norm", "relu", "c7s1 64-3",
    ]  # fmt: skip


def test_the_critic_has_the_papers_layers() -> None:
    with torch.device("meta"):
        network = networks.critic(Patch(), Shape(3, 70))
    assert list(layers(network)) == [
        "c4s2 3-64", "leaky", "c4s2 64-128", "norm", "leaky", "c4s2 128-256", "norm", "leaky",
        "c4s1 256-512", "norm", "leaky", "c4s1 512-1",
    ]  # fmt: skip


def test_the_unet_of_32_pixels_has_the_layers_of_the_authors_code() -> None:
    """Doublings take what is inside and what lies beside it; dropout is next to the innermost."""
    with torch.device("meta"):
        network = networks.translator(Unet(), Shape(1, 32), Shape(3, 32))
    assert list(layers(network)) == [
        "c4s2 1-64", "leaky", "c4s2 64-128", "norm", "leaky", "c4s2 128-256", "norm", "leaky", "c4s2 256-512",
        "relu", "u3s2 512-256", "norm", "relu", "u3s2 512-128", "norm", "drop", "relu", "u3s2 256-64", "norm", "drop",
        "relu", "u3s2 128-64", "norm", "relu", "c3s1 65-3",
    ]  # fmt: skip


def test_a_residual_block_without_a_branch_is_the_identity() -> None:
    x = torch.randn(2, 8, 4, 4)
    network = networks.translator(ResnetTranslator(width=4, downsamplings=1, blocks=1), Shape(3, 8), Shape(3, 8))
    (block,) = (module for module in network.modules() if isinstance(module, Residual))
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(x), x)


def test_every_side_of_a_unet_lays_its_input_beside_its_output() -> None:
    torch.manual_seed(0)
    network = networks.translator(Unet(width=4), Shape(3, 32), Shape(3, 32)).eval()
    levels = [module for module in network.modules() if isinstance(module, Level)]
    laid = []
    for level in levels:
        level.register_forward_hook(lambda _, x, y: laid.append(torch.equal(y[:, : x[0].shape[1]], x[0])))
    x = torch.rand(2, 3, 32, 32)
    network(x)
    assert laid == [True] * 4
    levels[0].up.register_forward_hook(lambda _, x, y: torch.zeros_like(y))
    assert not torch.allclose(network(x), network(x.flip(2)))


def test_a_unet_is_random_in_training_alone() -> None:
    torch.manual_seed(0)
    network = networks.translator(Unet(width=4), Shape(3, 32), Shape(3, 32))
    x = torch.rand(2, 3, 32, 32)
    assert not torch.allclose(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    still = networks.translator(Unet(width=4, dropout=0), Shape(3, 32), Shape(3, 32))
    assert torch.equal(still(x), still(x))


# ----------------------------------------------------------------------------------------------------- models


def test_the_pool_returns_old_and_new_images_and_forgets_none_that_it_did_not_return() -> None:
    torch.manual_seed(0)
    pool = Replay(6, Shape(1, 2))
    levels = iter(range(250))

    def fresh(count: int) -> Tensor:
        return (
            images.from_bytes(torch.tensor([next(levels) for _ in range(count)], dtype=torch.uint8))
            .view(-1, 1, 1, 1)
            .expand(-1, 1, 2, 2)
        )

    given: list[int] = []
    returned: list[int] = []
    for step in range(30):
        x = fresh(4)
        shown = pool(x)
        assert shown.shape == x.shape
        given += images.to_bytes(x)[:, 0, 0, 0].tolist()
        returned += images.to_bytes(shown)[:, 0, 0, 0].tolist()
        if step == 0:
            assert torch.equal(shown, x)
    kept = pool.images[:, 0, 0, 0].tolist()
    assert int(pool.count) == 6
    assert set(given) == set(returned) | set(kept)
    late = [now - 4 * (place // 4) < 0 for place, now in enumerate(returned)]
    assert 0.3 < sum(late) / len(late) < 0.7
    assert torch.equal(Replay(0, Shape(1, 2))(x), x)


def test_a_full_pool_shows_old_images_half_of_the_time() -> None:
    torch.manual_seed(0)
    pool = Replay(50, Shape(3, 4))
    shares = []
    for step in range(513):
        x = images.from_bytes(torch.randint(256, (4, 3, 4, 4), dtype=torch.uint8))
        old = (pool(x) != x).flatten(1).any(1)
        if step >= 13:  # full
            shares.append(float(old.float().mean()))
    assert 0.46 < sum(shares) / len(shares) < 0.54


class Affine(nn.Module):
    """``slope x + offset``: a translator, or a critic of each value."""

    def __init__(self, slope: float, offset: float) -> None:
        super().__init__()
        self.slope, self.offset = (nn.Parameter(torch.tensor(value)) for value in (slope, offset))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x + self.offset


class Difference(nn.Module):
    """``a - b + offset``: a critic of pairs that lie beside each other."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        return a - b + self.offset


class Shown(nn.Module):
    """A pool that always shows one level, and keeps what it was given."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level
        self.given = torch.empty(0)

    def forward(self, fake: Tensor) -> Tensor:
        self.given = fake
        return torch.full_like(fake, self.level)


def plain(*levels: float) -> Tensor:
    """Images of one level each; those that bytes hold are multiples of 0.4 from -1."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)


def game_of_domains(**changes: Any) -> CycleGAN:
    """G(x) = x / 2 + 0.5 to B, F(x) = -x / 4 - 0.35 to A; D_A(x) = 2 x + 0.2, D_B(x) = 0.5 - x."""
    given = {"adversarial": 2.0, "cycle_a": 10.0, "cycle_b": 3.0, "identity": 6.0, "pool": 0, **changes}
    translators = {"B": Affine(0.5, 0.5), "A": Affine(-0.25, -0.35)}
    critics = {"A": Affine(2.0, 0.2), "B": Affine(-1.0, 0.5)}
    domains = {"A": Shape(3, 8), "B": Shape(3, 8)}
    return CycleGAN(translators, critics, domains, config.CycleGAN(**given))


def game_of_pairs(**changes: Any) -> Pix2Pix:
    """G(x) = x / 2 + 0.5; D(a, b) = a - b + 0.1."""
    values = config.Pix2Pix(**{"loss": "least_squares", "adversarial": 2.0, **changes})
    return Pix2Pix(Affine(0.5, 0.5), Difference(0.1), {"A": Shape(3, 8), "B": Shape(3, 8)}, values)


UNPAIRED = Unpaired(plain(0.2, 0.2), plain(-0.6, -0.6))
PAIRS = Pairs(plain(0.2, -0.6), plain(-0.4, 0.5))


def played(model: Model) -> dict[str, Terms]:
    batch = UNPAIRED if isinstance(model, CycleGAN) else PAIRS
    return {player: terms for moves in model.rounds(batch, 0) for player, terms in moves.items()}


def slopes(term: Tensor, network: nn.Module) -> list[float]:
    """The gradients of a translator's slope and offset."""
    return [float(x) for x in torch.autograd.grad(term, list(network.parameters()), retain_graph=True)]


def test_the_terms_of_a_cyclegan_are_those_of_a_known_game() -> None:
    """Translations are G(0.2) = 0.6 and F(-0.6) = -0.2; a verdict of (1 + D) / 2 is to be 1 for real images."""
    game = played(game_of_domains())
    assert {name: float(x) for name, x in game["translators"].items()} == pytest.approx(
        {
            "adversarial_a": 2 * (1 - -0.2) ** 2 / 4,  # D_A(-0.2)
            "adversarial_b": 2 * (1 - -0.1) ** 2 / 4,  # D_B(0.6)
            "cycle_a": 10 * 0.7,  # F(0.6) = -0.5, from 0.2
            "cycle_b": 3 * 1.0,  # G(-0.2) = 0.4, from -0.6
            "identity_a": 6 * 0.6,  # F(0.2) = -0.4
            "identity_b": 6 * 0.8,  # G(-0.6) = 0.2
        }
    )
    assert {name: float(x) for name, x in game["critics"].items()} == pytest.approx(
        {
            "real_a": (1 - 0.6) ** 2 / 4,  # D_A(0.2)
            "fake_a": (1 + -0.2) ** 2 / 4,
            "real_b": (1 - 1.1) ** 2 / 4,  # D_B(-0.6)
            "fake_b": (1 + -0.1) ** 2 / 4,
        }
    )


def test_pools_take_translations_and_critics_judge_what_pools_show() -> None:
    model = game_of_domains()
    pools = {"A": Shown(0.6), "B": Shown(-0.2)}
    model.pools = nn.ModuleDict(pools)
    terms = played(model)["critics"]
    assert {name: float(x) for name, x in terms.items()} == pytest.approx(
        {
            "real_a": (1 - 0.6) ** 2 / 4,
            "fake_a": (1 + 1.4) ** 2 / 4,  # D_A(0.6)
            "real_b": (1 - 1.1) ** 2 / 4,
            "fake_b": (1 + 0.7) ** 2 / 4,  # D_B(-0.2)
        }
    )
    torch.testing.assert_close(pools["A"].given, plain(-0.2, -0.2))
    torch.testing.assert_close(pools["B"].given, plain(0.6, 0.6))


def test_translators_learn_through_each_other_and_through_the_critics() -> None:
    """10 |F(G(a)) - a| falls as F(G(a)) = -0.5 rises; G moves it by F's slope of -1 / 4."""
    model = game_of_domains()
    terms = played(model)["translators"]
    g, f = model.translators["B"], model.translators["A"]
    assert slopes(terms["cycle_a"], f) == pytest.approx([-10 * 0.6, -10])
    assert slopes(terms["cycle_a"], g) == pytest.approx([10 / 4 * 0.2, 10 / 4])
    assert slopes(terms["cycle_b"], g) == pytest.approx([3 * -0.2, 3])
    assert slopes(terms["cycle_b"], f) == pytest.approx([3 / 2 * -0.6, 3 / 2])
    assert slopes(terms["adversarial_b"], g) == pytest.approx([1.1 * 0.2, 1.1])
    assert slopes(terms["adversarial_a"], f) == pytest.approx([-2 * 1.2 * -0.6, -2 * 1.2])


@pytest.mark.parametrize("game", [game_of_domains, game_of_pairs])
def test_the_critics_round_teaches_critics_alone(game: Callable[[], Model]) -> None:
    model = game()
    taught = {"critic", "critics"} & model.players().keys()
    for player, terms in played(model).items():
        if player in taught:
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    for player, network in model.players().items():
        assert all((parameter.grad is not None) == (player in taught) for parameter in network.parameters())


def test_a_cyclegan_is_built_with_each_number_of_its_config_in_its_place() -> None:
    values = config.CycleGAN(
        channels_b=1, loss="hinge", adversarial=2, cycle_a=7, cycle_b=3, identity=6, zoom=1.25, pool=9,
        generator=ResnetTranslator(width=2, blocks=1), discriminator=Patch(width=2, downsamplings=1),
    )  # fmt: skip
    model = CycleGAN.build(values, Shape(3, 16))
    assert model.cycle == {"A": 7, "B": 3}
    assert model.zoom == {"A": 0.8, "B": 1.25}
    assert (model.adversarial, model.identity) == (2, 0)  # of unequal channels there is no identity
    assert CycleGAN.build(values.model_copy(update={"channels_b": 3}), Shape(3, 16)).identity == 6
    assert model.loss is OBJECTIVES["hinge"]
    pools = {name: tuple(buffer.shape) for name, buffer in model.pools.named_buffers() if buffer.ndim}
    assert pools == {"A.images": (9, 3, 16, 16), "B.images": (9, 1, 16, 16)}
    assert model.redraw(torch.zeros(1, 3, 16, 16), "B").shape == (1, 1, 16, 16)
    assert model.redraw(torch.zeros(1, 1, 16, 16), "A").shape == (1, 3, 16, 16)
    assert model.critics["B"](torch.zeros(1, 1, 16, 16)).shape == (1, 1, 6, 6)


def test_the_terms_of_a_pix2pix_are_those_of_a_known_game() -> None:
    """Of 0.2 and -0.6 it makes 0.6 and 0.2, where -0.4 and 0.5 are true; each pair has a logit of its own."""
    model = game_of_pairs()
    game = played(model)
    assert {name: float(x) for name, x in game["critic"].items()} == pytest.approx(
        {
            "real": ((1 - 0.7) ** 2 + (1 - -1.0) ** 2) / 8,
            "fake": ((1 + -0.3) ** 2 + (1 + -0.7) ** 2) / 8,
        }
    )
    assert {name: float(x) for name, x in game["translator"].items()} == pytest.approx(
        {
            "adversarial": 2 * ((1 - -0.3) ** 2 + (1 - -0.7) ** 2) / 8,
            "l1": 100 * (1.0 + 0.3) / 2,
        }
    )
    assert float(model.score(PAIRS)["l1"].detach()) == pytest.approx((1.0 + 0.3) / 4)  # of a range of 1, not 2


def test_the_translator_of_a_pix2pix_learns_from_both_terms() -> None:
    model = game_of_pairs()
    terms = played(model)["translator"]
    assert slopes(terms["adversarial"], model.translator) == pytest.approx([(1.3 * 0.2 + 1.7 * -0.6) / 2, 1.5])
    assert slopes(terms["l1"], model.translator) == pytest.approx([100 * (0.2 - -0.6) / 2, 0], abs=1e-4)


def test_terms_without_weight_are_left_out() -> None:
    game = played(game_of_domains(cycle_b=0.0, identity=0.0, adversarial=0.0))
    assert {player: set(terms) for player, terms in game.items()} == {"translators": {"cycle_a"}}
    pairs = played(game_of_pairs(adversarial=0.0))
    assert {player: set(terms) for player, terms in pairs.items()} == {"translator": {"l1"}}


def test_a_translator_without_any_term_is_refused() -> None:
    nothing = {"cyclegan": {"adversarial": 0, "cycle_a": 0, "cycle_b": 0}, "pix2pix": {"adversarial": 0, "l1": 0}}
    for family, weights in nothing.items():
        with pytest.raises(ConfigError, match="nothing is learned"):
            config.parse({"model": {"family": family, **weights}})


def test_inverted_colours_and_collapse_are_told() -> None:
    torch.manual_seed(0)
    model = CycleGAN.build(
        config.CycleGAN(generator=ResnetTranslator(width=4, blocks=1), discriminator=Patch(width=4, downsamplings=1)),
        Shape(3, 16),
    )
    dark, alike = model.diagnose({"to_b/likeness": -0.9, "to_b/variety": 0.01})
    assert "dark where A is bright" in dark
    assert "nearly all alike" in alike
    assert len(model.diagnose({"to_a/variety": 0.05, "to_b/likeness": 0.5})) == 1
    assert model.diagnose({"to_a/variety": 0.8, "to_b/likeness": 0.5}) == []
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    model._watch_colours(x, -x, x, "B")
    assert float(model.watched["to_b/likeness"]) == pytest.approx(-1)
    model._watch_colours(x, x[:1].expand(4, -1, -1, -1), x, "A")
    assert float(model.watched["to_a/variety"]) == pytest.approx(0, abs=1e-6)
