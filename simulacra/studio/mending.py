"""Holes in pictures: found by what a model cannot redraw, and filled in by the model or from the pixels around them."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.runs.run import Run
from simulacra.steering import capabilities, inpaint
from simulacra.studio import asks, neighbours, pictures
from simulacra.studio.commands import command, option, python
from simulacra.studio.steer import FILE, Answer, reading
from simulacra.transforms import apply
from simulacra.transforms.compose import blend

WHITE = 0.5  # anomaly that is white in the heat map, as in the sheet of the verb repair


def mend(run: Run, ask: asks.Mend) -> Answer:
    """A picture, what is known of it, and the picture with its marked part filled in."""
    x = pictures.of_run(ask.picture, run)
    known = pictures.mask(ask.mask, run.shape)
    y = _filled(run, x, known, ask)
    shown = [pictures.shown(one[0]) for one in (x, torch.where(known, x, -1.0), y)]
    return {"images": shown, **_how(run, ask)}


def _filled(run: Run, x: Tensor, known: Tensor, ask: asks.Mend) -> Tensor:
    if ask.method == "model":
        return run.inpaint(x, known, steps=ask.steps, seed=ask.seed)
    if ask.method == "blended":
        return _blended(run, x, known, ask)
    if ask.method == "nearest":
        return torch.where(known, x, neighbours.likest(run, x, known))
    return apply(f"inpaint-{ask.method}", x, mask=~known)


def _blended(run: Run, x: Tensor, known: Tensor, ask: asks.Mend) -> Tensor:
    """The model's picture in the hole, joined to what is around it: broad light widely, details at the edge."""
    capabilities.require_latents(run.model, "inpaint")
    whole = inpaint.explained(run.model, x, known, ask.steps, ask.seed, run.prior()).cpu()
    joined = blend(whole, torch.where(known, x, whole), (~known).float())
    return torch.where(known, x, joined)


def _how(run: Run, ask: asks.Mend) -> Answer:
    """The command and the lines that fill in the same way, where there are any."""
    if ask.method == "nearest":
        return {"command": None, "python": None}
    return _by_model(run, ask) if ask.method in ("model", "blended") else _by_pixels(ask.method)


def _by_model(run: Run, ask: asks.Mend) -> Answer:
    options = [*option("steps", ask.steps, 200), *option("seed", ask.seed, 0)]
    return {
        "command": command("inpaint", run.path, FILE, "--mask", "mask.png", *options),
        "python": python(run.path, *reading(), "known = run.read('mask.png')[1][:, :1] < 0  # white marks the hole",
                         f"simulacra.show(run.inpaint(x, known, steps={ask.steps}, seed={ask.seed}))"),
    }  # fmt: skip


def _by_pixels(method: str) -> Answer:
    name = f"inpaint-{method}"
    lines = ["from simulacra.transforms import transform_files", "",
             f"transform_files('picture.png', '{name}', 'filled.png', beside={{'mask': 'mask.png'}})"]  # fmt: skip
    return {"command": command("transform", name, FILE, "--mask", "mask.png"), "python": "\n".join(lines)}


def anomaly(run: Run, ask: asks.Invert) -> Answer:
    """A picture, what the model redraws of it, and how far each pixel is from that, with the score of the whole."""
    x = pictures.of_run(ask.picture, run)
    found = run.anomaly(x, steps=ask.steps, seed=ask.seed)
    heat = (2 * found.heat / WHITE - 1).clamp(max=1)
    return {
        "images": [pictures.shown(one[0]) for one in (x, found.redrawn, heat)], "score": float(found.scores[0]),
        "command": command("anomaly", run.path, FILE, *option("steps", ask.steps, 200)),
        "python": python(run.path, *reading(), f"found = run.anomaly(x, steps={ask.steps})"),
    }  # fmt: skip
