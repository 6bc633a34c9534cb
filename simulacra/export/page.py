"""A generator, or translators, as one page that runs in any browser without a network."""

from __future__ import annotations

import base64
import html
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simulacra import images
from simulacra.errors import CapabilityError, DataError
from simulacra.export.modules import GaussianDraw, KernelDraw, MixtureDraw
from simulacra.export.parts import Field, Part, parts
from simulacra.export.program import Program, traced
from simulacra.models import Coded, Generative, Inferential
from simulacra.models.codes import Categorical
from simulacra.priors import Prior
from simulacra.runs.run import Run
from simulacra.steering import generate
from simulacra.steering.capabilities import has_standard_normal_prior
from simulacra.storage import atomic
from simulacra.version import __version__

__all__ = ["write_page"]

SCRIPTS = ("product.js", "network.js", "words.js", "parts.js", "generator.js", "app.js")
KINDS = frozenset(
    [
        "linear",
        "conv",
        "conv_transpose",
        "affine",
        "group_norm",
        "permute",
        "slice",
        "cat",
        "pad_reflect",
        "avg_pool",
        "resize",
        "zoom",
        "pixel_shuffle",
        "pixel_unshuffle",
        "add",
        "sub",
        "mul",
        "div",
        "relu",
        "leaky_relu",
        "silu",
        "tanh",
        "sigmoid",
        "exp",
        "neg",
        "square",
        "atanh",
        "abs",
        "sin",
        "cos",
        "sqrt",
        "log",
        "softplus",
        "clamp",
        "reshape",
        "same",
        "cast",
        "repeat",
    ]
)
MANIFOLD = 15  # images along a side of the manifold
MOST = 500  # test images that say which latents matter most
SLIDERS = 10


def write_page(run: Run, path: Path, *, prior: Prior | None = None, licence: str = "not stated") -> str:
    """Write the page of a run; return what there is to say about it.

    Raises `CapabilityError` for a model that has neither a generator with a prior nor a translator, or an operation
    that the page does not know.
    """
    known = parts(run.model, prior)
    chosen = (
        [_whole_generator(run)] if "generator" in known else [p for n, p in known.items() if n.startswith("transl")]
    )
    _refuse_without_prior(run, chosen, prior)
    programs = {_name(part): traced(part, part.module) for part in chosen}
    described, weights = _packed(programs)
    model = {
        "name": run.config.recipe or run.config.model.family, "family": run.config.model.family,
        "data": run.config.data.name, "version": __version__, "licence": licence, "half": True,
        "networks": described, "check": _check(chosen[0]),
        **(_of_generator(run, known, prior) if "generator" in known else _of_translators(run, chosen)),
    }  # fmt: skip
    text = _filled(f"{model['name']} · {run.config.data.name}", model, weights)
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
    return f"{len(text.encode()):,} bytes, {len(weights) // 2:,} weights in float16; open it in a browser"


def _refuse_without_prior(run: Run, chosen: Sequence[Part], prior: Prior | None) -> None:
    if not chosen:
        raise CapabilityError("--format html needs a generator or a translator; this model has neither.")
    if chosen[0].name == "generator" and prior is None and not isinstance(run.model, Generative):
        raise CapabilityError(
            "--format html draws samples, and this model has no prior. Fit one: simulacra fit-prior RUN --prior gmm"
        )


def _name(part: Part) -> str:
    """The name of a network on the page: generator, or the domain that it translates to."""
    return part.name.rpartition("-")[2].upper() if part.name.startswith("translator") else part.name


class _Decoder(nn.Module):
    """Whole latents to images."""

    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        """Return images ``(B, C, H, W)``."""
        image: Tensor = self.model.decode(z)
        return image


def _whole_generator(run: Run) -> Part:
    """The generator with one latent, in which codes stand as the model has them."""
    part = parts(run.model)["generator"]
    return replace(part, module=_Decoder(run.model), inputs=(Field("z", "vector", (_latent(run),), "latent"),))


def _latent(run: Run) -> int:
    model: Any = run.model
    return int(model.codes.latent if isinstance(model, Coded) else model.latent)


# ------------------------------------------------------------------------------------------------ its contents


def _packed(programs: dict[str, Program]) -> tuple[dict[str, Any], bytes]:
    """The networks as JSON, and all their weights one after the other, as float16."""
    described, blocks, at = {}, [], 0
    for name, program in programs.items():
        unknown = sorted({op.kind for op in program.ops} - KINDS)
        if unknown:
            raise CapabilityError(
                f"The page cannot run this model: it has no operation {unknown[0]}. Choose --format onnx."
            )
        places = {}
        for weight, tensor in program.weights.items():
            places[weight] = {"at": at, "shape": list(tensor.shape)}
            blocks.append(tensor.reshape(-1).float())
            at += tensor.numel()
        described[name] = {
            "input": program.inputs[0],
            "output": program.outputs[0],
            "weights": places,
            "ops": [[op.kind, list(op.inputs), op.output, dict(op.settings)] for op in program.ops],
        }
    return described, torch.cat(blocks).numpy().astype(np.float16).tobytes()


