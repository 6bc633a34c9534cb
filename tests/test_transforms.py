"""The laws of the image operations: identities, inverses, means, batches, gradients; agreement with other libraries."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.images import from_bytes, to_bytes, to_unit
from simulacra.operations import COMPOSITIONS, OPERATIONS, Parameter, Range, Step, operation, steps
from simulacra.transforms import Pipeline, apply, colour, filters, geometry, inpaint, lab, movement
from simulacra.transforms.pipeline import function

PLAIN = [name for name, one in OPERATIONS.items() if not one.needs_picture]
KEEPING = [name for name in PLAIN if not OPERATIONS[name].reshapes]
SHAPES = st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 14), st.integers(1, 14))
NEEDED = {"crop": {"height": 1, "width": 1}, "resize": {"height": 3, "width": 4}, "total-variation": {"steps": 5}}
NEEDED["non-local-means"] = {"patch": 3, "search": 3}
examples = settings(max_examples=25, deadline=None, derandomize=True)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed)) * 2 - 1


def smooth(height: int = 40, width: int = 56, count: int = 2, channels: int = 3) -> Tensor:
    return filters.gaussian(3 * noise(count, channels, height, width), 3.0).clamp(-1, 1)


def numpy(x: Tensor) -> np.ndarray:
    """One image as other libraries have it: ``(H, W, C)`` or ``(H, W)``, in [-1, 1]."""
    return np.ascontiguousarray(x[0].movedim(0, -1).squeeze(-1).numpy())


# ------------------------------------------------------------------------------------------ every operation


def test_the_table_names_a_function_for_every_operation() -> None:
    homes = [one.home for table in (OPERATIONS, COMPOSITIONS) for one in table.values()]
    assert len(set(homes)) == len(homes)
    for name, one in OPERATIONS.items():
        assert one.geometric == one.home.startswith("geometry."), name
        assert callable(function(one))


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_table_and_the_functions_have_the_same_parameters_and_defaults(name: str) -> None:
    import inspect

    chosen = function(OPERATIONS[name])
    found = {key: one for key, one in inspect.signature(chosen).parameters.items() if key not in ("x", "generator")}
    assert set(found) == set(OPERATIONS[name].parameters)
    assert ("generator" in inspect.signature(chosen).parameters) == OPERATIONS[name].draws
    for key, one in found.items():
        if one.default is not inspect.Parameter.empty and name != "rotate":
            assert OPERATIONS[name].parameters[key].default == one.default, key


@pytest.mark.parametrize("name", PLAIN)
@given(shape=SHAPES)
@examples
def test_shape_type_and_range(name: str, shape: tuple[int, ...]) -> None:
    x = noise(*shape)
    before = x.clone()
    y = apply(name, x, generator(), **NEEDED.get(name, {}))
    assert y.dtype == torch.float32
    assert len(y) == len(x)
    assert float(y.abs().max()) <= 1 + 1e-5
    assert bool(y.isfinite().all())
    assert torch.equal(x, before), "the images that were given stay"
    if name in KEEPING:
        assert y.shape == x.shape


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 3, 0, 5), (2, 1, 5, 0)])
@pytest.mark.parametrize("name", PLAIN)
def test_no_images_at_all_and_images_without_pixels(name: str, shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape)
    if name in ("crop", "resize") and 0 in shape[2:]:
        with pytest.raises(ConfigError, match=name):
            apply(name, x, generator(), **NEEDED[name])
        return
    y = apply(name, x, generator(), **NEEDED.get(name, {}))
    assert len(y) == len(x)
    if name in KEEPING:
        assert y.shape == x.shape


@pytest.mark.parametrize("name", [name for name in PLAIN if not OPERATIONS[name].draws])
def test_a_batch_is_a_loop_and_numbers_may_differ(name: str) -> None:
    x = noise(3, 3, 12, 10)
    values: dict[str, Any] = dict(NEEDED.get(name, {}))
    drawn = {key: one for key, one in OPERATIONS[name].parameters.items() if one.random is not None}
    for index, (key, one) in enumerate(drawn.items()):
        assert one.random is not None
        values[key] = torch.linspace(one.random.low, one.random.high, 3).roll(index)
        if one.kind == "odd":
            values[key] = torch.tensor([1.0, 3.0, 3.0])
    together = apply(name, x, **values)
    for index in range(3):
        own = {key: value[index] if isinstance(value, Tensor) else value for key, value in values.items()}
        alone = apply(
            name, x[index : index + 1], **{k: float(v) if isinstance(v, Tensor) else v for k, v in own.items()}
        )
        assert torch.allclose(together[index : index + 1], alone, atol=2e-5), index


@pytest.mark.parametrize("name", [name for name in KEEPING if OPERATIONS[name].draws])
def test_what_draws_is_a_function_of_the_seed(name: str) -> None:
    x = noise(2, 3, 16, 16)
    assert torch.equal(apply(name, x, generator(1)), apply(name, x, generator(1)))
    assert not torch.equal(apply(name, x, generator(1)), apply(name, x, generator(2)))


DIFFERENTIABLE = {
    "box": {}, "gaussian": {"sigma": 0.8}, "median": {}, "bilateral": {"size": 3}, "sharpen": {"amount": 0.1},
    "non-local-means": {"patch": 3, "search": 3}, "total-variation": {"steps": 3}, "rotate": {"degrees": 20.0},
    "affine": {"degrees": 9.0, "shear": 4.0, "right": 0.1}, "perspective": {"tilt": 20.0}, "elastic": {"strength": 0.5},
    "resize": {"height": 3, "width": 7}, "pad": {"top": 1, "outside": "mirror"}, "crop": {"height": 2, "width": 2},
    "brightness": {}, "contrast": {"factor": 0.9}, "saturation": {"factor": 0.9}, "hue": {}, "gamma": {}, "dilate": {},
    "erode": {},
    "stroke": {}, "flip": {}, "shift": {"right": 0.2}, "invert": {}, "grey": {}, "edges": {}, "noise": {},
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name: str) -> None:
    x = (0.8 * noise(1, 3, 5, 5)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: apply(name, x, generator(), **DIFFERENTIABLE[name]), x, atol=1e-4)


# ------------------------------------------------------------------------------------------------ identities

IDENTITIES: dict[str, dict[str, Any]] = {
    "box": {"size": 1}, "gaussian": {"sigma": 0.0}, "median": {"size": 1}, "sharpen": {"amount": 0.0}, "pad": {},
    "rotate": {"degrees": 0}, "shift": {}, "affine": {}, "perspective": {}, "elastic": {"strength": 0.0},
    "brightness": {"amount": 0.0}, "contrast": {"factor": 1.0}, "saturation": {"factor": 1.0}, "hue": {"degrees": 0.0},
    "gamma": {"exponent": 1.0}, "noise": {"deviation": 0.0}, "salt-and-pepper": {"share": 0.0}, "dilate": {"size": 1},
    "erode": {"size": 1}, "open": {"size": 1}, "close": {"size": 1}, "stroke": {"amount": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTITIES)
@given(shape=SHAPES)
@examples
def test_nothing_changes_at_the_neutral_values(name: str, shape: tuple[int, ...]) -> None:
    x = noise(*shape)
    assert torch.allclose(apply(name, x, generator(), **IDENTITIES[name]), x, atol=1e-5)


@given(shape=SHAPES, turns=st.integers(-3, 7))
@examples
def test_quarter_turns_are_exact(shape: tuple[int, ...], turns: int) -> None:
    x = noise(*shape)
    assert torch.equal(apply("rotate", x, degrees=90.0 * turns, expand=True), torch.rot90(x, turns, (2, 3)))


@given(shape=SHAPES, axis=st.sampled_from(["horizontal", "vertical", "both"]))
@examples
def test_flipping_twice_is_the_identity(shape: tuple[int, ...], axis: str) -> None:
    x = noise(*shape)
    once = apply("flip", x, axis=axis)
    assert torch.equal(once, x.flip({"horizontal": (3,), "vertical": (2,), "both": (2, 3)}[axis]))
    assert torch.equal(apply("flip", once, axis=axis), x)


@pytest.mark.parametrize("name", ["hue", "gamma", "invert", "flip"])
def test_the_inverse_of_a_step_undoes_it(name: str) -> None:
    x = 0.9 * smooth()
    step = Step(name, {key: one.default for key, one in OPERATIONS[name].parameters.items()})
    there = apply(name, x, **step.values)
    assert not torch.allclose(there, x, atol=0.01)
    assert torch.allclose(apply(name, there, **step.inverse().values), x, atol=1e-3)


def test_a_step_without_an_inverse_says_so() -> None:
    with pytest.raises(ConfigError, match="median has no inverse of its own kind"):
        Step.parse("median").inverse()
    with pytest.raises(ConfigError, match="The Geometry of an image has one"):
        Step.parse("affine").inverse()
    with pytest.raises(ConfigError, match="drawn anew"):
        Step.parse("rotate").inverse()


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
@examples
def test_cropping_undoes_padding(top: int, bottom: int, left: int, right: int) -> None:
    x = noise(2, 3, 5, 6)
    padding = geometry.padding(x, top, bottom, left, right)
    assert torch.equal(padding.inverse().image(padding.image(x)), x)


@pytest.mark.parametrize("outside", ["black", "grey", "white", "edge", "mirror"])
def test_padding_agrees_with_numpy(outside: Any) -> None:
    x = noise(1, 1, 4, 5)
    modes = {"edge": {"mode": "edge"}, "mirror": {"mode": "symmetric"}}
    constant = {"mode": "constant", "constant_values": geometry.LEVELS.get(outside)}
    expected = np.pad(numpy(x), ((2, 1), (3, 4)), **modes.get(outside, constant))
    assert np.array_equal(numpy(apply("pad", x, top=2, bottom=1, left=3, right=4, outside=outside)), expected)


@given(st.floats(-170, 170), st.sampled_from(["rotate", "affine", "perspective"]))
@examples
def test_a_movement_and_its_inverse_bring_smooth_images_back(angle: float, name: str) -> None:
    x = smooth()
    values = {
        "rotate": {"degrees": angle},
        "affine": {"degrees": angle, "shear": 10.0, "width": 1.1},
        "perspective": {"tilt": angle / 9},
    }[name]
    moving = movement(name, x, **values)
    back = moving.inverse().image(moving.image(x))
    middle = (slice(None), slice(None), slice(17, 23), slice(25, 31))
    assert float((back[middle] - x[middle]).abs().max()) < 0.05


@pytest.mark.parametrize(
    "name", ["rotate", "affine", "perspective", "flip", "shift", "elastic", "pad", "crop", "resize"]
)
def test_points_and_masks_move_with_the_image(name: str) -> None:
    """A bright spot is found again where its point has moved to, and so is its mask."""
    values: dict[str, Any] = {
        "rotate": {"degrees": torch.tensor([25.0, -70.0])}, "affine": {"degrees": 20.0, "shear": 15.0, "right": 0.1},
        "perspective": {"tilt": 30.0, "swing": -20.0}, "shift": {"right": 0.11, "down": -0.2},
        "elastic": {"strength": 3.0, "smoothness": 16.0},
        "resize": {"height": 45, "width": 70}, "pad": {"top": 7, "left": 3}, "crop": {"height": 50, "width": 40},
    }.get(name, {})  # fmt: skip
    points = torch.tensor([[[30.0, 26.0]], [[35.0, 31.0]]])
    row, column = torch.meshgrid(torch.arange(60.0), torch.arange(64.0), indexing="ij")
    distance = torch.hypot(column - points[:, :, :1], row - points[:, :, 1:]).unsqueeze(1)
    spot, mask = 2 * torch.exp(-distance.square() / 8) - 1, (distance < 4).to(torch.uint8)
    moving = movement(name, spot, generator(3), **values)
    light, moved = to_unit(moving.image(spot))[:, 0], moving.points(points)
    found = moving.mask(mask)
    assert found.dtype == torch.uint8
    assert set(found.unique().tolist()) == {0, 1}
    for image, cover, point in zip(light, found[:, 0], moved[:, 0], strict=True):
        rows, columns = torch.meshgrid(*(torch.arange(float(side)) for side in image.shape), indexing="ij")
        for weights in (image, cover.float()):
            centre = torch.stack([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
            assert float((centre - point).norm()) < 0.8


def test_elastic_hardly_folds_at_its_defaults() -> None:
    """The area of a pixel after the movement, by the determinant of its slopes, stays above 0."""
    moving = movement("elastic", torch.zeros(20, 1, 64, 64), generator())
    assert isinstance(moving, geometry.Displacement)
    right, down = torch.diff(moving.field, dim=-1)[..., :-1, :], torch.diff(moving.field, dim=-2)[..., :-1]
    area = (1 + right[:, 0]) * (1 + down[:, 1]) - right[:, 1] * down[:, 0]
    assert float((area <= 0).float().mean()) < 5e-4
    assert float(moving.field.square().mean().sqrt()) == pytest.approx(1, abs=0.1)


def test_elastic_has_no_inverse_and_movements_are_of_one_size() -> None:
    x = noise(1, 1, 8, 8)
    with pytest.raises(ConfigError, match="elastic has no inverse"):
        movement("elastic", x, generator()).inverse()
    with pytest.raises(ConfigError, match="is of 8 x 8 images, not of 9 x 8"):
        movement("rotate", x, degrees=5.0).image(noise(1, 1, 9, 8))
    with pytest.raises(ConfigError, match="does not move pixels"):
        movement("gaussian", x)


def test_two_movements_become_one() -> None:
    x = smooth()
    first, second = movement("rotate", x, degrees=20.0), movement("affine", x, width=1.2, down=0.1)
    assert isinstance(first, geometry.Projective)
    assert isinstance(second, geometry.Projective)
    apart, together = second.image(first.image(x)), first.then(second).image(x)
    assert float((apart - together)[..., 12:28, 16:40].abs().max()) < 0.06


def test_four_corners_say_where_the_image_goes() -> None:
    x = smooth()
    source = torch.tensor([[[0.0, 0.0], [55.0, 0.0], [55.0, 39.0], [0.0, 39.0]]]).repeat(2, 1, 1)
    target = source + 4 * noise(2, 4, 2)
    moving = geometry.from_corners(x, source, target)
    assert torch.allclose(moving.points(source), target, atol=1e-3)


def test_a_homography_is_the_one_that_made_the_points() -> None:
    wanted = torch.tensor([[1.1, 0.2, 5.0], [-0.1, 0.9, 3.0], [0.002, -0.001, 1.0]], dtype=torch.float64)
    source = torch.tensor([[10.0, 10.0], [200.0, 20.0], [180.0, 150.0], [0.0, 130.0]], dtype=torch.float64)
    moved = torch.cat([source, torch.ones(4, 1, dtype=torch.float64)], 1) @ wanted.T
    found = geometry.homography(source[None], (moved[:, :2] / moved[:, 2:])[None])[0]
    assert torch.allclose(found / found[2, 2], wanted, atol=1e-9)
    straight = source.clone()
    straight[1] = (straight[0] + straight[2]) / 2
    for points in ((straight, source), (source, straight)):
        with pytest.raises(ConfigError, match="three of the four points lie on a line"):
            geometry.homography(points[0][None], points[1][None])


# ---------------------------------------------------------------------------------------------------- means


@pytest.mark.parametrize("name", ["box", "gaussian"])
@given(shape=SHAPES, strength=st.integers(0, 4))
@examples
def test_blurs_keep_the_mean_of_every_image(name: str, shape: tuple[int, ...], strength: int) -> None:
    x = noise(*shape)
    y = filters.box(x, 2 * strength + 1) if name == "box" else filters.gaussian(x, 0.7 * strength)
    assert torch.allclose(y.mean((2, 3)), x.mean((2, 3)), atol=1e-5)


def test_long_and_short_kernels_are_the_same_sum() -> None:
    """The matrix and the taps, on either side of the length where one takes over."""
    from simulacra.transforms import common

    x, weights = noise(3, 2, 70, 31), torch.rand(3, 5, generator=generator())
    for dim in (-1, -2):
        side = x.shape[dim]
        matrix = common._matrix(weights, side).unsqueeze(1)
        summed = matrix @ x if dim == -2 else x @ matrix.mT
        assert torch.allclose(common._taps(x, weights, dim), summed, atol=1e-5)


# ----------------------------------------------------------------------------------- against other libraries


@pytest.mark.parametrize("size", [3, 5, 7])
def test_median_agrees_with_scipy(size: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    x = noise(1, 1, 17, 13)
    assert np.array_equal(numpy(filters.median(x, size)), ndimage.median_filter(numpy(x), size, mode="reflect"))


@pytest.mark.parametrize(("sigma", "height"), [(0.6, 12), (2.0, 40), (9.0, 8)])
def test_gaussian_agrees_with_scipy(sigma: float, height: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    x = noise(1, 1, height, 90)
    assert np.allclose(
        numpy(filters.gaussian(x, sigma)), ndimage.gaussian_filter(numpy(x), sigma, truncate=4.0), atol=1e-5
    )


@pytest.mark.parametrize(("ours", "theirs"), [("dilate", "grey_dilation"), ("erode", "grey_erosion")])
@pytest.mark.parametrize("size", [3, 5, 9])
def test_morphology_agrees_with_scipy(ours: str, theirs: str, size: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    x = noise(1, 1, 17, 13)
    assert np.array_equal(
        numpy(apply(ours, x, size=size)), getattr(ndimage, theirs)(numpy(x), (size, size), mode="reflect")
    )


def test_total_variation_agrees_with_scikit_image() -> None:
    restoration = pytest.importorskip("skimage.restoration")
    x = (smooth() + 0.2 * noise(2, 3, 40, 56)).clamp(-1, 1)[:1, :1]
    theirs = restoration.denoise_tv_chambolle(numpy(to_unit(x)), 0.1, eps=0, max_num_iter=100)
    assert np.abs(numpy(to_unit(filters.total_variation(x, 0.1, 100))) - theirs).max() < 2e-3


def test_bilateral_agrees_with_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    x = smooth()[:1]
    ours = numpy(filters.bilateral(x, 0.3, 1.5, 9))[5:-5, 5:-5]
    theirs = cv2.bilateralFilter(numpy(x), 9, 0.3, 1.5)[5:-5, 5:-5]
    assert np.abs(ours - theirs).max() < 0.02, "OpenCV sums absolute differences, over a disc"


@pytest.mark.parametrize("degrees", [-170.0, -18.0, 0.0, 60.0, 200.0])
def test_hue_agrees_with_scikit_image(degrees: float) -> None:
    color = pytest.importorskip("skimage.color")
    x = torch.cat([noise(1, 3, 20, 30), noise(1, 1, 20, 30, seed=1).expand(-1, 3, -1, -1)], 2)
    hsv = color.rgb2hsv(numpy(to_unit(x)))
    hsv[..., 0] = (hsv[..., 0] + degrees / 360) % 1
    assert np.abs(numpy(to_unit(colour.hue(x, degrees))) - color.hsv2rgb(hsv)).max() < 1e-5


def test_equalize_agrees_with_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    x = smooth(channels=1)[:1] * 0.4
    theirs = cv2.equalizeHist(numpy(to_bytes(x)))
    assert np.abs(numpy(to_bytes(colour.equalize(x))).astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("size", [(20, 28), (13, 90)])
def test_resize_agrees_with_pillow(size: tuple[int, int]) -> None:
    from PIL import Image

    x = smooth(channels=1)[:1]
    theirs = np.asarray(Image.fromarray(numpy(x)).resize(size[::-1], Image.Resampling.BILINEAR))
    assert (
        np.abs(numpy(apply("resize", x, height=size[0], width=size[1], interpolation="bilinear")) - theirs).max() < 2e-3
    )


def test_rotation_agrees_with_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    x = smooth()[:1]
    matrix = cv2.getRotationMatrix2D((27.5, 19.5), 30, 1)
    theirs = cv2.warpAffine(numpy(x), matrix, (56, 40), flags=cv2.INTER_LINEAR, borderValue=(-1, -1, -1))
    assert np.abs(numpy(apply("rotate", x, degrees=30.0)) - theirs)[2:-2, 2:-2].max() < 0.1, "its weights are of 5 bits"
    assert np.abs(numpy(apply("rotate", x, degrees=30.0)) - theirs).mean() < 0.005


def test_non_local_means_takes_noise_away() -> None:
    clean = smooth(channels=1)
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=generator())
    before, after = ((one - clean).square().mean() for one in (noisy, filters.non_local_means(noisy, 0.2)))
    assert float(after) < 0.25 * float(before)


def test_a_flat_image_takes_the_mean_colour_and_no_noise() -> None:
    reference = smooth(30, 20, 1)
    for channels in (1, 3):
        found = colour.transfer(torch.full((1, channels, 20, 20), 0.31), reference)
        assert float(found.std((2, 3)).max()) < 1e-3


@pytest.mark.parametrize("exponent", [0.3, 1.2, 4.0])
def test_gamma_is_a_power(exponent: float) -> None:
    x = torch.cat([torch.linspace(-1, 1, 509), torch.tensor([-1.0, 0.0, 1.0])]).view(1, 1, 16, 32)
    expected = ((x.double() + 1) / 2) ** exponent * 2 - 1
    assert torch.allclose(colour.gamma(x, exponent).double(), expected, atol=2e-6)
    several = colour.gamma(x.expand(3, -1, -1, -1), torch.full((3,), exponent))
    assert torch.allclose(several.double(), expected.expand(3, -1, -1, -1), atol=2e-6)


def test_colour_transfer_takes_over_the_mean_and_the_spread() -> None:
    x, reference = smooth() * 0.5, smooth(30, 20, 1) * 0.3 + 0.2
    found = colour.transfer(x, reference)
    assert torch.allclose(found.mean((2, 3)), reference.mean((2, 3)).expand(2, -1), atol=0.03)
    assert torch.allclose(found.std((2, 3)), reference.std((2, 3)).expand(2, -1), atol=0.03)


def test_canny_finds_the_border_of_a_square() -> None:
    x = -torch.ones(1, 1, 24, 24)
    x[..., 8:16, 8:16] = 1
    found = apply("canny", x)[0, 0] > 0
    rows, columns = found.nonzero().T
    assert 20 <= len(rows) <= 60
    near = torch.minimum((rows - 7.5).abs(), (rows - 15.5).abs()).minimum(
        torch.minimum((columns - 7.5).abs(), (columns - 15.5).abs())
    )
    assert float(near.max()) < 2


def test_canny_keeps_weak_edges_that_touch_strong_ones_only() -> None:
    x = -torch.ones(1, 1, 30, 30)
    x[..., 15:] += 2 * (1 - torch.arange(30.0).view(-1, 1) / 30)  # a step that gets lower from row to row ...
    x[..., 18:21, :] = -1  # ... and is cut here
    found = filters.canny(x, low=0.3, high=2.5, sigma=0.5)[0, 0] > 0
    assert found[1:15, 12:18].sum(1).eq(1).all(), "one pixel thick, down to where it is weak"
    assert not found[23:].any()
    assert not (filters.canny(x, low=2.4, high=2.5, sigma=0.5)[0, 0] > 0)[13:].any()


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 1.0, 0.0), (87.73, -86.18, 83.18)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0.0, 0.0)),
    ],
)
def test_lab_of_known_colours(rgb: tuple[float, ...], expected: tuple[float, ...]) -> None:
    x = torch.tensor(rgb).view(1, 3, 1, 1)
    found = lab.from_rgb(x)
    assert torch.allclose(found.flatten(), torch.tensor(expected), atol=0.02)
    assert torch.allclose(lab.to_rgb(found), x, atol=1e-5)


def test_lab_agrees_with_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    x = to_unit(noise(1, 3, 20, 30))
    assert np.abs(numpy(lab.from_rgb(x)) - color.rgb2lab(numpy(x))).max() < 0.02


# -------------------------------------------------------------------------------------------------- inpaint


@pytest.mark.parametrize("name", ["inpaint-biharmonic", "inpaint-telea", "inpaint-navier-stokes"])
def test_inpainting_fills_the_hole_and_nothing_else(name: str) -> None:
    pytest.importorskip("skimage" if "biharmonic" in name else "cv2")
    x = smooth(24, 24)
    mask = torch.zeros(2, 1, 24, 24)
    mask[0, :, 8:13, 9:15] = 1
    found = apply(name, torch.where(mask > 0, 1.0, x), mask=mask)
    assert torch.equal(found[1], x[1])
    outside = (mask == 0).expand_as(x)
    assert torch.equal(found[outside], x[outside])
    assert float((found - x)[~outside].abs().mean()) < 0.15


def test_inpainting_refuses_masks_that_do_not_fit() -> None:
    pytest.importorskip("cv2")
    x = noise(1, 1, 8, 8)
    with pytest.raises(ConfigError, match=r"need \(1, 1, 8, 8\)"):
        inpaint.telea(x, torch.ones(1, 1, 8, 7))
    with pytest.raises(ConfigError, match="some pixels must be known"):
        inpaint.telea(x, torch.ones(1, 1, 8, 8))


# ------------------------------------------------------------------------------------- the table, as text


@st.composite
def written_steps(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(PLAIN))
    words = [name]
    for key, one in OPERATIONS[name].parameters.items():
        if draw(st.booleans()):
            words.append(f"{key}={draw(values_of(one))}")
    if draw(st.booleans()):
        words.append(f"probability={draw(st.sampled_from(['0', '0.25', '1']))}")
    return " ".join(words)


def values_of(one: Parameter) -> st.SearchStrategy[str]:
    if one.kind == "switch":
        return st.sampled_from(["true", "false"])
    if one.choices:
        return st.sampled_from(one.choices)
    low, high = max(one.low, -50), min(one.high, 50)
    if one.kind in ("odd", "whole"):
        return st.integers(int(low), int(high)).map(lambda n: str(n if one.kind == "whole" else 2 * (n // 2) + 1))
    numbers = st.floats(low, high).map(lambda v: round(v, 3)).filter(lambda v: low <= v <= high)
    return st.tuples(numbers, numbers, st.booleans()).map(
        lambda t: f"{min(t[:2])}..{max(t[:2])}" if t[2] else f"{t[0]}"
    )


@given(st.lists(written_steps(), max_size=4))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_pipelines_are_their_text(texts: list[str]) -> None:
    pipeline = Pipeline.parse(texts)
    assert Pipeline.parse(str(pipeline)) == pipeline
    assert len(pipeline.steps) == len(texts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rotat", "Unknown operation 'rotat'. Did you mean 'rotate'?"),
        ("rotate degres=3", "has no parameter 'degres'. Did you mean 'degrees'?"),
        ("rotate degrees=x", "rotate: degrees must be a finite number, not 'x'"),
        ("rotate degrees=9..3", "runs backwards; write 3..9"),
        ("rotate degrees", "is not PARAMETER=VALUE"),
        ("rotate outside=pink", "must be black, grey, white, edge or mirror; got 'pink'"),
        ("median size=4", "must be an odd number from 1 to 255; got 4"),
        ("noise deviation=-1", "must be a number from 0 to 10; got -1"),
        ("noise probability=2", "must be a number from 0 to 1; got 2"),
        ("resize width=3..9", "is the same for all images"),
        ("transfer", "needs a second picture"),
        ("rotate expand=perhaps", "must be true or false; got 'perhaps'"),
    ],
)
def test_mistakes_in_steps_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        steps(text)


@pytest.mark.parametrize("name", OPERATIONS)
def test_defaults_and_random_ranges_are_allowed(name: str) -> None:
    for key, one in operation(name).parameters.items():
        assert one.meaning, key
        if one.kind in ("number", "whole", "odd"):
            assert isinstance(one.default, int | float)
            assert one.low <= one.default <= one.high
            assert one.random is None or one.low <= one.random.low < one.random.high <= one.high
            assert one.parse(str(one.default), key) == one.default


# ----------------------------------------------------------------------------------------- random pipelines


@pytest.mark.parametrize("name", KEEPING)
@pytest.mark.parametrize("shape", [(6, 1, 8, 8), (6, 3, 16, 16), (1, 1, 9, 9)])
def test_every_operation_is_a_step_of_training(name: str, shape: tuple[int, ...]) -> None:
    pipeline, x = Pipeline.parse(name), noise(*shape)
    before = x.clone()
    a, b = pipeline(x, generator(1)), pipeline(x, generator(1))
    assert a.shape == x.shape
    assert a.dtype == torch.float32
    assert float(a.abs().max()) <= 1 + 1e-5
    assert torch.equal(a, b)
    assert torch.equal(x, before)
    if any(one.random for one in OPERATIONS[name].parameters.values()) and (
        shape[1] == 3 or OPERATIONS[name].group != "colour and light"
    ):
        assert len({pipeline(x, generator(seed)).numpy().tobytes() for seed in range(8)}) > 1


def test_a_step_falls_on_its_share_of_the_images() -> None:
    x = noise(1000, 1, 4, 4)
    found = Pipeline.parse("invert probability=0.3")(x, generator())
    inverted = (found == -x).flatten(1).all(1)
    kept = (found == x).flatten(1).all(1)
    assert bool((inverted ^ kept).all())
    assert 250 < int(inverted.sum()) < 350


def test_values_are_drawn_from_the_range_for_every_image() -> None:
    x = torch.zeros(2000, 1, 1, 1)
    found = Pipeline.parse("brightness amount=0.1..0.3")(x, generator()).flatten() / 2
    assert 0.1 <= float(found.min()) < 0.11
    assert 0.29 < float(found.max()) <= 0.3
    assert abs(float(found.mean()) - 0.2) < 0.01


def test_a_pipeline_moves_masks_and_points_and_only_where_pixels_move() -> None:
    x, mask = noise(4, 3, 12, 12), (noise(4, 1, 12, 12) > 0).float()
    points = torch.rand(4, 5, 2, generator=generator()) * 11
    moved = Pipeline.parse("flip axis=horizontal probability=0.5, noise")(x, generator(2)), None
    state = Pipeline.parse("flip axis=horizontal probability=0.5, noise").moved(x, generator(2), mask, points)
    assert torch.equal(state.image, moved[0])
    assert state.mask is not None
    assert state.points is not None
    flipped = (state.mask != mask).flatten(1).any(1)
    assert 0 < int(flipped.sum()) < 4
    assert torch.equal(state.mask[flipped], mask[flipped].flip(-1))
    assert torch.allclose(state.points[flipped][..., 0], 11 - points[flipped][..., 0], atol=1e-5)
    assert torch.equal(state.points[~flipped], points[~flipped])


def test_ratios_are_drawn_evenly_on_a_logarithmic_scale() -> None:
    from simulacra.transforms.pipeline import drawn

    step = Step("contrast", {"factor": Range(0.5, 2.0)})
    factor = drawn(step, 4000, generator())["factor"]
    assert 0.45 < float((factor < 1).float().mean()) < 0.55


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_bits_survive_a_pipeline_of_nothing(seed: int) -> None:
    levels = torch.randint(0, 256, (1, 1, 5, 5), generator=generator(seed), dtype=torch.uint8)
    x = from_bytes(levels)
    assert torch.equal(to_bytes(Pipeline.parse([])(x, generator())), levels)


def test_every_pair_of_operations_goes_together() -> None:
    x = noise(2, 3, 9, 9)
    for first, second in itertools.islice(itertools.permutations(KEEPING, 2), 0, None, 37):
        y = Pipeline.parse([first, second])(x, generator())
        assert y.shape == x.shape
