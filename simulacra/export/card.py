"""A model card: what a run makes, how it was made, its scores with their conditions, samples, limits, licence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from simulacra import images
from simulacra.errors import printable
from simulacra.evaluation import scores as evaluated
from simulacra.models import Generative, Translating
from simulacra.runs.card import shown
from simulacra.runs.folder import EVALUATION, scores
from simulacra.runs.run import Run
from simulacra.storage import atomic
from simulacra.version import __version__

__all__ = ["SAMPLES", "write"]

SAMPLES = "card-samples.png"
UNSTATED = "not stated"
IDENTIFIERS = {"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "unknown"}
SHOWN = 32  # images on the card
LIMITS = (
    "It cannot draw what its training images did not show, and it repeats their biases.",
    "It was trained and measured at one size; scores hold for that size, those images and those features.",
)


def write(run: Run, path: Path, licence: str, address: str | None = None) -> list[Path]:
    """Write the card and, where there are images to show, a picture beside it; return their paths.

    ``address`` is what opens the model, when that is not its file. Raises `StorageError`.
    """
    pictures = shown(run, SHOWN)
    picture = None if pictures is None else path.with_name(SAMPLES)
    text = "\n".join(map(printable, _lines(run, licence, picture, address or run.file.name))) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
    if pictures is None or picture is None:
        return [path]
    return [path, images.save(images.grid(images.magnified(pictures), 8), picture)]


def _lines(run: Run, licence: str, picture: Path | None, address: str) -> Iterator[str]:
    values = run.config
    yield from ("---", *_licence(licence), "tags: [image-generation, simulacra]", "---", "")
    yield f"# {values.recipe}, trained on {values.data.name}"
    yield from ("", f"{_makes(run)} Images are {run.shape} (channels, height, width).", "")
    if picture is not None:
        yield from (f"![Images of this model]({picture.name})", "")
    yield from ("## How it was made", "", "| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in _facts(run)), "")
    yield from ("## Scores", "", *_scores(run), "", "## Limits", "", *(f"- {limit}" for limit in LIMITS), "")
    yield from (
        "## Use",
        "",
        "```python",
        "import simulacra",
        "",
        f'run = simulacra.Run.open("{address}")',
        "```",
    )
    yield from ("", "## Licence", "", f"{licence}.")


def _licence(licence: str) -> list[str]:
    """The licence as the hub reads it: one of its identifiers, or another by name."""
    if licence == UNSTATED:
        return []
    if licence.lower() in IDENTIFIERS:
        return [f"license: {licence.lower()}"]
    return ["license: other", f"license_name: {json.dumps(licence)}"]


def _makes(run: Run) -> str:
    if isinstance(run.model, Translating):
        return "It translates images of one domain to another."
    if isinstance(run.model, Generative):
        return "It draws new images from noise."
    return "It encodes images into latents and reconstructs them."


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    values, history = run.config, run.history()
    yield "family", values.model.family
    yield "recipe", str(values.recipe)
    yield "data", values.data.name
    yield "parameters", f"{sum(one.numel() for one in run.model.parameters()):,}"
    if history:
        yield "training images seen", f"{history[-1]['images']:,}"
        yield "training time", f"{history[-1]['seconds']:,.0f} s"
    yield "seed", str(values.seed)
    yield "made by", f"simulacra {__version__}"


def _scores(run: Run) -> Iterator[str]:
    """The scores of an evaluation, with what they depend on, else those of the training's held-out images."""
    file = run.folder.file(EVALUATION)
    if file is not None:
        yield from ("| metric | value | unit | images | split | features |", "|---|---|---|---|---|---|")
        for one in evaluated.load(file):
            yield f"| {one.metric} | {one.value:.4g} | {one.unit} | {one.n:,} | {one.split} | {one.features or ''} |"
        return
    logged = scores(run.history(), run.config.train.keep)
    yield from (f"- {name}: {value:.4g}" for name, value in logged.items())
    if not logged:
        yield "Not measured yet: `simulacra evaluate RUN`."
