"""Six objectives on points of the plane: a distribution that was drawn, and what each generator makes of it.

A point is an image of two channels and one pixel, so that model, objective, penalty and trainer are those of images.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from simulacra import config, models
from simulacra.adversarial import OBJECTIVES
from simulacra.config import Config
from simulacra.data import Dataset, Images, derived_seed
from simulacra.errors import DivergenceError
from simulacra.images import Shape
from simulacra.models.gan import GAN
from simulacra.studio import asks
from simulacra.studio.play import PATIENCE, Games
from simulacra.training.hand import ByHand

POINT = Shape(channels=2, size=1)  # a point of the plane as an image of one pixel
BATCH = 128
JITTER = 0.02  # standard deviation by which a drawn point is spread
GENERATED = 300  # points that are shown
ARROWS = 60  # of them with an arrow
HEAT = 36  # cells a side of the heat map
HIDDEN = [64, 64]
PENALTY = {  # what each objective begins with
    "saturating": asks.Pull(kind="none", weight=0),
    "non_saturating": asks.Pull(kind="none", weight=0),
    "least_squares": asks.Pull(kind="r1", weight=0.1),
    "hinge": asks.Pull(kind="r2", weight=0.1),
    "wasserstein": asks.Pull(kind="gradient_penalty", weight=1.0),
    "relativistic": asks.Pull(kind="r1_r2", weight=0.1),
}


@dataclass
class Drawn:
    """Endless batches of points that were drawn by hand; that of a step is a function of (seed, step)."""

    points: Tensor  # (n, 2) in [-1, 1]
    seed: int
    retry: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def batch(self, step: int) -> Images:
        """Return the points of a step as images ``(B, 2, 1, 1)``."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "points", step))
        chosen = self.points[torch.randint(len(self.points), (BATCH,), generator=generator)]
        spread = JITTER * torch.randn(chosen.shape, generator=generator)
        return Images((chosen + spread).clamp(-1, 1).view(-1, 2, 1, 1))

    def fixed(self, dataset: Dataset, batch: int = 500) -> Iterator[Images]:
        """Yield nothing: there are no points to measure on."""
        del dataset, batch
        return iter(())


@dataclass
class Ground:
    """A distribution and the games that are played on it, one for each objective."""

    id: str
    points: Tensor
    games: dict[str, ByHand]
    over: dict[str, str] = field(default_factory=dict)  # games that diverged, and how


def begin(ask: asks.NewGround, games: Games) -> Ground:
    """Begin the games of six objectives on drawn points. Raises `ConfigError`."""
    points = torch.tensor(ask.points, dtype=torch.float32)
    wanted = PENALTY | ask.penalties
    played = {name: _game(name, pull, points, ask) for name, pull in wanted.items()}
    ground = Ground(secrets.token_hex(8), points, played)
    games.keep(ground)
    return ground


def _game(objective: str, pull: asks.Pull, points: Tensor, ask: asks.NewGround) -> ByHand:
    """A game with a generator of its own; all begin with the same weights."""
    values = _config(objective, pull, ask)
    torch.manual_seed(derived_seed(ask.seed, "weights"))
    return ByHand(models.build(values.model, POINT), Drawn(points, ask.seed), values.train, seed=ask.seed)


def _config(objective: str, pull: asks.Pull, ask: asks.NewGround) -> Config:
    network = {"kind": "mlp", "hidden": HIDDEN, "activation": "leaky_relu"}
    return config.parse({
        "recipe": "playground", "seed": ask.seed, "data": {"name": "digits"},
        "model": {
            "family": "gan", "latent": 2, "loss": objective, "penalty": {"kind": pull.kind, "weight": pull.weight},
            "generator": network, "discriminator": network,
        },
        "train": {
            "images": 1_000_000_000, "batch": BATCH, "ema": 0, "precision": "float32",
            "optimizer": {"learning_rate": ask.rate, "betas": [0.5, 0.99]},
        },
    })  # fmt: skip


def steps(ground: Ground, ask: asks.Steps) -> dict[str, Any]:
    """Play some steps of every game, and show where each stands."""
    if ask.points is not None:
        _redraw(ground, torch.tensor(ask.points, dtype=torch.float32))
    started, done = time.monotonic(), 0
    while done < ask.n and time.monotonic() - started < PATIENCE:
        for name, game in ground.games.items():
            if name not in ground.over:
                _step(ground, name, game)
        done += 1
    return {"id": ground.id, "games": [_shown(ground, name, game) for name, game in ground.games.items()]}


def _redraw(ground: Ground, points: Tensor) -> None:
    """Let every game go on with other points."""
    ground.points = points
    for game in ground.games.values():
        game.loader = Drawn(points, game.seed)


def _step(ground: Ground, name: str, game: ByHand) -> None:
    try:
        game.advance()
    except DivergenceError as error:
        ground.over[name] = str(error)


def _shown(ground: Ground, name: str, game: ByHand) -> dict[str, Any]:
    """Where the generated points are, where the generator's loss pulls them, and what the discriminator expects."""
    model = game.model
    assert isinstance(model, GAN)
    try:
        terms = game.drain()
    except DivergenceError as error:
        ground.over[name], terms = str(error), {}
    fake, pull = _pulled(model, ground.points, OBJECTIVES[name])
    return {
        "objective": name, "penalty": model.values.penalty.kind, "weight": model.values.penalty.weight,
        "step": game.step, "points": _plain(fake), "arrows": _plain(pull[:ARROWS]), "terms": terms,
        "covered": _covered(fake, ground.points), "over": ground.over.get(name), **_heat(model),
    }  # fmt: skip


def _pulled(model: GAN, real: Tensor, objective: Any) -> tuple[Tensor, Tensor]:
    """Return generated points ``(n, 2)``, and ``-grad L_G`` at them: where a step of the generator would bring each."""
    z = model.prior(GENERATED, torch.Generator().manual_seed(derived_seed("playground")))
    with torch.no_grad():
        fake = model.decode(z)
    fake.requires_grad_(True)
    shown = real[torch.arange(GENERATED) % len(real)].view(-1, 2, 1, 1)
    loss = sum(objective.generator(model.logits(fake), lambda: model.logits(shown)).values())
    (slope,) = torch.autograd.grad(loss, fake)
    return fake.detach().flatten(1), -GENERATED * slope.flatten(1)


@torch.no_grad()
def _heat(model: GAN) -> dict[str, Any]:
    """The logits on a grid over the plane, row by row from the top left, as bytes from the lowest to the highest."""
    axis = torch.linspace(-1, 1, HEAT)
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    logits = model.logits(torch.stack([x, y], dim=-1).view(-1, 2, 1, 1)).flatten()
    low, high = float(logits.min()), float(logits.max())
    levels = ((logits - low) / max(high - low, 1e-9) * 255).nan_to_num(0).to(torch.uint8)
    return {"heat": base64.b64encode(bytes(levels.tolist())).decode("ascii"), "side": HEAT, "low": low, "high": high}


def _covered(fake: Tensor, real: Tensor) -> float:
    """The share of the drawn points that have a generated one within five times their spread."""
    distance = torch.cdist(real, fake).amin(1)
    return float((distance < 5 * JITTER).float().mean())


def _plain(points: Tensor) -> list[list[float]]:
    """Points as numbers of three digits; those that are not finite lie at the origin."""
    return [[round(value, 3) for value in point] for point in points.nan_to_num(0, 0, 0).tolist()]
