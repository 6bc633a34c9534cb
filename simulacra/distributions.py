"""Probability, in nats: the diagonal Gaussian, the standard normal, and likelihoods of images.

A likelihood turns a decoder's output into a distribution over images in [-1, 1]: ``channels`` says how many
output channels it needs, ``nll`` is the negative log-likelihood summed over pixels, ``mean`` the expected image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import parallel
from simulacra.images import from_unit, to_unit

LOG_2PI = math.log(2 * math.pi)
FEW = 1 << 20  # values that are drawn on the CPU in about 5 ms
PIXELS = (-3, -2, -1)  # the dimensions of an image
NEAREST = 1e-3  # to 0 and 1 that the mean of a pixel is taken to lie: beyond, a first surprise would cost too much


def normal(*shape: int, like: Tensor, generator: torch.Generator | None = None, dim: int = 0) -> Tensor:
    """Draw standard normal values of a shape, on the device and with the type of ``like``.

    ``dim`` is the dimension of the images. In a training on several processes, values are drawn for the images of all.
    """
    return _drawn(torch.randn, shape, like, generator, dim)


def uniform(*shape: int, like: Tensor, generator: torch.Generator | None = None, dim: int = 0) -> Tensor:
    """Draw values from U(0, 1) as `normal` does."""
    return _drawn(torch.rand, shape, like, generator, dim)


def _drawn(
    draw: Callable[..., Tensor], shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None, dim: int
) -> Tensor:
    """Draw on the CPU, so that a seed gives the same on every device; many values where ``like`` is."""

    def values(rows: int) -> Tensor:
        whole = (*shape[:dim], rows, *shape[dim + 1 :])
        device = torch.device("cpu") if math.prod(whole) <= FEW else like.device
        if generator is not None:
            device = generator.device
        return draw(*whole, device=device, dtype=like.dtype, generator=generator)

    return parallel.drawn(values, shape[dim], dim).to(like.device)


def standard_normal_log_density(z: Tensor) -> Tensor:
    """Return ``log N(z; 0, I)`` summed over the last dimension, ``(*, D) -> (*,)``, in nats."""
    return -0.5 * (z.square() + LOG_2PI).sum(-1)


@dataclass(frozen=True)
class DiagonalGaussian:
    """``N(mean, diag(exp(log_variance)))`` over the last dimension; both tensors are ``(B, D)``.

    Source: Auto-Encoding Variational Bayes (2014), appendix B, https://arxiv.org/abs/1312.6114
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def from_output(cls, output: Tensor) -> DiagonalGaussian:
        """Split a network's output ``(B, 2 D)`` into mean and log variance.

        The log variance is clamped to [-30, 20]: beyond, float32 densities overflow.
        """
        mean, log_variance = output.chunk(2, dim=-1)
        return cls(mean, log_variance.clamp(-30.0, 20.0))

    @property
    def std(self) -> Tensor:
        """``exp(log_variance / 2)``."""
        return torch.exp(0.5 * self.log_variance)

    def rsample(self, samples: int | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``mean + std * noise``, differentiable in both: ``(B, D)``, or ``(samples, B, D)`` if asked."""
        shape = self.mean.shape if samples is None else (samples, *self.mean.shape)
        return self.mean + self.std * normal(*shape, like=self.mean, generator=generator, dim=len(shape) - 2)

    def log_density(self, z: Tensor) -> Tensor:
        """Return ``log N(z; mean, variance)`` in nats, ``(*, B, D) -> (*, B)``."""
        scaled = (z - self.mean).square() * torch.exp(-self.log_variance)
        return -0.5 * (scaled + self.log_variance + LOG_2PI).sum(-1)

    def kl(self) -> Tensor:
        """Return ``KL(self || N(0, I))`` summed over latents, ``(B,)``, in nats.

        ``0.5 * sum(mean^2 + variance - log variance - 1)``
        """
        return 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1.0).sum(-1)


class Likelihood(nn.Module):
    """The distribution of an image in [-1, 1] given a decoder's output."""

    outputs_per_channel = 1

    def channels(self, image_channels: int) -> int:
        """How many output channels the decoder needs for images of that many channels."""
        return self.outputs_per_channel * image_channels

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Return ``-log p(x | output)`` in nats, summed over pixels, ``(*, B, ., H, W) -> (*, B)``.

        Outputs of several latents per image share its ``x``, ``(B, C, H, W)``.
        """
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """Return the image to show, ``(B, C, H, W)`` in [-1, 1]: the expected one, or the centre of each pixel."""
        raise NotImplementedError

    def output(self, mean: Tensor) -> Tensor:
        """Return the output ``(., H, W)`` of which `mean` is this image ``(C, H, W)`` in [-1, 1]."""
        raise NotImplementedError


def before_tanh(mean: Tensor) -> Tensor:
    """Return the output whose tanh is an image in [-1, 1]; pixels within 0.002 of black or white are held there."""
    return torch.atanh(mean.clamp(-1 + 2 * NEAREST, 1 - 2 * NEAREST))


class Bernoulli(Likelihood):
    """Each pixel, mapped to [0, 1], as the probability of being white; the output is its logit.

    ``-x log p - (1 - x) log(1 - p)`` for grey levels x in [0, 1] is the customary cross-entropy: for binary
    images a likelihood, for grey ones a bound on the expected one under random binarisation.
    """

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Return the cross-entropy in nats, summed over pixels: ``log(1 + exp(output)) - x output``."""
        output = output.to(x.dtype)
        return (F.softplus(output) - to_unit(x) * output).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        """Return ``2 sigmoid(output) - 1``."""
        return from_unit(torch.sigmoid(output))

    def output(self, mean: Tensor) -> Tensor:
        """Return the logits; probabilities nearer to 0 or 1 than 0.001 are held there."""
        return torch.logit(to_unit(mean), NEAREST)


class Gaussian(Likelihood):
    """Each pixel as ``N(output, scale^2)`` on the [-1, 1] scale; one scale for all pixels, learned.

    The density is per unit of [-1, 1]; on the [0, 1] scale the negative log-likelihood is D log 2 lower.
    Source: Simple and Effective VAE Training with Calibrated Decoders (2021), https://arxiv.org/abs/2006.13202
    """

    smallest = math.exp(-6)  # of the scale: below, 8-bit pixels are told apart exactly

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.raw_scale = nn.Parameter(torch.tensor(math.log(math.expm1(math.log(scale / self.smallest)))))

    @property
    def log_scale(self) -> Tensor:
        """The logarithm of the standard deviation, bounded smoothly from below."""
        return F.softplus(self.raw_scale) + math.log(self.smallest)

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Return the Gaussian negative log-density in nats, summed over pixels."""
        log_scale = self.log_scale
        scaled = (x - output.to(x.dtype)).square() * torch.exp(-2.0 * log_scale)
        return (0.5 * (scaled + LOG_2PI) + log_scale).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        """Return the output, clamped to [-1, 1]."""
        return output.clamp(-1.0, 1.0)

    def output(self, mean: Tensor) -> Tensor:
        """Return the image itself."""
        return mean


class DiscretisedLogistic(Likelihood):
    """Each of the 256 grey levels as the mass of a logistic distribution in its bin; the outermost bins are open.

    ``P(x) = sigmoid((x + 1/255 - mu) / s) - sigmoid((x - 1/255 - mu) / s)``; the output holds mu and log s.
    Source: PixelCNN++ (2017), equation 2, https://arxiv.org/abs/1701.05517
    """

    outputs_per_channel = 2

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Return the negative log-mass in nats, summed over pixels; ``/ (D log 2)`` is bits/dim."""
        mu, log_scale = output.to(x.dtype).chunk(2, dim=-3)
        inverse_scale = torch.exp(-log_scale.clamp(-7.0, 7.0))
        upper = (x + 1 / 255 - mu) * inverse_scale
        lower = (x - 1 / 255 - mu) * inverse_scale
        # log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log sigmoid(-l) + log(1 - exp(l - u))
        inside = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-2 / 255 * inverse_scale))
        open_bins = torch.where(x < -0.999, F.logsigmoid(upper), F.logsigmoid(-lower))
        return -torch.where(x.abs() > 0.999, open_bins, inside).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        """Return the locations mu, clamped to [-1, 1]: near a border the expectation lies a little further inside."""
        return output.chunk(2, dim=-3)[0].clamp(-1.0, 1.0)

    def output(self, mean: Tensor) -> Tensor:
        """Return the image as locations, and log scales of 0."""
        return torch.cat([mean, torch.zeros_like(mean)])


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "logistic": DiscretisedLogistic,
}
