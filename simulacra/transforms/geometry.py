"""Geometric operations: an image, its mask and its points are moved by one `Geometry`, which may have an inverse.

A point is ``(x, y)``, columns to the right and rows downwards, in pixels; the centre of the first pixel is (0, 0).
``outside`` says what comes in from beyond the border: a grey level, the edge repeated, or the mirror image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra.errors import ConfigError
from simulacra.transforms.common import Amount, clamped, in_chunks, per_image, refuse_beyond_memory

Outside = Literal["black", "grey", "white", "edge", "mirror"]
Interpolation = Literal["nearest", "bilinear", "bicubic"]
LEVELS = {"black": -1.0, "grey": 0.0, "white": 1.0}
BORDERS = {"edge": "border", "mirror": "reflection"}
ROWS = 1 << 22  # pixels of the result that are looked up at once
Size = tuple[int, int]  # height and width in pixels


class Geometry(Protocol):
    """A movement of pixels: images, masks and points alike."""

    def image(self, x: Tensor) -> Tensor:
        """Move images ``(B, C, H, W)`` in [-1, 1]."""

    def mask(self, mask: Tensor) -> Tensor:
        """Move masks ``(B, 1, H, W)`` of any numbers without mixing them; 0 comes in from outside."""

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)``: where a point of the image is afterwards."""

    def inverse(self) -> Geometry:
        """The movement back. Raises `ConfigError` where there is none."""


# --------------------------------------------------------------------------------------------- projective


