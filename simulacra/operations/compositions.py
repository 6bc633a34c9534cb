"""The table of compositions, which make one picture of two: every parameter with its range and its default."""

from __future__ import annotations

from simulacra.operations.operation import Operation, Parameter

_WITH = Parameter(None, "other picture, or a folder of pictures with the same names", kind="picture")
_SEAM = Parameter(None, "mask of the other picture's size that marks what is taken from it", kind="picture")
_OPTIONAL = Parameter(
    "", "mask of the other picture's size that marks what is taken; without it, its opaque part", kind="picture"
)
_PLACE = {
    "top": Parameter(
        0, "row of the other picture's first pixel, which may lie outside the picture", -1e6, 1e6, kind="whole"
    ),
    "left": Parameter(0, "column of the other picture's first pixel", -1e6, 1e6, kind="whole"),
    "scale": Parameter(1.0, "factor of the other picture's size", 0.001, 1000),
}

COMPOSITIONS: dict[str, Operation] = {
    "over": Operation(
        "composition", "Lay another picture over each picture, using its transparency.",
        {"with": _WITH, **_PLACE, "opacity": Parameter(1.0, "opacity of the other picture", 0, 1)}, home="layers.over",
    ),
    "blend": Operation(
        "composition", "Join each picture with another; the seam is wide for coarse and narrow for fine detail.",
        {"with": _WITH, "mask": _SEAM,
         "levels": Parameter(6, "maximum number of levels of detail; 0 is a plain cut", 0, 30, kind="whole")},
        home="layers.blend",
    ),
    "clone": Operation(
        "composition", "Paste the gradients of another picture without a seam (Poisson).",
        {"with": _WITH, "mask": _OPTIONAL, **_PLACE,
         "mixed": Parameter(False, "keep the steeper of the two gradients", kind="switch")}, home="layers.clone",
    ),
    "mixup": Operation(
        "composition", "Average each picture with another.",
        {"with": _WITH, "weight": Parameter(0.5, "weight of the picture itself", 0, 1)}, home="layers.mixup",
    ),
    "cutmix": Operation(
        "composition", "Replace a rectangle at a random place of each picture by that of another.",
        {"with": _WITH, "share": Parameter(0.25, "share of the area that is replaced", 0, 1)},
        draws=True, home="layers.cutmix",
    ),
}  # fmt: skip
