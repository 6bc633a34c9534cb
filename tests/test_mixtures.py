"""The benchmark of mixtures: geometry by hand, the mixture's own score, and that it trains."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.mixtures import MODERN, PLAIN, measure
from simulacra import config
from simulacra.bench.mixtures import MIXTURES, Points, grid, ring
from simulacra.metrics import mixture_modes


def test_the_modes_lie_where_the_literature_has_them() -> None:
    assert ring().centres.norm(dim=1).tolist() == pytest.approx([1.0] * 8)
    assert float((ring().centres[0] - ring().centres[1]).norm()) == pytest.approx(2 * math.sin(math.pi / 8))
    assert len(grid().centres.unique(dim=0)) == 25
    assert sorted(grid().centres[:, 0].unique().tolist()) == [-4, -2, 0, 2, 4]


@pytest.mark.parametrize("name", MIXTURES)
def test_a_perfect_generator_has_the_score_of_the_normal_distribution(name: str) -> None:
    mixture = MIXTURES[name]()
    found = mixture_modes(mixture.sample(20_000, torch.Generator().manual_seed(0)), mixture.centres, mixture.std)
    assert found.covered == len(mixture.centres)
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.003)  # chi-squared within 3 std, 2 dimensions


@pytest.mark.parametrize("name", MIXTURES)
def test_points_are_images_in_range_that_follow_seed_and_step(name: str) -> None:
    points = Points(MIXTURES[name](), size=500, seed=3)
    x = points.batch(7).image
    assert x.shape == (500, 2, 1, 1)
    assert float(x.abs().max()) < 1
    assert torch.equal(x, Points(MIXTURES[name](), size=500, seed=3).batch(7).image)
    assert not torch.equal(x, points.batch(8).image)


@pytest.mark.parametrize("changes", [{}, PLAIN], ids=["modern", "plain"])
def test_a_short_training_is_measured(changes: dict[str, object]) -> None:
    values = config.merge(config.merge(MODERN["ring"], changes), {"train": {"images": 256 * 3}})
    found = measure(ring(), config.parse(values))
    assert 0 <= found.high_quality <= 1
    assert found == measure(ring(), config.parse(values)), "a seed gives the same result again"
