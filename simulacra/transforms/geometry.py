"""Geometric operations: an image, its mask and its points are moved by one `Geometry`, which may have an inverse.

A point is ``(x, y)``, columns to the right and rows downwards, in pixels; the centre of the first pixel is (0, 0).
``outside`` says what comes in from beyond the border: a grey level, the edge repeated, or the mirror image.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.transforms.common import Amount, per_image
from simulacra.transforms.elastic import Displacement, elastic_movement
from simulacra.transforms.moving import LEVELS, Geometry, Interpolation, Outside, Size, sides
from simulacra.transforms.projective import Projective
from simulacra.transforms.resizing import Resizing, resize, resizing

__all__ = [
    "LEVELS",
    "Displacement",
    "Geometry",
    "Interpolation",
    "Outside",
    "Projective",
    "Resizing",
    "Size",
    "affine_movement",
    "cropping",
    "elastic_movement",
    "flipping",
    "from_corners",
    "padding",
    "perspective_movement",
    "resize",
    "resizing",
    "rotation",
    "shifting",
]


def flipping(x: Tensor, axis: Literal["horizontal", "vertical", "both"] = "horizontal") -> Projective:
    """Mirror left to right (horizontal), top to bottom (vertical), or both."""
    height, width = x.shape[-2:]
    across, down = axis in ("horizontal", "both"), axis in ("vertical", "both")
    rows: list[list[Tensor | float]] = [
        [-1 if across else 1, 0, width - 1 if across else 0],
        [0, -1 if down else 1, height - 1 if down else 0],
        [0, 0, 1],
    ]
    return Projective(_matrices(len(x), rows), (height, width), (height, width))


def cropping(x: Tensor, height: int, width: int, top: int = -1, left: int = -1) -> Projective:
    """Cut out ``height`` x ``width`` pixels whose first is at row ``top`` and column ``left``; -1 centres.

    Raises `ConfigError` where that sticks out of the image.
    """
    size = tuple(x.shape[-2:])
    if height > size[0] or width > size[1]:
        raise ConfigError(f"crop: {height} x {width} pixels do not fit into an image of {sides(size)}.")
    top = (size[0] - height) // 2 if top == -1 else top
    left = (size[1] - width) // 2 if left == -1 else left
    if height < 1 or width < 1 or top < 0 or left < 0 or top + height > size[0] or left + width > size[1]:
        raise ConfigError(
            f"crop: {height} x {width} at row {top}, column {left} is not inside an image of {sides(size)}."
        )
    return Projective(_shift(-left, -top, len(x)), (size[0], size[1]), (height, width))


def padding(
    x: Tensor, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0, outside: Outside = "black"
) -> Projective:
    """Add rows and columns around the image."""
    if min(top, bottom, left, right) < 0:
        raise ConfigError("pad: top, bottom, left and right must be 0 or more pixels; crop takes pixels away.")
    height, width = x.shape[-2:]
    after = (height + top + bottom, width + left + right)
    return Projective(_shift(left, top, len(x)), (height, width), after, outside)


def shifting(x: Tensor, right: Amount = 0.0, down: Amount = 0.0, outside: Outside = "edge") -> Projective:
    """Move by shares of the width and the height, rounded to whole pixels."""
    height, width = x.shape[-2:]
    matrix = _shift((_each(right, x) * width).round(), (_each(down, x) * height).round(), len(x))
    return Projective(matrix, (height, width), (height, width), outside, "nearest")


def rotation(
    x: Tensor,
    degrees: Amount = 90.0,
    *,
    expand: bool = False,
    outside: Outside = "black",
    interpolation: Interpolation = "bilinear",
) -> Projective:
    """Turn counter-clockwise about the centre; with ``expand`` the canvas grows or turns so that nothing is cut.

    Quarter turns are exact: 90 degrees with ``expand`` equals ``torch.rot90``. With ``expand`` all images of a batch
    get the size of the one that needs most.
    """
    height, width = x.shape[-2:]
    angle = _each(degrees, x)
    cosine, sine = _cosine(angle), _cosine(angle - 90)
    after = (height, width)
    if expand and len(x):
        needed = height * cosine.abs() + width * sine.abs(), width * cosine.abs() + height * sine.abs()
        after = tuple(math.ceil(float(side.max()) - 1e-6) for side in needed)  # type: ignore[assignment]
    centre, new = ((width - 1) / 2, (height - 1) / 2), ((after[1] - 1) / 2, (after[0] - 1) / 2)
    rows: list[list[Tensor | float]] = [
        [cosine, sine, new[0] - cosine * centre[0] - sine * centre[1]],
        [-sine, cosine, new[1] + sine * centre[0] - cosine * centre[1]],
        [0, 0, 1],
    ]
    return Projective(_matrices(len(x), rows), (height, width), after, outside, interpolation)


def _cosine(degrees: Tensor) -> Tensor:
    """The cosine, exactly 0, 1 and -1 at quarter turns."""
    quarter = (degrees / 90).round()
    exact = torch.where(quarter % 2 == 1, 0.0, 1 - quarter % 4).double()
    return torch.where(degrees == 90 * quarter, exact, torch.cos(torch.deg2rad(degrees)))


def affine_movement(
    x: Tensor,
    degrees: Amount = 0.0,
    shear: Amount = 0.0,
    width: Amount = 1.0,
    height: Amount = 1.0,
    right: Amount = 0.0,
    down: Amount = 0.0,
    *,
    outside: Outside = "black",
    interpolation: Interpolation = "bilinear",
) -> Projective:
    """Scale to ``width`` and ``height`` times the size, shear by an angle, turn counter-clockwise, move.

    All about the centre; ``right`` and ``down`` are shares of the sides.
    """
    rows, columns = x.shape[-2:]
    angle, slant = torch.deg2rad(_each(degrees, x)), torch.deg2rad(_each(shear, x))
    wide, high = _each(width, x), _each(height, x)
    if (wide <= 0).any() or (high <= 0).any():
        raise ConfigError("affine: width and height must be above 0; flip mirrors.")
    turn = _matrices(len(x), [[angle.cos(), angle.sin(), 0], [-angle.sin(), angle.cos(), 0], [0, 0, 1]])
    lean = _matrices(len(x), [[1, slant.tan(), 0], [0, 1, 0], [0, 0, 1]])
    scale = _matrices(len(x), [[wide, 0, 0], [0, high, 0], [0, 0, 1]])
    centre = (columns - 1) / 2, (rows - 1) / 2
    there, back = _shift(*centre, len(x)), _shift(-centre[0], -centre[1], len(x))
    move = _shift(columns * _each(right, x), rows * _each(down, x), len(x))
    matrix = move @ there @ turn @ lean @ scale @ back
    return Projective(matrix, (rows, columns), (rows, columns), outside, interpolation)


def perspective_movement(
    x: Tensor,
    tilt: Amount = 0.0,
    swing: Amount = 0.0,
    *,
    outside: Outside = "black",
    interpolation: Interpolation = "bilinear",
) -> Projective:
    """See the image tilted about its horizontal middle line (top away), then swung about its vertical one; in degrees.

    The eye is as far from the centre as the longer side is long.
    """
    height, width = x.shape[-2:]
    a, b = torch.deg2rad(_each(tilt, x)), torch.deg2rad(_each(swing, x))
    far = float(max(height, width))
    if (a.abs() >= math.pi / 3).any() or (b.abs() >= math.pi / 3).any():
        raise ConfigError("perspective: tilt and swing must be between -60 and 60 degrees.")
    # the plane's points in space are u (cos b, 0, sin b) + v (sin a sin b, cos a, -sin a cos b); the eye is at -far
    rows: list[list[Tensor | float]] = [
        [b.cos(), a.sin() * b.sin(), 0],
        [0, a.cos(), 0],
        [b.sin() / far, -a.sin() * b.cos() / far, 1],
    ]
    centre = (width - 1) / 2, (height - 1) / 2
    matrix = _shift(*centre, len(x)) @ _matrices(len(x), rows) @ _shift(-centre[0], -centre[1], len(x))
    return Projective(matrix, (height, width), (height, width), outside, interpolation)


def from_corners(x: Tensor, source: Tensor, target: Tensor, after: Size | None = None) -> Projective:
    """The movement that takes four points ``source`` to ``target``, each ``(B, 4, 2)`` as (x, y) in pixels.

    Raises `ConfigError` where three of them lie on a line.
    """
    matrix = homography(source.double().cpu(), target.double().cpu())
    before = (x.shape[-2], x.shape[-1])
    return Projective(matrix.expand(len(x), 3, 3), before, after or before)


def homography(source: Tensor, target: Tensor) -> Tensor:
    """Return the matrices ``(B, 3, 3)`` that take four points to four others, ``(B, 4, 2)`` in float64.

    Two linear equations a point, about the middle of the source, which no such movement takes to infinity. Raises
    `ConfigError` where three points lie on a line. Source: Multiple View Geometry in Computer Vision (2004), chapter 4.
    """
    if any(_on_a_line(points) for points in (source, target)):
        raise ConfigError("from_corners: three of the four points lie on a line.")
    middle = source.mean(1, keepdim=True)
    (x, y), (u, v) = (source - middle).unbind(-1), target.unbind(-1)
    one, none = torch.ones_like(x), torch.zeros_like(x)
    across = torch.stack([x, y, one, none, none, none, -x * u, -y * u], -1)
    along = torch.stack([none, none, none, x, y, one, -x * v, -y * v], -1)
    solved = torch.linalg.solve(torch.cat([across, along], 1), torch.cat([u, v], 1))
    matrix = torch.cat([solved, one[:, :1]], 1).view(-1, 3, 3)
    return matrix @ _shift(-middle[:, 0, 0], -middle[:, 0, 1], len(source))


def _on_a_line(points: Tensor) -> bool:
    """Whether three of four points enclose no area, as far as their precision tells."""
    size = (points - points.mean(1, keepdim=True)).abs().amax((1, 2)).clamp(min=1e-12)
    for left_out in range(4):
        a, b, c = (points[:, index] for index in range(4) if index != left_out)
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        if bool((area.abs() < 1e-9 * size**2).any()):
            return True
    return False


def _matrices(x_size: int, rows: list[list[Tensor | float]]) -> Tensor:
    """Matrices ``(B, 3, 3)`` in float64 from entries that are numbers or ``(B,)``."""
    entries = [torch.as_tensor(entry, dtype=torch.float64).expand(x_size) for row in rows for entry in row]
    return torch.stack(entries, -1).view(x_size, 3, 3)


def _each(value: Amount, x: Tensor) -> Tensor:
    return per_image(value, x).flatten().double().cpu()


def _shift(right: Tensor | float, down: Tensor | float, count: int) -> Tensor:
    return _matrices(count, [[1, 0, right], [0, 1, down], [0, 0, 1]])