@dataclass(frozen=True)
class Projective:
    """A projective movement from ``before`` to ``after`` (height, width): ``matrix`` ``(B, 3, 3)`` moves (x, y, 1).

    Movements that only mirror, turn by quarters and shift by whole pixels are applied exactly; others sample.
    """

    matrix: Tensor
    before: Size
    after: Size
    outside: Outside = "black"
    interpolation: Interpolation = "bilinear"

    def image(self, x: Tensor) -> Tensor:
        """Move images ``(B, C, H, W)``; see `Geometry`."""
        self._check(x)
        refuse_beyond_memory(x, *self.after)
        if not x.numel():
            return x.new_full((len(x), x.shape[1], *self.after), LEVELS.get(self.outside, 0.0))
        exact = self._exact(x)
        if exact is not None:
            return exact
        return in_chunks(self._sampled, x, self._back().to(x).expand(len(x), 3, 3))

    def _sampled(self, x: Tensor, matrix: Tensor) -> Tensor:
        level, mode = LEVELS.get(self.outside, 0.0), BORDERS.get(self.outside, "zeros")
        height, width = self.after
        rows = max(1, ROWS // max(1, len(x) * width))
        source = x - level if level else x
        if rows >= height:
            places = _places(matrix, self.after, 0, height)
            moved = F.grid_sample(source, places, self.interpolation, mode, align_corners=False)
        else:
            moved = x.new_empty(*x.shape[:2], height, width)
            for top in range(0, height, rows):
                places = _places(matrix, self.after, top, top + rows)
                moved[:, :, top : top + rows] = F.grid_sample(
                    source, places, self.interpolation, mode, align_corners=False
                )
        moved = moved.add_(level) if level else moved
        return clamped(moved) if self.interpolation == "bicubic" else moved

    def mask(self, mask: Tensor) -> Tensor:
        """Move masks ``(B, 1, H, W)``; see `Geometry`."""
        return (
            replace(self, outside=_for_masks(self.outside), interpolation="nearest").image(mask.float()).to(mask.dtype)
        )

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)``; see `Geometry`."""
        homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ self.matrix.to(points).mT
        return homogeneous[..., :2] / homogeneous[..., 2:]

    def inverse(self) -> Projective:
        """The movement back, from the new size to the old one."""
        return replace(self, matrix=torch.linalg.inv(self.matrix), before=self.after, after=self.before)

    def then(self, other: Projective) -> Projective:
        """One movement that does this and then the other, sampling once. Raises `ConfigError` if sizes differ."""
        if self.after != other.before:
            raise ConfigError(
                f"Movements do not fit: the first ends at {self.after}, the second begins at {other.before}."
            )
        return replace(other, matrix=other.matrix @ self.matrix, before=self.before)

    def _check(self, x: Tensor) -> None:
        if tuple(x.shape[-2:]) != self.before:
            raise ConfigError(f"This movement is of {_by(self.before)} images, not of {_by(tuple(x.shape[-2:]))}.")

    def _back(self) -> Tensor:
        """From pixels of the result to pixels of the image, both as `grid_sample` counts them, from -1 to 1."""
        back: Tensor = _unit(self.before) @ torch.linalg.inv(self.matrix) @ torch.linalg.inv(_unit(self.after))
        return back

    def _exact(self, x: Tensor) -> Tensor | None:
        """The result where one movement of whole pixels serves all images, else None."""
        first = self.matrix[0] if len(self.matrix) else torch.eye(3, dtype=torch.float64)
        whole = first.round()
        lengths = whole[:2, :2].abs()
        permutes = bool(
            (lengths.sum(0) == 1).all()
            and (lengths.sum(1) == 1).all()
            and (whole[2] == whole.new_tensor([0, 0, 1])).all()
        )
        if not permutes or not torch.allclose(self.matrix, whole, rtol=0, atol=1e-6):
            return None
        if lengths[0, 1]:
            x = x.mT
        columns, rows = whole[0, :2].sum(), whole[1, :2].sum()
        left, top = int(whole[0, 2]), int(whole[1, 2])
        if columns < 0:
            x, left = x.flip(-1), left - x.shape[-1] + 1
        if rows < 0:
            x, top = x.flip(-2), top - x.shape[-2] + 1
        return _placed(x, top, left, self.after, self.outside)


def _unit(size: Size) -> Tensor:
    """From pixels to -1 at the outer side of the first and 1 at that of the last."""
    height, width = size
    rows = [[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]]
    return torch.tensor(rows, dtype=torch.float64)


def _places(matrix: Tensor, size: Size, first: int, last: int) -> Tensor:
    """Where each pixel of some rows of the result comes from, ``(B, rows, W, 2)``: a sum over rows and columns."""
    down, right = (_middles(side, matrix).view(1, -1, 1) for side in size)
    down = down[:, first:last]
    affine = bool((matrix[:, 2, :2].abs() < 1e-12).all())
    across, along, start = (matrix[:, None, : 2 if affine else 3, column] for column in range(3))
    places = (down * along + start).unsqueeze(2) + (right * across).unsqueeze(1)
    return places if affine else places[..., :2] / places[..., 2:]


def _middles(side: int, like: Tensor) -> Tensor:
    """The middles of so many pixels, as `grid_sample` counts them, from -1 to 1."""
    return torch.linspace(1 / side - 1, 1 - 1 / side, side, dtype=like.dtype, device=like.device)


def _placed(x: Tensor, top: int, left: int, size: Size, outside: Outside) -> Tensor:
    """The image on a canvas of ``size``, its first pixel at (top, left), cut where it sticks out."""
    height, width = x.shape[-2:]
    around = (left, size[1] - width - left, top, size[0] - height - top)
    if outside in LEVELS:
        return F.pad(x, around, value=LEVELS[outside])
    rows, columns = (
        _source(size_, start, count, outside, x.device)
        for size_, start, count in ((size[0], top, height), (size[1], left, width))
    )
    return x.index_select(-2, rows).index_select(-1, columns)


def _source(size: int, start: int, count: int, outside: Outside, device: torch.device) -> Tensor:
    place = torch.arange(size, device=device) - start
    if outside == "edge":
        return place.clamp(0, count - 1)
    inside = place % (2 * count)
    return torch.where(inside < count, inside, 2 * count - 1 - inside)


def _for_masks(outside: Outside) -> Outside:
    """Grey is 0 in [-1, 1], and what lies outside of a mask."""
    return "grey" if outside in LEVELS else outside


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _matrices(x_size: int, rows: list[list[Tensor | float]]) -> Tensor:
    """Matrices ``(B, 3, 3)`` in float64 from entries that are numbers or ``(B,)``."""
    entries = [torch.as_tensor(entry, dtype=torch.float64).expand(x_size) for row in rows for entry in row]
    return torch.stack(entries, -1).view(x_size, 3, 3)


def _each(value: Amount, x: Tensor) -> Tensor:
    return per_image(value, x).flatten().double().cpu()


def _shift(right: Tensor | float, down: Tensor | float, count: int) -> Tensor:
    return _matrices(count, [[1, 0, right], [0, 1, down], [0, 0, 1]])


# ----------------------------------------------------------------------------------- movements of an image


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
        raise ConfigError(f"crop: {height} x {width} pixels do not fit into an image of {_by(size)}.")
    top = (size[0] - height) // 2 if top == -1 else top
    left = (size[1] - width) // 2 if left == -1 else left
    if height < 1 or width < 1 or top < 0 or left < 0 or top + height > size[0] or left + width > size[1]:
        raise ConfigError(
            f"crop: {height} x {width} at row {top}, column {left} is not inside an image of {_by(size)}."
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
    """The movement that takes four points ``source`` to ``target``, each ``(B, 4, 2)``, through kornia.

    Raises `ConfigError` where three of them lie on a line.
    """
    from kornia.geometry.transform import get_perspective_transform

    try:
        matrix = get_perspective_transform(source.double(), target.double())
    except RuntimeError:
        raise ConfigError("from_corners: three of the four points lie on a line.") from None
    before = (x.shape[-2], x.shape[-1])
    return Projective(matrix.expand(len(x), 3, 3).cpu(), before, after or before)


# ------------------------------------------------------------------------------------------------ elastic


@dataclass(frozen=True)
class Displacement:
    """Every pixel p of the result comes from p + ``field``, ``(B, 2, H, W)`` pixels to the right and down."""

    field: Tensor
    outside: Outside = "mirror"
    interpolation: Interpolation = "bilinear"

    def image(self, x: Tensor) -> Tensor:
        """Move images ``(B, C, H, W)``; see `Geometry`."""
        if x.shape[-2:] != self.field.shape[-2:]:
            size = tuple(self.field.shape[-2:])
            raise ConfigError(f"This movement is of {_by(size)} images, not of {_by(tuple(x.shape[-2:]))}.")
        return in_chunks(self._sampled, x, self.field.to(x).expand(len(x), -1, -1, -1)) if x.numel() else x

    def _sampled(self, x: Tensor, field: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        right = torch.add(_middles(width, x), field[:, 0], alpha=2 / width)
        down = torch.add(_middles(height, x).unsqueeze(1), field[:, 1], alpha=2 / height)
        places, level = torch.stack([right, down], -1), LEVELS.get(self.outside, 0.0)
        mode = BORDERS.get(self.outside, "zeros")
        moved = F.grid_sample(x - level if level else x, places, self.interpolation, mode, align_corners=False)
        return clamped(moved + level if level else moved)

    def mask(self, mask: Tensor) -> Tensor:
        """Move masks ``(B, 1, H, W)``; see `Geometry`."""
        return (
            replace(self, outside=_for_masks(self.outside), interpolation="nearest").image(mask.float()).to(mask.dtype)
        )

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)`` by solving q + field(q) = p with fixed-point steps; see `Geometry`."""
        height, width = self.field.shape[-2:]
        size = torch.tensor([width, height], dtype=points.dtype, device=points.device)
        found = points
        for _ in range(50):
            places = ((2 * found + 1) / size - 1).unsqueeze(1)
            moved = F.grid_sample(self.field.to(points), places, "bilinear", "border", align_corners=False)
            found = points - moved.squeeze(2).mT
        return found

    def inverse(self) -> Geometry:
        """Refused: a displacement has no inverse in closed form, and none at all where it folds."""
        raise ConfigError("elastic has no inverse: where the image folds, pixels are lost. Keep the original.")


