"""The networks a model can be built of, tagged by ``kind``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulacra.config.base import Fraction, PositiveInt, Section

__all__ = [
    "NETWORKS",
    "TRANSLATORS",
    "Conv",
    "Mlp",
    "Network",
    "Patch",
    "Resnet",
    "ResnetTranslator",
    "Translator",
    "Unet",
]


class Mlp(Section):
    """A multilayer perceptron; widths are listed from the image inwards, decoders run them backwards."""

    kind: Literal["mlp"] = Field("mlp", description="mlp, conv or resnet")
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field((512, 256), description="widths")
    activation: Literal["relu", "leaky_relu", "silu", "tanh"] = Field("relu", description="leaky_relu has slope 0.2")
    norm: Literal["none", "batch", "spectral"] = Field(
        "none", description="batch: after the activation, in hidden layers; spectral: of all weights"
    )
    norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="weight of the new batch (Keras: 1 - this)"
    )
    waves: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="octaves of sines and cosines of each pixel that an encoder or discriminator sees beside it"
    )


class Conv(Section):
    """A plain convolutional stack; widths are listed from the image inwards, decoders run them backwards."""

    kind: Literal["conv"] = Field("conv", description="mlp, conv or resnet")
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        (32, 64, 128), description="channels per layer"
    )
    strides: tuple[Literal[1, 2], ...] = Field((), description="one per width; absent: all 2")
    kernel: Literal[3, 4] = Field(
        4, description="of layers with stride 2 (4 leaves no checkerboard); layers of stride 1 have 3"
    )
    dense: PositiveInt | None = Field(
        None, description="width of a dense layer between the convolutions and the output"
    )
    activation: Literal["relu", "leaky_relu", "silu", "tanh"] = Field("relu", description="leaky_relu has slope 0.2")
    norm: Literal["none", "batch", "group", "spectral"] = Field(
        "none", description="batch, group: before the activation, in hidden layers; spectral: of all weights"
    )
    norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="weight of the new batch (Keras: 1 - this)"
    )

    @model_validator(mode="after")
    def _one_stride_per_width(self) -> Conv:
        if self.strides and len(self.strides) != len(self.widths):
            raise ValueError(f"needs one stride per width: {len(self.widths)} widths, {len(self.strides)} strides")
        return self

    def stride_of_each(self) -> tuple[int, ...]:
        """The stride of each layer, from the image inwards."""
        return self.strides or (2,) * len(self.widths)


class Resnet(Section):
    """A residual network; stages of one side each are listed from the image inwards, decoders run them backwards."""

    kind: Literal["resnet"] = Field("resnet", description="mlp, conv or resnet")
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        (32, 64, 128), description="channels per stage; from one to the next the side halves"
    )
    blocks: PositiveInt = Field(1, description="residual blocks in a stage")
    activation: Literal["relu", "leaky_relu", "silu", "tanh"] = Field(
        "leaky_relu", description="leaky_relu has slope 0.2"
    )
    norm: Literal["none", "group", "spectral"] = Field(
        "none", description="group: before each convolution of a block; spectral: of all weights"
    )


NETWORKS = (Mlp, Conv, Resnet)
Network = Annotated[Mlp | Conv | Resnet, Field(discriminator="kind")]


class ResnetTranslator(Section):
    """Halve the image a few times, pass residual blocks, double it again (Johnson et al. 2016)."""

    kind: Literal["resnet"] = Field("resnet", description="resnet or unet")
    width: PositiveInt = Field(64, description="channels at full size; each halving doubles them")
    halvings: Annotated[int, Field(ge=0, le=6)] = Field(2, description="how often the side is halved")
    blocks: PositiveInt = Field(6, description="residual blocks at the smallest side: 6, or 9 for 256 pixels")
    kernel: Literal[3, 4] = Field(
        4, description="4: halve with it, double by a mean that leaves no checkerboard; 3: the paper's layers"
    )
    norm: Literal["none", "instance"] = Field("instance", description="after each convolution but the last")
    correct: bool = Field(False, description="correct the input rather than draw anew, beginning near it")


class Unet(Section):
    """Halve the image to almost nothing and double it again, each side seeing its mirror image (Isola et al. 2017)."""

    kind: Literal["unet"] = Field("unet", description="resnet or unet")
    width: PositiveInt = Field(64, description="channels of the first layer; they double up to eightfold")
    halvings: Annotated[int, Field(gt=0, le=8)] | None = Field(
        None, description="how often the side is halved; absent: down to 2 or an odd number of pixels"
    )
    dropout: Fraction = Field(
        0.5, description="share of features dropped in the three doublings next to the innermost, in training"
    )
    norm: Literal["none", "instance"] = Field(
        "instance", description="after each convolution but the first and the last"
    )
    correct: bool = Field(False, description="correct the input rather than draw anew, beginning near it")


class Patch(Section):
    """A critic of overlapping patches; three halvings see 70 x 70 pixels, two 34, one 16, none 1 (Isola 2017)."""

    kind: Literal["patch"] = Field("patch", description="the only kind")
    width: PositiveInt = Field(64, description="channels of the first layer; they double up to eightfold")
    halvings: Annotated[int, Field(ge=0, le=5)] = Field(3, description="how often the side is halved")
    norm: Literal["none", "instance", "spectral"] = Field(
        "instance", description="after each convolution but first and last; spectral: of all weights"
    )


TRANSLATORS = (ResnetTranslator, Unet)
Translator = Annotated[ResnetTranslator | Unet, Field(discriminator="kind")]
