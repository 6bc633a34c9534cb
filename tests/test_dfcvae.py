"""The deep feature consistent VAE: its distance, its terms and the Gaussian that its latents have."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from simulacra import config, models
from simulacra.data.dataset import Images
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models.dfcvae import DFCVAE, KEPT
from simulacra.networks.pictures import PictureNetwork, perceptual_distance, shipped
from simulacra.training.average import Average


def some_images(n: int, seed: int = 0, size: int = 32) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def small(**values: object) -> DFCVAE:
    torch.manual_seed(0)
    network = config.Conv(widths=(4, 8), norm="batch")
    return DFCVAE.build(config.DFCVAE(latent=3, network=network, **values), Shape(3, 16))  # type: ignore[arg-type]


def test_the_distance_is_zero_for_equal_images_and_the_same_both_ways() -> None:
    x, y = some_images(4), some_images(4, seed=1)
    assert torch.equal(perceptual_distance(x, x), torch.zeros(4))
    assert torch.allclose(perceptual_distance(x, y), perceptual_distance(y, x))
    assert bool((perceptual_distance(x, y) > 0).all())


def test_the_distance_is_a_sum_of_squared_cosine_distances() -> None:
    """``|a / |a| - b / |b| |^2 = 2 - 2 cos(a, b)`` at every place; the mean over places, the sum over layers."""
    x, y = some_images(2), some_images(2, seed=1)
    network, _ = shipped()
    pairs = zip(network.activations(x), network.activations(y), strict=True)
    expected = sum((2 - 2 * F.cosine_similarity(a, b, dim=1)).mean((1, 2)) for a, b in pairs)
    assert torch.allclose(perceptual_distance(x, y), torch.as_tensor(expected), atol=1e-5)


def test_the_distance_sees_blur_more_than_a_shift_of_brightness() -> None:
    x = F.interpolate(some_images(8, size=8), (32, 32))
    blurred = F.avg_pool2d(F.pad(x, (2,) * 4, mode="replicate"), 5, 1)
    change = (blurred - x).square().mean().sqrt()
    assert bool((perceptual_distance(x, blurred) > 2 * perceptual_distance(x, x + change)).all())


def test_the_shipped_network_is_not_part_of_the_model() -> None:
    model = small()
    assert not any(isinstance(module, PictureNetwork) for module in model.modules())
    before = [parameter.clone() for parameter in shipped()[0].parameters()]
    losses = next(model.rounds(Images(some_images(4, size=16)), 0))["model"]
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in shipped()[0].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, shipped()[0].parameters(), strict=True))


def test_the_terms_are_what_the_weights_say() -> None:
    model, x = small(pixels=2.0, features=3.0, beta=0.5).eval(), some_images(4, size=16)
    torch.manual_seed(1)
    terms = next(model.rounds(Images(x), 0))["model"]
    torch.manual_seed(1)
    q = model.posterior(x)
    y = model.decoder(q.rsample())
    assert torch.allclose(terms["pixels"], 2 * (x - y).abs().mean())
    assert torch.allclose(terms["features"], 3 * perceptual_distance(x, y).mean())
    assert torch.allclose(terms["kl"], 0.5 * q.kl().mean())


def test_the_prior_follows_the_latents() -> None:
    """Latents of a known Gaussian, shown batch after batch: the prior draws from that Gaussian."""
    model, generator = small().train(), torch.Generator().manual_seed(0)
    factor = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [-1.0, 0.2, 0.1]])
    centre = torch.tensor([3.0, -1.0, 0.5])
    for _ in range(1_500):
        model.follow(centre + torch.randn(64, 3, generator=generator) @ factor.T)
    z = model.prior(20_000, generator)
    assert torch.allclose(z.mean(0), centre, atol=0.1)
    assert torch.allclose(z.T.cov(), factor @ factor.T, atol=0.12)


def test_kernels_stand_around_the_newest_latents_and_keep_their_variance() -> None:
    """Two clusters far apart: one Gaussian would fill the middle, kernels leave it empty; the moments are the same."""
    model, generator = small(smoothing=0.3).train(), torch.Generator().manual_seed(0)
    for _ in range(600):
        side = torch.randint(0, 2, (64, 1), generator=generator) * 2.0 - 1
        model.follow(torch.cat([5 * side, torch.randn(64, 2, generator=generator)], 1) + 1)
    z = model.prior(20_000, generator)
    assert torch.allclose(z.mean(0), torch.ones(3), atol=0.2)
    assert torch.allclose(z.var(0), torch.tensor([25.0, 1.0, 1.0]), rtol=0.1)
    assert float(((z[:, 0] - 1).abs() < 1).float().mean()) < 0.02


def test_the_bank_holds_the_newest_latents_and_is_not_averaged() -> None:
    model = small(smoothing=0.5).train()
    average = Average(model, half_life=1_000)
    for first in range(0, KEPT + 50, 50):
        model.follow(torch.arange(first, first + 50.0)[:, None].expand(50, 3))
        average.update(first + 50, 50)
    last = int(model.banked)
    assert sorted(model.bank[:, 0].tolist()) == list(range(last - KEPT, last))
    assert torch.equal(average.model.state_dict()["bank"], model.bank)
    assert not any(name.startswith("bank") for name in small().state_dict())


def test_images_are_in_range_and_nothing_to_compare_is_refused() -> None:
    model = small().eval()
    assert float(model.decode(100 * torch.randn(8, 3)).abs().max()) <= 1
    values = {"model": {"family": "dfcvae", "pixels": 0, "features": 0}}
    with pytest.raises(ConfigError, match="set one of them above 0"):
        config.parse(values)
    assert isinstance(models.build(config.DFCVAE(), Shape(1, 32)), DFCVAE)


def test_images_without_numbers_leave_the_shipped_network_as_it_is() -> None:
    shipped.cache_clear()
    with torch.device("meta"):
        perceptual_distance(torch.empty(2, 3, 32, 32), torch.empty(2, 3, 32, 32))
    assert {parameter.device.type for parameter in shipped()[0].parameters()} == {"cpu"}
    assert perceptual_distance(some_images(2), some_images(2, seed=1)).min() > 0
