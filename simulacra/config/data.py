"""The section `data`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from simulacra.config.base import Fraction, Section
from simulacra.config.operations import refuse_reshaping
from simulacra.errors import ConfigError

__all__ = ["Data"]


def is_binarised(augment: tuple[str, ...]) -> bool:
    """Whether augmentations draw every pixel black or white anew for each batch."""
    return "binarize" in augment


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
    per_class: Annotated[int, Field(ge=1)] | None = Field(
        None, description="keep only so many training images of each class; absent: all"
    )
    draw: Annotated[int, Field(ge=0)] = Field(0, description="which ones per_class keeps: each number draws others")
    test: Fraction = Field(0.1, description="held out for measuring, where a source has no test split of its own")
    validation: Fraction = Field(0.0, description='held out of the training split, for keep = "best"')
    binarize_once: bool = Field(
        False, description="draw every pixel black or white, once for all; augment = binarize draws anew"
    )
    augment: tuple[str, ...] = Field(
        (), description="operations on every training batch anew, such as flip, rotate degrees=-15..15"
    )

    @field_validator("augment", mode="before")
    @classmethod
    def _understood(cls, value: Any) -> Any:
        """One text with commas between steps, or a list; every step must be known and keep the shape of the images."""
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            return value
        steps = tuple(" ".join(part.split()) for part in parts if part.strip())
        try:
            refuse_reshaping(steps)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return steps

    @property
    def binarised(self) -> bool:
        """Whether every pixel is black or white, drawn anew for each batch or once for all."""
        return self.binarize_once or is_binarised(self.augment)
