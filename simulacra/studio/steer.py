"""What the rooms ask of a model: each answer comes from the same functions as the command line's verb.

An answer holds pictures as ``data:`` addresses of PNGs, and the command and the Python lines that do the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import images
from simulacra.errors import ConfigError, DataError
from simulacra.models import Coded, Generative, Inferential, Model
from simulacra.models.codes import Categorical, Code, Continuous
from simulacra.models.labels import LABEL
from simulacra.runs.run import Run
from simulacra.steering import capabilities, generate, translate
from simulacra.steering.latent import normal_quantiles
from simulacra.studio import asks, pictures
from simulacra.studio.commands import arguments, command, decoding, option, python

Answer = dict[str, Any]
FILE = "picture.png"  # stands in commands for a picture that only the page has
REFERENCE = 500  # test images by which latents are sorted, as in `Run.traverse`
GROUP = 200  # images of a class by which a direction is found, where there is an encoder
FEW = 16  # the same where each image is inverted


# ----------------------------------------------------------------------------------------- what there is to move


def sliders(run: Run) -> Answer:
    """The latents that matter most with their spread, the named codes, the classes, and where to start."""
    return {**_sliders(run, _reference(run)), "classes": _classes(run), "settled": True}


def first_sliders(run: Run) -> Answer:
    """The same of a model with a prior, before its data was read: its first latents, as N(0, I) spreads them."""
    return {**_sliders(run, None), "classes": [], "settled": False}


def _sliders(run: Run, reference: Tensor | None) -> Answer:
    capabilities.require_latents(run.model, "explore")
    found = generate.axes(run.model, reference)
    codes = tuple(run.model.codes) if isinstance(run.model, Coded) else ()
    noise = run.model.codes.noise if isinstance(run.model, Coded) else len(found.origin)
    axes = [
        {"latent": d, "centre": float(found.centre[d]), "spread": float(found.spread[d])}
        for d in found.chosen
        if d < noise
    ]
    return {
        "shape": {"channels": run.shape.channels, "size": run.shape.size}, "latents": len(found.origin),
        "origin": found.origin.tolist(), "axes": axes, "codes": list(map(_code, codes)),
        "draws": isinstance(run.model, Generative) or run.prior() is not None,
        "truncation": capabilities.has_standard_normal_prior(run.model),
        "plane": isinstance(run.model, Generative) and len(found.origin) == 2,
    }  # fmt: skip


def _reference(run: Run) -> Tensor | None:
    """Return test images by which latents are sorted; None without an encoder, or without the data on this machine."""
    if not isinstance(run.model, Inferential):
        return None
    try:
        return run.examples(REFERENCE)
    except (DataError, ConfigError):
        if isinstance(run.model, Generative):
            return None
        raise


def _classes(run: Run) -> list[str]:
    """The classes of the run's data; none where there are none, or the data is not on this machine."""
    try:
        return list(run.splits.train.classes)
    except (DataError, ConfigError):
        return []


def _code(code: Code) -> Answer:
    if isinstance(code, Categorical):
        values = [int(k) for k in code.sweep(0)]
        return {"name": code.name, "values": values, "captions": code.captions(0)}
    assert isinstance(code, Continuous)
    return {"name": code.name, "low": code.sweep(2)[0], "high": code.sweep(2)[-1]}


# ------------------------------------------------------------------------------------------------ draw, decode


def latents(run: Run, ask: asks.Draw) -> Answer:
    """Latents drawn by a seed, with codes set."""
    z = generate.latents(run.model, ask.n, seed=ask.seed, prior=run.prior(ask.prior), truncation=ask.truncation)
    named = dict(ask.codes) | ({} if ask.label is None else {LABEL: ask.label})
    return {"latents": _with_codes(run.model, z, named).tolist()}


def _with_codes(model: Model, z: Tensor, named: Mapping[str, float | str]) -> Tensor:
    return capabilities.require_codes(model, "a code").codes.set_all(z, named) if named else z


def sample(run: Run, ask: asks.Draw) -> Answer:
    """New images."""
    values = (("seed", ask.seed), ("label", ask.label), ("codes", dict(ask.codes) or None),
              ("prior", ask.prior), ("truncation", ask.truncation))  # fmt: skip
    x = run.sample(ask.n, seed=ask.seed, label=ask.label, codes=ask.codes, prior=ask.prior, truncation=ask.truncation)
    return {
        "images": pictures.all_shown(x),
        "command": sampling(run.path, ask),
        "python": python(run.path, f"simulacra.show(run.sample({ask.n}, {arguments(values)}))"),
    }


def sampling(run: Path, ask: asks.Draw) -> str:
    """The command that draws the same images."""
    codes = [word for name, value in ask.codes.items() for word in ("--code", f"{name}={_plain(value)}")]
    return command(
        "sample", run, *option("n", ask.n, 64), *option("seed", ask.seed, 0), *option("label", ask.label), *codes,
        *option("truncation", ask.truncation), *option("prior", ask.prior),
    )  # fmt: skip


def _plain(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float | int) else value


def checked(run: Run, ask: asks.Decode) -> Tensor:
    """The latents of a request as a tensor. Raises `ConfigError` for those of another model."""
    wanted = capabilities.require_latents(run.model, "decode").latent
    if any(len(z) != wanted for z in ask.latents):
        raise ConfigError(f"This model's latents have {wanted} numbers, not {len(ask.latents[0])}.")
    return _with_codes(run.model, torch.tensor(ask.latents, dtype=torch.float32), ask.codes)


def decoded(run: Run, z: Tensor, x: Tensor) -> Answer:
    """The answer to latents that were decoded."""
    return {"images": pictures.all_shown(x), "command": None, "python": decoding(run.path, z)}


