"""Named codes against analytic values; InfoGAN's gradients against ones computed in isolation."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from simulacra import config, models
from simulacra.config import Mlp
from simulacra.data import Images
from simulacra.distributions import LOG_2PI
from simulacra.errors import CapabilityError, ConfigError
from simulacra.images import Shape
from simulacra.models import Coded, Inferential
from simulacra.models.clustering import SETTLED, Clustering, information, joint, merged
from simulacra.models.codes import Categorical, Codes, Continuous
from simulacra.models.infogan import InfoGAN
from simulacra.models.memory import Memory
from simulacra.steering import generate
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
        ("digit", 10, "digit cannot be 10. Allowed: digit .a whole number from 0 to 9"),
        ("digit", 2.5, "digit cannot be 2.5"),
        ("slant", 2.01, "slant cannot be 2.01. Allowed: slant .a number from -2 to 2"),
        ("slant", math.nan, "slant cannot be nan"),
    ],
)
def test_a_wrong_code_names_the_codes_and_their_ranges(name: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CODES.set(CODES.prior(1, torch.zeros(1)), name, value)


def test_two_codes_need_two_names() -> None:
    with pytest.raises(ConfigError, match="two codes have the same name"):
        config.parse({"model": {"family": "infogan", "categorical": {"a": 10}, "continuous": ["a"]}})
    with pytest.raises(ConfigError, match="needs a code"):
        config.parse({"model": {"family": "infogan", "categorical": {}, "continuous": []}})


# ------------------------------------------------------------------------------------------------- the game


def test_each_players_gradient_is_that_of_its_own_loss() -> None:
    """Against the paper's losses written out with torch's own functions."""
    model, x = build(), torch.rand(16, 1, 8, 8) * 2 - 1
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


def test_information_of_known_tables() -> None:
    sure = torch.eye(4).repeat(5, 1)
    assert float(information(joint(sure, sure))) == pytest.approx(math.log(4), abs=1e-6)
    assert float(information(joint(sure, torch.full((20, 4), 0.25)))) == pytest.approx(0.0, abs=1e-6)
    noisy = 0.8 * sure + 0.05
    table = (noisy.T @ sure + sure.T @ noisy) / 40
    expected = float((table * (table / (table.sum(0) * table.sum(1).unsqueeze(1))).log()).sum())
    assert float(information(joint(noisy, sure))) == pytest.approx(expected, abs=1e-6)


def test_clusters_that_meet_become_one_category() -> None:
    """Six clusters of three kinds, in no order: the two of a kind are each other's neighbours now and then."""
    kinds = torch.tensor([0, 1, 2, 1, 0, 2])
    together = torch.eye(6) / 8 + (kinds.unsqueeze(0) == kinds.unsqueeze(1)).float() / 64 + 0.001
    category = merged(together / together.sum(), 3)
    assert torch.equal(category.unsqueeze(0) == category.unsqueeze(1), kinds.unsqueeze(0) == kinds.unsqueeze(1))
    assert set(category.tolist()) == {0, 1, 2}


def test_categories_keep_their_names_when_clusters_are_merged_anew() -> None:
    clustering = Clustering(6, 3)
    clustering.category.copy_(torch.tensor([2, 2, 0, 0, 1, 1]))
    clustering.joint.copy_(torch.eye(6) / 6)
    moved = clustering._renamed(torch.tensor([0, 0, 1, 1, 1, 2]))  # one cluster changed its category
    assert moved.tolist() == [2, 2, 0, 0, 0, 1]


def test_categories_are_named_only_when_clusters_have_settled() -> None:
    model, x = build(clusters=12), Images(torch.rand(16, 1, 8, 8) * 2 - 1)
    assert model.clustering is not None
    first = next(iter(model.rounds(x, 0)))["discriminator"]
    assert float(first["anchor_digit"]) == float(first["code_digit"]) == 0.0
    assert float(first["code_c1"]) != 0.0
    model.clustering.steps.fill_(SETTLED + 1)
    first = next(iter(model.rounds(x, 0)))["discriminator"]
    assert float(first["anchor_digit"]) > 0
    assert float(first["code_digit"]) > 0


def test_clusters_train_the_trunk_and_never_the_generator() -> None:
    model = build(clusters=12)
    first, second = model.rounds(Images(torch.rand(16, 1, 8, 8) * 2 - 1), 0)
    assert set(second["generator"]) == {"adversarial", "code_digit", "code_c1", "code_c2"}
    trunk = list(model.discriminator.trunk.parameters())
    found = torch.autograd.grad(first["discriminator"]["clusters"], trunk)
    assert all(float(g.abs().max()) > 0 for g in found)


def test_the_nearest_other_image_is_found_among_the_last() -> None:
    memory = Memory(4, Shape(1, 8))
    x = torch.linspace(-1, 1, 6).view(6, 1, 1, 1).expand(6, 1, 8, 8)
    assert torch.allclose(memory.nearest(x[:3]), x[:3])  # nothing is remembered yet
    assert torch.allclose(memory.nearest(x[2:4]), x[[1, 2]], atol=1 / 255)  # not itself
    memory.nearest(x[4:5])
    assert torch.allclose(memory.nearest(x[:1]), x[2:3], atol=1 / 255)  # the first two have been overwritten


def test_clusters_need_a_category_and_enough_of_them() -> None:
    with pytest.raises(ConfigError, match="clusters are merged into 10 categories: set at least as many"):
        config.parse({"model": {"family": "infogan", "clusters": 5}})
    with pytest.raises(ConfigError, match="clusters need a categorical code to anchor, and there is none"):
        config.parse({"model": {"family": "infogan", "clusters": 30, "categorical": {}}})


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
    exact = information((p.double().T @ q.double() + q.double().T @ p.double()) / 512)
    with torch.autocast("cpu", torch.bfloat16):
        found = information(joint(p, q))
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(exact), abs=1e-6)


def test_a_penalty_needs_single_images() -> None:
    values = {"family": "infogan", "penalty": {"kind": "r1"}, "discriminator": {"norm": "batch"}}
    with pytest.raises(ConfigError, match="batch normalisation mixes images"):
        config.parse({"model": values})


@pytest.mark.parametrize("clusters", [0, 12])
def test_q_sees_fakes_in_the_same_company_in_both_rounds(clusters: int) -> None:
    """Its head is normalised over a batch; with other images beside them the same fakes would get other codes."""
    model = build(clusters=clusters)
    sizes: list[int] = []
    model.discriminator.codes.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    list(model.train().rounds(Images(torch.rand(6, 1, 8, 8) * 2 - 1), 0))
    assert sizes == ([24, 24] if clusters else [12, 12])


def test_named_categories_are_swept_as_people_order_them() -> None:
    code = Categorical("label", 5, ("1", "10", "11", "2", "b"))
    assert code.captions(7) == ["1", "2", "10", "11", "b"]
    assert [code.names[int(k)] for k in code.sweep(7)] == code.captions(7)
    assert sorted(code.sweep(7)) == [0, 1, 2, 3, 4]
    assert Categorical("digit", 12).captions(1) == [str(k) for k in range(12)]
    assert Continuous("c1").captions(5) == ["-2", "-1", "0", "1", "2"]
    assert Continuous("c1").captions(11)[5] == "0", "the middle of eleven values is not -3e-08"
