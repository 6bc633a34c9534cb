"""In-betweening: frames from one image to another, each ``(C, H, W)`` in [-1, 1], by routes that do not need a model.

    fade        (1 - t) a + t b
    flow        pixels move along the optical flow between the two images, then fade
    transport   light moves to where the other image has it, by optimal transport, and takes on its colour

A fourth route leads through the latents of a model: `steering.generate.interpolate`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from simulacra import machine
from simulacra.errors import ConfigError, nearest
from simulacra.images import from_unit, luma, to_bytes, to_unit

FLOW_SIDE = 128  # least side in pixels for the flow, whose patches are 8 pixels wide; smaller images are enlarged
PARTICLES, FEWEST, MOST = 16, 16_384, 524_288  # particles of light for a pixel, and least and most of them in all
TURNS = 30  # pairs of random directions along which particles are sorted and moved
DARKEST = 1e-6  # light of a black pixel, so that a black image has particles too
EVEN = (0.7548776662466927, 0.5698402909980532)  # steps of the low-discrepancy sequence R2 in the unit square

MOTION = [[[0.5]], [[0.2]], [[0.33]], [[0.33]]]  # at most: radians, log of the scale, half sides to the right and down

Route = Callable[[Tensor, Tensor, int], Tensor]


def fade(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Return ``(1 - t) a + t b`` for ``steps`` values of t from 0 to 1, ``(steps, C, H, W)``."""
    t = _times(a, b, steps)
    return (1 - t) * a + t * b


