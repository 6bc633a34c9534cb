"""The image operations: every parameter with its range, its default and what the random version draws, in one table.

The options of the verb `transform`, its help, the steps of a random pipeline and the table in the documentation come
from here; the functions themselves are in `simulacra.transforms`, which a test holds to the same names and defaults.

A step is written ``NAME PARAMETER=VALUE ...``: ``rotate degrees=-15..15 probability=0.5``. ``LOW..HIGH`` is drawn anew
for every image. A name alone is the random version with the table's ranges.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from simulacra.errors import ConfigError, nearest

Kind = Literal["number", "whole", "odd", "choice", "switch", "picture"]
PROBABILITY = "probability"
OUTSIDE = ("black", "grey", "white", "edge", "mirror")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, drawn anew for every image."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"


Value = float | str | bool | Range | None


@dataclass(frozen=True)
class Parameter:
    """One parameter: its default, its meaning, the numbers or words allowed, what the random version draws.

    ``ratio`` numbers are drawn evenly on a logarithmic scale.
    """

    default: Value
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    random: Range | None = None
    kind: Kind = "number"
    choices: tuple[str, ...] = ()
    ratio: bool = False

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind == "picture":
            return "FILE"
        if self.kind == "switch":
            return "true or false"
        if self.choices:
            return ", ".join(self.choices)
        numbers = {"odd": "odd, ", "whole": "whole, "}.get(self.kind, "")
        if math.isinf(self.low) and math.isinf(self.high):
            return f"{numbers}any".removesuffix(", any")
        above = f"{self.low:g} to {self.high:g}" if math.isfinite(self.high) else f"{self.low:g} or more"
        return numbers + above

    def parse(self, text: str, name: str) -> Value:
        """Understand a value as it is written. Raises `ConfigError`."""
        if self.kind == "picture":
            return text
        if self.kind == "switch":
            switches: dict[str, Value] = {"true": True, "false": False}
            return _one_of(text, switches, name)
        if self.choices:
            return _one_of(text, {choice: choice for choice in self.choices}, name)
        low, dots, high = text.partition("..")
        if dots and self.kind == "whole":
            raise ConfigError(f"{name} is the same for all images; it cannot be drawn from {text}.")
        if not dots:
            return self._number(text, name)
        ends = Range(self._number(low, name), self._number(high, name))
        if ends.low > ends.high:
            raise ConfigError(f"{name}: {text} runs backwards; write {ends.high:g}..{ends.low:g}.")
        return ends

    def _number(self, text: str, name: str) -> float:
        allowed = "finite" if self.allowed == "any" else self.allowed
        try:
            value = float(text)
        except ValueError:
            raise ConfigError(f"{name} must be a number ({allowed}), not '{text}'.") from None
        whole = self.kind in ("odd", "whole")
        wrong = math.isnan(value) or math.isinf(value) or not self.low <= value <= self.high
        if wrong or (whole and value != int(value)) or (self.kind == "odd" and value % 2 == 0):
            raise ConfigError(f"{name} must be {allowed}; got {text}.")
        return value


def _one_of(text: str, allowed: Mapping[str, Value], name: str) -> Value:
    if text not in allowed:
        raise ConfigError(f"{name} must be {', '.join(allowed)}; got '{text}'.{nearest(text, allowed)}")
    return allowed[text]


@dataclass(frozen=True)
class Operation:
    """One operation.

    ``geometric`` ones move masks and points with the image; ``reshapes``: the size or the channels change, so that it
    has no place in a training batch; ``draws``: it is random by itself. ``alpha`` says whether transparency is moved
    with the colours or stays as it is, and whether the colours of all visible pixels are counted. ``one_of`` are
    parameters of which one at least must be above 0. ``undo`` says how each parameter changes in the inverse; None:
    there is none.
    """

    group: str
    meaning: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    geometric: bool = False
    reshapes: bool = False
    draws: bool = False
    alpha: Literal["moved", "kept", "counted"] = "kept"
    probability: float = 1.0
    one_of: tuple[str, ...] = ()
    undo: Mapping[str, Literal["negated", "inverted"]] | None = None

    @property
    def needs_picture(self) -> bool:
        """Whether it takes a second picture, a mask or a reference."""
        return any(parameter.kind == "picture" for parameter in self.parameters.values())


def _degrees(default: float, reach: float, meaning: str, limit: float = math.inf) -> Parameter:
    return Parameter(default, meaning, -limit, limit, Range(-reach, reach))


def _window(default: int, random: Range | None, meaning: str = "side of the window in pixels") -> Parameter:
    return Parameter(default, meaning, 1, 255, random, "odd")


def _choice(default: str, choices: Sequence[str], meaning: str) -> Parameter:
    return Parameter(default, meaning, kind="choice", choices=tuple(choices))


def _share(meaning: str, reach: float) -> Parameter:
    return Parameter(0.0, meaning, -1, 1, Range(-reach, reach))


def _sampled(outside: str = "black") -> dict[str, Parameter]:
    return {
        "outside": _choice(outside, OUTSIDE, "what comes in from beyond the border"),
        "interpolation": _choice("bilinear", INTERPOLATIONS, "between pixels"),
    }


_MASK = Parameter(None, "picture that is white where pixels are unknown", kind="picture")
_RADIUS = Parameter(3, "pixels around, from which a pixel is filled", 1, 100)
_BLUR, _GEOMETRY, _COLOUR = "smoothing and sharpening", "geometry", "colour and light"
_NOISE, _EDGES, _MORPHOLOGY, _REPAIR = "noise", "edges", "morphology", "repair"

OPERATIONS: dict[str, Operation] = {
    "box": Operation(_BLUR, "Average over a window.", {"size": _window(3, Range(1, 5))}, alpha="moved"),
    "gaussian": Operation(
        _BLUR, "Blur with a Gaussian.",
        {"sigma": Parameter(1.0, "standard deviation in pixels", 0, 1000, Range(0, 1.5))}, alpha="moved",
    ),
    "median": Operation(_BLUR, "Median of a window.", {"size": _window(3, Range(1, 5))}, alpha="moved"),
    "bilateral": Operation(
        _BLUR, "Average over neighbours of a like colour: denoises and keeps edges.", {
            "colour": Parameter(0.2, "difference that counts; white minus black is 2", 0.001, 10, Range(0.1, 0.4)),
            "sigma": Parameter(1.5, "distance that counts, in pixels", 0.1, 100, Range(0.5, 2)),
            "size": Parameter(7, "side of the window in pixels", 1, 99, kind="odd"),
        }, alpha="moved",
    ),
    "non-local-means": Operation(
        _BLUR, "Average over pixels whose surroundings look alike: denoises and keeps texture.", {
            "strength": Parameter(0.2, "deviation of the noise; white minus black is 2", 0.001, 10, Range(0.1, 0.3)),
            "patch": Parameter(5, "side of the surroundings compared", 1, 31, kind="odd"),
            "search": Parameter(11, "side of the window searched", 1, 63, kind="odd"),
        }, alpha="moved",
    ),
    "total-variation": Operation(
        _BLUR, "Denoise into flat parts with sharp borders.", {
            "weight": Parameter(0.1, "more is flatter", 0.0001, 100, Range(0.02, 0.2)),
            "steps": Parameter(100, "of the descent", 1, 100_000, kind="whole"),
        }, alpha="moved",
    ),
    "sharpen": Operation(
        _BLUR, "Add what a blur takes away.", {
            "amount": Parameter(1.0, "how much of it", 0, 100, Range(0, 1)),
            "sigma": Parameter(1.0, "of the blur, in pixels", 0, 1000),
        }, alpha="moved",
    ),
    "crop": Operation(
        _GEOMETRY, "Cut a rectangle out.", {
            "height": Parameter(64, "rows", 1, 1e6, kind="whole"),
            "width": Parameter(64, "columns", 1, 1e6, kind="whole"),
            "top": Parameter(-1, "first row; -1 centres", -1, 1e6, kind="whole"),
            "left": Parameter(-1, "first column; -1 centres", -1, 1e6, kind="whole"),
        }, geometric=True, reshapes=True, alpha="moved",
    ),
    "pad": Operation(
        _GEOMETRY, "Add rows and columns around.", {
            **{side: Parameter(0, "pixels", 0, 1e5, kind="whole") for side in ("top", "bottom", "left", "right")},
            "outside": _choice("black", OUTSIDE, "what is added"),
        }, geometric=True, reshapes=True, alpha="moved",
    ),
    "resize": Operation(
        _GEOMETRY, "Another size, antialiased.", {
            "height": Parameter(0, "rows; 0 follows the width", 0, 1e5, kind="whole"),
            "width": Parameter(0, "columns; 0 follows the height", 0, 1e5, kind="whole"),
            "interpolation": _choice("bicubic", INTERPOLATIONS, "between pixels"),
        }, geometric=True, reshapes=True, alpha="moved", one_of=("height", "width"),
    ),
    "rotate": Operation(
        _GEOMETRY, "Turn counter-clockwise about the centre; quarter turns are exact.", {
            "degrees": _degrees(90, 15, "counter-clockwise"),
            "expand": Parameter(False, "let the canvas grow so that nothing is cut", kind="switch"),
            **_sampled(),
        }, geometric=True, alpha="moved", undo={"degrees": "negated"},
    ),
    "flip": Operation(
        _GEOMETRY, "Mirror.",
        {"axis": _choice("horizontal", ("horizontal", "vertical", "both"), "left to right, or top to bottom")},
        geometric=True, alpha="moved", probability=0.5, undo={},
    ),
    "shift": Operation(
        _GEOMETRY, "Move by whole pixels.", {
            "right": _share("share of the width", 0.125), "down": _share("share of the height", 0.125),
            "outside": _choice("edge", OUTSIDE, "what comes in from beyond the border"),
        }, geometric=True, alpha="moved",
    ),
    "affine": Operation(
        _GEOMETRY, "Scale, shear, turn and move about the centre.", {
            "degrees": _degrees(0, 17.2, "counter-clockwise"), "shear": _degrees(0, 17.2, "slant in degrees", 80),
            "width": Parameter(1.0, "times as wide", 0.01, 100, Range(0.82, 1.22), ratio=True),
            "height": Parameter(1.0, "times as high", 0.01, 100, Range(0.82, 1.22), ratio=True),
            "right": _share("share of the width", 0.06), "down": _share("share of the height", 0.06), **_sampled(),
        }, geometric=True, alpha="moved",
    ),
    "perspective": Operation(
        _GEOMETRY, "As seen from the side.", {
            "tilt": _degrees(0, 25, "degrees, the top away", 59),
            "swing": _degrees(0, 25, "degrees, the right side away", 59), **_sampled(),
        }, geometric=True, alpha="moved",
    ),
    "elastic": Operation(
        _GEOMETRY, "Displace pixels smoothly at random.", {
            "strength": Parameter(1.0, "displacement in pixels, root mean square", 0, 1000, Range(0.5, 1)),
            "smoothness": Parameter(8.0, "distance in pixels over which displacements differ", 1, 10_000),
            **_sampled("mirror"),
        }, geometric=True, draws=True, alpha="moved",
    ),
    "brightness": Operation(
        _COLOUR, "Add light.", {"amount": Parameter(0.1, "1 is from black to white", -1, 1, Range(-0.2, 0.2))}
    ),
    "contrast": Operation(
        _COLOUR, "Spread from the mean.",
        {"factor": Parameter(1.2, "0 is flat", 0, 100, Range(0.67, 1.5), ratio=True)}, alpha="counted",
    ),
    "saturation": Operation(
        _COLOUR, "More or less colour.", {"factor": Parameter(1.5, "0 is grey", 0, 100, Range(0.5, 2), ratio=True)}
    ),
    "hue": Operation(
        _COLOUR, "Turn the hue.", {"degrees": _degrees(30, 18, "on the colour circle")}, undo={"degrees": "negated"}
    ),
    "gamma": Operation(
        _COLOUR, "Raise to a power.",
        {"exponent": Parameter(1.2, "above 1 darkens", 0.01, 100, Range(0.67, 1.5), ratio=True)},
        undo={"exponent": "inverted"},
    ),
    "equalize": Operation(_COLOUR, "Straighten the histogram of each channel.", alpha="counted"),
    "transfer": Operation(
        _COLOUR, "Take over the colours of another picture.",
        {"reference": Parameter(None, "picture with the colours", kind="picture")}, alpha="counted",
    ),
    "grey": Operation(_COLOUR, "Take the colour away."),
    "invert": Operation(_COLOUR, "The negative.", undo={}),
    "binarize": Operation(_COLOUR, "Draw each pixel white with the probability of its grey, else black.", draws=True),
    "noise": Operation(
        _NOISE, "Add Gaussian noise.",
        {"deviation": Parameter(0.1, "standard deviation; 1 is from black to white", 0, 10, Range(0, 0.1))}, draws=True,
    ),
    "salt-and-pepper": Operation(
        _NOISE, "Make some pixels black or white.", {"share": Parameter(0.05, "of the pixels", 0, 1, Range(0, 0.05))},
        draws=True,
    ),
    "edges": Operation(_EDGES, "Length of the slope (Sobel)."),
    "canny": Operation(
        _EDGES, "Thin edges of the grey image.", {
            "low": Parameter(0.1, "slope that goes on with an edge", 0.0001, 10),
            "high": Parameter(0.2, "slope that begins one", 0.0001, 10),
            "sigma": Parameter(1.0, "of the blur before, in pixels", 0, 100),
        }, reshapes=True,
    ),
    "dilate": Operation(_MORPHOLOGY, "Brightest of a window.", {"size": _window(3, Range(1, 3))}, alpha="moved"),
    "erode": Operation(_MORPHOLOGY, "Darkest of a window.", {"size": _window(3, Range(1, 3))}, alpha="moved"),
    "open": Operation(
        _MORPHOLOGY, "Erode, then dilate: small bright spots go.", {"size": _window(3, Range(1, 3))}, alpha="moved"
    ),
    "close": Operation(
        _MORPHOLOGY, "Dilate, then erode: small dark spots go.", {"size": _window(3, Range(1, 3))}, alpha="moved"
    ),
    "stroke": Operation(
        _MORPHOLOGY, "Thicken or thin bright strokes.",
        {"amount": Parameter(0.5, "1 is dilated, -1 eroded", -1, 1, Range(-0.6, 1))}, alpha="moved",
    ),
    "inpaint-biharmonic": Operation(_REPAIR, "Fill holes with a smooth surface (scikit-image).", {"mask": _MASK}),
    "inpaint-telea": Operation(_REPAIR, "Fill holes by fast marching (OpenCV).", {"mask": _MASK, "radius": _RADIUS}),
    "inpaint-navier-stokes": Operation(
        _REPAIR, "Fill holes by lines of equal brightness (OpenCV).", {"mask": _MASK, "radius": _RADIUS}
    ),
}  # fmt: skip


_WITH = Parameter(None, "the other picture, or a folder of pictures of the same names", kind="picture")
_SEAM = Parameter(None, "picture of the other's size that is white where it is taken", kind="picture")
_OPTIONAL = Parameter("", "picture of the other's size, white where it is taken; else its opaque part", kind="picture")
_PLACE = {
    "top": Parameter(0, "row of its first pixel, which may be outside", -1e6, 1e6, kind="whole"),
    "left": Parameter(0, "column of its first pixel", -1e6, 1e6, kind="whole"),
    "scale": Parameter(1.0, "times the other's size", 0.001, 1000),
}

COMPOSITIONS: dict[str, Operation] = {
    "over": Operation(
        "composition", "Lay another picture over each, by its transparency.",
        {"with": _WITH, **_PLACE, "opacity": Parameter(1.0, "of the other", 0, 1)},
    ),
    "blend": Operation(
        "composition", "Join each with another at a seam that is wide for coarse and narrow for fine structure.",
        {"with": _WITH, "mask": _SEAM, "levels": Parameter(6, "at most; 0 is a plain cut", 0, 30, kind="whole")},
    ),
    "clone": Operation(
        "composition", "Paste another picture's slopes, with no seam (Poisson).",
        {"with": _WITH, "mask": _OPTIONAL, **_PLACE,
         "mixed": Parameter(False, "keep the steeper slope of the two", kind="switch")},
    ),
    "mixup": Operation(
        "composition", "Average each with another.",
        {"with": _WITH, "weight": Parameter(0.5, "of the picture itself", 0, 1)},
    ),
    "cutmix": Operation(
        "composition", "Replace a rectangle of each by that of another, at a random place.",
        {"with": _WITH, "share": Parameter(0.25, "of the area", 0, 1)}, draws=True,
    ),
}  # fmt: skip


def operation(name: str) -> Operation:
    """Look an operation or a composition up by name. Raises `ConfigError`."""
    found = OPERATIONS.get(name) or COMPOSITIONS.get(name)
    if found is None:
        known = ", ".join(OPERATIONS)
        raise ConfigError(f"Unknown operation '{name}'.{nearest(name, OPERATIONS)} Operations: {known}.")
    return found


@dataclass(frozen=True)
class Step:
    """An operation with its values: numbers, or ranges to draw from, for a share of the images."""

    name: str
    values: Mapping[str, Value]
    probability: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Step:
        """Understand ``NAME PARAMETER=VALUE ...``; what is not given is as in the random version.

        Raises `ConfigError`.
        """
        name, *words = text.split()
        chosen = operation(name)
        if chosen.needs_picture:
            raise ConfigError(f"{name} needs a second picture, so that it is no step of a pipeline.")
        given = dict(_assignment(word, name) for word in words)
        probability = given.pop(PROBABILITY, None)
        values = {key: parameter.random or parameter.default for key, parameter in chosen.parameters.items()}
        share = (
            Parameter(1.0, "", 0, 1)._number(probability, f"{name}: probability") if probability else chosen.probability
        )
        return cls(name, {**values, **understood(name, given)}, share)

    @property
    def ranges(self) -> dict[str, Range]:
        """The values that are drawn."""
        return {key: value for key, value in self.values.items() if isinstance(value, Range)}

    def __str__(self) -> str:
        words = [f"{key}={_written(value)}" for key, value in self.values.items() if value is not None]
        share = [] if self.probability == operation(self.name).probability else [f"{PROBABILITY}={self.probability:g}"]
        return " ".join([self.name, *words, *share])

    def inverse(self) -> Step:
        """The step that undoes this one. Raises `ConfigError` where there is none, or where values are drawn."""
        undo = operation(self.name).undo
        if undo is None:
            invertible = ", ".join(name for name, one in OPERATIONS.items() if one.undo is not None)
            hint = " The Geometry of an image has one." if operation(self.name).geometric else ""
            raise ConfigError(
                f"{self.name} has no inverse of its own kind.{hint} Operations that have one: {invertible}."
            )
        changed = dict(self.values)
        for key, how in undo.items():
            value = changed[key]
            if not isinstance(value, int | float):
                raise ConfigError(f"{self.name}: {key} is drawn anew for every image, so that it cannot be undone.")
            changed[key] = -value if how == "negated" else 1 / value
        return Step(self.name, changed, self.probability)


def understood(name: str, given: Mapping[str, str]) -> dict[str, Value]:
    """Values of an operation's parameters as they are written. Raises `ConfigError` for unknown ones."""
    parameters = operation(name).parameters
    for key in given:
        if key not in parameters:
            allowed = ", ".join([*parameters, PROBABILITY])
            raise ConfigError(f"{name} has no parameter '{key}'.{nearest(key, [*parameters])} It has: {allowed}.")
    return {key: parameters[key].parse(text, f"{name}: {key}") for key, text in given.items()}


