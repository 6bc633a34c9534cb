"""The section `data`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulacra.config.base import Fraction, Section


class Data(Section):
    """Which images, and how they are made equal in size and channels."""

    name: str = Field("digits", description="a known name (simulacra data) or a path: a folder or a zip of images")
    size: Annotated[int, Field(ge=8, le=1024)] | None = Field(
        None, description="side in pixels; absent: what the source has"
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; absent: what the source has")
    channels_b: Literal[1, 3] | None = Field(
        None, description="of domain B, where there are two; absent: what the source has"
    )
    swap: bool = Field(False, description="take domain A for B and B for A, where there are two")
    fit: Literal["crop", "pad", "stretch"] = Field("crop", description="non-square files: centre crop, pad, or distort")
    background: Annotated[int, Field(ge=0, le=255)] = Field(
        255, description="grey level behind transparent pixels and padding"
    )
    corrupt: Literal["refuse", "skip"] = Field(
        "refuse", description="files that cannot be read: stop, or leave them out"
    )
    max_megapixels: Annotated[float, Field(gt=0)] = Field(
        32.0, description="larger files are refused or skipped unread"
    )
    test: Fraction = Field(0.1, description="held out for measuring, where a source has no test split of its own")
    validation: Fraction = Field(0.0, description='held out of the training split, for keep = "best"')
    binarize_once: bool = Field(
        False, description="draw every pixel black or white, once for all; augment = binarize draws anew"
    )
    augment: tuple[Literal["flip", "shift", "jitter", "binarize", "affine", "stroke"], ...] = Field(
        (), description="applied to every training batch anew"
    )
