"""Composition: seams that are none, placement that is where it was asked for, masks that stay as they are."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.transforms import compose, filters

examples = settings(max_examples=20, deadline=None, derandomize=True)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed)) * 2 - 1


def exact(target: Tensor, source: Tensor, mask: Tensor, top: int, left: int, mixed: bool) -> Tensor:
    """Poisson's equation of one image, written down pixel by pixel and solved directly."""
    (height, width), (h, w) = target.shape[-2:], source.shape[-2:]
    t, s = target[0].double(), source[0].double()
    inside = [(r, c) for r in range(height) for c in range(width)
              if 0 <= r - top < h and 0 <= c - left < w and mask[0, 0, r - top, c - left] > 0.5]  # fmt: skip
    index = {pixel: number for number, pixel in enumerate(inside)}
    A = torch.zeros(len(index), len(index), dtype=torch.float64)
    b = torch.zeros(len(index), target.shape[1], dtype=torch.float64)

    def pasted(r: int, c: int) -> Tensor:
        row = min(max(r - top, 0, -top), h - 1, height - 1 - top)
        return s[:, row, min(max(c - left, 0, -left), w - 1, width - 1 - left)]

    for (r, c), number in index.items():
        for beside in ((r, c + 1), (r + 1, c), (r, c - 1), (r - 1, c)):
            if not (0 <= beside[0] < height and 0 <= beside[1] < width):
                continue
            slope, theirs = pasted(r, c) - pasted(*beside), t[:, r, c] - t[:, beside[0], beside[1]]
            b[number] += torch.where(theirs.abs() > slope.abs(), theirs, slope) if mixed else slope
            A[number, number] += 1
            if beside in index:
                A[number, index[beside]] -= 1
            else:
                b[number] += t[:, beside[0], beside[1]]
    found = t.clone()
    for (r, c), value in zip(inside, torch.linalg.solve(A, b), strict=True):
        found[:, r, c] = value
    return found.clamp(-1, 1).unsqueeze(0)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(("top", "left"), [(5, 4), (-3, -2), (0, 0), (12, 20), (23, 29)])
def test_cloning_solves_poissons_equation_wherever_it_is_placed(top: int, left: int, mixed: bool) -> None:
    target, source = 0.3 * noise(1, 3, 24, 30), 0.3 * noise(1, 3, 14, 17, seed=1)
    mask = (noise(1, 1, 14, 17) > -0.4).float()
    before = mask.clone()
    found = compose.clone(target, source, mask, top, left, mixed=mixed)
    assert float((found - exact(target, source, mask, top, left, mixed)).abs().max()) < 2e-3
    assert torch.equal(mask, before)


@given(st.integers(-20, 30), st.integers(-20, 30), st.booleans())
@examples
def test_cloning_keeps_what_is_outside_of_the_mask(top: int, left: int, mixed: bool) -> None:
    target, source = noise(2, 1, 20, 16), noise(1, 1, 9, 11, seed=1)
    mask = (noise(1, 1, 9, 11, seed=2) > 0).float()
    found = compose.clone(target, source, mask, top, left, mixed=mixed)
    ones = compose.over(torch.zeros(2, 1, 20, 16), mask, mask, top, left) > 0
    assert torch.equal(found[~ones], target[~ones])
    assert float(found.abs().max()) <= 1


def test_cloning_an_image_into_itself_changes_nothing() -> None:
    x = noise(2, 3, 33, 20)
    mask = torch.zeros(1, 1, 12, 9)
    mask[..., 1:-1, 1:-1] = 1
    assert torch.allclose(compose.clone(x, x[..., 5:17, 3:12], mask, 5, 3), x, atol=1e-5)


def test_cloning_takes_the_slopes_and_the_colour_of_the_seam() -> None:
    """A patch that is brighter by a constant is pasted without it."""
    x = filters.gaussian(noise(1, 3, 40, 40), 3.0)
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 2:-2, 2:-2] = 1
    found = compose.clone(x, x[..., 10:30, 8:28] + 0.3, mask, 10, 8)
    assert torch.allclose(found, x, atol=2e-3)


def test_a_mask_without_a_seam_pastes_the_source_as_it_is() -> None:
    target, source = noise(1, 1, 8, 9), 0.5 * noise(1, 1, 8, 9, seed=1)
    assert torch.allclose(compose.clone(target, source, torch.ones(1, 1, 8, 9)), source, atol=1e-6)


@given(st.integers(-8, 12), st.integers(-8, 12))
@examples
def test_over_places_the_first_pixel_where_it_is_asked_for(top: int, left: int) -> None:
    target, patch = noise(2, 3, 10, 9), noise(1, 3, 4, 5, seed=1)
    found = compose.over(target, patch, None, top, left)
    for row in range(10):
        for column in range(9):
            inside = 0 <= row - top < 4 and 0 <= column - left < 5
            expected = patch[0, :, row - top, column - left].expand(2, -1) if inside else target[:, :, row, column]
            assert torch.equal(found[:, :, row, column], expected)


