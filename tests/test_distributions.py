"""Densities and divergences against closed forms, sums over all outcomes, and sampling."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, Normal, kl_divergence

from simulacra.distributions import (
    Bernoulli,
    DiagonalGaussian,
    DiscretisedLogistic,
    Gaussian,
    normal,
    standard_normal_log_density,
)
from simulacra.images import from_bytes


def gaussian(batch: int = 5, latent: int = 3) -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(0)
    return DiagonalGaussian.from_output(torch.randn(batch, 2 * latent, generator=generator))


def test_kl_equals_the_library() -> None:
    q = gaussian()
    expected = kl_divergence(
        Independent(Normal(q.mean, q.std), 1), Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    )
    assert torch.allclose(q.kl(), expected, atol=1e-6)


@given(mean=st.floats(-5, 5), log_variance=st.floats(-6, 6))
@settings(max_examples=50, deadline=None)
def test_kl_of_one_dimension_by_its_formula(mean: float, log_variance: float) -> None:
    q = DiagonalGaussian(
        torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[log_variance]], dtype=torch.float64)
    )
    expected = 0.5 * (mean**2 + math.exp(log_variance) - log_variance - 1)
    assert float(q.kl()) == pytest.approx(expected, abs=1e-9)
    assert float(q.kl()) >= -1e-12


def test_kl_is_zero_for_the_prior_and_sums_over_latents() -> None:
    assert torch.equal(DiagonalGaussian(torch.zeros(2, 7), torch.zeros(2, 7)).kl(), torch.zeros(2))
    assert DiagonalGaussian(torch.ones(2, 8), torch.zeros(2, 8)).kl().tolist() == [4.0, 4.0]


def test_the_standard_deviation_is_exp_of_half_the_log_variance() -> None:
    q = DiagonalGaussian(torch.full((1, 1), 3.0), torch.full((1, 1), math.log(4.0)))
    assert float(q.std) == pytest.approx(2.0)
    z = q.rsample(200_000, torch.Generator().manual_seed(0))
    assert float(z.mean()) == pytest.approx(3.0, abs=0.02)
    assert float(z.std()) == pytest.approx(2.0, abs=0.02)


def test_log_density_equals_the_library() -> None:
    q, z = gaussian(), torch.randn(4, 5, 3)
    assert torch.allclose(q.log_density(z), Independent(Normal(q.mean, q.std), 1).log_prob(z), atol=1e-5)
    assert torch.allclose(standard_normal_log_density(z), Normal(0.0, 1.0).log_prob(z).sum(-1), atol=1e-5)


def test_sampling_is_differentiable_in_both_parameters() -> None:
    output = torch.randn(4, 6, requires_grad=True)
    DiagonalGaussian.from_output(output).rsample().square().sum().backward()
    assert output.grad is not None
    assert bool((output.grad.abs() > 0).all())


def test_extreme_outputs_stay_finite() -> None:
    q = DiagonalGaussian.from_output(torch.tensor([[0.0, 1e4], [0.0, -1e4]]))
    assert bool(torch.isfinite(q.kl()).all())
    assert bool(torch.isfinite(q.log_density(q.rsample())).all())


def test_normal_follows_its_generator() -> None:
    like = torch.zeros(1)
    draws = [normal(2, 3, like=like, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_bernoulli_by_hand() -> None:
    logits, x = torch.tensor([[[[0.0, math.log(3.0)]]]]), torch.tensor([[[[1.0, -1.0]]]])
    assert float(Bernoulli().nll(logits, x)) == pytest.approx(math.log(2) + math.log(4), abs=1e-6)
    assert Bernoulli().mean(logits).flatten().tolist() == pytest.approx([0.0, 0.5])


def test_bernoulli_probabilities_sum_to_one() -> None:
    logits = torch.randn(1, 1, 2, 2).expand(16, -1, -1, -1)
    outcomes = torch.tensor([[1 - 2 * (i >> k & 1) for k in range(4)] for i in range(16)]).float().view(16, 1, 2, 2)
    assert float(torch.exp(-Bernoulli().nll(logits, outcomes)).sum()) == pytest.approx(1.0, abs=1e-5)


def test_gaussian_equals_the_library_at_any_scale() -> None:
    likelihood, mu, x = Gaussian(math.exp(-0.7)), torch.randn(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    expected = -Normal(mu, math.exp(-0.7)).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(likelihood.nll(mu, x), expected, atol=1e-4)


def test_gaussian_learns_the_scale_of_its_errors() -> None:
    likelihood, mu = Gaussian(), torch.zeros(1, 1, 64, 64)
    x = 0.3 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(likelihood.parameters(), 0.05)
    for _ in range(300):
        likelihood.nll(mu, x).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float(likelihood.log_scale.detach().exp()) == pytest.approx(float(x.square().mean().sqrt()), rel=0.02)


@pytest.mark.parametrize("mu", [-1.3, -0.5, 0.0, 0.999])
@pytest.mark.parametrize("log_scale", [-4.0, -1.5, 0.5])
def test_discretised_logistic_masses_sum_to_one(mu: float, log_scale: float) -> None:
    levels = from_bytes(torch.arange(256, dtype=torch.uint8)).double().view(256, 1, 1, 1)
    output = torch.tensor([mu, log_scale], dtype=torch.float64).view(1, 2, 1, 1).expand(256, -1, -1, -1)
    masses = torch.exp(-DiscretisedLogistic().nll(output, levels))
    assert float(masses.sum()) == pytest.approx(1.0, abs=1e-6)


def test_discretised_logistic_by_its_formula_and_far_out() -> None:
    output = torch.tensor([0.1, math.log(0.2)]).view(1, 2, 1, 1)
    x = from_bytes(torch.tensor([150], dtype=torch.uint8)).view(1, 1, 1, 1)
    sigmoid = torch.sigmoid
    expected = sigmoid((x + 1 / 255 - 0.1) / 0.2) - sigmoid((x - 1 / 255 - 0.1) / 0.2)
    assert float(DiscretisedLogistic().nll(output, x)) == pytest.approx(-math.log(float(expected)), rel=1e-3)
    far = torch.tensor([50.0, -7.0]).view(1, 2, 1, 1).requires_grad_()
    nll = DiscretisedLogistic().nll(far, x).sum()
    nll.backward()
    assert bool(torch.isfinite(nll))
    assert far.grad is not None
    assert bool(torch.isfinite(far.grad).all())


def test_discretised_logistic_uniform_is_eight_bits() -> None:
    """A very wide logistic that is cut into open outer bins spreads half its mass to each end."""
    output = torch.tensor([0.0, 7.0]).view(1, 2, 1, 1)
    ends = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    assert torch.exp(-DiscretisedLogistic().nll(output, ends)).tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
