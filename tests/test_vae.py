"""The bounds against a linear Gaussian model whose marginal likelihood is known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from simulacra import config
from simulacra.data import Images
from simulacra.distributions import Bernoulli, DiagonalGaussian, Gaussian
from simulacra.images import Shape
from simulacra.models.vae import IWAE, VAE

SHAPE, LATENT = Shape(1, 8), 2


class Affine(nn.Module):
    """``(B, in) -> (B, out)``, with images flattened and unflattened as needed."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, image: bool) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.image = image

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.flatten(1) @ self.weight.T + self.bias
        return y.view(-1, 1, 8, 8) if self.image else y


def linear_model(family: type[VAE] = VAE, *, encoder: str = "rough", **options: int) -> tuple[VAE, torch.Tensor]:
    """``x = W z + b + noise``: return the model, and the exact ``log p(x)`` of `images`.

    The encoder is the true posterior, or a rough one whose bound is loose.
    """
    generator = torch.Generator().manual_seed(3)
    W = 0.4 * torch.randn(64, LATENT, generator=generator)
    b = 0.1 * torch.randn(64, generator=generator)
    scale = 0.5
    precision = W.T @ W / scale**2 + torch.eye(LATENT)
    to_mean = torch.linalg.solve(precision, W.T) / scale**2
    variance = torch.linalg.inv(precision).diagonal()
    if encoder == "rough":
        to_mean, variance = 0.7 * to_mean, 3 * variance
    weight = torch.cat([to_mean, torch.zeros(LATENT, 64)])
    bias = torch.cat([-to_mean @ b, variance.log()])
    likelihood = Gaussian(scale)
    section = config.IWAE if family is IWAE else config.VAE
    values = section(latent=LATENT, **options)
    model = family(Affine(weight, bias, False), Affine(W, b, True), likelihood, SHAPE, values)
    marginal = torch.distributions.MultivariateNormal(b, W @ W.T + scale**2 * torch.eye(64))
    return model, marginal.log_prob(images().flatten(1))


def images() -> torch.Tensor:
    return 0.5 * torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(9))


