"""How large things are drawn: measured, changed, and undone by the translator of the other direction."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from simulacra import images, models
from simulacra.config import CycleGAN, Patch, ResnetTranslator
from simulacra.images import Shape
from simulacra.models import cyclegan
from simulacra.steering.translate import translate
from simulacra.training.session import Session
from simulacra.transforms import zoom

SIDE = 64


def spots(radii: Tensor, level: float = 0.8, ground: float = -1.0) -> Tensor:
    """Gaussians of these standard deviations, in sides, about the middle of plain grounds, ``(n, 1, 64, 64)``."""
    line = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    square = line.square() + line.square().unsqueeze(1)
    return ground + (level - ground) * torch.exp(-square / radii.view(-1, 1, 1, 1).square() / 2)


def test_the_spread_of_a_gaussian_is_its_standard_deviation() -> None:
    radii = torch.tensor([0.05, 0.08, 0.1])
    assert torch.allclose(zoom.spread(spots(radii)), radii, rtol=1e-3)
    moved = torch.roll(spots(radii), (5, -7), (2, 3))
    assert torch.allclose(zoom.spread(moved), radii, rtol=1e-3)
    assert zoom.spread(torch.ones(1, 3, SIDE, SIDE)).isnan().all()


def test_what_is_zoomed_is_as_many_times_as_large() -> None:
    radii = torch.tensor([0.06, 0.09])
    for factor in (1.25, 0.8):
        larger, expected = zoom.zoomed(spots(radii), factor), spots(factor * radii)
        assert float((larger - expected).abs().max()) < 0.03
    assert torch.equal(zoom.zoomed(spots(radii), 1.0), spots(radii))


def test_a_page_stays_a_page_and_beyond_the_border_is_more_of_it() -> None:
    white = torch.ones(1, 3, SIDE, SIDE)
    assert torch.allclose(zoom.zoomed(white, 0.7), white)
    bar = white.clone()
    bar[:, :, :, 16:48] = -1.0  # from border to border
    smaller = zoom.zoomed(bar, 0.8)
    assert float(smaller[:, :, 0].min()) == pytest.approx(1.0)
    assert float(smaller[0, 0, 32, 32]) == pytest.approx(-1.0)


def test_sizes_are_measured_on_any_things_in_any_colours() -> None:
    generator = torch.Generator().manual_seed(0)
    radii = 0.04 + 0.06 * torch.rand(200, generator=generator)
    a, b = spots(radii), spots(1.1 * radii.flip(0), level=-0.9, ground=1.0)
    assert zoom.measure(images.to_bytes(a), images.to_bytes(b)) == pytest.approx(1.1, abs=0.005)
    empty = torch.zeros(5, 1, 8, 8, dtype=torch.uint8)
    assert zoom.measure(empty, images.to_bytes(b)) == 1.0


def test_sizes_beyond_belief_are_cut_and_a_single_pixel_has_none() -> None:
    large, small = (images.to_bytes(spots(torch.full((4,), radius))) for radius in (0.15, 0.01))
    assert (zoom.measure(small, large), zoom.measure(large, small)) == (4.0, 0.25)
    dot = torch.zeros(4, 1, 9, 9, dtype=torch.uint8)
    dot[:, :, 4, 4] = 255
    assert zoom.measure(dot, large) == 1.0


def test_photographs_that_fill_their_frame_have_no_size_to_measure() -> None:
    torch.manual_seed(0)
    radii = torch.full((20,), 0.08)
    photos = torch.rand(20, 3, 8, 8) * 2 - 1
    assert zoom.measure(images.to_bytes(spots(radii)), images.to_bytes(spots(1.2 * radii))) > 1.1
    assert zoom.measure(images.to_bytes(spots(radii)), images.to_bytes(photos)) == 1.0


class Copying(torch.nn.Module):
    """A translator that only counts on being shown sizes of its domain."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def zooming(factor: float) -> cyclegan.CycleGAN:
    values = CycleGAN(
        zoom=factor, generator=ResnetTranslator(width=4, blocks=1), discriminator=Patch(width=4, downsamplings=1)
    )
    model = models.build(values, Shape(1, SIDE))
    assert isinstance(model, cyclegan.CycleGAN)
    model.translators = torch.nn.ModuleDict({"A": Copying(), "B": Copying()})
    return model


def test_translators_that_copy_enlarge_there_shrink_back_and_keep_what_is_of_the_target() -> None:
    radii = torch.tensor([0.06, 0.09, 0.1])
    a, b = spots(radii), spots(1.25 * radii)
    model = zooming(1.25)
    assert float((model.translate(a, "B") - b).abs().max()) < 0.03
    assert float((model.translate(b, "A") - a).abs().max()) < 0.03
    batch = models.FAMILIES["cyclegan"].batch(a, b)
    terms = next(iter(model.rounds(batch, 0)))["translators"]
    assert float(terms["cycle_a"]) < 10 * 0.01
    assert float(terms["cycle_b"]) < 10 * 0.01
    assert float(terms["identity_a"]) == float(terms["identity_b"]) == 0.0


def test_pictures_beyond_the_training_size_are_enlarged_as_wholes_then_cut_into_tiles() -> None:
    line = torch.linspace(-1, 1, 3 * SIDE)
    picture = torch.exp(-(line.square() + line.square().unsqueeze(1)) / 0.09).view(1, 1, 3 * SIDE, 3 * SIDE) * 2 - 1
    model = zooming(1.25)
    model.register_parameter("anything", torch.nn.Parameter(torch.zeros(1)))
    assert torch.allclose(translate(model, picture, "B"), zoom.zoomed(picture, 1.25), atol=1e-5)


@pytest.mark.slow
def test_a_run_says_the_zoom_that_was_measured(tmp_path: Path) -> None:
    """Drawings show sprites on their own ground, which counts as no ink: the number is not 1, and is kept."""
    changes = {
        "model": {"zoom": 0, "generator": {"width": 4}, "discriminator": {"width": 4}},
        "train": {"images": 16, "batch": 8},
    }
    session = Session.start("cyclegan", out=tmp_path / "run", changes=changes)
    a, b = session.splits.train.domains.values()
    measured = round(zoom.measure(a.images, b.images), 3)
    run = session.run()
    assert run.config.model.zoom == measured != 1  # type: ignore[union-attr]
    assert run.model.zoom == {"B": measured, "A": 1 / measured}
    assert Session.start("cyclegan", out=tmp_path / "run", changes=changes, resume=True).config == run.config
