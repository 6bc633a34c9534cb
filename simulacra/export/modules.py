"""What parts compute: modules from named inputs to named outputs, over a model's own methods."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra.models import Coded, Model
from simulacra.models.codes import Categorical
from simulacra.priors.mixture import Mixture


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


class KernelDraw(nn.Module):
    """``noise (B, 1 + D) ~ N(0, I) -> z (B, D)``: a centre, each as likely as the others, then ``c_k + L noise``."""

    def __init__(self, centres: Tensor, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("centres", centres.float())
        self.register_buffer("factor", factor.float())

    def forward(self, noise: Tensor) -> Tensor:
        """Return latents."""
        centres = self.get_buffer("centres")
        uniform = 0.5 * (1 + torch.erf(noise[:, 0] / math.sqrt(2)))
        chosen = (uniform * len(centres)).long().clamp(max=len(centres) - 1)
        return F.embedding(chosen, centres) + F.linear(noise[:, 1:], self.get_buffer("factor"))


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
