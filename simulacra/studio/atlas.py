"""A map of the data as a model sees it: codes of test images in two dimensions, and new images like chosen ones.

Two latents are shown as they are; more are turned so that the plane shows as much of their variance as it can
(principal components).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from simulacra import images
from simulacra.data import derived_seed
from simulacra.errors import ConfigError
from simulacra.runs.run import Run
from simulacra.steering import capabilities, generate
from simulacra.studio import asks, pictures
from simulacra.studio.commands import command, decoding

THUMBNAIL = 40  # pixels of a side at most
COLUMNS = 25  # thumbnails in a row of the sheet
SHRUNK = 0.7  # how widely new latents are spread, in standard deviations of the chosen ones
_known: WeakKeyDictionary[Run, Mapped] = WeakKeyDictionary()


@dataclass(frozen=True)
class Mapped:
    """Test images, their codes, and their classes; in a fixed random order, so that fewer are the first ones."""

    x: Tensor  # (N, C, H, W)
    codes: Tensor  # (N, D)
    labels: list[int] | None
    classes: tuple[str, ...]


def mapped(run: Run) -> Mapped:
    """Encode the test images of a run, once. Raises `CapabilityError`."""
    capabilities.require_encoder(run.model, "map")
    if run not in _known:
        test = run.splits.test
        order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[: asks.MAPPED]
        x = images.from_bytes(test.images[order])
        labels = None if test.labels is None else [int(k) for k in test.labels[order]]
        _known[run] = Mapped(x, generate.encode(run.model, x).cpu(), labels, tuple(test.classes))
    return _known[run]


def components(codes: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the directions ``(n, D)`` in which codes ``(N, D)`` vary most, of unit length, and their deviations."""
    centred = (codes - codes.mean(0)).double()
    _, spread, directions = torch.linalg.svd(centred, full_matrices=False)
    few = min(n, len(directions))
    found = directions[:few]
    found = found * found.gather(1, found.abs().argmax(1, keepdim=True)).sign()  # either sign would do
    return found.float(), (spread[:few] / max(1, len(codes) - 1) ** 0.5).float()


def atlas(run: Run, ask: asks.Atlas) -> dict[str, Any]:
    """Where test images lie, and their thumbnails as one sheet."""
    found = mapped(run)
    x, codes = found.x[: ask.n], found.codes[: ask.n]
    flat = codes.shape[1] == 2
    directions, spread = components(found.codes, 2)
    places = codes if flat else (codes - found.codes.mean(0)) @ directions.T
    if places.shape[1] == 1:
        places = torch.cat([places, torch.zeros_like(places)], 1)
    total = found.codes.var(0).sum().clamp(min=1e-12)
    small = images.resize(images.to_bytes(x), *_thumbnail(x))
    return {
        "places": [[round(v, 4) for v in place] for place in places.tolist()],
        "labels": None if found.labels is None else found.labels[: ask.n], "classes": found.classes,
        "sheet": pictures.address(images.picture(images.grid(images.from_bytes(small), COLUMNS, gap=0))),
        "columns": COLUMNS,
        "thumbnail": list(small.shape[-1:-3:-1]), "plane": flat,
        "shown": 1.0 if flat else float(spread.square().sum() / total),
        "command": command("encode", run.path, "--out", "latents.npz"), "python": None,
    }  # fmt: skip


def _thumbnail(x: Tensor) -> tuple[int, int]:
    height, width = x.shape[2:]
    scale = min(1.0, THUMBNAIL / max(height, width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def more(run: Run, ask: asks.More) -> dict[str, Any]:
    """New images like chosen ones: from a Gaussian around their codes; and the other test images that are nearest."""
    found = mapped(run)
    chosen = _chosen(found, ask.chosen)
    generator = torch.Generator().manual_seed(derived_seed(ask.seed, "more like these"))
    own = found.codes.std(0) * 0.3 if len(chosen) < 2 else chosen.std(0)
    z = chosen.mean(0) + SHRUNK * own * torch.randn(ask.n, chosen.shape[1], generator=generator)
    away = (found.codes - chosen.mean(0)).square().sum(1)
    away[ask.chosen] = torch.inf
    near = away.argsort()[: min(ask.n, len(away) - len(ask.chosen))]
    return {
        "latents": z.tolist(), "images": pictures.all_shown(run.decode(z).cpu()),
        "near": pictures.all_shown(found.x[near]), "indices": near.tolist(),
        "command": None, "python": decoding(run.path, z),
    }  # fmt: skip


def _chosen(found: Mapped, indices: list[int]) -> Tensor:
    if max(indices) >= len(found.codes):
        raise ConfigError(f"The map has {len(found.codes)} pictures; number {max(indices)} is not among them.")
    return found.codes[indices]


# ---------------------------------------------------------------------------------------------------- directions


def find(run: Run, ask: asks.Find) -> list[dict[str, Any]]:
    """Directions in the latent space, each with a walk along it. Raises `ConfigError`."""
    found = mapped(run)
    if ask.kind == "components":
        directions, spread = components(found.codes, ask.n)
        named = [(f"component {k + 1}", 2 * s * v) for k, (v, s) in enumerate(zip(directions, spread, strict=True))]
    elif ask.kind == "classes":
        named = [(f"{ask.minus} to {ask.plus}", _of_class(found, ask.plus) - _of_class(found, ask.minus))]
    else:
        if not ask.chosen or len(ask.chosen) == len(found.codes):
            raise ConfigError("Choose some of the pictures: a direction leads from the others to them.")
        chosen = _chosen(found, ask.chosen)
        others = torch.ones(len(found.codes), dtype=torch.bool)
        others[ask.chosen] = False
        named = [("chosen", chosen.mean(0) - found.codes[others].mean(0))]
    return [{"name": name, "vector": vector.tolist(), "images": _walk(run, found, vector)} for name, vector in named]


def _of_class(found: Mapped, name: str | None) -> Tensor:
    if found.labels is None or name not in found.classes:
        raise ConfigError(f"There is no class '{name}'. Classes: {', '.join(found.classes) or 'none'}.")
    wanted = torch.tensor(found.labels) == found.classes.index(name)
    if not wanted.any():
        raise ConfigError(f"None of the pictures of the map is of class '{name}'.")
    return found.codes[wanted].mean(0)


def _walk(run: Run, found: Mapped, vector: Tensor) -> list[str]:
    """Images from one side of the mean code to the other along a direction."""
    steps = torch.linspace(-1, 1, 5)[:, None]
    return pictures.all_shown(run.decode(found.codes.mean(0) + steps * vector).cpu())
