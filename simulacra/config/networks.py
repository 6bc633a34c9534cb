"""The networks that a model can be built of, tagged by ``kind``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulacra.config.base import Fraction, OneOf, Section, Width

__all__ = [
    "NETWORKS",
    "TRANSLATORS",
    "AnyNetwork",
    "AnyTranslator",
    "Conv",
    "Mlp",
    "Network",
    "Patch",
    "Resnet",
    "ResnetTranslator",
    "Subpixel",
    "Translator",
    "Unet",
    "add_network",
]

MOST_LAYERS = 64  # entries in a list of widths
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=MOST_LAYERS)]
Momentum = Annotated[float, Field(gt=0, le=1)]
Activation = Literal["relu", "leaky_relu", "silu", "tanh"]


class Network(Section):
    """What every kind of network says: its name and its normalisation."""

    kind: str
    norm: str


class Mlp(Network):
    """A multilayer perceptron; widths are listed from the image inwards, and decoders use them in reverse."""

    kind: Literal["mlp"] = Field("mlp", description="kind of network: mlp, conv or resnet")
    hidden: Widths = Field((512, 256), description="widths of the hidden layers")
    activation: Activation = Field("relu", description="activation function; leaky_relu has slope 0.2")
    norm: Literal["none", "batch", "spectral"] = Field(
        "none",
        description="normalisation; batch: after the activations of hidden layers, spectral: of all weights",
    )
    norm_momentum: Momentum = Field(
        0.1, description="weight of the newest batch in the running statistics (1 minus the momentum of Keras)"
    )
    fourier_features: Annotated[int, Field(ge=0, le=16)] = Field(
        0,
        description="number of octaves of sines and cosines of each pixel, given to encoders and discriminators as "
        "further inputs",
    )


class Conv(Network):
    """A plain convolutional network; widths are listed from the image inwards, and decoders use them in reverse."""

    kind: Literal["conv"] = Field("conv", description="kind of network: mlp, conv or resnet")
    widths: Widths = Field((32, 64, 128), description="channels of each layer")
    strides: Annotated[tuple[Literal[1, 2], ...], Field(max_length=MOST_LAYERS)] = Field(
        (), description="stride of each layer; default: 2 for all"
    )
    kernel: Literal[3, 4] = Field(
        4,
        description="kernel size of layers with stride 2 (4 avoids checkerboard artefacts); layers with stride 1 "
        "have 3",
    )
    upsampling: Literal["transposed", "bilinear"] = Field(
        "transposed",
        description="method by which decoders double the side: transposed convolutions, or interpolation before "
        "a convolution of kernel 3, which is smoother",
    )
    dense: Width | None = Field(
        None, description="width of a dense layer between the convolutions and the output; default: no such layer"
    )
    activation: Activation = Field("relu", description="activation function; leaky_relu has slope 0.2")
    norm: Literal["none", "batch", "group", "spectral"] = Field(
        "none",
        description="normalisation; batch, group: before the activations of hidden layers, spectral: of all weights",
    )
    norm_momentum: Momentum = Field(
        0.1, description="weight of the newest batch in the running statistics (1 minus the momentum of Keras)"
    )

    @model_validator(mode="after")
    def _one_stride_per_width(self) -> Conv:
        if self.strides and len(self.strides) != len(self.widths):
            raise ValueError(f"needs one stride per width: {len(self.widths)} widths, {len(self.strides)} strides")
        return self

    def stride_of_each(self) -> tuple[int, ...]:
        """Return the stride of each layer, from the image inwards."""
        return self.strides or (2,) * len(self.widths)


class Resnet(Network):
    """A residual network; its stages are listed from the image inwards, and decoders use them in reverse."""

    kind: Literal["resnet"] = Field("resnet", description="kind of network: mlp, conv or resnet")
    widths: Widths = Field((32, 64, 128), description="channels of each stage; the side halves between stages")
    blocks: Annotated[int, Field(gt=0, le=64)] = Field(1, description="residual blocks in each stage")
    activation: Activation = Field("leaky_relu", description="activation function; leaky_relu has slope 0.2")
    norm: Literal["none", "group", "spectral"] = Field(
        "none", description="normalisation; group: before each convolution of a block, spectral: of all weights"
    )


NETWORKS: dict[str, type[Section]] = {"mlp": Mlp, "conv": Conv, "resnet": Resnet}
NETWORK = OneOf("kind", NETWORKS)
AnyNetwork = Annotated[Network, NETWORK]


class Translator(Section):
    """What both kinds of translators say."""

    kind: str
    width: Width
    downsamplings: int | None
    norm: Literal["none", "instance"]
    residual: bool


class ResnetTranslator(Translator):
    """Downsample the image a few times, apply residual blocks, and upsample it again (Johnson et al. 2016)."""

    kind: Literal["resnet"] = Field("resnet", description="kind of translator: resnet, unet or subpixel")
    width: Width = Field(64, description="channels at full size; each downsampling doubles them")
    downsamplings: Annotated[int, Field(ge=0, le=6)] = Field(2, description="number of times that the side is halved")
    blocks: Annotated[int, Field(gt=0, le=256)] = Field(
        6, description="residual blocks at the smallest side (the paper has 6, or 9 for 256 pixels)"
    )
    kernel: Literal[3, 4] = Field(
        4, description="kernel size of the downsamplings; 4 avoids checkerboard artefacts, 3 gives the paper's layers"
    )
    norm: Literal["none", "instance"] = Field(
        "instance", description="normalisation after each convolution but the last"
    )
    residual: bool = Field(
        False, description="add the network's output to the input, so that training begins near a copy"
    )


class Unet(Translator):
    """Downsample the image to a few pixels and upsample it, with skip connections (Isola et al. 2017)."""

    kind: Literal["unet"] = Field("unet", description="kind of translator: resnet, unet or subpixel")
    width: Width = Field(64, description="channels of the first layer; they double up to eightfold")
    downsamplings: Annotated[int, Field(gt=0, le=8)] | None = Field(
        None, description="number of times that the side is halved; default: down to 2 pixels or an odd number of them"
    )
    dropout: Fraction = Field(
        0.5, description="share of features dropped in training, in the three upsamplings next to the innermost"
    )
    norm: Literal["none", "instance"] = Field(
        "instance", description="normalisation after each convolution but the first and the last"
    )
    residual: bool = Field(
        False, description="add the network's output to the input, so that training begins near a copy"
    )


class Subpixel(Translator):
    """Fold pixels into channels, apply residual blocks to the smaller image, unfold, and add the input.

    Sources: EDSR (Lim et al. 2017), whose blocks these are; FFDNet (Zhang et al. 2018), which folds the input too.
    """

    kind: Literal["subpixel"] = Field("subpixel", description="kind of translator: resnet, unet or subpixel")
    width: Width = Field(48, description="channels of the residual blocks")
    downsamplings: Annotated[int, Field(ge=0, le=4)] = Field(
        1, description="number of times that 2 x 2 pixels are folded into channels; 2 suits an enlargement by 4"
    )
    blocks: Annotated[int, Field(gt=0, le=256)] = Field(6, description="residual blocks")
    norm: Literal["none"] = Field("none", description="normalisation; these networks have none")
    residual: Literal[True] = Field(True, description="the network's output is always added to the input")


class Patch(Section):
    """A PatchGAN critic; with 3 downsamplings it sees 70 x 70 pixels, with 2, 1, 0: 34, 16, 1 (Isola et al. 2017)."""

    kind: Literal["patch"] = Field("patch", description="kind of critic; patch is the only one")
    width: Width = Field(64, description="channels of the first layer; they double up to eightfold")
    downsamplings: Annotated[int, Field(ge=0, le=5)] = Field(3, description="number of times that the side is halved")
    norm: Literal["none", "instance", "spectral"] = Field(
        "instance",
        description="normalisation; instance: after each convolution but the first and last, spectral: of all weights",
    )


TRANSLATORS: dict[str, type[Section]] = {"resnet": ResnetTranslator, "unet": Unet, "subpixel": Subpixel}
AnyTranslator = Annotated[Translator, OneOf("kind", TRANSLATORS)]


def add_network(section: type[Network]) -> str:
    """Add the section of a network from outside the package; return its kind. Raises `ConfigError` if it is in use."""
    return NETWORK.add(section)


def with_kind(default: Any, given: Any) -> Any:
    """Return a network's table as one of the default kind with these changes, where it names no kind itself."""
    if not isinstance(default, Network | Translator) or not isinstance(given, dict) or "kind" in given:
        return given
    return {"kind": default.kind, **default.model_dump(exclude_unset=True), **given}
