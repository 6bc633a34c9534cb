"""What all pages are made of: the template with its style and script, sections, tables, pictures, curves.

Arguments named ``content`` and ``body`` are HTML; every other text is escaped here.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.storage import atomic

MAX_POINTS = 400  # of a curve
COLORS = 10  # of the stylesheet, --c0 to --c9


def write(path: Path, title: str, lead: str, body: Iterable[str]) -> Path:
    """Write a page, whole or not at all. Raises `StorageError`."""
    text = Template(_file("page.html")).substitute(
        title=html.escape(title), lead=html.escape(lead), body="\n".join(body),
        style=_file("style.css"), script=_file("script.js"),
    )  # fmt: skip
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
    return path


def _file(name: str) -> str:
    return (resources.files("simulacra") / "pages" / name).read_text("utf-8")


def section(title: str, note: str, *content: str, kind: str = "") -> str:
    """A box with a heading and a sentence about what it shows; ``kind`` are classes of the stylesheet."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<section{attribute}><h2>{html.escape(title)}</h2><p>{html.escape(note)}</p>{''.join(content)}</section>"


def box(kind: str, *content: str) -> str:
    """A division of a class of the stylesheet."""
    return f'<div class="{kind}">{"".join(content)}</div>'


def facts(values: Iterable[tuple[str, str]]) -> str:
    """Names and values, as tiles."""
    return box(
        "facts", *(f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for name, value in values)
    )


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a second line below, the classes of the stylesheet, the columns it spans."""

    text: str
    below: str = ""
    kind: str = ""
    span: int = 1


def number(text: str, below: str = "", *, best: bool = False) -> Cell:
    """A cell with a number."""
    return Cell(text, below, "number best" if best else "number")


def table(head: Sequence[Cell | str], rows: Iterable[Sequence[Cell | str]]) -> str:
    """A table; it scrolls by itself where the page is too narrow."""
    body = "".join(f"<tr>{''.join(_cell(cell, 'td') for cell in row)}</tr>" for row in rows)
    top = "".join(_cell(cell, "th") for cell in head)
    return box("scroll", f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>")


def _cell(cell: Cell | str, tag: str) -> str:
    cell = Cell(cell) if isinstance(cell, str) else cell
    attributes = (f' class="{cell.kind}"' if cell.kind else "") + (f' colspan="{cell.span}"' if cell.span > 1 else "")
    below = f"<small>{html.escape(cell.below)}</small>" if cell.below else ""
    return f"<{tag}{attributes}>{html.escape(cell.text)}{below}</{tag}>"


def picture(image: Tensor | Image.Image, alt: str) -> str:
    """An image ``(C, H, W)`` in [-1, 1], or a picture, inside the page."""
    return f'<img src="{images.data_url(image)}" alt="{html.escape(alt)}">'


def captioned(image: Tensor | Image.Image, caption: str, after: str = "") -> str:
    """A picture below its caption."""
    name = f"<figcaption><b>{html.escape(caption)}</b><span>{html.escape(after)}</span></figcaption>"
    return f"<figure>{name}{picture(image, caption)}</figure>"


def folded(title: str, text: str) -> str:
    """Preformatted text that opens by its title."""
    return f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>"


def legend(names: Sequence[str]) -> str:
    """The names of colours, in the order of the stylesheet."""
    items = "".join(f"<li{color(index)}>{html.escape(name)}</li>" for index, name in enumerate(names))
    return f'<ul class="legend">{items}</ul>'


def color(index: int) -> str:
    """The attribute that gives an element one of the stylesheet's colours."""
    return f' style="--color: var(--c{index % COLORS})"'


def embedded(value: Any) -> str:
    """Data for the page's script; no text in it can end or nest the element."""
    text = json.dumps(value).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


def curves(note: str, histories: Mapping[str, Sequence[Mapping[str, Any]]], names: Sequence[str]) -> str:
    """Charts of logged values over images and over seconds, a colour for each run; ``histories`` are their rows."""
    charts = [{"name": name, "series": list(_series(histories, name))} for name in names]
    clocks = "".join(f'<button type="button" value="{clock}">{clock}</button> ' for clock in ("images", "seconds"))
    colours = legend(list(histories)) if len(histories) > 1 else ""
    return section("Curves", note, colours, clocks, box("charts"), embedded(charts), kind="curves")


def _series(histories: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> Iterable[dict[str, Any]]:
    """The points of one value in each run that logged it, thinned to what a screen can show."""
    for index, rows in enumerate(histories.values()):
        points = [[row["images"], row["seconds"], row[name]] for row in rows if name in row]
        if points:
            step = max(1, len(points) // MAX_POINTS)
            yield {"color": index % COLORS, "points": points[:-1:step] + points[-1:]}


def logged(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the values in a history, in the order of their first appearance."""
    return list({name: None for row in rows for name in row if "/" in name})