def steps(text: str | Sequence[str]) -> tuple[Step, ...]:
    """Understand several steps: a list, or one text with commas between. Raises `ConfigError`."""
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(Step.parse(part) for part in parts if part.strip())


def refuse_reshaping(text: str | Sequence[str]) -> None:
    """Raise `ConfigError` for steps that are wrong, or that change the size or the channels of a batch."""
    for step in steps(text):
        if OPERATIONS[step.name].reshapes or step.values.get("expand") is True:
            hint = " affine width=1..1.3 height=1..1.3 shows a part of each image." if step.name == "crop" else ""
            raise ConfigError(f"{step.name} changes the shape of images, which must be one and the same here.{hint}")


def _assignment(word: str, name: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not value:
        raise ConfigError(f"{name}: '{word}' is not PARAMETER=VALUE. Steps are separated by commas.")
    return key, value


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def markdown(table: Mapping[str, Operation]) -> str:
    """The rows of a table of operations, as the documentation shows them."""
    lines = [
        "| operation | what it does | parameters (default; drawn from) | masks and points | inverse |",
        "|---|---|---|---|---|",
    ]
    for name, one in table.items():
        parameters = ", ".join(_described(key, parameter) for key, parameter in one.parameters.items())
        moved = "moved" if one.geometric else "-"
        inverse = "-" if one.undo is None else _undoing(one)
        lines.append(f"| `{name}` | {one.meaning} | {parameters or '-'} | {moved} | {inverse} |")
    return "\n".join(lines)


def _described(name: str, parameter: Parameter) -> str:
    if parameter.kind == "picture":
        return f"`{name}` (a picture)"
    drawn = "" if parameter.random is None else f"; {parameter.random}"
    return f"`{name}` ({_written(parameter.default)}{drawn})"


def _undoing(operation: Operation) -> str:
    words = {"negated": "-{}", "inverted": "1 / {}"}
    return (
        ", ".join(words[how].format(f"`{key}`") for key, how in operation.undo.items()) if operation.undo else "itself"
    )
