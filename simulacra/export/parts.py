"""What a model offers to other programs: parts, each a function of named inputs that returns named outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra.errors import CapabilityError, ConfigError, nearest
from simulacra.images import Shape
from simulacra.models import Coded, Generative, Inferential, Model, Recognising, Translating
from simulacra.models.codes import Categorical, Codes
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


# ------------------------------------------------------------------------------------------------- the parts


class Generator(nn.Module):
    """``(z, codes...) -> image``: categories are indices, one-hot in the latent."""

    model: Any

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.codes = tuple(model.codes) if isinstance(model, Coded) else ()

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return images ``(B, C, H, W)`` in [-1, 1]."""
        z, *values = inputs
        columns = [_column(code, value) for code, value in zip(self.codes, values, strict=True)]
        image: Tensor = self.model.decode(torch.cat([z, *columns], dim=1) if columns else z)
        return image


def _column(code: object, value: Tensor) -> Tensor:
    if not isinstance(code, Categorical):
        return value.unsqueeze(1)
    every = torch.arange(code.categories, device=value.device)
    return (value.unsqueeze(1) == every).float()


class Encoder(nn.Module):
    """``image -> z, codes...``: the inputs that a `Generator` takes."""

    model: Any

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return latents ``(B, D)``, and the value of each code."""
        z: Tensor = self.model.encode(image)
        if not isinstance(self.model, Coded):
            return z
        return (z[:, : self.model.codes.noise], *self.model.codes.values(z).values())


class Recogniser(nn.Module):
    """``image -> codes...``, of a model that infers its codes and not the noise beside them."""

    model: Any

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the value of each code."""
        return tuple(self.model.codes.values(self.model.infer(image)).values())


class Reconstruction(nn.Module):
    """``image -> image``, through the latents."""

    model: Any

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """Return the reconstructions ``(B, C, H, W)``."""
        reconstruction: Tensor = self.model.decode(self.model.encode(image))
        return reconstruction


class Translator(nn.Module):
    """``image -> image`` of domain ``to``, objects brought to their size there."""

    model: Any

    def __init__(self, model: Model, to: str) -> None:
        super().__init__()
        self.model = model
        self.to_domain = to
        self.factor = zoom_of(model, to)

    def forward(self, image: Tensor) -> Tensor:
        """Return the translations ``(B, C', H, W)``."""
        drawn: Tensor = self.model.redraw(zoomed(image, self.factor), self.to_domain)
        return drawn


class MixtureDraw(nn.Module):
    """``noise (B, 1 + D) ~ N(0, I) -> z (B, D)``: a component by its weight, then ``mu_k + L_k noise``."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.dimensions = mixture.dimensions
        self.register_buffer("ends", mixture.weights.cumsum(0)[:-1].float())
        self.register_buffer("means", mixture.means.float())
        self.register_buffer("factors", mixture.factors.float())

    def forward(self, noise: Tensor) -> Tensor:
        """Return latents."""
        uniform = 0.5 * (1 + torch.erf(noise[:, :1] / math.sqrt(2)))
        component = (uniform > self.get_buffer("ends")).long().sum(1)
        mean = F.embedding(component, self.get_buffer("means"))
        rows = F.embedding(component, self.get_buffer("factors").flatten(1)).view(-1, self.dimensions, self.dimensions)
        return mean + (rows * noise[:, 1:].unsqueeze(1)).sum(2)


class GaussianDraw(nn.Module):
    """``noise (B, D) ~ N(0, I) -> z (B, D)``: ``mean + L noise``."""

    def __init__(self, mean: Tensor, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.float())
        self.register_buffer("factor", factor.float())

    def forward(self, noise: Tensor) -> Tensor:
        """Return latents."""
        return F.linear(noise, self.get_buffer("factor"), self.get_buffer("mean"))


def zoom_of(model: Model, to: str) -> float:
    """Return by how much a translator enlarges what it is given, 1 for one that leaves sizes as they are."""
    return float(getattr(model, "zoom", {}).get(to, 1.0))


def zoomed(x: Tensor, factor: float) -> Tensor:
    """Return what `transforms.zoom.zoomed` returns, in operations that know no size before they run."""
    if torch.overrides.has_torch_function((x,)):  # being traced, as one operation
        zoomed_: Tensor = torch.overrides.handle_torch_function(zoomed, (x,), x, factor)
        return zoomed_
    if factor == 1:
        return x
    top, bottom = x[:, :, :1], x[:, :, -1:]
    ground = (top[..., :1] + top[..., -1:] + bottom[..., :1] + bottom[..., -1:]) / 4
    rows, columns = (((2 * torch.arange(x.shape[axis]) + 1) / x.shape[axis] - 1) / factor for axis in (2, 3))
    grid = [columns.expand(x.shape[2], -1), rows.unsqueeze(1).expand(-1, x.shape[3])]
    places = torch.stack(grid, dim=2).expand(x.shape[0], -1, -1, -1)
    return ground + F.grid_sample(x - ground, places, align_corners=False)


# -------------------------------------------------------------------------------------------- their descriptions


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
    width = latent.shape[0] + (1 if isinstance(draw, MixtureDraw) else 0)
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
    mean, covariance = getattr(model, "mean", None), getattr(model, "covariance", None)
    if isinstance(mean, Tensor) and isinstance(covariance, Tensor):
        ridge = 1e-6 * torch.eye(len(mean))
        return GaussianDraw(mean, torch.linalg.cholesky(covariance.float().cpu() + ridge))
    raise CapabilityError("The prior of this model cannot be exported. Fit one: simulacra fit-prior RUN --prior gmm")