def elastic_movement(
    x: Tensor,
    strength: Amount = 1.0,
    smoothness: float = 8.0,
    *,
    outside: Outside = "mirror",
    interpolation: Interpolation = "bilinear",
    generator: torch.Generator | None = None,
) -> Displacement:
    """Displace pixels at random by ``strength`` pixels (root mean square along each axis), smoothly.

    Independent normal displacements of points ``smoothness`` pixels apart, joined by a bicubic surface. Up to a
    ``strength`` of an eighth of that hardly a pixel folds; at a quarter 3 % do, at a half 23 %.
    Source of the idea: Best Practices for Convolutional Neural Networks (2003),
    https://doi.org/10.1109/ICDAR.2003.1227801
    """
    if smoothness < 1:
        raise ConfigError("elastic: smoothness must be at least 1 pixel.")
    height, width = x.shape[-2:]
    down, right = (_surface(side, smoothness).to(x) for side in (height, width))
    knots = torch.randn(len(x), 2, down.shape[1], right.shape[1], generator=generator).to(x)
    field = down @ (knots * (per_image(strength, x) / BICUBIC)) @ right.mT
    return Displacement(field, outside, interpolation)


def _surface(side: int, smoothness: float) -> Tensor:
    """Weights ``(side, knots)`` of a bicubic curve through knots ``smoothness`` pixels apart, the middle of it."""
    knots = math.ceil(side / smoothness) + 3
    cover = math.ceil(knots * smoothness)
    curves = F.interpolate(torch.eye(knots)[None, None], size=(cover, knots), mode="bicubic", align_corners=False)
    first = (cover - side) // 2
    return curves[0, 0, first : first + side]


