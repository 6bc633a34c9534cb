"""The table of image operations: every parameter with its range, its default and what the random version draws.

The options of the verbs `transform` and `compose`, their help, the steps of a random pipeline and the tables in the
documentation come from here. The functions are in `simulacra.transforms`; a test holds them to these defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulacra.operations.operation import Operation, Parameter, Range

OUTSIDE = ("black", "grey", "white", "edge", "mirror")
DEVIATIONS = 7  # at most, within which a Gaussian kernel lies
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")


def _degrees(default: float, reach: float, meaning: str, limit: float = math.inf) -> Parameter:
    return Parameter(default, meaning, -limit, limit, Range(-reach, reach))


def _window(default: int, random: Range | None, meaning: str = "side of the window in pixels") -> Parameter:
    return Parameter(default, meaning, 1, 255, random, "odd")


def _choice(default: str, choices: Sequence[str], meaning: str) -> Parameter:
    return Parameter(default, meaning, kind="choice", choices=tuple(choices))


def _share(meaning: str, reach: float) -> Parameter:
    return Parameter(0.0, meaning, -1, 1, Range(-reach, reach))


def _factor(default: float, meaning: str, drawn: Range, low: float = 0.0) -> Parameter:
    return Parameter(default, meaning, low, 100, drawn, ratio=True)


def _sampled(outside: str = "black") -> dict[str, Parameter]:
    return {
        "outside": _choice(outside, OUTSIDE, "content shown beyond the border"),
        "interpolation": _choice("bilinear", INTERPOLATIONS, "interpolation between pixels"),
    }


def _point(_: Mapping[str, Any]) -> int:
    return 0


def _next(_: Mapping[str, Any]) -> int:
    return 2


def _around(*keys: str, times: int = 1) -> Callable[[Mapping[str, Any]], int]:
    """Half of windows of these sides, one after the other."""
    return lambda values: sum(times * (int(values[key]) // 2) for key in keys)


def _blurred(values: Mapping[str, Any]) -> int:
    return math.ceil(DEVIATIONS * float(values["sigma"])) + 1


_MASK = Parameter(None, "mask that marks the unknown pixels", kind="picture")
_RADIUS = Parameter(3, "radius in pixels from which a pixel is filled in", 1, 100)
_BLUR, _GEOMETRY, _COLOUR = "smoothing and sharpening", "geometry", "colour and light"
_NOISE, _EDGES, _MORPHOLOGY, _REPAIR = "noise", "edges", "morphology", "repair"

OPERATIONS: dict[str, Operation] = {
    "box": Operation(
        _BLUR, "Average over a window.", {"size": _window(3, Range(1, 5))},
        alpha="moved", home="filters.box", reach=_around("size"),
    ),
    "gaussian": Operation(
        _BLUR, "Blur with a Gaussian.",
        {"sigma": Parameter(1.0, "standard deviation in pixels", 0, 1000, Range(0, 1.5))},
        alpha="moved", home="filters.gaussian", reach=_blurred,
    ),
    "median": Operation(
        _BLUR, "Take the median of a window.", {"size": _window(3, Range(1, 5))},
        alpha="moved", home="filters.median", reach=_around("size"),
    ),
    "bilateral": Operation(
        _BLUR, "Average over neighbours of similar colour: removes noise and keeps edges.", {
            "colour": Parameter(
                0.2, "difference in colour over which the weight falls; white minus black is 2", 0.001, 10,
                Range(0.1, 0.4),
            ),
            "sigma": Parameter(1.5, "distance in pixels over which the weight falls", 0.1, 100, Range(0.5, 2)),
            "size": Parameter(7, "side of the window in pixels", 1, 99, kind="odd"),
        }, alpha="moved", home="filters.bilateral", reach=_around("size"),
    ),
    "non-local-means": Operation(
        _BLUR, "Average over pixels with similar surroundings: removes noise and keeps texture.", {
            "strength": Parameter(
                0.2, "standard deviation of the noise; white minus black is 2", 0.001, 10, Range(0.1, 0.3)
            ),
            "patch": Parameter(5, "side of the surroundings that are compared", 1, 31, kind="odd"),
            "search": Parameter(11, "side of the window that is searched", 1, 63, kind="odd"),
        }, alpha="moved", home="filters.non_local_means", reach=_around("patch", "search"),
    ),
    "total-variation": Operation(
        _BLUR, "Remove noise until flat areas with sharp borders remain.", {
            "weight": Parameter(0.1, "strength; larger values give flatter results", 0.0001, 100, Range(0.02, 0.2)),
            "steps": Parameter(100, "number of steps of the descent", 1, 100_000, kind="whole"),
        }, alpha="moved", home="filters.total_variation",
    ),
    "sharpen": Operation(
        _BLUR, "Add the detail that a blur removes (unsharp mask).", {
            "amount": Parameter(1.0, "multiple of the detail that is added", 0, 100, Range(0, 1)),
            "sigma": Parameter(1.0, "standard deviation of the blur in pixels", 0, 1000),
        }, alpha="moved", home="filters.sharpen", reach=_blurred,
    ),
    "crop": Operation(
        _GEOMETRY, "Cut out a rectangle.", {
            "height": Parameter(64, "number of rows", 1, 1e6, kind="whole"),
            "width": Parameter(64, "number of columns", 1, 1e6, kind="whole"),
            "top": Parameter(-1, "first row; -1 centres", -1, 1e6, kind="whole"),
            "left": Parameter(-1, "first column; -1 centres", -1, 1e6, kind="whole"),
        }, geometric=True, reshapes=True, alpha="moved", home="geometry.cropping",
    ),
    "pad": Operation(
        _GEOMETRY, "Add rows and columns around the image.", {
            "top": Parameter(0, "rows added above", 0, 1e5, kind="whole"),
            "bottom": Parameter(0, "rows added below", 0, 1e5, kind="whole"),
            "left": Parameter(0, "columns added on the left", 0, 1e5, kind="whole"),
            "right": Parameter(0, "columns added on the right", 0, 1e5, kind="whole"),
            "outside": _choice("black", OUTSIDE, "content of the added pixels"),
        }, geometric=True, reshapes=True, alpha="moved", home="geometry.padding",
    ),
    "resize": Operation(
        _GEOMETRY, "Change the size, with antialiasing.", {
            "height": Parameter(0, "number of rows; 0 follows the width", 0, 1e5, kind="whole"),
            "width": Parameter(0, "number of columns; 0 follows the height", 0, 1e5, kind="whole"),
            "interpolation": _choice("bicubic", INTERPOLATIONS, "interpolation between pixels"),
        }, geometric=True, reshapes=True, alpha="moved", one_of=("height", "width"), home="geometry.resizing",
    ),
    "rotate": Operation(
        _GEOMETRY, "Rotate counter-clockwise about the centre; quarter turns are exact.", {
            "degrees": _degrees(90, 15, "angle in degrees, counter-clockwise"),
            "expand": Parameter(False, "enlarge the canvas so that nothing is cut off", kind="switch"),
            **_sampled(),
        }, geometric=True, alpha="moved", undo={"degrees": "negated"}, home="geometry.rotation",
    ),
    "flip": Operation(
        _GEOMETRY, "Mirror the image.",
        {"axis": _choice("horizontal", ("horizontal", "vertical", "both"), "direction along which pixels are swapped")},
        geometric=True, alpha="moved", probability=0.5, undo={}, home="geometry.flipping",
    ),
    "shift": Operation(
        _GEOMETRY, "Move the image by whole pixels.", {
            "right": _share("share of the width", 0.125), "down": _share("share of the height", 0.125),
            "outside": _choice("edge", OUTSIDE, "content shown beyond the border"),
        }, geometric=True, alpha="moved", home="geometry.shifting",
    ),
    "affine": Operation(
        _GEOMETRY, "Scale, shear, rotate and move the image about its centre.", {
            "degrees": _degrees(0, 17.2, "angle in degrees, counter-clockwise"),
            "shear": _degrees(0, 17.2, "slant in degrees", 80),
            "width": _factor(1.0, "factor of the width", Range(0.82, 1.22), 0.01),
            "height": _factor(1.0, "factor of the height", Range(0.82, 1.22), 0.01),
            "right": _share("share of the width", 0.06), "down": _share("share of the height", 0.06), **_sampled(),
        }, geometric=True, alpha="moved", home="geometry.affine_movement",
    ),
    "perspective": Operation(
        _GEOMETRY, "Show the image as it looks when seen at an angle.", {
            "tilt": _degrees(0, 25, "angle in degrees by which the top leans back", 59),
            "swing": _degrees(0, 25, "angle in degrees by which the right side turns back", 59), **_sampled(),
        }, geometric=True, alpha="moved", home="geometry.perspective_movement",
    ),
    "elastic": Operation(
        _GEOMETRY, "Displace pixels smoothly at random.", {
            "strength": Parameter(1.0, "root mean square displacement in pixels", 0, 1000, Range(0.5, 1)),
            "smoothness": Parameter(8.0, "distance in pixels over which the displacement varies", 1, 10_000),
            **_sampled("mirror"),
        }, geometric=True, draws=True, alpha="moved", home="geometry.elastic_movement",
    ),
    "brightness": Operation(
        _COLOUR, "Make the image brighter or darker.",
        {"amount": Parameter(0.1, "light added; 1 leads from black to white", -1, 1, Range(-0.2, 0.2))},
        home="colour.brightness", reach=_point,
    ),
    "contrast": Operation(
        _COLOUR, "Spread values away from their mean, or draw them towards it.",
        {"factor": _factor(1.2, "factor of the contrast; 0 gives a flat image", Range(0.67, 1.5))},
        alpha="counted", home="colour.contrast", measured="colour.contrast_of",
    ),
    "saturation": Operation(
        _COLOUR, "Strengthen or weaken the colours.",
        {"factor": _factor(1.5, "factor of the saturation; 0 gives grey", Range(0.5, 2))},
        home="colour.saturation", reach=_point,
    ),
    "hue": Operation(
        _COLOUR, "Rotate the hue.", {"degrees": _degrees(30, 18, "angle in degrees on the colour circle")},
        undo={"degrees": "negated"}, home="colour.hue", reach=_point,
    ),
    "gamma": Operation(
        _COLOUR, "Raise brightness to a power.",
        {"exponent": _factor(1.2, "exponent; above 1 darkens", Range(0.67, 1.5), 0.01)},
        undo={"exponent": "inverted"}, home="colour.gamma", reach=_point,
    ),
    "equalize": Operation(
        _COLOUR, "Equalise the histogram of each channel.", alpha="counted", home="colour.equalize",
        measured="colour.equalize_of",
    ),
    "transfer": Operation(
        _COLOUR, "Transfer the colours of another picture.",
        {"reference": Parameter(None, "picture whose colours are transferred", kind="picture")},
        alpha="counted", home="colour.transfer", measured="colour.transfer_of",
    ),
    "grey": Operation(_COLOUR, "Remove the colour.", home="colour.grey", reach=_point),
    "invert": Operation(_COLOUR, "Invert every value, as in a negative.", undo={}, home="colour.invert", reach=_point),
    "binarize": Operation(
        _COLOUR, "Make each pixel white with a probability equal to its grey level, and black otherwise.",
        draws=True, home="colour.binarize", reach=_point,
    ),
    "noise": Operation(
        _NOISE, "Add Gaussian noise.",
        {"deviation": Parameter(0.1, "standard deviation; 1 leads from black to white", 0, 10, Range(0, 0.1))},
        draws=True, home="noise.noise", reach=_point,
    ),
    "salt-and-pepper": Operation(
        _NOISE, "Make some pixels black or white.",
        {"share": Parameter(0.05, "share of the pixels that change", 0, 1, Range(0, 0.05))},
        draws=True, home="noise.salt_and_pepper", reach=_point,
    ),
    "erase": Operation(
        _NOISE, "Cover a rectangle at a random place with grey.",
        {"share": Parameter(0.1, "share of the area that is covered", 0, 1, Range(0.02, 0.2))},
        draws=True, home="noise.erase",
    ),
    "edges": Operation(_EDGES, "Show the magnitude of the gradient (Sobel).", home="filters.edges", reach=_next),
    "canny": Operation(
        _EDGES, "Draw thin edges of the grey image (Canny).", {
            "low": Parameter(0.1, "gradient above which an edge continues", 0.0001, 10),
            "high": Parameter(0.2, "gradient above which an edge starts", 0.0001, 10),
            "sigma": Parameter(1.0, "standard deviation in pixels of the blur that comes first", 0, 100),
        }, reshapes=True, home="filters.canny",
    ),
    "dilate": Operation(
        _MORPHOLOGY, "Take the brightest value of a window.", {"size": _window(3, Range(1, 3))},
        alpha="moved", home="filters.dilate", reach=_around("size"),
    ),
    "erode": Operation(
        _MORPHOLOGY, "Take the darkest value of a window.", {"size": _window(3, Range(1, 3))},
        alpha="moved", home="filters.erode", reach=_around("size"),
    ),
    "open": Operation(
        _MORPHOLOGY, "Erode, then dilate: small bright spots disappear.", {"size": _window(3, Range(1, 3))},
        alpha="moved", home="filters.opening", reach=_around("size", times=2),
    ),
    "close": Operation(
        _MORPHOLOGY, "Dilate, then erode: small dark spots disappear.", {"size": _window(3, Range(1, 3))},
        alpha="moved", home="filters.closing", reach=_around("size", times=2),
    ),
    "stroke": Operation(
        _MORPHOLOGY, "Thicken or thin bright strokes.",
        {"amount": Parameter(0.5, "change of thickness; 1 dilates, -1 erodes", -1, 1, Range(-0.6, 1))},
        alpha="moved", home="filters.stroke", reach=_next,
    ),
    "inpaint-biharmonic": Operation(
        _REPAIR, "Fill holes with a smooth surface (scikit-image).", {"mask": _MASK}, home="inpaint.biharmonic",
    ),
    "inpaint-telea": Operation(
        _REPAIR, "Fill holes by fast marching (OpenCV).", {"mask": _MASK, "radius": _RADIUS}, home="inpaint.telea",
    ),
    "inpaint-navier-stokes": Operation(
        _REPAIR, "Fill holes along lines of equal brightness (OpenCV).", {"mask": _MASK, "radius": _RADIUS},
        home="inpaint.navier_stokes",
    ),
}  # fmt: skip