def manifold(run: Run, ask: asks.Manifold) -> Answer:
    """The grid over a two-dimensional latent as one picture without gaps."""
    x = run.manifold(ask.side)
    rows = x.view(ask.side, ask.side, *x.shape[1:])
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    return {
        "images": [pictures.shown(sheet)], "axis": normal_quantiles(ask.side).tolist(),
        "command": command("manifold", run.path),
        "python": python(run.path, f"simulacra.grid(run.manifold({ask.side}), columns={ask.side})"),
    }  # fmt: skip


def traverse(run: Run, ask: asks.Traverse) -> Answer:
    """One latent or code moved at a time, a row for each."""
    rows = run.traverse(steps=ask.steps, seed=ask.seed)
    return {
        "rows": [{"name": name, "images": pictures.all_shown(row)} for name, row in rows],
        "command": command("traverse", run.path, *option("steps", ask.steps, 11), *option("seed", ask.seed, 0)),
        "python": python(run.path, f"rows = run.traverse(steps={ask.steps}, seed={ask.seed})",
                         "simulacra.grid([row for _, row in rows], captions=[name for name, _ in rows])"),
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- from pictures


def examples(run: Run, ask: asks.Examples) -> Answer:
    """Images of the test split; of a translator, of both domains."""
    test = run.splits.test
    if test.other is not None:
        domains = test.domains.values()
        return {"domains": [pictures.all_shown(images.from_bytes(one.images[: ask.n])) for one in domains]}
    return {"images": pictures.all_shown(run.examples(ask.n, seed=ask.seed))}


def encode(run: Run, ask: asks.Pictured) -> Answer:
    """The latent of a picture."""
    z = run.encode(pictures.of_run(ask.picture, run))
    return {"latents": z.tolist(), "command": command("encode", run.path, FILE, "--out", "latents.npz"),
            "python": python(run.path, *reading(), "z = run.encode(x)")}  # fmt: skip


def reconstruct(run: Run, ask: asks.Pictured) -> Answer:
    """A picture as the model sees it, its reconstruction, and where they differ."""
    x = pictures.of_run(ask.picture, run)
    z = run.encode(x)
    return {
        **_compared(x, run.decode(z), z), "command": command("reconstruct", run.path, "--images", FILE),
        "python": python(run.path, *reading(), "simulacra.show(run.reconstruct(x))"),
    }  # fmt: skip


def invert(run: Run, ask: asks.Invert) -> Answer:
    """The picture of a model that comes nearest to a given one."""
    x = pictures.of_run(ask.picture, run)
    found = run.invert(x, steps=ask.steps, seed=ask.seed)
    options = [*option("steps", ask.steps, 200), *option("seed", ask.seed, 0)]
    return {
        **_compared(x, found.images, found.latents), "command": command("invert", run.path, FILE, *options),
        "python": python(run.path, *reading(), f"simulacra.show(run.invert(x, steps={ask.steps}).images)"),
    }  # fmt: skip


def _compared(x: Tensor, y: Tensor, z: Tensor) -> Answer:
    three = [x[0], y[0], pictures.difference(x, y)[0]]
    error = float(((x - y) / 2).square().mean())
    return {"images": list(map(pictures.shown, three)), "latents": z.tolist(), "error": error}


def reading() -> list[str]:
    return [f"_, x = run.read({FILE!r})"]


def arithmetic(run: Run, ask: asks.Arithmetic) -> Answer:
    """A picture moved by what sets two groups apart."""
    x = pictures.of_run(ask.picture, run)
    plus, minus = _group(run, ask.plus), _group(run, ask.minus)
    moved = run.arithmetic(x, plus, minus, steps=ask.steps, strength=ask.strength, seed=ask.seed)
    names = [group.label or f"{side}/" for side, group in (("plus", ask.plus), ("minus", ask.minus))]
    options = [*option("steps", ask.steps, 7), *option("strength", ask.strength, 1.0)]
    return {
        "images": pictures.all_shown(moved[0]),
        "command": command("arithmetic", run.path, "--plus", names[0], "--minus", names[1], "--images", FILE, *options),
        "python": python(run.path, *reading(), *(f"{side} = {_group_in_python(name, group)}" for side, name, group in
                         (("plus", names[0], ask.plus), ("minus", names[1], ask.minus))),
                         f"simulacra.show(run.arithmetic(x, plus, minus, steps={ask.steps}, "
                         f"strength={ask.strength:g})[0])"),
    }  # fmt: skip


def _group(run: Run, group: asks.Group) -> Tensor:
    if group.label is not None:
        return run.of_class(group.label, GROUP if isinstance(run.model, Inferential) else FEW)
    if not group.pictures:
        raise ConfigError("A group needs at least one picture, or the name of a class.")
    return torch.cat([pictures.of_run(one, run) for one in group.pictures])


def _group_in_python(name: str, group: asks.Group) -> str:
    return f"run.of_class({name!r}, {GROUP})" if group.label is not None else f"run.read({name!r})[1]"


def translated(run: Run, ask: asks.Translate) -> Answer:
    """A picture in the other domain, and back again where the model leads back."""
    model = capabilities.require_translator(run.model, "translate", ask.to)
    back = translate.OTHER[ask.to]
    domain = model.domains[back]
    x = pictures.fitted(ask.picture, run, domain)
    y = run.translate(x, ask.to)
    shown = [x, y, *([run.translate(y, back)] if translate.can_return(run.model, ask.to) else [])]
    return {
        "images": [pictures.shown(one[0]) for one in shown],
        "command": command("translate", run.path, FILE, "--to", ask.to),
        "python": python(run.path, *reading(), f"simulacra.show(run.translate(x, {ask.to!r}))"),
    }  # fmt: skip
