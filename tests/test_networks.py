"""Networks at every size: shapes, mirrored sides, variance at initialisation, the documented architectures."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from simulacra import config, models, networks
from simulacra.config import Conv, Mlp, Resnet, Unet
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.models import summary
from simulacra.networks.mlp import FourierFeatures
from tests import contract


@given(
    size=st.integers(8, 100),
    channels=st.sampled_from([1, 3]),
    strides=st.lists(st.sampled_from([1, 2]), min_size=1, max_size=3),
    kernel=st.sampled_from([3, 4]),
    dense=st.sampled_from([None, 5]),
)
@settings(max_examples=60, deadline=None)
def test_conv_works_at_any_size(size: int, channels: int, strides: list[int], kernel: int, dense: int | None) -> None:
    network = Conv(widths=(3, 4, 5)[: len(strides)], strides=tuple(strides), kernel=kernel, dense=dense)  # type: ignore[arg-type]
    shape = Shape(channels, size)
    x = torch.randn(2, channels, size, size)
    z = networks.encoder(network, shape, 6)(x)
    assert z.shape == (2, 6)
    assert networks.decoder(network, 6, shape, 2)(z).shape == (2, 2, size, size)


@given(
    size=st.integers(8, 40),
    channels=st.sampled_from([1, 3]),
    stages=st.integers(1, 4),
    norm=st.sampled_from(["none", "group"]),
)
@settings(max_examples=30, deadline=None)
def test_resnet_works_at_any_size(size: int, channels: int, stages: int, norm: str) -> None:
    network = Resnet(widths=(3, 4, 5, 6)[:stages], norm=norm)  # type: ignore[arg-type]
    shape = Shape(channels, size)
    z = networks.encoder(network, shape, 6)(torch.randn(2, channels, size, size))
    assert z.shape == (2, 6)
    assert networks.decoder(network, 6, shape, 2)(z).shape == (2, 2, size, size)


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_depth_does_not_change_a_residual_networks_scale(role: str, blocks: int) -> None:
    """Unit input gives outputs of power about one at the start, without normalisation and however deep."""
    torch.manual_seed(0)
    network, shape = Resnet(widths=(32, 32), blocks=blocks), Shape(1, 16)
    net = networks.encoder(network, shape, 64) if role == "encoder" else networks.decoder(network, 64, shape, 1)
    with torch.no_grad():
        y = net(torch.randn(64, 1, 16, 16) if role == "encoder" else torch.randn(64, 64))
    assert 0.2 < float(y.square().mean()) < 3


@pytest.mark.parametrize("network", [Mlp(norm="spectral"), Conv(norm="spectral"), Resnet(norm="spectral")])
def test_spectral_normalisation_gives_every_layer_norm_one(network: config.Network) -> None:
    torch.manual_seed(0)
    net = networks.encoder(network, Shape(1, 16), 5)
    for _ in range(30):  # power iterations
        net(torch.randn(2, 1, 16, 16))
    weights = [layer.weight.detach().flatten(1) for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(weights) > 2
    assert [float(torch.linalg.matrix_norm(weight, 2)) for weight in weights] == pytest.approx(
        [1.0] * len(weights), rel=0.02
    )


@pytest.mark.parametrize("size", [8, 28, 100])
def test_mlp_works_at_any_size(size: int) -> None:
    network, shape = Mlp(hidden=(7, 5)), Shape(3, size)
    z = networks.encoder(network, shape, 4)(torch.randn(2, 3, size, size))
    assert networks.decoder(network, 4, shape, 6)(z).shape == (2, 6, size, size)


def test_too_many_halvings_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="at most 3 layers of stride 2"):
        networks.encoder(Conv(widths=(4,) * 5), Shape(1, 8), 2)
    with pytest.raises(ConfigError, match="at most 4 stages"):
        networks.encoder(Resnet(widths=(4,) * 5), Shape(1, 8), 2)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize("role", ["encoder", "decoder"])
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_activations_keep_their_variance_at_the_start(kind: str, role: str, activation: str) -> None:
    """Unit input gives hidden activations of mean square about one, and outputs of variance about one."""
    torch.manual_seed(0)
    network: config.Network = (
        Mlp(hidden=(256, 256), activation=activation)  # type: ignore[arg-type]
        if kind == "mlp"
        else Conv(widths=(64, 64, 64), strides=(1, 2, 2), activation=activation)  # type: ignore[arg-type]
    )
    shape = Shape(3, 32)
    net = networks.encoder(network, shape, 64) if role == "encoder" else networks.decoder(network, 64, shape, 3)
    x = torch.randn(64, 3, 32, 32) if role == "encoder" else torch.randn(64, 64)
    with torch.no_grad():
        for layer in net:
            x = layer(x)
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                power = float(x.square().mean())
                assert 0.35 < power < 3.5, f"{layer}: {power:.2f}"


def test_biases_start_at_zero() -> None:
    net = networks.decoder(Conv(), 8, Shape(1, 28), 1)
    assert all(float(p.abs().max()) == 0 for name, p in net.named_parameters() if name.endswith("bias"))


def test_outputs_are_float32_under_autocast() -> None:
    net = networks.encoder(Conv(), Shape(1, 16), 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.randn(2, 1, 16, 16)).dtype == torch.float32


def parameters(recipe: str) -> dict[str, int]:
    values = config.parse(config.recipe(recipe).values)
    return summary.totals(models.build(values.model, Shape(1, 28)))


def linear(*widths: int) -> int:
    return sum(a * b + b for a, b in itertools.pairwise(widths))


def test_the_tutorials_architectures_to_the_last_parameter() -> None:
    assert parameters("vae-mlp") == {"model": linear(784, 128, 20) + linear(10, 128, 784)}
    batch_norm = 2 * (256 + 512 + 1024)
    assert parameters("gan-mlp") == {
        "discriminator": linear(784, 512, 256, 1),
        "generator": linear(100, 256, 512, 1024, 784) + batch_norm,
    }
    kernels = 9 * (1 * 32 + 32 * 64 + 64 * 64 + 64 * 64)
    encoder = kernels + 32 + 3 * 64 + linear(64 * 14 * 14, 32, 4)
    decoder = linear(2, 32, 64 * 14 * 14) + kernels + 64 + 64 + 32 + 1
    assert parameters("vae-2d") == {"model": encoder + decoder}


def test_keras_momentum_is_the_weight_of_the_old_batch() -> None:
    values = config.parse(config.recipe("gan-mlp").values)
    model = models.build(values.model, Shape(1, 28))
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert [norm.momentum for norm in norms] == [pytest.approx(1 - 0.8)] * 3
    assert all(norm.eps < 1e-2 for norm in norms), "momentum was passed as eps"


def test_the_summary_counts_every_parameter() -> None:
    model = models.build(config.parse(config.recipe("vae-2d").values).model, Shape(1, 28))
    assert sum(layer.parameters for layer in summary.layers(model)) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("network", ["mlp", "conv", "resnet"])
@pytest.mark.parametrize("family", ["gan", "cgan", "bigan", "ali", "infogan"])
def test_spectral_normalisation_reaches_every_layer_before_the_logit(family: str, network: str) -> None:
    """The slope of a discriminator is bounded only if that of each of its layers is; Q of InfoGAN is no part of it."""
    plain = contract.configs(family, contract.NETWORKS[network])
    discriminator = plain.discriminator.model_copy(update={"norm": "spectral"})  # type: ignore[union-attr]
    model = models.build(plain.model_copy(update={"discriminator": discriminator}), Shape(1, 8))
    judge = model.players()["discriminator"]
    layers = {
        name: module
        for name, module in judge.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding) and not name.startswith("codes.")
    }
    assert len(layers) >= 3 or network == "mlp"
    assert [name for name, layer in layers.items() if not parametrize.is_parametrized(layer)] == []


def test_fourier_features_lie_behind_the_pixels_that_an_encoder_sees() -> None:
    x = torch.tensor([[0.25, -0.5]])
    expected = [0.25, -0.5, 0.5**0.5, -1.0, 1.0, 0.0, 0.5**0.5, 0.0, 0.0, -1.0]  # pixels, sines, cosines; two octaves
    torch.testing.assert_close(FourierFeatures(2)(x), torch.tensor([expected]), atol=1e-6, rtol=0)
    network = Mlp(hidden=(5,), fourier_features=2)
    seen = networks.encoder(network, Shape(1, 8), 3)
    assert seen(torch.randn(4, 1, 8, 8)).shape == (4, 3)
    assert next(p.shape for p in seen.parameters()) == (5, 5 * 64)
    assert next(p.shape for p in networks.decoder(network, 3, Shape(1, 8), 1).parameters()) == (5, 3)


def test_a_side_that_leaves_a_unet_shallow_is_refused_unless_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"down to 8 pixels.*34.*--data.size 32 or 40.*generator.downsamplings"):
        networks.translator(Unet(), Shape(3, 34), Shape(3, 34))
    networks.translator(Unet(width=4, downsamplings=1), Shape(3, 34), Shape(3, 34))
    networks.translator(Unet(width=4), Shape(3, 28), Shape(3, 28))
