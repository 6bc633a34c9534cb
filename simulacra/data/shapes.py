"""`shapes`: procedural sprites whose factors are known: shape, colour, size, angle and position.

One sprite per picture, drawn with antialiased edges from its signed distance, so that it exists at any size.

As two domains, A has flat sprites on black, B the same ones as drawings: with a light outline around them, on blue. The
factors of an image in A determine the one in B, so every translation has a known truth.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from simulacra import machine
from simulacra.data.dataset import Dataset

CLASSES = ("disc", "square", "triangle", "star")
COLOURS = torch.tensor(
    [[228, 26, 28], [255, 140, 0], [246, 214, 40], [66, 170, 72], [52, 120, 212], [146, 70, 180]], dtype=torch.float32
)
VISIBLE = ("shape", "colour", "radius", "x", "y")  # the angle shows only up to a symmetry, on a disc not at all
TRAIN, TEST = 12_000, 2_000
DRAWN = 2048  # sprites at once
GROUND, LINE = torch.tensor([30.0, 60.0, 100.0]), torch.tensor([250.0, 246.0, 235.0])
OUTLINE = 0.12  # width of the line, the picture being 2 wide


def load(size: int = 32) -> tuple[Dataset, Dataset]:
    """Return 12,000 training and 2,000 test sprites in colour on black, ``(N, 3, size, size)``.

    Raises `ConfigError` for a size that the memory cannot hold.
    """
    machine.refuse_more_than_memory(
        3 * size**2 * (2 * (TRAIN + TEST) + DRAWN * 4 * 8),  # the bytes, and eight floats a pixel while they are drawn
        f"{TRAIN + TEST:,} sprites of {size} x {size} pixels",
        "Choose a smaller --data.size.",
    )
    whole = generate(TRAIN + TEST, size, torch.Generator().manual_seed(20))
    indices = torch.arange(len(whole))
    return whole.take(indices[:TRAIN]), whole.take(indices[TRAIN:])


def domains(size: int = 32, *, paired: bool) -> tuple[Dataset, Dataset]:
    """Return 6,000 training images of each domain, of the same sprites if paired, and 1,000 test pairs."""
    flat, test = (_numbered(part) for part in load(size))
    half, rest = flat.take(torch.arange(TRAIN // 2)), flat.take(torch.arange(TRAIN // 2, TRAIN))
    test = test.take(torch.arange(TEST // 2))
    return _in_domains(half, half if paired else rest, size), _in_domains(test, test, size)


def _in_domains(a: Dataset, b: Dataset, size: int) -> Dataset:
    assert b.factors is not None
    other = Dataset("shapes", drawn(b.factors, size), names=b.names)
    return Dataset("shapes", a.images, names=a.names, other=other)


def _numbered(dataset: Dataset) -> Dataset:
    return replace(dataset, names=tuple(f"{index:05d}" for index in range(len(dataset))))


def drawn(factors: dict[str, Tensor], size: int) -> Tensor:
    """Render sprites as drawings of domain B, ``(N, 3, size, size)`` uint8, from factors, each ``(N,)``."""
    distance = _distance(factors, size).unsqueeze(1)
    whole, filled = ((0.5 - d * size / 2).clamp(0, 1) for d in (distance - OUTLINE, distance))
    ground, line = GROUND.view(1, 3, 1, 1), LINE.view(1, 3, 1, 1)
    outlined = ground + whole * (line - ground)
    return (outlined + filled * (COLOURS[factors["colour"]].view(-1, 3, 1, 1) - line)).round().to(torch.uint8)


def generate(count: int, size: int, generator: torch.Generator) -> Dataset:
    """Draw factors independently and uniformly, and their sprites; the factors are kept beside the images."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    factors = {
        "shape": torch.randint(len(CLASSES), (count,), generator=generator),
        "colour": torch.randint(len(COLOURS), (count,), generator=generator),
        "radius": uniform(0.25, 0.45),  # the picture is [-1, 1] x [-1, 1]
        "angle": uniform(0.0, 2 * math.pi),
        "x": uniform(-0.5, 0.5),
        "y": uniform(-0.5, 0.5),
    }
    starts = range(0, count, DRAWN)
    parts = [draw({name: values[i : i + DRAWN] for name, values in factors.items()}, size) for i in starts]
    return Dataset("shapes", torch.cat(parts), factors["shape"], CLASSES, factors=factors)


def draw(factors: dict[str, Tensor], size: int) -> Tensor:
    """Render sprites ``(N, 3, size, size)`` uint8 from factors, each ``(N,)``."""
    cover = (0.5 - _distance(factors, size) * size / 2).clamp(0, 1).unsqueeze(1)  # a pixel is 2 / size wide
    return (cover * COLOURS[factors["colour"]].view(-1, 3, 1, 1)).round().to(torch.uint8)


def _distance(factors: dict[str, Tensor], size: int) -> Tensor:
    """The signed distance ``(N, size, size)`` of each pixel to its sprite's edge, negative inside."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    x = column - factors["x"].view(-1, 1, 1)
    y = row - factors["y"].view(-1, 1, 1)
    cos, sin = (f(factors["angle"]).view(-1, 1, 1) for f in (torch.cos, torch.sin))
    u, v = cos * x + sin * y, cos * y - sin * x
    radius = factors["radius"].view(-1, 1, 1)
    distances = torch.stack([_disc(u, v, radius), _square(u, v, radius), _polygon(u, v, radius), _star(u, v, radius)])
    return distances[factors["shape"], torch.arange(len(u))]


def _disc(u: Tensor, v: Tensor, radius: Tensor) -> Tensor:
    return torch.hypot(u, v) - radius


def _square(u: Tensor, v: Tensor, radius: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) - radius * 0.85


def _polygon(u: Tensor, v: Tensor, radius: Tensor, corners: int = 3) -> Tensor:
    """Signed distance to the sides of a regular polygon with this circumscribed radius, 1.2 times enlarged."""
    half = math.pi / corners
    angle = torch.remainder(torch.atan2(v, u) + half, 2 * half) - half
    return torch.hypot(u, v) * torch.cos(angle) - 1.2 * radius * math.cos(half)


def _star(u: Tensor, v: Tensor, radius: Tensor, points: int = 5, inner: float = 0.45) -> Tensor:
    """Signed distance to the sides of a star: the line from a point to the nearest inner corner."""
    half = math.pi / points
    angle = torch.remainder(torch.atan2(v, u) + half, 2 * half) - half
    r = torch.hypot(u, v)
    px, py = r * torch.cos(angle), (r * torch.sin(angle)).abs()
    tip = 1.15 * radius
    corner_x, corner_y = inner * tip * math.cos(half), inner * tip * math.sin(half)
    side_x, side_y = corner_x - tip, corner_y
    cross = side_x * py - side_y * (px - tip)
    return -cross / torch.hypot(side_x, side_y)
