"""What a smaller file costs: bytes, images per second, and the change of the run's own score."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from simulacra import features, images
from simulacra.errors import DataError
from simulacra.export.boundary import Boundary
from simulacra.export.parts import Part
from simulacra.export.runtimes import Runner
from simulacra.metrics.frechet import frechet_distance
from simulacra.runs.run import Run

__all__ = ["price"]

MEASURED = 2_000  # images that a score is measured on
CHUNK = 100


@torch.no_grad()
def price(run: Run, part: Part, boundary: Boundary, full: tuple[Runner, int], small: tuple[Runner, int]) -> str:
    """Return a sentence about two files of a part, each a runner and its bytes: what the smaller one costs."""
    inputs, real = _inputs(run, part, boundary)
    before, slow = _timed(full[0], inputs)
    after, fast = _timed(small[0], inputs)
    said = f"{full[1]:,} to {small[1]:,} bytes, {slow:,.0f} to {fast:,.0f} images/s"
    return f"{said}, {_score(run, part, boundary, before, after, real)}"


def _inputs(run: Run, part: Part, boundary: Boundary) -> tuple[list[Tensor], Tensor | str]:
    """What to run the part on, and real images to compare with, or the reason why there are none."""
    try:
        test = run.splits.test
    except DataError as error:
        generator = torch.Generator().manual_seed(0)
        drawn = [one.draw(CHUNK * 5, generator) for one in part.inputs]
        return [boundary.to_boundary(*pair) for pair in zip(part.inputs, drawn, strict=True)], str(error)
    source = test.domains["A" if part.name == "translator-b" else "B"] if part.name.startswith("translator") else test
    x = images.from_bytes(source.images[:MEASURED])
    if part.inputs[0].kind == "image":
        return [boundary.to_boundary(part.inputs[0], x)], x
    return _drawn(run, part, len(x)), x


def _drawn(run: Run, part: Part, count: int) -> list[Tensor]:
    """Latents of the model's prior for a generator, and plain noise for a prior."""
    generator = torch.Generator().manual_seed(0)
    model = run.model
    prior = getattr(model, "prior", None)
    if part.name != "generator" or prior is None:
        return [one.draw(count, generator) for one in part.inputs]
    z = prior(count, generator)
    codes = getattr(model, "codes", None)
    return [z] if codes is None else [z[:, : codes.noise], *codes.values(z).values()]


def _timed(run: Runner, inputs: Sequence[Tensor]) -> tuple[list[Tensor], float]:
    run([one[:CHUNK] for one in inputs])
    start = time.perf_counter()
    found = [run([one[place : place + CHUNK] for one in inputs]) for place in range(0, len(inputs[0]), CHUNK)]
    seconds = time.perf_counter() - start
    return [torch.cat(column) for column in zip(*found, strict=True)], len(inputs[0]) / seconds


def _score(
    run: Run, part: Part, boundary: Boundary, before: list[Tensor], after: list[Tensor], real: Tensor | str
) -> str:  # fmt: skip
    """The change of a score: of samples against test images, of reconstructions, or between the two files."""
    if part.name == "generator" and isinstance(real, Tensor):
        extractor = features.ready(run.config.data.name, run.shape)
        target = extractor.features(real)
        values = [
            frechet_distance(target, extractor.features(_inward(part, boundary, found))) for found in (before, after)
        ]
        return f"Frechet distance on {len(real):,} images {values[0]:.4g} to {values[1]:.4g}"
    if part.name == "reconstruction" and isinstance(real, Tensor):
        values = [
            float(((_inward(part, boundary, f) - real) / 2).square().flatten(1).sum(1).mean()) for f in (before, after)
        ]
        return f"squared error a test image {values[0]:.4g} to {values[1]:.4g}"
    change = max(float((a.double() - b.double()).abs().mean()) for a, b in zip(before, after, strict=True))
    missing = f" (its score was not measured: {real})" if isinstance(real, str) else ""
    return f"mean change of the output {change:.3g}{missing}"


def _inward(part: Part, boundary: Boundary, found: list[Tensor]) -> Tensor:
    return boundary.inward(part.outputs[0], found[0])
