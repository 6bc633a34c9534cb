"""Penalties on slopes against critics whose slopes are known; lazy ones against those of every step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from simulacra import config
from simulacra.adversarial import DRAGAN, PENALTIES, R1, R2, GradientPenalty, Lazy, Penalty, R1AndR2
from simulacra.adversarial.penalties import around, between, lazy, slopes
from simulacra.config import Conv
from simulacra.models.gan import GAN, pack
from simulacra.networks import Shape, encoder
from tests.test_adversarial import Uniform

W = torch.tensor([3.0, -1.0, 2.0, 1.0])
NORM = math.sqrt(15.0)


class Linear(nn.Module):
    """D(x) = w . x + 5 over images of 1 x 2 x 2: its slope is w everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(W.clone())

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.w).unsqueeze(1) + 5


class Quadratic(nn.Module):
    """D(x) = a/2 |x|^2: its slope at x is a x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x: Tensor) -> Tensor:
        return self.a / 2 * x.flatten(1).square().sum(1, keepdim=True)


def images(*values: float) -> Tensor:
    """One image of 1 x 2 x 2 for each value, whose norm it is."""
    x = torch.zeros(len(values), 1, 2, 2)
    x[:, 0, 1, 0] = torch.tensor(values)
    return x


@pytest.mark.parametrize(
    ("penalty", "terms"),
    [
        (GradientPenalty(10.0), {"gradient_penalty": 10 * (NORM - 1) ** 2}),
        (DRAGAN(10.0), {"dragan": 10 * (NORM - 1) ** 2}),
        (R1(2.0), {"r1": NORM**2}),
        (R2(2.0), {"r2": NORM**2}),
        (R1AndR2(2.0), {"r1": NORM**2, "r2": NORM**2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_linear_critic_has_its_weights_as_slope(penalty: Penalty, terms: dict[str, float]) -> None:
    found = penalty(Linear(), torch.randn(6, 1, 2, 2), torch.randn(6, 1, 2, 2))
    assert {name: float(term) for name, term in found.items()} == pytest.approx(terms, rel=1e-5)
    assert tuple(found) == penalty.names


def test_norms_are_of_single_images_not_of_the_batch() -> None:
    """Slopes 2 and 4 (a = 2): r1 is the mean of 4 and 16, the one-centred penalty that of 1 and 9."""
    x = images(1.0, 2.0)
    assert float(R1(2.0)(Quadratic(2.0), x, x)["r1"]) == pytest.approx(10.0)
    assert float(GradientPenalty(1.0)(Quadratic(2.0), x, x)["gradient_penalty"]) == pytest.approx(5.0)


def test_real_and_generated_images_are_not_mixed_up() -> None:
    terms = R1AndR2(2.0)(Quadratic(1.0), images(1.0), images(3.0))
    assert {name: float(term) for name, term in terms.items()} == pytest.approx({"r1": 1.0, "r2": 9.0})


@pytest.mark.parametrize(
    ("penalty", "gradient"),
    [
        (R1(2.0), 2 * 1.5 * 2.0**2),  # d/da (a x)^2 = 2 a x^2
        (GradientPenalty(1.0), 2 * (3.0 - 1) * 2.0),  # d/da (a x - 1)^2 = 2 (a x - 1) x
    ],
    ids=["r1", "gradient_penalty"],
)
def test_the_critic_learns_by_the_second_derivative(penalty: Penalty, gradient: float) -> None:
    critic, x = Quadratic(1.5), images(2.0)
    (term,) = penalty(critic, x, x).values()
    term.backward()
    assert float(critic.a.grad) == pytest.approx(gradient)  # type: ignore[arg-type]


def test_second_derivatives_agree_with_finite_differences() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 1))
    x = torch.randn(3, 1, 2, 2)
    weight = critic[1].weight
    R1(1.0)(critic, x, x)["r1"].backward()
    step = 1e-2
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[2, 3] += sign * step
        values.append(float(R1(1.0)(critic, x, x)["r1"]))
        with torch.no_grad():
            weight[2, 3] -= sign * step
    assert float(weight.grad[2, 3]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=2e-2)


def test_a_flat_critic_gives_no_nan() -> None:
    critic = Quadratic(0.0)
    GradientPenalty()(critic, images(1.0), images(2.0))["gradient_penalty"].backward()
    assert bool(torch.isfinite(critic.a.grad))  # type: ignore[arg-type]


def test_images_get_no_gradient_and_need_none() -> None:
    fake = torch.randn(2, 1, 2, 2, requires_grad=True)
    R1AndR2()(Quadratic(1.0), torch.randn(2, 1, 2, 2), fake)["r2"].backward()
    assert fake.grad is None


@pytest.mark.parametrize("name", [name for name in PENALTIES if name != "none"])
def test_a_lazy_penalty_is_the_same_on_average(name: str) -> None:
    """Eight steps at every step, and at every fourth: the same sum for a critic whose slope is the same everywhere."""
    x = torch.randn(2, 1, 2, 2)
    sums = []
    for every in (1, 4):
        lazy = Lazy(PENALTIES[name](3.0), every)
        terms = [lazy(Linear(), x, x, step) for step in range(8)]
        assert all(tuple(t) == lazy.penalty.names for t in terms)
        sums.append({key: sum(float(t[key]) for t in terms) for key in lazy.penalty.names})
    assert sums[0] == pytest.approx(sums[1])


def test_a_lazy_penalty_is_not_computed_between() -> None:
    def critic(x: Tensor) -> Tensor:
        raise AssertionError("called")

    x = torch.randn(2, 1, 2, 2)
    assert float(Lazy(R1(), 4)(critic, x, x, 3)["r1"]) == 0.0
    with pytest.raises(AssertionError, match="called"):
        Lazy(R1(), 4)(critic, x, x, 4)


def test_points_lie_on_the_lines_and_follow_their_generator() -> None:
    real, fake = torch.zeros(500, 1, 2, 2), torch.ones(500, 1, 2, 2)
    points = between(real, fake, generator=torch.Generator().manual_seed(0))
    assert torch.equal(points, points[:, :, :1, :1].expand_as(points)), "one share an image"
    assert float(points.mean()) == pytest.approx(0.5, abs=0.05)
    assert 0 <= float(points.min()) < 0.02 < 0.98 < float(points.max()) <= 1
    assert torch.equal(points, between(real, fake, generator=torch.Generator().manual_seed(0)))


def test_packs_lie_on_one_line() -> None:
    real, fake = torch.zeros(500, 1, 2, 2), torch.ones(500, 1, 2, 2)
    points = between(real, fake, 2, torch.Generator().manual_seed(0))
    packs = pack(points, 2)
    assert torch.equal(packs, packs[:, :1, :1, :1].expand_as(packs))
    assert len(packs[:, 0, 0, 0].unique()) == 250
    penalty = lazy(config.Penalty(kind="gradient_penalty"), packing=2)
    assert penalty.penalty == GradientPenalty(10.0, packing=2)


def test_neighbours_lie_half_a_standard_deviation_away() -> None:
    x = 3 * torch.randn(2000, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    noise = around(x, torch.Generator().manual_seed(0)) - x
    assert float(noise.std() / x.std()) == pytest.approx(0.5, rel=0.05)


def test_slopes_are_float32_under_autocast() -> None:
    torch.manual_seed(0)
    critic = encoder(Conv(widths=(8, 16), activation="leaky_relu"), Shape(1, 12), 1)
    x = torch.randn(4, 1, 12, 12)
    plain = slopes(critic, x)
    with torch.autocast("cpu", torch.bfloat16):
        half = slopes(critic, x.bfloat16().float())
        assert slopes(critic, x).dtype == torch.float32
        assert torch.equal(slopes(critic, x), plain)
    assert not torch.equal(half, plain)


def test_the_slope_of_a_pack_is_that_of_its_images_together() -> None:
    model = GAN(Uniform(0.0), Linear(), Shape(1, 2), config.GAN(latent=3, packing=2))
    model.discriminator.w = nn.Parameter(torch.cat([W, 2 * W]))
    found = slopes(model.logits, torch.randn(6, 1, 2, 2))
    assert found.shape == (3, 8)
    assert torch.allclose(found, torch.cat([W, 2 * W]).expand(3, 8))
