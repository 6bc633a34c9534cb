"""Named codes against analytic values; InfoGAN's gradients against ones computed in isolation."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from simulacra import config, generate, models
from simulacra.config import Mlp
from simulacra.data import Images
from simulacra.distributions import LOG_2PI
from simulacra.errors import CapabilityError, ConfigError
from simulacra.models import Coded, Inferential
from simulacra.models.codes import Categorical, Codes, Continuous
from simulacra.models.infogan import InfoGAN, mutual_information
from simulacra.networks import Shape
from tests import contract

CODES = Codes(3, [Categorical("digit", 10), Continuous("slant"), Categorical("side", 2)])


def build(**values: object) -> InfoGAN:
    torch.manual_seed(0)
    section = config.InfoGAN(latent=4, generator=Mlp(hidden=(16,)), discriminator=Mlp(hidden=(16,)), **values)  # type: ignore[arg-type]
    model = models.build(section, Shape(1, 8))
    assert isinstance(model, InfoGAN)
    return model


def gradients(loss: torch.Tensor, module: torch.nn.Module) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(module.parameters()), retain_graph=True))


# --------------------------------------------------------------------------------------------------- codes


def test_a_latent_is_noise_then_one_hot_then_numbers() -> None:
    z = CODES.prior(20_000, torch.zeros(1), torch.Generator().manual_seed(0))
    assert z.shape == (20_000, CODES.latent) == (20_000, 3 + 10 + 1 + 2)
    noise, digit, slant, side = z.split([3, 10, 1, 2], dim=1)
    assert float(noise.mean().abs()) < 0.02
    assert float(noise.std()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(digit.sum(1), torch.ones(20_000))
    assert torch.equal(digit.max(1).values, torch.ones(20_000))
    assert torch.allclose(digit.mean(0), torch.full((10,), 0.1), atol=0.01)
    assert torch.allclose(side.mean(0), torch.full((2,), 0.5), atol=0.02)
    assert float(slant.min()) >= -1
    assert float(slant.max()) <= 1
    assert float(slant.var()) == pytest.approx(1 / 3, abs=0.01)


def test_nothing_told_costs_the_entropy_of_a_category() -> None:
    z = CODES.prior(50, torch.zeros(1))
    nll = CODES.nll(torch.zeros(50, CODES.outputs), z)
    assert torch.allclose(nll["digit"], torch.full((50,), math.log(10)))
    assert torch.allclose(nll["side"], torch.full((50,), math.log(2)))


def test_the_cross_entropy_and_the_gaussian_are_torchs() -> None:
    z, outputs = CODES.prior(50, torch.zeros(1)), torch.randn(50, CODES.outputs)
    nll, values = CODES.nll(outputs, z), CODES.values(z)
    assert torch.allclose(nll["digit"], F.cross_entropy(outputs[:, :10], values["digit"], reduction="none"), atol=1e-6)
    mean, log_variance = outputs[:, 10], outputs[:, 11]
    gaussian = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    assert torch.allclose(nll["slant"], -gaussian.log_prob(z[:, 13]), atol=1e-5)


def test_a_number_at_the_mean_costs_half_log_two_pi() -> None:
    c = torch.tensor([[0.3]])
    output = torch.tensor([[0.3, 0.0]])
    assert float(Continuous("c").nll(output, c)) == pytest.approx(0.5 * LOG_2PI)


def test_set_changes_its_own_place_only() -> None:
    z = CODES.prior(6, torch.zeros(1))
    moved = CODES.set(CODES.set(z, "digit", 7), "slant", -1.5)
    assert torch.equal(CODES.values(moved)["digit"], torch.full((6,), 7))
    assert torch.equal(CODES.values(moved)["slant"], torch.full((6,), -1.5))
    assert torch.equal(moved[:, :3], z[:, :3])
    assert torch.equal(moved[:, 14:], z[:, 14:])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "digti",
            3,
            r"no code 'digti'. Did you mean 'digit'\?.*digit \(a whole number from 0 to 9\), slant \(a number",
        ),
        ("digit", 10, "digit cannot be 10. It is digit .a whole number from 0 to 9"),
        ("digit", 2.5, "digit cannot be 2.5"),
        ("slant", 2.01, "slant cannot be 2.01. It is slant .a number from -2 to 2"),
        ("slant", math.nan, "slant cannot be nan"),
    ],
)
def test_a_wrong_code_names_the_codes_and_their_ranges(name: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CODES.set(CODES.prior(1, torch.zeros(1)), name, value)


def test_two_codes_need_two_names() -> None:
    with pytest.raises(ConfigError, match="two codes have one name"):
        config.parse({"model": {"family": "infogan", "categorical": {"a": 10}, "continuous": ["a"]}})
    with pytest.raises(ConfigError, match="needs a code"):
        config.parse({"model": {"family": "infogan", "categorical": {}, "continuous": []}})


# ------------------------------------------------------------------------------------------------- the game


def test_each_players_gradient_is_that_of_its_own_loss() -> None:
    """Against the paper's losses written out with torch's own functions."""
    model, x = build(invariance=0.0), torch.rand(16, 1, 8, 8) * 2 - 1
    torch.manual_seed(3)
    rounds = list(model.rounds(Images(x), 0))
    torch.manual_seed(3)
    z = model.prior(16)
    fake = model.decode(z)
    parts = model.discriminator
    h = parts.codes[0](torch.cat([parts.trunk(x), parts.trunk(fake)]))
    h = (h - h.mean(0)) / (h.var(0, correction=0) + 1e-5).sqrt()  # scale 1 and shift 0 before training
    real_logit, fake_logit, told = parts.real(parts.trunk(x)), parts.real(parts.trunk(fake)), parts.codes[2](h)[16:]
    digit = F.cross_entropy(told[:, :10], z[:, 4:14].argmax(1))
    numbers = sum(
        F.gaussian_nll_loss(told[:, 10 + 2 * k], z[:, 14 + k], told[:, 11 + 2 * k].exp(), full=True) for k in (0, 1)
    )
    information = digit + 0.1 * numbers
    ones = torch.ones(16, 1)
    d_loss = (
        F.binary_cross_entropy_with_logits(real_logit, ones)
        + F.binary_cross_entropy_with_logits(fake_logit, 0 * ones)
        + information
    )
    g_loss = F.binary_cross_entropy_with_logits(fake_logit, ones) + information
    for (player, loss), round_ in zip({"discriminator": d_loss, "generator": g_loss}.items(), rounds, strict=True):
        module = model.players()[player]
        parameters = [p for p in module.parameters() if not any(p is q for q in parts.codes[1].parameters())]
        ours = torch.autograd.grad(sum(round_[player].values(), torch.zeros(())), parameters, retain_graph=True)
        for a, b in zip(ours, torch.autograd.grad(loss, parameters, retain_graph=True), strict=True):
            assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("term", ["code_digit", "code_c1", "code_c2"])
def test_the_information_of_each_code_reaches_the_generator_and_q(term: str) -> None:
    model = build()
    first, second = model.rounds(Images(torch.rand(16, 1, 8, 8) * 2 - 1), 0)
    assert all(float(g.abs().max()) > 0 for g in gradients(second["generator"][term], model.generator))
    trained = [*model.discriminator.trunk.parameters(), *model.discriminator.codes[2].parameters()]
    for g in torch.autograd.grad(first["discriminator"][term], trained, retain_graph=True):
        assert float(g.abs().max()) > 0
    untouched = list(model.discriminator.real.parameters())
    grads = torch.autograd.grad(first["discriminator"][term], untouched, retain_graph=True, allow_unused=True)
    assert all(g is None for g in grads), "the codes' loss must not move D's own head"


def test_mutual_information_of_known_tables() -> None:
    sure = torch.eye(4).repeat(5, 1)
    assert float(mutual_information(sure, sure)) == pytest.approx(math.log(4), abs=1e-6)
    assert float(mutual_information(sure, torch.full((20, 4), 0.25))) == pytest.approx(0.0, abs=1e-6)
    noisy = 0.8 * sure + 0.05
    table = (noisy.T @ sure + sure.T @ noisy) / 40
    expected = float((table * (table / (table.sum(0) * table.sum(1).unsqueeze(1))).log()).sum())
    assert float(mutual_information(noisy, sure)) == pytest.approx(expected, abs=1e-6)


def test_invariance_trains_q_and_never_the_generator() -> None:
    model = build(invariance=1.0)
    first, second = model.rounds(Images(torch.rand(16, 1, 8, 8) * 2 - 1), 0)
    assert set(second["generator"]) == {"adversarial", "code_digit", "code_c1", "code_c2"}
    term = first["discriminator"]["invariance_digit"]
    assert all(
        float(g.abs().max()) > 0 for g in torch.autograd.grad(term, list(model.discriminator.trunk.parameters()))
    )


# ------------------------------------------------------------------------------------------------- the verbs


def test_infogan_reads_codes_but_cannot_reconstruct() -> None:
    model = build()
    assert isinstance(model, Coded)
    assert not isinstance(model, Inferential)
    with pytest.raises(CapabilityError, match="reconstruct needs an encoder; infogan has none"):
        generate.reconstruct(model, torch.zeros(1, 1, 8, 8))
    with pytest.raises(CapabilityError, match=r"sample with codes needs a named code; gan has none.*one: infogan"):
        generate.sample(contract.build("gan", "mlp", Shape(1, 8)), 1, codes={"digit": 1})


def test_codes_are_those_that_q_infers() -> None:
    model, x = build().eval(), torch.rand(5, 1, 8, 8) * 2 - 1
    inferred = generate.encode(model, x)
    with torch.no_grad():
        outputs = model.discriminator.infer(x)
    assert inferred.shape == (5, 12)
    assert torch.allclose(inferred, torch.cat([outputs[:, :10].softmax(1), outputs[:, 10:11], outputs[:, 12:13]], 1))
    assert torch.equal(model.codes.values(inferred)["digit"], outputs[:, :10].argmax(1))


def test_a_set_code_is_what_is_decoded() -> None:
    model = build().eval()
    z = generate.latents(model, 3, seed=5)
    drawn = generate.sample(model, 3, seed=5, codes={"digit": 4, "c2": -1.5})
    z[:, 4:14] = F.one_hot(torch.tensor(4), 10).float()
    z[:, 15] = -1.5
    assert torch.allclose(drawn, generate.decode(model, z))


def test_traverse_has_a_column_a_category_and_names_its_rows() -> None:
    model = build().eval()
    rows = generate.traverse_codes(model, steps=5, seed=2)
    assert [name for name, _ in rows] == ["digit"] * generate.TRAVERSED_NOISE + ["c1", "c2"]
    assert [len(images) for _, images in rows] == [10] * generate.TRAVERSED_NOISE + [5, 5]
    z = generate.latents(model, generate.TRAVERSED_NOISE, seed=2)
    z[:, 4:14] = F.one_hot(torch.tensor(6), 10).float()
    column = torch.cat([images[6:7] for name, images in rows if name == "digit"])
    assert torch.allclose(column, generate.decode(model, z), atol=1e-6)


def test_the_information_is_exact_in_bfloat16_trainings() -> None:
    """It is a small difference of numbers near log K, which half precision would drown."""
    generator = torch.Generator().manual_seed(0)
    p, q = (torch.randn(256, 10, generator=generator).mul(0.3).softmax(1) for _ in range(2))
    exact = mutual_information(p.double(), q.double())
    with torch.autocast("cpu", torch.bfloat16):
        found = mutual_information(p, q)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(exact), abs=1e-6)


def test_a_penalty_needs_single_images() -> None:
    values = {"family": "infogan", "penalty": {"kind": "r1"}, "discriminator": {"norm": "batch"}}
    with pytest.raises(ConfigError, match="batch normalisation mixes images"):
        config.parse({"model": values})


@pytest.mark.parametrize("invariance", [0.0, 4.0])
def test_q_sees_fakes_in_the_same_company_in_both_rounds(invariance: float) -> None:
    """Its head is normalised over a batch; with other images beside them the same fakes would get other codes."""
    model = contract.build("infogan", "mlp", Shape(1, 8))
    assert isinstance(model, InfoGAN)
    model.invariance = invariance
    sizes: list[int] = []
    model.discriminator.codes.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    list(model.train().rounds(Images(torch.rand(6, 1, 8, 8) * 2 - 1), 0))
    assert sizes == [18, 18] if invariance else [12, 12]