def test_over_mixes_by_alpha() -> None:
    target, patch = noise(1, 3, 6, 6), noise(1, 3, 6, 6, seed=1)
    alpha = torch.rand(1, 1, 6, 6, generator=generator())
    assert torch.allclose(compose.over(target, patch, alpha), alpha * patch + (1 - alpha) * target, atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 7))
@examples
def test_blending_an_image_with_itself_is_the_identity(height: int, width: int, levels: int) -> None:
    x, mask = noise(2, 3, height, width), (noise(1, 1, height, width, seed=1) > 0).float()
    assert torch.allclose(compose.blend(x, x, mask, levels), x, atol=1e-5)
    other = noise(2, 3, height, width, seed=2)
    assert torch.allclose(compose.blend(x, other, torch.ones(1, 1, height, width), levels), x, atol=1e-5)
    assert torch.allclose(compose.blend(x, other, torch.zeros(1, 1, height, width), levels), other, atol=1e-5)


def test_blending_widens_the_seam_of_coarse_structure_only() -> None:
    fine = 0.2 * (torch.arange(64) % 2 * 2 - 1).float().view(1, 1, 1, 64).expand(1, 1, 64, 64)
    bright, dark = 0.5 + fine, -0.5 - fine
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    row = compose.blend(bright, dark, mask, 5)[0, 0, 32]
    mean = (row[:-1] + row[1:]) / 2
    assert float(torch.diff(mean).abs().max()) < 0.25, "a plain cut jumps by 1"
    assert float((row - filters.gaussian(row.view(1, 1, 1, 64), 2.0).flatten()).abs()[4:28].mean()) > 0.15


@pytest.mark.parametrize("size", [28, 64, 127, 128, 200])
@pytest.mark.parametrize("levels", range(7))
def test_a_blended_seam_stays_where_the_mask_has_it(size: int, levels: int) -> None:
    """Between two flat images the middle grey lies on the cut, and the two sides are mirror images of each other."""
    bright, mask = torch.full((1, 1, size, size), 0.8), torch.zeros(1, 1, size, size)
    mask[..., : size // 2] = 1
    row = compose.blend(bright, -bright, mask, levels)[0, 0, size // 2]
    assert int((row > 0).sum()) == pytest.approx(size // 2, abs=1)
    assert float(row[0]) > 0.6
    assert float(row[-1]) < -0.6
    if size in (64, 128):
        assert torch.allclose(row, -row.flip(0), atol=1e-5)
        across = compose.blend(bright, -bright, mask.mT, levels)[0, 0, :, size // 2]
        assert torch.allclose(across, row, atol=1e-5)


def test_the_levels_of_a_pyramid_lie_on_each_other() -> None:
    """A slope is the same slope after halving and doubling, away from the border: nothing is shifted."""
    ramp = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)
    for x in (ramp, ramp.mT.contiguous()):
        again = compose._doubled(compose._halved(x), x)
        assert torch.allclose(again[..., 4:-4, 4:-4], x[..., 4:-4, 4:-4], atol=1e-6)


def test_mixup_and_cutmix_say_what_they_mixed() -> None:
    x = noise(64, 1, 16, 16)
    mixed = compose.mixup(x, generator=generator(1))
    weight = mixed.weight.view(-1, 1, 1, 1)
    assert torch.allclose(mixed.image, weight * x + (1 - weight) * x[mixed.partner], atol=1e-6)
    assert 0 <= float(mixed.weight.min()) < 0.2
    cut = compose.cutmix(x, generator=generator(1))
    own = (cut.image == x).float().mean((1, 2, 3))
    apart = cut.partner != torch.arange(64)
    assert torch.allclose(own[apart], cut.weight[apart], atol=1e-6)
    again = compose.cutmix(x, generator=generator(1))
    assert torch.equal(again.image, cut.image)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=9), st.integers(0, 5))
@examples
def test_a_collage_is_as_wide_as_asked_for(sizes: list[tuple[int, int]], rows: int) -> None:
    sheet = compose.collage([noise(3, *size) for size in sizes], 200, rows)
    assert sheet.shape[0] == 3
    assert sheet.shape[2] == 200


def test_a_collage_keeps_the_order_and_the_colours() -> None:
    levels = [-1.0, -0.5, 0.0, 0.5]
    sheet = compose.collage([torch.full((3, 20, 30), level) for level in levels], 128, 2, gap=4)
    quarters = [sheet[0, 10, 10], sheet[0, 10, -10], sheet[0, -10, 10], sheet[0, -10, -10]]
    assert torch.allclose(torch.stack(quarters), torch.tensor(levels), atol=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 and 3 channels"):
        compose.over(noise(1, 1, 4, 4), noise(1, 3, 2, 2))
    with pytest.raises(ConfigError, match=r"must have the shape \(B or 1, 1, 2, 2\)"):
        compose.clone(noise(1, 1, 4, 4), noise(1, 1, 2, 2), torch.ones(1, 1, 3, 2))
    with pytest.raises(ConfigError, match="make them equal"):
        compose.blend(noise(1, 1, 4, 4), noise(1, 1, 4, 5), torch.ones(1, 1, 4, 4))
