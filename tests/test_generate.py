"""Verbs on models whose decoder is known: what is drawn is what the mathematics says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from simulacra.errors import CapabilityError, ConfigError
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.steering import generate, latent
from tests import contract


class Painter(Model):
    """Decodes two latents into the left and the right half of the image, and encodes them back."""

    def __init__(self, dimensions: int = 2) -> None:
        super().__init__(Shape(1, 8))
        self.latent = dimensions
        self.unused = nn.Parameter(torch.zeros(1))

    def prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.latent, generator=generator)

    def encode(self, x: Tensor) -> Tensor:
        both = torch.stack([x[:, 0, :, :4].mean((1, 2)), x[:, 0, :, 4:].mean((1, 2))], 1) * 4
        return torch.nn.functional.pad(both, (0, self.latent - 2))

    def decode(self, z: Tensor) -> Tensor:
        return (z[:, :2] / 4).repeat_interleave(4, 1).view(-1, 1, 1, 8).expand(-1, 1, 8, 8)


def test_a_seed_gives_the_same_images_whatever_the_number() -> None:
    model = contract.build("vae", "conv", Shape(1, 8))
    assert torch.equal(generate.sample(model, 300, seed=4)[:300], generate.sample(model, 300, seed=4))
    assert not torch.equal(generate.sample(model, 4, seed=4), generate.sample(model, 4, seed=5))


def test_sampling_leaves_the_global_generator_and_the_mode_alone() -> None:
    model = contract.build("gan", "mlp-batch-norm", Shape(1, 8)).train()
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    statistics = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generate.sample(model, 10)
    assert torch.equal(torch.rand(1), expected)
    assert model.training
    assert all(torch.equal(tensor, statistics[name]) for name, tensor in model.state_dict().items())


def test_chunks_are_joined_in_order() -> None:
    z = torch.randn(generate.CHUNK * 2 + 3, 2)
    assert torch.equal(generate.decode(Painter(), z), Painter().decode(z))


def test_nothing_to_do_is_said() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        generate.sample(Painter(), 0)


def test_the_manifold_runs_through_the_normal_quantiles() -> None:
    x = generate.manifold(Painter(), 15).view(15, 15, 8, 8) * 4
    left, right = x[:, :, 0, 0], x[:, :, 0, 7]
    quantiles = torch.special.ndtri(torch.linspace(0.05, 0.95, 15))
    assert torch.allclose(left, quantiles.expand(15, 15), atol=1e-5), "the first latent grows to the right"
    assert torch.allclose(right, quantiles.flip(0).unsqueeze(1).expand(15, 15), atol=1e-5), "the second grows upwards"
    assert float(left[0, 0]) == pytest.approx(-1.6448536)


def test_the_manifold_needs_two_latents() -> None:
    with pytest.raises(CapabilityError, match="2 latents; this one has 5"):
        generate.manifold(Painter(5))


def test_interpolation_begins_and_ends_where_asked() -> None:
    start, end = torch.tensor([-1.0, 0.5]), torch.tensor([2.0, -0.5])
    frames = generate.interpolate(Painter(), start, end, 5)
    expected = Painter().decode(torch.stack([start, 0.5 * (start + end), end]))
    assert torch.allclose(frames[[0, 2, 4]], expected, atol=1e-6)


def test_traverse_moves_one_latent_a_row_around_the_first_code() -> None:
    reference = Painter().decode(torch.tensor([[0.5, 0.25], [1.5, 0.75], [-0.5, 0.5], [0.5, 0.5]]))
    rows, moved = generate.traverse(Painter(), reference, steps=5)
    assert moved == [0, 1], "the latent that varies most comes first"
    codes = torch.stack([Painter().encode(row) for row in rows])
    assert torch.allclose(codes[0, :, 1], torch.full((5,), 0.25), atol=1e-5)
    assert torch.allclose(codes[1, :, 0], torch.full((5,), 0.5), atol=1e-5)
    spread = torch.tensor([0.5, 1.5, -0.5, 0.5]).std(unbiased=False)
    assert torch.allclose(codes[0, :, 0], 0.5 + spread * latent.normal_quantiles(5, *generate.SPAN), atol=1e-5)


def test_verbs_that_a_family_lacks_say_which_have_them() -> None:
    gan, autoencoder = (contract.build(family, "mlp", Shape(1, 8)) for family in ("gan", "autoencoder"))
    with pytest.raises(CapabilityError, match=r"reconstruct needs an encoder; gan has none. Families with one: auto"):
        generate.reconstruct(gan, torch.zeros(1, 1, 8, 8))
    with pytest.raises(CapabilityError, match=r"sample needs a prior; autoencoder has none. Families with one: vae"):
        generate.sample(autoencoder, 1)


vectors = st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3)


@given(start=vectors, end=vectors)
@settings(max_examples=60, deadline=None)
def test_slerp_ends_and_turns_evenly(start: list[float], end: list[float]) -> None:
    a, b = torch.tensor(start, dtype=torch.float64), torch.tensor(end, dtype=torch.float64)
    path = latent.slerp(a, b, 5)
    assert torch.allclose(path[0], a, atol=1e-6)
    assert torch.allclose(path[-1], b, atol=1e-6)
    assert bool(torch.isfinite(path).all())


def test_slerp_keeps_the_length() -> None:
    a, b = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0])
    path = latent.slerp(a, b, 7)
    assert torch.allclose(path.norm(dim=1), torch.full((7,), 3.0), atol=1e-5)
    angles = torch.atan2(path[:, 1], path[:, 0])
    assert torch.allclose(angles.diff(), torch.full((6,), torch.pi / 12), atol=1e-5)
    assert torch.allclose(latent.lerp(a, b, 3)[1], torch.tensor([1.5, 1.5, 0.0]))
