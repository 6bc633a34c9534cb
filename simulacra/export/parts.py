"""What a model offers to other programs: parts, each a function of named inputs that returns named outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from simulacra.errors import CapabilityError, ConfigError, nearest
from simulacra.export.modules import (
    Encoder,
    GaussianDraw,
    Generator,
    KernelDraw,
    MixtureDraw,
    Recogniser,
    Reconstruction,
    Translator,
)
from simulacra.images import Shape
from simulacra.models import Coded, Generative, Inferential, Model, Recognising, Translating
from simulacra.models.codes import Categorical, Codes
from simulacra.models.dfcvae import Perceptual
from simulacra.priors import Prior
from simulacra.priors.mixture import Mixture
from simulacra.steering.capabilities import has_standard_normal_prior

__all__ = ["Field", "Part", "find", "parts"]

OTHER = {"A": "B", "B": "A"}


@dataclass(frozen=True)
class Field:
    """An input or an output: its name, its shape without the batch, and what it means.

    ``kind`` is "image" (float32 in [-1, 1], ``(C, H, W)``), "vector" ``(D,)``, "number" or "category" (int64), both
    ``()``; ``names`` are those of the categories.
    """

    name: str
    kind: Literal["image", "vector", "number", "category"]
    shape: tuple[int, ...]
    meaning: str
    names: tuple[str, ...] = ()
    stride: int = 0  # of an image whose height and width are free: what must divide them

    def draw(self, n: int, generator: torch.Generator, side: int | None = None) -> Tensor:
        """Draw ``n`` values to try a part on; images of a free size have sides ``side``."""
        if self.kind == "category":
            return torch.randint(len(self.names), (n,), generator=generator)
        if self.kind == "number":
            return 2 * torch.rand(n, generator=generator) - 1
        if self.kind == "vector":
            return torch.randn(n, *self.shape, generator=generator)
        channels, height, width = self.shape
        shape = (n, channels, side, side) if side and self.stride else (n, channels, height, width)
        return 2 * torch.rand(shape, generator=generator) - 1


@dataclass(frozen=True)
class Part:
    """A function of a model: ``module(*inputs)`` returns one tensor, or as many as there are ``outputs``."""

    name: str
    title: str
    module: nn.Module
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]


def parts(model: Model, prior: Prior | None = None) -> dict[str, Part]:
    """Return the parts of a model by name; ``prior`` is a fitted one, in place of the model's own.

    Raises `CapabilityError` for a prior that cannot leave this package.
    """
    return {part.name: part for part in _parts(model, prior)}


def find(model: Model, names: Sequence[str], prior: Prior | None = None) -> list[Part]:
    """Return the parts that are asked for, or all. Raises `ConfigError` for one that the model does not have."""
    known = parts(model, prior)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"This model has no part '{name}'.{nearest(name, known)} Its parts: {', '.join(known) or 'none'}."
            )
    if not known:
        raise CapabilityError("This model has neither a decoder, nor an encoder, nor a translator to export.")
    return [known[name] for name in names or known]


def _parts(model: Model, prior: Prior | None) -> Iterator[Part]:
    if isinstance(model, Generative | Inferential):
        yield from _prior(model, prior)
        yield _generator(model)
    if isinstance(model, Inferential):
        yield _encoder(model)
        yield _reconstruction(model)
    elif isinstance(model, Recognising):
        yield _recogniser(model)
    if isinstance(model, Translating):
        for to in model.directions:
            yield _translator(model, to)


def _image(name: str, shape: Shape, meaning: str, stride: int = 0) -> Field:
    return Field(name, "image", (shape.channels, *shape.sides), meaning, (), stride)


def _latent(model: Model) -> Field:
    size = model.codes.noise if isinstance(model, Coded) else int(getattr(model, "latent"))  # noqa: B009
    return Field("z", "vector", (size,), "latent")


def _fields(codes: Codes) -> Iterator[Field]:
    for code in codes:
        if isinstance(code, Categorical):
            names = code.names or tuple(map(str, range(code.categories)))
            yield Field(code.name, "category", (), code.domain, names)
        else:
            yield Field(code.name, "number", (), code.domain)


def _codes(model: Model) -> tuple[Field, ...]:
    return tuple(_fields(model.codes)) if isinstance(model, Coded) else ()


def _generator(model: Model) -> Part:
    image = _image("image", model.shape, "generated image")
    return Part("generator", "latents to images", Generator(model), (_latent(model), *_codes(model)), (image,))


def _encoder(model: Model) -> Part:
    image = _image("image", model.shape, "image to encode")
    return Part("encoder", "images to latents", Encoder(model), (image,), (_latent(model), *_codes(model)))


def _recogniser(model: Model) -> Part:
    image = _image("image", model.shape, "image to read the codes of")
    return Part("encoder", "images to codes", Recogniser(model), (image,), _codes(model))


def _reconstruction(model: Model) -> Part:
    given, returned = (_image(f"{name}image", model.shape, "image") for name in ("", "reconstructed_"))
    return Part("reconstruction", "images to their reconstructions", Reconstruction(model), (given,), (returned,))


def _translator(model: Model, to: str) -> Part:
    assert isinstance(model, Translating)
    stride = _stride(_network(model, to))
    given = _image("image", model.domains[OTHER[to]], f"image of domain {OTHER[to]}", stride)
    drawn = _image("translated_image", model.domains[to], f"image of domain {to}", stride)
    title = f"images of domain {OTHER[to]} to domain {to}"
    return Part(f"translator-{to.lower()}", title, Translator(model, to), (given,), (drawn,))


def _stride(translator: nn.Module) -> int:
    """What must divide height and width: two to the power of the layers that halve them."""
    strides = [layer.stride[0] for layer in translator.modules() if isinstance(layer, nn.Conv2d)]
    folds = [layer.downscale_factor for layer in translator.modules() if isinstance(layer, nn.PixelUnshuffle)]
    return math.prod([*strides, *folds])


def _network(model: Model, to: str) -> nn.Module:
    """The network that draws images of a domain."""
    every = getattr(model, "translators", None)
    network: nn.Module = every[to] if every is not None else model.get_submodule("translator")
    return network


def _prior(model: Model, fitted: Prior | None) -> Iterator[Part]:
    """The part that draws latents, where they do not come from N(0, I)."""
    draw = _draw(model, fitted)
    if draw is None:
        return
    latent = _latent(model)
    width = latent.shape[0] + (1 if isinstance(draw, MixtureDraw | KernelDraw) else 0)
    noise = Field("noise", "vector", (width,), "draws from N(0, I)")
    yield Part("prior", "noise to latents", draw, (noise,), (latent,))


def _draw(model: Model, fitted: Prior | None) -> nn.Module | None:
    if isinstance(fitted, Mixture):
        return MixtureDraw(fitted)
    if fitted is not None:
        raise CapabilityError(
            f"The prior {fitted.name} cannot be exported. Fit another: simulacra fit-prior RUN --prior gmm"
        )
    if not isinstance(model, Generative) or isinstance(model, Coded) or has_standard_normal_prior(model):
        return None
    if isinstance(model, Perceptual):
        centres, factor = (tensor.cpu() for tensor in model.kernels())
        return GaussianDraw(centres[0], factor) if len(centres) == 1 else KernelDraw(centres, factor)
    raise CapabilityError("The prior of this model cannot be exported. Fit one: simulacra fit-prior RUN --prior gmm")
