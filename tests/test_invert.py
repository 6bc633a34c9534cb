"""Inversion: latents that are known are found; truncation and directions do what their formulas say."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from simulacra.errors import CapabilityError, ConfigError
from simulacra.images import Shape
from simulacra.models import Coded, Model
from simulacra.models.base import StandardNormalPrior
from simulacra.priors import fit_normal
from simulacra.steering import generate, invert, latent
from tests import contract


class Linear(StandardNormalPrior, Model):
    """Decodes latents by a matrix."""

    def __init__(self) -> None:
        super().__init__(Shape(1, 8))
        self.latent = 3
        self.matrix = torch.nn.Parameter(torch.randn(64, 3, generator=torch.Generator().manual_seed(0)) / 3)

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.matrix.T).view(-1, 1, 8, 8)


def test_a_linear_decoder_gives_least_squares() -> None:
    model = Linear()
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    found = invert.invert(model, x, steps=300, prior_weight=0.0)
    expected = torch.linalg.lstsq(model.matrix.detach(), x.flatten(1).T).solution.T
    assert torch.allclose(found.latents, expected, atol=2e-3)
    assert found.curve.shape == (301, 5)


def test_the_prior_term_is_ridge_regression() -> None:
    """With error |x - A z|^2 / 4 and c |z|^2 / 2 the solution is (A^T A + 2 c I)^-1 A^T x."""
    model, weight = Linear(), 2.0
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    found = invert.invert(model, x, steps=300, prior_weight=weight).latents
    A = model.matrix.detach()
    expected = torch.linalg.solve(A.T @ A + 2 * weight * torch.eye(3), A.T @ x.flatten(1).T).T
    assert torch.allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("family", ["gan", "vae", "autoencoder"])
def test_images_that_the_model_made_are_found(family: str) -> None:
    model = contract.build(family, "mlp", Shape(1, 8))
    z = 2 * torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    x = generate.decode(model, z)
    found = invert.invert(model, x, steps=300, prior_weight=0.0)
    errors = invert.squared_error(found.images, x)
    assert bool((errors <= found.curve[0] + 1e-9).all())
    assert float(errors.sum()) < 0.05 * float(found.curve[0].sum())
    assert torch.allclose(found.images, generate.decode(model, found.latents))


def test_an_image_is_inverted_alike_alone_and_among_others() -> None:
    model = contract.build("gan", "mlp", Shape(1, 8))
    x = generate.sample(model, 4, seed=8)
    together = invert.invert(model, x, steps=20)
    assert torch.allclose(invert.invert(model, x[2:3], steps=20).latents, together.latents[2:3], atol=1e-4)


def test_features_take_part() -> None:
    model = Linear()
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    only = invert.invert(model, x, steps=300, prior_weight=0, features=lambda y: 100 * y[:, 0, 0, :3])
    plain = invert.invert(model, x, steps=300, prior_weight=0)
    missed = [float((found.images - x)[:, 0, 0, :3].abs().max()) for found in (only, plain)]
    assert missed[0] < 0.1 * missed[1]


def test_the_model_is_left_as_it_was() -> None:
    model = contract.build("gan", "mlp", Shape(1, 8)).train()
    invert.invert(model, torch.zeros(1, 1, 8, 8), steps=2)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ConfigError, match="at least 1 step"):
        invert.invert(model, torch.zeros(1, 1, 8, 8), steps=0)


@pytest.mark.parametrize("threshold", [0.1, 0.7, 2.0, 12.0])
def test_truncated_draws_have_the_known_variance(threshold: float) -> None:
    z = latent.truncated_normal(50_000, 2, threshold, torch.Generator().manual_seed(0)).double()
    density = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * threshold * density / math.erf(threshold / math.sqrt(2))
    assert float(z.abs().max()) <= threshold + 1e-6
    assert float(z.var()) == pytest.approx(variance, rel=0.02)
    assert float(z.mean()) == pytest.approx(0, abs=0.02 * threshold)


def test_truncation_needs_normal_latents() -> None:
    gan, autoencoder = (contract.build(family, "mlp", Shape(1, 8)) for family in ("gan", "autoencoder"))
    prior = fit_normal(torch.randn(50, 4))
    assert float(generate.latents(gan, 100, truncation=0.3).abs().max()) <= 0.3
    with pytest.raises(CapabilityError, match="the prior normal is a different one"):
        generate.sample(gan, 2, prior=prior, truncation=0.5)
    with pytest.raises(CapabilityError, match="fit-prior"):
        generate.sample(autoencoder, 2, truncation=0.5)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="positive"):
            generate.sample(gan, 2, truncation=wrong)


def test_moving_along_a_direction() -> None:
    z, direction = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([1.0, -1.0])
    moved = latent.along_direction(z, direction, torch.tensor([0.0, 0.5, 2.0]))
    assert moved[0].tolist() == [[1.0, 2.0], [1.5, 1.5], [3.0, 0.0]]
    assert moved.shape == (2, 3, 2)


def test_the_noise_beside_named_codes_has_its_prior() -> None:
    model = contract.build("infogan", "mlp", Shape(1, 8))
    assert isinstance(model, Coded)
    x = generate.sample(model, 4, seed=3)
    lengths = [
        float(invert.invert(model, x, steps=50, prior_weight=weight).latents[:, : model.codes.noise].norm())
        for weight in (0.0, 10.0)
    ]
    assert lengths[1] < 0.5 * lengths[0]


def test_named_codes_stay_as_they_start() -> None:
    model = contract.build("infogan", "mlp", Shape(1, 8))
    assert isinstance(model, Coded)
    x = generate.sample(model, 4, seed=3)
    found = invert.invert(model, x, steps=20, seed=1)
    started = invert._start(model, x, torch.ones_like(x), 1, None)
    assert torch.equal(found.latents[:, model.codes.noise :], started[:, model.codes.noise :])
    assert not torch.equal(found.latents[:, : model.codes.noise], started[:, : model.codes.noise])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is one device only")
def test_a_prior_need_not_be_on_the_models_device() -> None:
    model = Linear().cuda()
    prior = fit_normal(torch.randn(100, 3))
    x = generate.decode(model, torch.randn(4, 3))
    assert invert.invert(model, x, steps=5, prior=prior).latents.shape == (4, 3)