@torch.no_grad()
def _check(part: Part) -> dict[str, Any]:
    """An input, and the image that the model makes of it."""
    given = part.inputs[0].draw(1, torch.Generator().manual_seed(7))
    if part.inputs[0].kind == "image":
        given = images.from_bytes(images.to_bytes(given))
    pixels = images.to_bytes(part.module.eval()(given)[0]).permute(1, 2, 0).contiguous().numpy()
    return {
        "part": _name(part),
        "input": [float(f"{value:.9g}") for value in given.flatten().tolist()],
        "shape": list(given.shape[1:]),
        "image": base64.b64encode(pixels.tobytes()).decode(),
    }


def _of_generator(run: Run, known: dict[str, Part], fitted: Prior | None) -> dict[str, Any]:
    model: Any = run.model
    codes = model.codes if isinstance(model, Coded) else ()
    size = model.codes.noise if isinstance(model, Coded) else _latent(run)
    latents = {"noise": size, "codes": [_code(code) for code in codes], "prior": _prior(known)}
    plane = size == 2 and not codes and fitted is None and has_standard_normal_prior(model)
    if plane:
        return {"latents": latents, "manifold": _manifold(run), "sliders": []}
    return {"latents": latents, "manifold": None, "sliders": _sliders(run, size)}


def _code(code: Any) -> dict[str, Any]:
    if not isinstance(code, Categorical):
        return {"name": code.name, "width": 1}
    names = list(code.names) or [str(k) for k in range(code.categories)]
    return {"name": code.name, "width": code.categories, "names": names}


def _prior(known: dict[str, Part]) -> dict[str, Any] | None:
    """A prior other than N(0, I), as a mixture of Gaussians."""
    draw = known["prior"].module if "prior" in known else None
    if isinstance(draw, GaussianDraw):
        mean, factor = draw.get_buffer("mean").tolist(), draw.get_buffer("factor").tolist()
        return {"weights": [1.0], "means": [mean], "factors": [factor]}
    if isinstance(draw, KernelDraw):
        centres = _short(draw.get_buffer("centres"))
        shared = [_short(draw.get_buffer("factor"))]
        return {"weights": [1 / len(centres)] * len(centres), "means": centres, "factors": shared}
    if not isinstance(draw, MixtureDraw):
        return None
    ends = [0.0, *draw.get_buffer("ends").tolist(), 1.0]
    weights = [after - before for before, after in itertools.pairwise(ends)]
    means, factors = draw.get_buffer("means").tolist(), draw.get_buffer("factors").tolist()
    return {"weights": weights, "means": means, "factors": factors}


def _short(rows: Tensor) -> list[list[float]]:
    """Numbers for a page, to four digits after the point."""
    return [[round(value, 4) for value in row] for row in rows.tolist()]


def _manifold(run: Run) -> dict[str, Any]:
    sheet = images.grid(run.manifold(MANIFOLD), MANIFOLD, gap=0)
    return {"side": MANIFOLD, "url": images.data_url(sheet)}


def _sliders(run: Run, noise: int) -> list[dict[str, Any]]:
    """The latents to move, in the order of `traverse`, with the mean and spread that test images give them."""
    centre, spread = torch.zeros(noise), torch.ones(noise)
    if isinstance(run.model, Inferential):
        try:
            codes = generate.encode(run.model, run.examples(MOST))[:, :noise]
            centre, spread = codes.mean(0), codes.std(0, unbiased=False)
        except DataError:  # the data is not on this machine: latents in their own order, over the prior
            pass
    order = spread.argsort(descending=True, stable=True)[:SLIDERS].tolist()
    return [{"index": i, "centre": float(centre[i]), "spread": max(float(spread[i]), 1e-3)} for i in order]


def _of_translators(run: Run, chosen: Sequence[Part]) -> dict[str, Any]:
    found = []
    for part in chosen:
        channels, size, _ = part.inputs[0].shape
        found.append({"to": _name(part), "channels": channels, "size": size, "example": _example(run, part)})
    return {"translators": found}


def _example(run: Run, part: Part) -> str:
    """A test image of the domain that is translated from, or grey noise where the data is not on this machine."""
    try:
        domain = run.splits.test.domains["A" if part.name.endswith("b") else "B"]
        image = images.from_bytes(domain.images[0])
    except DataError:
        image = part.inputs[0].draw(1, torch.Generator().manual_seed(0))[0] / 4
    return images.data_url(image)


def _filled(title: str, model: dict[str, Any], weights: bytes) -> str:
    template = Template(_file("page.html"))
    return template.substitute(
        title=html.escape(title), style=_file("style.css"), script="\n".join(map(_file, SCRIPTS)),
        model=json.dumps(model, separators=(",", ":")).replace("<", "\\u003c"),
        weights=base64.b64encode(weights).decode(),
    )  # fmt: skip


def _file(name: str) -> str:
    return (resources.files("simulacra") / "export" / "page" / name).read_text("utf-8")
