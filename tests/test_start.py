"""Training begins at the mean image: encoders see images less it, decoders' first outputs spread around it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.config import Conv, Mlp
from simulacra.data import ImageLoader
from simulacra.distributions import LIKELIHOODS, before_tanh
from simulacra.images import Shape
from simulacra.models.vae import VAE
from simulacra.testing import small
from simulacra.training import setup
from tests.conftest import SHORT

SHAPE = Shape(1, 8)


def images(count: int = 400) -> Tensor:
    """Dark images with a bright left half."""
    x = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
    x[..., :4] += 0.9
    return x


@pytest.mark.parametrize("norm", ["none", "spectral"])
def test_a_dense_layer_sees_images_less_their_mean(norm: str) -> None:
    torch.manual_seed(0)
    x, network = images(), networks.encoder(Mlp(hidden=(16,), norm=norm), SHAPE, 3).eval()
    centred = network[1](x.flatten(1) - x.mean(0).flatten())
    networks.centre(network, x.mean(0))
    torch.testing.assert_close(network[1](x.flatten(1)), centred)


def test_a_convolution_has_mean_0_over_places_and_images() -> None:
    torch.manual_seed(0)
    x, network = images(), networks.encoder(Conv(widths=(6,)), SHAPE, 3)
    before = network[0](x).mean((0, 2, 3))
    networks.centre(network, x.mean(0))
    assert before.abs().max() > 0.1
    torch.testing.assert_close(network[0](x).mean((0, 2, 3)), torch.zeros(6), atol=1e-5, rtol=0)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_output_of_a_mean_has_that_mean(likelihood: str) -> None:
    found, mean = LIKELIHOODS[likelihood](), images().mean(0)
    assert found.output(mean).shape[0] == found.channels(1)
    torch.testing.assert_close(found.mean(found.output(mean)[None])[0], mean)
    assert torch.isfinite(found.output(torch.ones(1, 2, 2))).all()


def test_tanh_of_the_output_is_the_mean() -> None:
    torch.testing.assert_close(torch.tanh(before_tanh(images().mean(0))), images().mean(0))
    assert torch.isfinite(before_tanh(torch.tensor([-1.0, 1.0]))).all()


def test_a_dense_decoder_begins_at_the_mean_image_and_a_convolution_at_the_mean_of_its_channel() -> None:
    mean = images().mean(0)
    dense = networks.decoder(Mlp(hidden=(16,)), 4, SHAPE, 1)
    convolution = networks.decoder(Conv(widths=(6,)), 4, SHAPE, 1)
    for network in (dense, convolution):
        networks.begin_at(network, mean, before_tanh)
    z = torch.zeros(1, 4)  # biases are 0, so the last layer's input is
    torch.testing.assert_close(torch.tanh(dense(z))[0], mean)
    torch.testing.assert_close(torch.tanh(convolution(z))[0], mean.mean().expand(1, 8, 8))


def test_unknown_layers_are_left_alone() -> None:
    network = nn.Sequential(nn.Softplus(), nn.Linear(64, 64), nn.Tanh())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    networks.centre(network, images().mean(0))
    networks.begin_at(network, images().mean(0), before_tanh)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_mean_is_of_images_as_a_training_sees_them() -> None:
    dataset = small.noise_images(200, 1, 8)
    plain, inverted = (ImageLoader(dataset, 100, augment=names) for names in ((), ("invert",)))
    mean = setup.mean_image(plain, 100)
    torch.testing.assert_close(mean, dataset.images.float().mean(0) / 127.5 - 1)
    torch.testing.assert_close(setup.mean_image(inverted, 100), -mean)


def test_a_training_begins_at_the_mean_image(tmp_path: Path) -> None:
    plan = setup.prepare("vae-mlp", config.merge(SHORT, {"data": {"name": "digits"}}), tmp_path / "run")
    model, mean = plan.trainer.model, setup.mean_image(plan.trainer.loader, plan.values.train.batch)
    assert isinstance(model, VAE)
    torch.testing.assert_close(model.decode(torch.zeros(1, model.latent))[0], mean.clamp(-0.998, 0.998))
    hidden = model.encoder[1](mean.flatten()[None])
    torch.testing.assert_close(hidden, torch.zeros_like(hidden), atol=1e-5, rtol=0)
