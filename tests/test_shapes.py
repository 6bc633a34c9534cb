"""The embedded sets: sprites that their factors determine, and the digits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simulacra import data
from simulacra.config import Data
from simulacra.data import digits, shapes

SPRITES = shapes.generate(400, 32, torch.Generator().manual_seed(3))


def factors(**changes: float | list[float]) -> dict[str, Tensor]:
    """Factors of a centred disc, or of as many sprites as a changed factor lists."""
    values: dict[str, object] = {"shape": 0, "colour": 0, "radius": 0.4, "angle": 0.0, "x": 0.0, "y": 0.0} | changes
    count = max(len(value) if isinstance(value, list) else 1 for value in values.values())
    made = {}
    for name, value in values.items():
        numbers = value if isinstance(value, list) else [value] * count
        made[name] = torch.tensor(numbers, dtype=torch.long if name in ("shape", "colour") else torch.float32)
    return made


def cover(images: Tensor, colour: int = 0) -> Tensor:
    """The covered share of each pixel, from the strongest channel of the colour."""
    strongest = int(shapes.COLOURS[colour].argmax())
    return images[:, strongest].float() / shapes.COLOURS[colour, strongest]


def area(images: Tensor) -> Tensor:
    """The covered area of each picture, where the whole picture is [-1, 1] x [-1, 1] and has 4."""
    return cover(images).mean((-2, -1)) * 4


# -------------------------------------------------------------------------------------------------- factors


def test_the_factors_reproduce_the_images() -> None:
    assert SPRITES.factors is not None
    assert torch.equal(shapes.draw(SPRITES.factors, 32), SPRITES.images)
    one = {name: values[7:8] for name, values in SPRITES.factors.items()}
    assert torch.equal(shapes.draw(one, 32)[0], SPRITES.images[7]), "whatever else is drawn beside it"


def test_the_set_is_the_same_every_time_and_another_for_another_seed() -> None:
    again = shapes.generate(400, 32, torch.Generator().manual_seed(3))
    assert torch.equal(again.images, SPRITES.images)
    other = shapes.generate(400, 32, torch.Generator().manual_seed(4))
    assert not torch.equal(other.images, SPRITES.images)


def test_every_factor_takes_its_whole_range() -> None:
    found = SPRITES.factors
    assert found is not None
    assert set(found["shape"].tolist()) == {0, 1, 2, 3}
    assert set(found["colour"].tolist()) == set(range(6))
    ranges = {"radius": (0.25, 0.45), "angle": (0, 2 * math.pi), "x": (-0.5, 0.5), "y": (-0.5, 0.5)}
    for name, (low, high) in ranges.items():
        slack = 0.05 * (high - low)
        assert low <= found[name].min() < low + slack
        assert high - slack < found[name].max() <= high
    numbers = torch.stack([values.double() for values in found.values()])
    assert (torch.corrcoef(numbers) - torch.eye(6)).abs().max() < 0.2, "drawn independently"


def test_the_label_is_the_shape() -> None:
    assert SPRITES.labels is not None
    assert SPRITES.factors is not None
    assert torch.equal(SPRITES.labels, SPRITES.factors["shape"])
    assert SPRITES.classes == ("disc", "square", "triangle", "star")


def test_the_loaded_splits() -> None:
    train, test = shapes.load(16)
    assert train.images.shape == (12_000, 3, 16, 16)
    assert test.images.shape == (2_000, 3, 16, 16)
    for part in (train, test):
        assert part.labels is not None
        counts = torch.bincount(part.labels, minlength=4)
        assert counts.min() > 0.22 * len(part), "every shape about equally often"
        assert part.factors is not None
        picked = {name: values[-5:] for name, values in part.factors.items()}
        assert torch.equal(shapes.draw(picked, 16), part.images[-5:]), "factors stay beside their images"


def test_the_size_is_the_one_asked_for() -> None:
    splits = data.load(Data(name="shapes", size=8))
    assert splits.train.images.shape[1:] == (3, 8, 8)
    grey = data.load(Data(name="shapes", size=8, channels=1))
    assert grey.train.images.shape[1:] == (1, 8, 8)
    assert grey.train.images.float().std() > 10


# -------------------------------------------------------------------------------------------------- drawing


@given(
    st.integers(0, 3), st.integers(0, 5), st.floats(0.25, 0.45), st.floats(0, 6.28), st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_centre_is_covered_in_full_colour(
    shape: int, colour: int, radius: float, angle: float, x: float, y: float
) -> None:
    image = shapes.draw(factors(shape=shape, colour=colour, radius=radius, angle=angle, x=x, y=y), 32)[0]
    column, row = int((x + 1) / 2 * 32), int((y + 1) / 2 * 32)
    assert torch.equal(image[:, row, column].float(), shapes.COLOURS[colour])


def test_the_ground_is_black_and_pixels_are_shades_of_the_colour() -> None:
    assert SPRITES.factors is not None
    assert (SPRITES.images.flatten(1).min(1).values == 0).all()
    for colour in range(6):
        drawn = SPRITES.images[SPRITES.factors["colour"] == colour]
        shades = cover(drawn, colour).unsqueeze(1) * shapes.COLOURS[colour].view(1, 3, 1, 1)
        assert (drawn - shades).abs().max() <= 1
        assert 0 < (cover(drawn, colour) % 1 > 0).float().mean() < 0.2, "only edges are partly covered"


def test_x_goes_right_and_y_goes_down() -> None:
    images = cover(shapes.draw(factors(x=[0.0, 0.5, 0.0, -0.3], y=[0.0, 0.0, 0.5, -0.4]), 64))
    axis = (torch.arange(64) + 0.5) / 32 - 1
    mass = images.sum((1, 2))
    assert torch.allclose(torch.einsum("nrc,c->n", images, axis) / mass, torch.tensor([0, 0.5, 0, -0.3]), atol=5e-3)
    assert torch.allclose(torch.einsum("nrc,r->n", images, axis) / mass, torch.tensor([0, 0, 0.5, -0.4]), atol=5e-3)


@pytest.mark.parametrize("shape", range(4))
def test_area_grows_with_the_square_of_the_radius(shape: int) -> None:
    radii = [0.25, 0.3, 0.35, 0.4, 0.45]
    found = area(shapes.draw(factors(shape=shape, radius=radii), 128))
    assert (found.diff() > 0).all()
    # The areas of a disc, a square of side 1.7 r, a triangle in 1.2 r, and a star of ten triangles.
    unit = [math.pi, 1.7**2, 3 * math.sqrt(3) / 4 * 1.2**2, 5 * 1.15**2 * 0.45 * math.sin(math.pi / 5)][shape]
    assert torch.allclose(found, unit * torch.tensor(radii) ** 2, rtol=0.02)


def test_turning_a_disc_changes_nothing_and_turning_others_by_their_symmetry() -> None:
    for shape, corners in ((0, 7), (1, 4), (2, 3), (3, 5)):
        turned = factors(shape=shape, angle=[0.3, 0.3 + 2 * math.pi / corners, 0.3 + math.pi / corners])
        same, full, half = shapes.draw(turned, 48).int()
        assert (same - full).abs().max() <= 1
        assert ((same - half).abs().max() > 50) == (shape > 0)


@pytest.mark.parametrize("shape", range(4))
def test_the_same_sprite_at_any_size(shape: int) -> None:
    sprite = factors(shape=shape, angle=0.4, x=0.1, y=-0.2)
    areas = [area(shapes.draw(sprite, size)).item() for size in (16, 64, 256)]
    assert areas[0] == pytest.approx(areas[2], rel=0.06)
    assert areas[1] == pytest.approx(areas[2], rel=0.01)


# --------------------------------------------------------------------------------------------------- digits


def test_digits_have_every_class_in_both_splits() -> None:
    train, test = digits.load()
    assert train.images.shape == (1500, 1, 8, 8)
    assert test.images.shape == (297, 1, 8, 8)
    assert train.images.dtype == torch.uint8
    assert train.labels is not None
    assert test.labels is not None
    assert torch.bincount(train.labels).min() > 130
    assert torch.bincount(test.labels, minlength=10).min() > 20
    assert train.classes == tuple("0123456789")


def test_digits_are_those_of_the_source() -> None:
    train, _ = digits.load()
    assert train.labels is not None
    assert train.labels[:10].tolist() == list(range(10))
    zero = [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0], [0, 3, 15, 2, 0, 11, 8, 0]]
    assert torch.equal(train.images[0, 0, :3], (torch.tensor(zero) * 255 / 16).round().to(torch.uint8))
    assert train.images.min() == 0
    assert train.images.max() == 255


def test_digits_can_be_told_apart_and_the_splits_share_no_image() -> None:
    train, test = digits.load()
    assert train.labels is not None
    assert test.labels is not None
    distances = torch.cdist(test.images.flatten(1).float(), train.images.flatten(1).float())
    assert distances.min() > 0
    assert (train.labels[distances.argmin(1)] == test.labels).float().mean() > 0.94


def test_digits_through_the_front_door() -> None:
    splits = data.load(Data(size=16, channels=3, validation=0.1))
    assert splits.validation is not None
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [1350, 150, 297]
    assert splits.test.images.shape == (297, 3, 16, 16)
    assert torch.equal(splits.test.images[:, 0], splits.test.images[:, 2])
    assert splits.train.shape == splits.test.shape
