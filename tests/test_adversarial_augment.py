"""What the discriminator sees: ranges, gradients that reach the generator, noise that follows the step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from simulacra.adversarial import AUGMENTATIONS
from simulacra.adversarial.augment import colour, cutout, translation


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 13, 13)])
def test_shape_gradient_and_determinism(name: str, shape: tuple[int, ...]) -> None:
    change = AUGMENTATIONS[name]
    x = torch.randn(shape, generator=seeded(9)).requires_grad_()
    y = change(x, seeded())
    assert y.shape == x.shape
    assert torch.equal(y, change(x, seeded()))
    assert not torch.equal(y, change(x, seeded(1)))
    y.sum().backward()
    assert bool((x.grad.flatten(1).abs().sum(1) > 0).all()), "an image without a gradient"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_of_a_batch_are_changed_differently(name: str) -> None:
    x = torch.randn(1, 3, 16, 16, generator=seeded(9)).expand(16, 3, 16, 16)
    y = AUGMENTATIONS[name](x, seeded())
    assert len({tuple(image.flatten().tolist()) for image in y}) > 8


def test_translation_moves_whole_images_by_at_most_an_eighth() -> None:
    x = torch.zeros(400, 1, 16, 16)
    x[:, 0, 8, 7] = 1.0
    y = translation(x, seeded())
    assert torch.equal(y.flatten(1).sum(1), torch.ones(400))
    places = y[:, 0].nonzero()[:, 1:] - torch.tensor([8, 7])
    assert sorted(places[:, 0].unique().tolist()) == [-2, -1, 0, 1, 2]
    assert sorted(places[:, 1].unique().tolist()) == [-2, -1, 0, 1, 2]


def test_what_comes_in_is_grey() -> None:
    y = translation(torch.ones(50, 1, 8, 8), seeded())
    assert set(y.unique().tolist()) == {0.0, 1.0}


def test_cutout_blanks_at_most_a_square_of_half_the_side() -> None:
    y = cutout(torch.ones(400, 1, 16, 16), seeded())
    blank = (y == 0).flatten(1).sum(1)
    assert int(blank.max()) == 64
    assert int(blank.min()) == 16, "a centre in the corner leaves a quarter"
    for image in (y[:, 0] == 0).float()[:20]:
        rows, columns = image.any(1).sum(), image.any(0).sum()
        assert int(image.sum()) == int(rows * columns)


def test_colour_by_hand() -> None:
    """Whatever is drawn, an image of one grey level stays one; contrast is about the image's own mean."""
    flat = colour(torch.full((6, 3, 4, 4), 0.25), seeded())
    assert torch.allclose(flat, flat[:, :1, :1, :1].expand_as(flat), atol=1e-6)
    assert bool(((flat - 0.25).abs() <= 0.5 + 1e-6).all())
    x = torch.randn(6, 1, 4, 4, generator=seeded(3))
    ratio = colour(x, seeded()).flatten(1).std(1) / x.flatten(1).std(1)
    assert bool(((ratio >= 0.5) & (ratio <= 1.5)).all())


def test_without_a_generator_the_global_one_is_drawn_from() -> None:
    """The trainer seeds it from the step, so what a step sees is a function of the step."""

    def draw() -> Tensor:
        torch.manual_seed(3)
        return cutout(torch.ones(4, 1, 8, 8))

    assert torch.equal(draw(), draw())