def flow(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Return frames ``(steps, C, H, W)`` in which both images are warped along their optical flow, then cross-faded.

    With the flows u from a to b and v from b to a, the frame at t looks back along ``-(1 - t) t u + t^2 v`` into a and
    along ``(1 - t)^2 u - t (1 - t) v`` into b. Flows are found by OpenCV's dense inverse search. Raises `ConfigError`
    without the extra ``vision``.
    Sources: Fast Optical Flow using Dense Inverse Search (2016), https://arxiv.org/abs/1603.03590;
    Super SloMo (2018), equation 4, https://arxiv.org/abs/1712.00080
    """
    t = _times(a, b, steps)
    u, v = _optical_flow(a, b), _optical_flow(b, a)
    from_a = _warped(a, -(1 - t) * t * u + t.square() * v)
    from_b = _warped(b, (1 - t).square() * u - t * (1 - t) * v)
    return (1 - t) * from_a + t * from_b


def transport(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Return frames ``(steps, C, H, W)`` in which the light of a moves to where b has it, by optimal transport.

    Light is a heap of equal particles, ``sum_i delta(p_i)``. Those of a are moved onto those of b by sliced optimal
    transport: along one random direction after another, the i-th of a goes to the i-th of b. At t, each particle has
    covered the share t of its way, and its colour the share t of the way from a to b; together they are as bright as
    ``(1 - t) |a| + t |b|``. What drawing by particles loses is faded back in, so that the ends are exactly a and b.
    Source: Sliced and Radon Wasserstein Barycenters of Measures (2015), section 3,
    https://doi.org/10.1007/s10851-014-0506-3
    """
    t = _times(a, b, steps)
    frames = from_unit(_light_moved(to_unit(a), to_unit(b), t.view(-1)))
    return (frames + fade(a - frames[0], b - frames[-1], steps)).clamp(-1, 1)


ROUTES: dict[str, Route] = {"fade": fade, "flow": flow, "transport": transport}


def route(name: str) -> Route:
    """Return a route by its name. Raises `ConfigError`."""
    if name not in ROUTES:
        raise ConfigError(f"There is no route '{name}'.{nearest(name, ROUTES)} Routes: latent, {', '.join(ROUTES)}.")
    return ROUTES[name]


def moving(x: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return motions ``(n, steps, C, H, W)`` that begin with images ``(n, C, H, W)`` and whose middle frames are known.

    Each turns by up to 0.5 radians, grows or shrinks by up to a fifth and moves by up to a sixth of its side along
    each axis, evenly in t; what comes in from outside repeats the border.
    """
    turn, growth, right, down = (2 * torch.rand(4, len(x), 1, generator=generator) - 1) * torch.tensor(MOTION)
    t = torch.linspace(0, 1, steps)
    cosine, sine, scale = torch.cos(turn * t), torch.sin(turn * t), torch.exp(growth * t)
    rows = [[cosine * scale, -sine * scale, right * t], [sine * scale, cosine * scale, down * t]]
    matrices = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    frames = x.unsqueeze(1).expand(-1, steps, -1, -1, -1).flatten(0, 1)
    places = F.affine_grid(matrices.flatten(0, 1), list(frames.shape), align_corners=False)
    moved = F.grid_sample(frames, places, padding_mode="border", align_corners=False)
    return moved.view(len(x), steps, *x.shape[1:])


def _times(a: Tensor, b: Tensor, steps: int) -> Tensor:
    machine.refuse_more_than_memory(
        4 * steps * a.numel() * a.element_size(), f"{steps:,} frames of {tuple(a.shape)}", "Ask for fewer."
    )
    if a.shape != b.shape or a.ndim != 3:
        raise ConfigError(
            f"The two images must both be (C, H, W) of one size; got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    if steps < 2:
        raise ConfigError(f"An interpolation needs at least 2 frames; got {steps}.")
    return torch.linspace(0, 1, steps, dtype=a.dtype).view(-1, 1, 1, 1)


# ------------------------------------------------------------------------------------------------------ flow


def _optical_flow(a: Tensor, b: Tensor) -> Tensor:
    """Where each pixel of a is found in b, as a step in pixels ``(2, H, W)``: to the right, down."""
    vision = machine.extra("cv2", "the route flow", "vision")
    scale = max(1.0, FLOW_SIDE / min(a.shape[1:]))
    search = vision.DISOpticalFlow_create(vision.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(*(_grey_bytes(image, scale).numpy() for image in (a, b)), None)
    step = torch.from_numpy(found).permute(2, 0, 1).unsqueeze(0)
    return F.interpolate(step, size=a.shape[1:], mode="bilinear", antialias=True)[0] / scale


def _grey_bytes(image: Tensor, scale: float) -> Tensor:
    size = [round(scale * side) for side in image.shape[1:]]
    return to_bytes(F.interpolate(luma(image).unsqueeze(0), size=size, mode="bilinear", align_corners=False))[0, 0]


def _warped(image: Tensor, step: Tensor) -> Tensor:
    """Look up an image ``(C, H, W)`` at ``step`` ``(n, 2, H, W)`` pixels from each pixel: ``(n, C, H, W)``."""
    height, width = image.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x = (columns + step[:, 0]) * 2 / max(1, width - 1) - 1
    y = (rows + step[:, 1]) * 2 / max(1, height - 1) - 1
    many = image.expand(len(step), -1, -1, -1)
    return F.grid_sample(many, torch.stack([x, y], dim=-1), padding_mode="border", align_corners=True)


# ------------------------------------------------------------------------------------------------- transport


def _light_moved(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The frames ``(steps, C, H, W)`` between two images of light ``(C, H, W)`` in [0, 1]."""
    bright, brighter = (image.mean(0) + DARKEST for image in (a, b))
    count = min(max(PARTICLES * bright.numel(), FEWEST), MOST)
    start = _particles(bright, count)
    end = _transported(start, _particles(brighter, count))
    colour, turned = _looked_up(a / bright, start), _looked_up(b / brighter, end)
    light = torch.lerp(bright.sum(), brighter.sum(), t) / count
    frames = [
        m * _drawn(torch.lerp(start, end, at), torch.lerp(colour, turned, at), a.shape)
        for m, at in zip(light, t, strict=True)
    ]
    return _smoothed(torch.stack(frames))


def _smoothed(x: Tensor) -> Tensor:
    """Images ``(n, C, H, W)`` with the speckles of counting taken away: each axis by (1, 2, 1) / 4."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
    return (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4


def _looked_up(image: Tensor, places: Tensor) -> Tensor:
    """The values ``(N, C)`` of an image ``(C, H, W)`` at the pixels of places ``(N, 2)``."""
    height, width = image.shape[1:]
    row, column = places[:, 0].round().clamp(0, height - 1).long(), places[:, 1].round().clamp(0, width - 1).long()
    return image[:, row, column].T


def _particles(light: Tensor, count: int) -> Tensor:
    """Places (row, column) ``(count, 2)`` of equal shares of the light, evenly spread over each pixel."""
    share = light.flatten().double().cumsum(0)
    quantiles = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    pixel = torch.searchsorted(share / share[-1], quantiles).clamp(max=light.numel() - 1)
    inside = torch.arange(1, count + 1, dtype=torch.float64).view(-1, 1) * torch.tensor(EVEN, dtype=torch.float64) % 1
    return torch.stack([pixel // light.shape[1], pixel % light.shape[1]], dim=1).float() + inside.float() - 0.5


def _transported(particles: Tensor, targets: Tensor) -> Tensor:
    """Move particles onto targets, both ``(N, 2)``."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(TURNS):
        basis, _ = torch.linalg.qr(torch.randn(2, 2, generator=generator))
        along, wanted = particles @ basis, (targets @ basis).sort(dim=0).values
        ranks = along.argsort(dim=0, stable=True).argsort(dim=0)
        particles = particles + (wanted.gather(0, ranks) - along) @ basis.T
    return particles


def _drawn(particles: Tensor, colours: Tensor, shape: torch.Size) -> Tensor:
    """What particles ``(N, 2)`` of colours ``(N, C)`` are together, each shared by the four pixels around it."""
    channels, height, width = shape
    found = particles.new_zeros(height * width, channels)
    corner = particles.floor()
    for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        at = corner + torch.tensor(step)
        row, column = at[:, 0].clamp(0, height - 1).long(), at[:, 1].clamp(0, width - 1).long()
        found.index_add_(0, row * width + column, (1 - (particles - at).abs()).prod(1, keepdim=True) * colours)
    return found.T.reshape(shape)
