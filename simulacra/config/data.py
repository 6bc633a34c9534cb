"""The section `data`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from simulacra.config.base import Fraction, Section
from simulacra.config.grey import GreyRange
from simulacra.errors import ConfigError
from simulacra.operations import refuse_moving, refuse_reshaping, steps

__all__ = ["Data"]


def is_binarised(augment: tuple[str, ...]) -> bool:
    """Whether augmentations draw every pixel black or white anew for each batch."""
    return "binarize" in augment


def _steps(value: Any, check: Callable[[tuple[str, ...]], None]) -> Any:
    """Steps as a tuple of texts, once ``check`` has found them right. Raises ValueError."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        return value
    steps = tuple(" ".join(part.split()) for part in parts if part.strip())
    try:
        check(steps)
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None
    return steps


class Data(Section):
    """Which images, and how they are made equal in size and channels."""

    name: str = Field("digits", description="known data set (simulacra data), or path of a folder or zip of images")
    size: Annotated[int, Field(ge=8, le=1024)] | None = Field(
        None,
        description="side of the images in pixels, or their height if a width is given; default: that of the source",
    )
    width: Annotated[int, Field(ge=8, le=1024)] | None = Field(
        None,
        description="width of images that are not square; default: a square where a size is given, else the "
        "proportions that most files share",
    )
    channels: Literal[1, 3, 4] | None = Field(
        None,
        description="number of channels: 1 for grey, 3 for colour, 4 for colour and opacity; default: grey or colour, "
        "as the source has it",
    )
    channels_b: Literal[1, 3] | None = Field(
        None, description="number of channels of domain B, for data with two domains; default: those of the source"
    )
    pairs: tuple[str, ...] = Field(
        (),
        description="operations that turn the pictures (domain B) into domain A, such as noise deviation=0.1; a "
        "translator learns to undo them",
    )
    swap: bool = Field(False, description="swap domains A and B, for data with two domains")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="method that brings files to the size of the images: centre crop, padding or distortion"
    )
    background: Annotated[int, Field(ge=0, le=255)] = Field(
        255, description="grey level behind transparent pixels and of padding"
    )
    corrupt: Literal["refuse", "skip"] = Field(
        "refuse", description="treatment of unreadable files: refuse stops with an error, skip leaves them out"
    )
    max_megapixels: Annotated[float, Field(gt=0)] = Field(
        32.0, description="limit on the megapixels of a file; larger ones are refused or left out unread"
    )
    range: str | None = Field(
        None,
        description="values to show as black and as white in grey files with more than 8 bits: auto or LOW..HIGH; "
        "default: the full range of the file's type",
    )
    resident: Literal["auto", "true", "false"] = Field(
        "auto",
        description="hold the pixels in memory; auto: if there is room. Folders and zips that do not fit are packed "
        "first",
    )
    per_class: Annotated[int, Field(ge=1)] | None = Field(
        None, description="number of training images kept of each class; default: all"
    )
    per_class_seed: Annotated[int, Field(ge=0)] = Field(
        0, description="random seed for choosing the images that per_class keeps"
    )
    test: Fraction = Field(
        0.1, description="share of images held out for testing, if the source has no test split of its own"
    )
    validation: Fraction = Field(
        0.0, description='share of training images held out for choosing weights with keep = "best"'
    )
    binarize_once: bool = Field(
        False,
        description="draw every pixel black or white once and for all (augment = binarize draws anew for each batch)",
    )
    augment: tuple[str, ...] = Field(
        (), description="random operations applied to each training batch, such as flip, rotate degrees=-15..15"
    )

    @field_validator("resident", mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool) else value

    @field_validator("augment", mode="before")
    @classmethod
    def _understood(cls, value: Any) -> Any:
        """One text with commas between steps, or a list; every step must be known and keep the shape of the images."""
        return _steps(value, refuse_reshaping)

    @field_validator("pairs", mode="before")
    @classmethod
    def _stays_in_place(cls, value: Any) -> Any:
        """One text with commas between steps, or a list; no step may move pixels, but for a change of the size."""
        return _steps(value, refuse_moving)

    @field_validator("range")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        try:
            GreyRange.parse(value)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return value

    @model_validator(mode="after")
    def _keeps_opacity(self) -> Data:
        """Colours and opacities belong together: only steps that move both alike are applied to them."""
        if self.channels == 4:
            if self.binarize_once or self.pairs:
                raise ValueError("data.binarize_once and data.pairs need data.channels 1 or 3")
            for step in steps(self.augment):
                if not step.operation.geometric:
                    raise ValueError(f"data.augment: {step.name} does not apply to images with an opacity")
        return self

    @property
    def binarised(self) -> bool:
        """Whether every pixel is black or white, drawn anew for each batch or once for all."""
        return self.binarize_once or is_binarised(self.augment)