def test_the_likelihood_estimate_converges_to_the_exact_value() -> None:
    model, exact = linear_model()
    estimate = model.log_likelihood(images(), 20_000, chunk=1000, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(estimate, exact, atol=0.05)


def test_the_estimate_does_not_depend_on_the_chunk() -> None:
    model, _ = linear_model()
    whole = model.log_likelihood(images(), 60, chunk=60, generator=torch.Generator().manual_seed(0))
    parts = model.log_likelihood(images(), 60, chunk=20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(whole, parts, atol=1e-4)


def test_the_bound_rises_with_k_and_stays_below_the_truth() -> None:
    """Burda et al. 2016, theorem 1: L_k <= L_(k+1) <= log p(x), in expectation."""
    model, exact = linear_model()
    x = images().repeat(400, 1, 1, 1)
    bounds = [
        model.log_likelihood(x, k, generator=torch.Generator().manual_seed(k)).view(400, 6).mean(0)
        for k in (1, 2, 5, 20, 100)
    ]
    for lower, higher in zip(bounds, [*bounds[1:], exact + 0.02], strict=True):
        assert bool((lower < higher).all())
    assert float((exact - bounds[0]).mean()) > 3 * float((exact - bounds[-1]).mean())


def test_elbo_plus_the_divergence_to_the_true_posterior_is_the_marginal() -> None:
    """log p(x) = ELBO + KL(q || p(z | x)); with the exact posterior covariance the bound's gap is that KL."""
    model, exact = linear_model(encoder="rough")
    x = images()
    with torch.no_grad():
        score = model.score(Images(x.repeat(4000, 1, 1, 1)), torch.Generator().manual_seed(0))
        W, q = model.decoder.weight, model.posterior(x)
        precision = W.T @ W / 0.25 + torch.eye(LATENT)
        true_mean = torch.linalg.solve(precision, W.T @ (x.flatten(1) - model.decoder.bias).T).T / 0.25
        posterior = torch.distributions.MultivariateNormal(true_mean, torch.linalg.inv(precision))
        approximate = torch.distributions.MultivariateNormal(q.mean, torch.diag_embed(q.log_variance.exp()))
        gap = torch.distributions.kl_divergence(approximate, posterior).mean()
    assert float(-score["negative_elbo"] + gap) == pytest.approx(float(exact.mean()), abs=0.1)


@pytest.mark.parametrize("samples", [1, 5])
def test_a_round_is_the_negative_elbo(samples: int) -> None:
    model, _ = linear_model(samples=samples)
    torch.manual_seed(0)
    (round_,) = model.rounds(Images(images()), 0)
    torch.manual_seed(0)
    q = model.posterior(images())
    z = q.rsample(samples)
    expected = torch.stack([model.likelihood.nll(model.decoder(z[i]), images()) for i in range(samples)]).mean()
    assert float(round_["model"]["nll"]) == pytest.approx(float(expected), rel=1e-5)
    assert float(round_["model"]["kl"]) == pytest.approx(float(q.kl().mean()), rel=1e-6)


def test_the_importance_weighted_round_with_one_sample_is_an_elbo_estimate() -> None:
    model, _ = linear_model(IWAE, samples=1)
    x = images().repeat(3000, 1, 1, 1)
    torch.manual_seed(0)
    (round_,) = model.rounds(Images(x), 0)
    score = model.score(Images(x), torch.Generator().manual_seed(1))
    assert float(round_["model"]["negative_bound"]) == pytest.approx(float(score["negative_elbo"]), abs=0.15)


def test_the_importance_weighted_round_is_tighter() -> None:
    x = Images(images().repeat(500, 1, 1, 1))
    one, fifty = (linear_model(IWAE, samples=k)[0] for k in (1, 50))
    loose, tight = (float(next(iter(m.rounds(x, 0)))["model"]["negative_bound"]) for m in (one, fifty))
    exact = -float(linear_model()[1].mean())
    assert exact - 0.05 < tight < loose - 0.5


def test_beta_rises_linearly_and_weighs_the_kl_term() -> None:
    model, _ = linear_model(beta=4, warmup=10)
    assert [model.beta(step) for step in (0, 4, 9, 500)] == pytest.approx([0.4, 2.0, 4.0, 4.0])
    (early,), (late,) = list(model.rounds(Images(images()), 0)), list(model.rounds(Images(images()), 99))
    assert float(late["model"]["kl"]) == pytest.approx(10 * float(early["model"]["kl"]), rel=1e-5)


def test_the_terms_do_not_depend_on_the_batch_size() -> None:
    model, _ = linear_model()
    one, many = (next(iter(model.rounds(Images(images().repeat(n, 1, 1, 1)), 0))) for n in (1, 50))
    assert float(one["model"]["kl"]) == pytest.approx(float(many["model"]["kl"]), rel=1e-5)
    assert float(one["model"]["nll"]) == pytest.approx(float(many["model"]["nll"]), rel=0.05)


def test_encode_is_the_posterior_mean_and_decode_the_expected_image() -> None:
    model, _ = linear_model()
    assert torch.equal(model.encode(images()), model.posterior(images()).mean)
    bernoulli = VAE(model.encoder, model.decoder, Bernoulli(), SHAPE, config.VAE(latent=LATENT))
    z = torch.randn(3, LATENT)
    assert torch.allclose(bernoulli.decode(z), 2 * torch.sigmoid(model.decoder(z)) - 1)


def test_a_posterior_is_split_into_mean_and_log_variance() -> None:
    q = DiagonalGaussian.from_output(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert q.mean.tolist() == [[1.0, 2.0]]
    assert q.log_variance.tolist() == [[3.0, 4.0]]
