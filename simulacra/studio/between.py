"""Walks from keyframe to keyframe: through a model's latents, or from picture to picture without it."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.runs.run import Run
from simulacra.steering import generate, inbetween
from simulacra.studio import asks, pictures, steer
from simulacra.studio.commands import command, option, python, written
from simulacra.studio.steer import Answer


def walk(run: Run, ask: asks.Walk) -> Tensor:
    """Frames from keyframe to keyframe, ``(n, C, H, W)``."""
    stops = _latents_of(run, ask) if ask.route == "latent" else _images_of(run, ask)
    generate.refuse_too_many(run.model, ask.steps * len(stops))
    legs = [_leg(run, a, b, ask) for a, b in itertools.pairwise(stops)]
    return torch.cat([legs[0], *(leg[1:] for leg in legs[1:])])


def _leg(run: Run, a: Tensor, b: Tensor, ask: asks.Walk) -> Tensor:
    if ask.route == "latent":
        return generate.interpolate(run.model, a, b, ask.steps)
    return inbetween.route(ask.route)(a, b, ask.steps)


def _latents_of(run: Run, ask: asks.Walk) -> Tensor:
    return torch.cat([_stop_latent(run, stop, ask.seed) for stop in ask.stops])


def _stop_latent(run: Run, stop: asks.Stop, seed: int) -> Tensor:
    if stop.latent is not None:
        return steer.checked(run, asks.Decode(latents=[stop.latent]))
    if stop.picture is None:
        raise ConfigError("A keyframe needs a latent or a picture.")
    return run.project(pictures.of_run(stop.picture, run), seed=seed)


def _images_of(run: Run, ask: asks.Walk) -> Tensor:
    return torch.cat([_stop_image(run, stop) for stop in ask.stops])


def _stop_image(run: Run, stop: asks.Stop) -> Tensor:
    if stop.picture is not None:
        return pictures.of_run(stop.picture, run)
    if stop.latent is None:
        raise ConfigError("A keyframe needs a latent or a picture.")
    return run.decode(steer.checked(run, asks.Decode(latents=[stop.latent]))).cpu()


def walked(run: Run, ask: asks.Walk, frames: Tensor) -> Answer:
    """The answer to a walk."""
    options = [*option("route", ask.route, "latent"), *option("steps", ask.steps, 10)]
    given = all(stop.picture is not None for stop in ask.stops) and len(ask.stops) == 2
    ends = ["--from", "first.png", "--to", "last.png"] if given else [*option("seed", ask.seed, 0)]
    return {
        "images": pictures.all_shown(frames),
        "command": command("interpolate", run.path, *ends, *options, "--out", "walk.gif") if given else None,
        "python": _walk_in_python(run, ask),
    }


def _walk_in_python(run: Run, ask: asks.Walk) -> str:
    z = [stop.latent for stop in ask.stops]
    if ask.route == "latent" and all(z):
        return python(
            run.path, "import torch", "from simulacra.steering import generate", "",
            f"stops = {written(torch.tensor(z))}",
            f"legs = [generate.interpolate(run.model, a, b, {ask.steps}) for a, b in zip(stops, stops[1:])]",
            "simulacra.grid(torch.cat(legs))",
        )  # fmt: skip
    return python(
        run.path, "(first,), (last,) = run.read('first.png')[1], run.read('last.png')[1]",
        f"simulacra.grid(run.interpolate(first, last, steps={ask.steps}, route={ask.route!r}))",
    )  # fmt: skip
