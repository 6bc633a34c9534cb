"""Large pictures are worked on in parts, with the results of the whole."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
import torch
from torch import Tensor

from simulacra.images import from_bytes, to_bytes
from simulacra.images.files import Picture
from simulacra.operations import OPERATIONS, Step
from simulacra.transforms import large, pictures

PARTS = [name for name, one in OPERATIONS.items() if one.reach is not None or one.geometric]
NEEDED: dict[str, dict[str, float]] = {
    "crop": {"height": 40, "width": 30},
    "resize": {"height": 33, "width": 50},
    "pad": {"top": 3, "right": 5},
    "non-local-means": {"patch": 3, "search": 5},
}


def picture(channels: int = 3) -> Picture:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(1, channels, 96, 64, generator=generator) * 2 - 1
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False) * 2
    return Picture(PurePosixPath("x.png"), to_bytes(smooth))


def changed(name: str, channels: int) -> Tensor:
    defaults = {key: one.default for key, one in OPERATIONS[name].parameters.items()}
    step = Step(name, {**defaults, **NEEDED.get(name, {})})
    found = pictures.changed(picture(channels), [step], 3).pixels
    return found if found.dtype == torch.uint8 else to_bytes(found)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PARTS)
def test_parts_give_what_the_whole_gives(name: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = changed(name, channels)
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(large, "STRIP", channels * 64 * 7)
    monkeypatch.setattr(large, "BAND", 64 * 7)
    parts = changed(name, channels)
    assert parts.shape == whole.shape
    if OPERATIONS[name].draws and not OPERATIONS[name].geometric:
        apart = (parts.float() - whole.float()).mean().abs()
        assert float(apart) < 6, "other draws of the same kind"
        assert torch.equal(parts, changed(name, channels)), "the same seed gives the same picture"
    elif name == "resize":  # of bytes, in whole numbers
        assert int((parts.int() - whole.int()).abs().max()) <= 1
    else:
        assert torch.equal(parts, whole)


def test_pictures_are_kept_in_the_bits_of_their_files() -> None:
    x = picture()
    assert torch.equal(x.image, from_bytes(x.pixels))
    assert not large.is_large(x)


def test_no_operation_with_a_reach_sees_further(tmp_path: Path) -> None:
    """A pixel that changes moves nothing beyond the reach that the table names."""
    for name, one in OPERATIONS.items():
        if one.reach is None or one.draws:
            continue
        values = {key: parameter.default for key, parameter in one.parameters.items()} | NEEDED.get(name, {})
        reach = one.reach(values)
        x = picture()
        dotted = x.pixels.clone()
        dotted[0, :, 48, 32] = 255 - dotted[0, :, 48, 32]
        before, after = (
            pictures.changed(Picture(x.name, pixels), [Step(name, values)], 0).image for pixels in (x.pixels, dotted)
        )
        rows = ((before - after).abs().amax((0, 1, 3)) > 1e-4).nonzero().flatten()
        assert int((rows - 48).abs().max()) <= reach, name


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one.measured])
def test_what_is_measured_in_strips_is_what_the_whole_has(
    name: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {key: one.default for key, one in OPERATIONS[name].parameters.items() if one.kind != "picture"}
    given = {"reference": picture(channels).image.mul(0.5).add(0.2)[..., :50]} if name == "transfer" else {}
    step = Step(name, defaults)
    whole = to_bytes(pictures.changed(picture(channels), [step], 3, given).pixels)
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(large, "STRIP", channels * 64 * 7)
    parts = pictures.changed(picture(channels), [step], 3, given).pixels
    assert parts.dtype == torch.uint8
    assert not torch.equal(parts, picture(channels).pixels)
    apart = (parts.int() - whole.int()).abs()
    assert int(apart.max()) <= (0 if name == "equalize" else 1)
    assert float((apart > 0).float().mean()) < 0.001


@pytest.mark.parametrize("outside", ["black", "grey", "white", "edge", "mirror"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("rotate", {"degrees": 20.0}),
        ("rotate", {"degrees": 90.0, "expand": True}),
        ("affine", {"shear": 10.0, "width": 1.3, "right": 0.2}),
        ("perspective", {"tilt": 30.0, "swing": -20.0}),
        ("elastic", {"strength": 2.0}),
        ("shift", {"right": 0.3, "down": -0.6}),
        ("pad", {"top": 7, "left": 9}),
    ],
)
def test_bands_have_the_same_outside(
    name: str, values: dict[str, float], outside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {key: one.default for key, one in OPERATIONS[name].parameters.items()}
    step = Step(name, {**defaults, **values, "outside": outside})
    whole = to_bytes(pictures.changed(picture(), [step], 3).pixels)
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(large, "BAND", 64 * 7)
    parts = pictures.changed(picture(), [step], 3).pixels
    assert parts.dtype == torch.uint8
    assert torch.equal(parts, whole)
