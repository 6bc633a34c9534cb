"""Charts as SVG that need no script: a map of points in classes, and bars. Colours are those of the stylesheet."""

from __future__ import annotations

import html
from collections.abc import Sequence

import torch
from torch import Tensor

from simulacra.pages import layout

WIDTH, HEIGHT, MARGIN = 720, 540, 16
LEFT, BAR, ROW = 130, 400, 26  # of the bars: room for names, the longest, the height of each


def scatter(points: Tensor, labels: Tensor | None, names: Sequence[str]) -> str:
    """Points ``(N, 2)`` in classes ``labels`` ``(N,)``, both axes on one scale, each class named at its median.

    The `COLORS` most frequent classes have a colour each, the others share the last one.
    """
    at = _placed(points.double())
    groups = _groups(labels if labels is not None else torch.zeros(len(points), dtype=torch.int64), names)
    width = 3.2 if len(points) > 1000 else 5.0
    paths, words = [], []
    for index, (name, members) in enumerate(groups):
        path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in at[members].tolist())
        paths.append(f'<path{layout.color(index)} stroke-width="{width}" d="{path}"/>')
        x, y = at[members].median(0).values.tolist()
        words.append(f'<text x="{x:.0f}" y="{y + 5:.0f}">{html.escape(name)}</text>')
    named = labels is not None
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(paths)}{"".join(words) if named else ""}</svg>'
    return (layout.legend([name for name, _ in groups]) if named else "") + layout.box("map", drawing)


def _placed(points: Tensor) -> Tensor:
    """Points on the canvas, y upwards, in tenths of a pixel's precision."""
    low, high = points.min(0).values, points.max(0).values
    room = torch.tensor([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN], dtype=torch.float64)
    scale = float((room / (high - low).clamp(min=1e-9)).min())
    centred = (points - (low + high) / 2) * scale
    return centred * torch.tensor([1.0, -1.0], dtype=torch.float64) + torch.tensor([WIDTH / 2, HEIGHT / 2])


def _groups(labels: Tensor, names: Sequence[str]) -> list[tuple[str, Tensor]]:
    """The members of each class that has any, by name, in the order of the classes; rare ones beyond ten as one."""
    counts = torch.bincount(labels)
    present = [int(k) for k in counts.nonzero().flatten()]
    kept = present
    if len(present) > layout.COLORS:
        kept = sorted(sorted(present, key=lambda k: -int(counts[k]))[: layout.COLORS - 1])
    groups = [(class_name(names, k), labels == k) for k in kept]
    rest = ~torch.isin(labels, torch.tensor(kept))
    return groups + ([("other", rest)] if rest.any() else [])


def class_name(names: Sequence[str], k: int) -> str:
    """The name of class k, or its number."""
    return names[k] if k < len(names) else str(k)


def bars(shares: Sequence[float], marks: Sequence[float] | None, names: Sequence[str]) -> str:
    """A bar for each share, a dashed line where all would be equal, a mark on each bar for what it should be."""
    even = 1 / len(shares)
    scale = BAR / max(*shares, *(marks or ()), 1.5 * even)
    height = ROW * len(shares) + 18
    parts = []
    for k, share in enumerate(shares):
        top = k * ROW + 4
        parts.append(
            f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{html.escape(class_name(names, k)[:20])}</text>'
            f'<rect x="{LEFT}" y="{top}" width="{share * scale:.1f}" height="{ROW - 8}" rx="3"/>'
            f'<text x="{LEFT + BAR + 12}" y="{top + 14}">{share:.1%}</text>'
        )
        if marks is not None:
            x = LEFT + marks[k] * scale
            parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 2}" y2="{top + ROW - 6}"/>')
    x = LEFT + even * scale
    parts.append(
        f'<line class="even" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 14}"/>'
        f'<text x="{x:.1f}" y="{height - 2}" text-anchor="middle">even: {even:.1%}</text>'
    )
    return layout.box("bars", f'<svg viewBox="0 0 640 {height}" role="img">{"".join(parts)}</svg>')
