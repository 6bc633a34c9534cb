"""One self-contained HTML page about a run: its numbers, curves and pictures, with nothing to load from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import torch
from torch import Tensor

from simulacra import config, images
from simulacra.data import Splits
from simulacra.images import atomic
from simulacra.models import Generative, Inferential, summary
from simulacra.run import ENVIRONMENT, RECONSTRUCTIONS, SAMPLES, Run, pictures_in, scores

FRAMES = 24  # pictures in a film of sheets
PATHS = 6  # rows of interpolations
POINTS = 400  # of a curve


def write(run: Run, splits: Splits, path: Path) -> Path:
    """Write the report of a run folder. Raises `StorageError`."""
    page = Template((resources.files("simulacra") / "pages" / "report.html").read_text("utf-8"))
    rows = run.history()
    text = page.substitute(
        title=html.escape(f"{run.config.recipe} on {splits.train.name}"),
        facts=_facts(run, splits, rows),
        curves=json.dumps(_curves(rows)).replace("</", "<\\/"),
        pictures="\n".join(_pictures(run, splits)),
        layers=_layers(run),
        config=html.escape(config.dumps(run.config)),
        environment=html.escape((run.path / ENVIRONMENT).read_text("utf-8")),
    )
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
    return path


def _facts(run: Run, splits: Splits, rows: Sequence[Mapping[str, Any]]) -> str:
    last = rows[-1]
    seconds = float(last["seconds"])
    facts = [
        ("family", run.config.model.family),
        ("training images", f"{len(splits.train):,}"),
        ("size", str(run.shape)),
        ("parameters", f"{sum(summary.totals(run.model).values()):,}"),
        ("images seen", f"{last['images']:,}"),
        ("training time", f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"),
        ("images/s", f"{last['images'] / max(seconds, 1e-9):,.0f}"),
        *((name, f"{value:.4g}") for name, value in scores(rows, run.config.train.keep).items()),
    ]
    return "".join(f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for name, value in facts)


def _curves(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points of every logged value, thinned to what a screen can show."""
    names = {name: None for row in rows for name in row if "/" in name}
    curves = []
    for name in names:
        points = [[row["images"], row[name]] for row in rows if name in row]
        step = max(1, len(points) // POINTS)
        curves.append({"name": name, "points": points[:-1:step] + points[-1:]})
    return curves


def _pictures(run: Run, splits: Splits) -> list[str]:
    parts = []
    if isinstance(run.model, Generative):
        parts += _of_the_prior(run, run.model.latent)
    if isinstance(run.model, Inferential):
        parts += _of_the_encoder(run, splits)
    return parts


def _of_the_prior(run: Run, latent: int) -> list[str]:
    """Samples over time, and the manifold of two latents or walks between samples."""
    note = "The same latents at every moment. Press play."
    parts = [_film("Samples, as they formed", note, pictures_in(run.path / SAMPLES), run)]
    if latent == 2:
        sheet = images.grid(images.enlarge(run.manifold(15), 44), 15, gap=0)
        note = "Two latents span the page; both run through the inverse normal CDF from 0.05 to 0.95."
        parts.append(_figure("The manifold", note, sheet))
    elif not isinstance(run.model, Inferential):
        paths = [run.interpolate(seed=seed) for seed in range(PATHS)]
        note = "Each row walks along a great arc in latent space."
        parts.append(_figure("Between two samples", note, _rows(paths)))
    return parts


def _of_the_encoder(run: Run, splits: Splits) -> list[str]:
    """Reconstructions over time, and walks between test images."""
    sheets = pictures_in(run.path / (RECONSTRUCTIONS if isinstance(run.model, Generative) else SAMPLES))
    note = "Test images above, what came back through the latent below."
    parts = [_film("Reconstructions, as they formed", note, sheets, run, wide=True)]
    ends = images.from_bytes(splits.test.images[: 2 * PATHS])
    paths = [run.interpolate(ends[2 * i], ends[2 * i + 1], steps=14) for i in range(len(ends) // 2)]
    if paths:
        note = "Each row walks through latent space."
        parts.append(_figure("Between two test images", note, _rows(paths), wide=True))
    return parts


def _rows(paths: Sequence[Tensor]) -> Tensor:
    return images.grid(images.enlarge(torch.cat(list(paths)), 44), len(paths[0]))


def _figure(title: str, note: str, picture: Tensor, *, wide: bool = False) -> str:
    kind = ' class="wide"' if wide else ""
    return f'<section{kind}><h2>{title}</h2><p>{note}</p><img src="{images.data_url(picture)}" alt="{title}"></section>'


def _film(title: str, note: str, sheets: Sequence[tuple[int, Path]], run: Run, *, wide: bool = False) -> str:
    if not sheets:
        return ""
    count = min(FRAMES, len(sheets))
    chosen = [sheets[round(i * (len(sheets) - 1) / max(1, count - 1))] for i in range(count)]
    frames = [
        {"images": step * run.config.train.batch, "url": images.data_url(images.read(path, path.name))}
        for step, path in chosen
    ]
    return (
        f'<section class="film{" wide" if wide else ""}"><h2>{title}</h2><p>{note}</p><img alt="{title}">'
        '<div class="controls"><button type="button" aria-label="play">&#9654;</button>'
        '<input type="range" min="0" step="1" aria-label="moment"><output></output></div>'
        f'<script type="application/json">{json.dumps(frames)}</script></section>'
    )


def _layers(run: Run) -> str:
    cells = (
        f"<tr><td>{html.escape(layer.player)}</td><td>{html.escape(layer.place)}</td>"
        f"<td>{html.escape(layer.description)}</td><td>{layer.parameters:,}</td></tr>"
        for layer in summary.layers(run.model)
    )
    return "".join(cells)
