"""In-betweening: routes begin and end where they should, follow motion, keep light; the score means what it says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from simulacra import config, metrics
from simulacra.errors import ConfigError
from simulacra.steering import inbetween

ROUTES = sorted(inbetween.ROUTES)


def blob(row: float, column: float, side: int = 28, channels: int = 1) -> Tensor:
    places = torch.arange(side, dtype=torch.float32)
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    light = torch.exp(-((rows - row).square() + (columns - column).square()) / 8)
    return (2 * light - 1).expand(channels, -1, -1)


def centre(frames: Tensor) -> Tensor:
    """The centre of the light of frames ``(n, C, H, W)``: rows, columns."""
    light = (frames.mean(1) + 1) / 2
    places = torch.arange(frames.shape[-1], dtype=torch.float32)
    total = light.sum((1, 2))
    return torch.stack([(light.sum(2) * places).sum(1) / total, (light.sum(1) * places).sum(1) / total], dim=1)


def test_the_command_line_offers_every_route() -> None:
    assert ("latent", *inbetween.ROUTES) == config.ROUTES


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("channels", [1, 3])
def test_routes_begin_with_the_first_image_and_end_with_the_last(name: str, channels: int) -> None:
    if name == "flow":
        pytest.importorskip("cv2")
    a, b = torch.rand(2, channels, 12, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    frames = inbetween.route(name)(a, b, 5)
    assert frames.shape == (5, channels, 12, 16)
    assert torch.allclose(frames[0], a, atol=1e-5)
    assert torch.allclose(frames[-1], b, atol=1e-5)
    assert float(frames.abs().max()) <= 1 + 1e-6
    assert torch.equal(frames, inbetween.route(name)(a, b, 5))


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("value", [-1.0, 0.3, 1.0])
def test_an_image_stays_where_nothing_changes(name: str, value: float) -> None:
    if name == "flow":
        pytest.importorskip("cv2")
    x = torch.full((1, 9, 9), value)
    assert torch.allclose(inbetween.route(name)(x, x, 3), x.expand(3, -1, -1, -1), atol=0.02)


@pytest.mark.parametrize("name", ["flow", "transport"])
def test_a_spot_moves_rather_than_fades(name: str) -> None:
    if name == "flow":
        pytest.importorskip("cv2")
    truth = torch.stack([blob(10, 10 + t) for t in (0, 1, 2, 3, 4)])
    scores = [
        float(metrics.motion_score(inbetween.route(route)(truth[0], truth[-1], 5)[None], truth[None]))
        for route in (name, "fade")
    ]
    assert scores[0] > 0.9
    assert scores[0] > scores[1] + 0.05


def test_transport_moves_light_straight_and_loses_little() -> None:
    a, b = blob(8, 8), blob(18, 20)
    frames = inbetween.transport(a, b, 5)
    expected = torch.stack([torch.linspace(8, 18, 5), torch.linspace(8, 20, 5)], dim=1)
    assert torch.allclose(centre(frames), expected, atol=0.2)
    light = ((frames + 1) / 2).sum((1, 2, 3))
    assert torch.allclose(light, light[0].expand(5), rtol=0.05)


def test_wrong_input_is_refused() -> None:
    a = torch.zeros(1, 8, 8)
    with pytest.raises(ConfigError, match="of one size"):
        inbetween.fade(a, torch.zeros(1, 8, 9), 5)
    with pytest.raises(ConfigError, match="at least 2 frames"):
        inbetween.transport(a, a, 1)
    with pytest.raises(ConfigError, match="Did you mean 'flow'"):
        inbetween.route("flaw")


def test_the_score_is_one_for_the_motion_and_zero_for_a_cut() -> None:
    truth = inbetween.moving(blob(14, 12).unsqueeze(0).repeat(2, 1, 1, 1), 5, torch.Generator().manual_seed(1))
    cut = torch.cat([truth[:, :1].expand(-1, 2, -1, -1, -1), truth[:, -1:].expand(-1, 3, -1, -1, -1)], dim=1)
    assert metrics.motion_score(truth, truth).tolist() == [1, 1]
    assert metrics.motion_score(cut, truth).tolist() == [0, 0]
    assert bool((metrics.motion_score(-truth, truth) < 0).all())
    with pytest.raises(ConfigError, match="alike"):
        metrics.motion_score(truth[:, :2], truth[:, :2])


def test_the_score_by_hand() -> None:
    """One pixel, 0 1/2 1: a flat 1/2 misses by 1/4 + 1/4 and by steps of 1/4 + 1/4; the cut by 1/4 and 1/4 + 1/4."""
    truth = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1, 1)
    assert float(metrics.motion_score(torch.zeros_like(truth), truth)) == pytest.approx(1 - 1.0 / 0.75)


def test_motion_begins_with_the_image_and_is_drawn_by_the_generator() -> None:
    x = torch.stack([blob(14, 12), blob(10, 16)])
    first, again, other = (inbetween.moving(x, 4, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert first.shape == (2, 4, 1, 28, 28)
    assert torch.allclose(first[:, 0], x, atol=1e-4)
    assert torch.equal(first, again)
    assert not torch.allclose(first[:, -1], other[:, -1], atol=0.1)
