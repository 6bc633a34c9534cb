"""The page about a run: its numbers, curves and pictures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import config, features, images
from simulacra.data import Splits
from simulacra.models import Generative, Inferential, Translating, summary
from simulacra.pages import layout, neighbours
from simulacra.runs.folder import ENVIRONMENT, RECONSTRUCTIONS, SAMPLES, WARNING, scores
from simulacra.runs.run import Run

MAX_FRAMES = 24  # sample grids in an animation
MAX_COMPARED = 5_000  # training images among which the nearest ones are looked for
PATHS = 6  # rows of interpolations
LEAD = "The report of a training. Everything on this page was measured or drawn by the run itself."
CURVES = "Each point is the mean since the previous point; test and validation values come from held-out images."


def write(run: Run, splits: Splits, path: Path) -> Path:
    """Write the report of a run folder. Raises `StorageError`."""
    rows = run.history()
    body = [
        layout.facts(_facts(run, splits, rows)),
        _warnings(rows),
        layout.box("pictures", *_pictures(run, splits)),
        layout.curves(CURVES, {run.path.name: rows}, layout.logged(rows)),
        _making(run),
    ]
    return layout.write(path, f"{run.config.recipe} on {splits.train.name}", LEAD, body)


def _facts(run: Run, splits: Splits, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    last = rows[-1] if rows else {"images": 0, "seconds": 0}
    seconds = float(last["seconds"])
    return [
        ("family", run.config.model.family),
        ("training images", f"{len(splits.train):,}"),
        ("size", str(run.shape)),
        ("parameters", f"{sum(summary.totals(run.model).values()):,}"),
        ("images seen", f"{last['images']:,}"),
        ("training time", f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"),
        ("images/s", f"{last['images'] / max(seconds, 1e-9):,.0f}"),
        *((name, f"{value:.4g}") for name, value in scores(rows, run.config.train.keep).items()),
    ]


def _warnings(rows: Sequence[Mapping[str, Any]]) -> str:
    """The warnings of the training, if there are any."""
    found = [row for row in rows if WARNING in row]
    said = layout.table([layout.number("images"), ""], [[layout.number(f"{r['images']:,}"), r[WARNING]] for r in found])
    return layout.section("Warnings", "Warnings that were given during the training.", said) if found else ""


def _pictures(run: Run, splits: Splits) -> list[str]:
    parts = []
    if isinstance(run.model, Generative):
        parts += _of_the_prior(run, run.model.latent)
        parts.append(_neighbours(run, splits))
    if isinstance(run.model, Inferential):
        parts += _of_the_encoder(run, splits)
    if isinstance(run.model, Translating):
        note = (
            "Test images, their translations, the translations back (for models that go both ways), and the true "
            "images, where they are known."
        )
        parts.append(_film("Translations during the training", note, run.folder.sheets(SAMPLES), run, wide=True))
    return parts


def _of_the_prior(run: Run, latent: int) -> list[str]:
    """Samples over time, and the manifold of two latents or interpolations between samples."""
    note = "Samples of the same latents at every stage of the training. Press play to see them in order."
    parts = [_film("Samples during the training", note, run.folder.sheets(SAMPLES), run)]
    if latent == 2:
        sheet = images.grid(images.magnified(run.manifold(15), 44), 15, gap=0)
        note = "The two latents along the two axes, each at the quantiles 0.05 to 0.95 of the normal distribution."
        parts.append(_figure("The manifold", note, sheet))
    elif not isinstance(run.model, Inferential):
        paths = [run.interpolate(seed=seed) for seed in range(PATHS)]
        note = "Each row follows a great arc through latent space."
        parts.append(_figure("Between two samples", note, _rows(paths)))
    return parts


def _neighbours(run: Run, splits: Splits) -> str:
    """Samples beside the nearest of the training images, of the first thousands."""
    extractor = features.ready(run.config.data.name, run.shape)
    known, held_out = (images.from_bytes(part.images[:MAX_COMPARED]) for part in (splits.train, splits.test))
    samples = run.sample(neighbours.SHOWN)
    fake, train, test = map(extractor.features, (samples, known, held_out))
    return neighbours.section(samples, fake, splits.train, train, test, extractor.name)


def _of_the_encoder(run: Run, splits: Splits) -> list[str]:
    """Reconstructions over time, and interpolations between test images."""
    sheets = run.folder.sheets(RECONSTRUCTIONS if isinstance(run.model, Generative) else SAMPLES)
    note = "Test images in the upper rows, their reconstructions below."
    parts = [_film("Reconstructions during the training", note, sheets, run, wide=True)]
    ends = images.from_bytes(splits.test.images[: 2 * PATHS])
    paths = [run.interpolate(ends[2 * i], ends[2 * i + 1], steps=14) for i in range(len(ends) // 2)]
    if paths:
        note = "Each row follows a path through latent space."
        parts.append(_figure("Between two test images", note, _rows(paths), wide=True))
    return parts


def _rows(paths: Sequence[Tensor]) -> Tensor:
    return images.grid(images.magnified(torch.cat(list(paths)), 44), len(paths[0]))


def _figure(title: str, note: str, picture: Tensor, *, wide: bool = False) -> str:
    return layout.section(title, note, layout.picture(picture, title), kind="wide" if wide else "")


def _film(title: str, note: str, sheets: Sequence[tuple[int, Path]], run: Run, *, wide: bool = False) -> str:
    if not sheets:
        return ""
    count = min(MAX_FRAMES, len(sheets))
    chosen = [sheets[round(i * (len(sheets) - 1) / max(1, count - 1))] for i in range(count)]
    frames = [
        {"images": step * run.config.train.batch, "url": images.data_url(images.read(path, path.name))}
        for step, path in chosen
    ]
    controls = (
        f'<div class="scroll"><img alt="{html.escape(title)}"></div>'
        '<div class="controls"><button type="button" aria-label="play">&#9654;</button>'
        '<input type="range" min="0" step="1" aria-label="moment"><output></output></div>'
    )
    return layout.section(title, note, controls, layout.embedded(frames), kind="film wide" if wide else "film")


def _making(run: Run) -> str:
    """Layers, config and environment, folded."""
    layers = layout.table(
        ["player", "place", "layer", layout.number("parameters")],
        [
            [layer.player, layer.place, layer.description, layout.number(f"{layer.parameters:,}")]
            for layer in summary.layers(run.model)
        ],
    )
    return layout.section(
        "How it was made", "",
        f"<details><summary>Players, layers and parameters</summary>{layers}</details>",
        layout.folded("Config", config.dumps(run.config)),
        layout.folded("Environment", run.folder.text(ENVIRONMENT) or ""),
    )  # fmt: skip