BICUBIC = 0.86  # root mean square of a bicubic surface through independent normal knots


# ------------------------------------------------------------------------------------------------- resize


@dataclass(frozen=True)
class Resizing:
    """Another size, antialiased; the inverse is the old size, with the detail that is left."""

    before: Size
    after: Size
    interpolation: Interpolation = "bicubic"

    def image(self, x: Tensor) -> Tensor:
        """Resize images ``(B, C, H, W)``; see `Geometry`."""
        if self.before == self.after or not len(x):
            return x if self.before == self.after else x.new_empty(0, x.shape[1], *self.after)
        refuse_beyond_memory(x, *self.after)
        if self.interpolation == "nearest":
            return F.interpolate(x, size=self.after, mode="nearest-exact")
        return clamped(F.interpolate(x, size=self.after, mode=self.interpolation, antialias=True, align_corners=False))

    def mask(self, mask: Tensor) -> Tensor:
        """Resize masks ``(B, 1, H, W)``; see `Geometry`."""
        return replace(self, interpolation="nearest").image(mask.float()).to(mask.dtype)

    def points(self, points: Tensor) -> Tensor:
        """Move points ``(B, N, 2)``; see `Geometry`."""
        scale = points.new_tensor([self.after[1] / self.before[1], self.after[0] / self.before[0]])
        moved: Tensor = (points + 0.5) * scale - 0.5
        return moved

    def inverse(self) -> Resizing:
        """Back to the old size."""
        return replace(self, before=self.after, after=self.before)


def resizing(x: Tensor, height: int = 0, width: int = 0, interpolation: Interpolation = "bicubic") -> Resizing:
    """Another size; a side of 0 follows the other in proportion. Raises `ConfigError` where both are 0."""
    old_height, old_width = x.shape[-2:]
    if min(height, width) < 0 or height == width == 0:
        raise ConfigError("resize: give a height or a width of at least 1 pixel.")
    if not min(old_height, old_width):
        raise ConfigError(f"resize: an image of {old_height} x {old_width} pixels has nothing to show.")
    height = height or max(1, round(width * old_height / old_width))
    width = width or max(1, round(height * old_width / old_height))
    return Resizing((old_height, old_width), (height, width), interpolation)


def resize(x: Tensor, height: int = 0, width: int = 0, interpolation: Interpolation = "bicubic") -> Tensor:
    """Bring images to another size; see `resizing`."""
    return resizing(x, height, width, interpolation).image(x)
