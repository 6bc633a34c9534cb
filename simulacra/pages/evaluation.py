"""The page about an evaluation: each score with what it says, and the pictures behind the scores."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from simulacra import images
from simulacra.evaluation import verdict
from simulacra.evaluation.evaluate import Evaluation
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.meanings import FLOOR, by_group, meaning, without_floors
from simulacra.metrics.neighbours import nearest
from simulacra.models import Coded, Inferential, Translating
from simulacra.pages import charts, layout, neighbours
from simulacra.pages.layout import Cell, number
from simulacra.pages.neighbours import column
from simulacra.steering import generate, translate

SAMPLES = 48  # shown
FEW = 12  # images in a row
MAX_POINTS = 5_000  # of the map
LEAD = "Every number and picture on this page comes from images that the model was not trained on, or from its samples."


def write(evaluation: Evaluation, path: Path) -> Path:
    """Write the page of an evaluation. Raises `StorageError`."""
    evidence, run = evaluation.evidence, evaluation.evidence.run
    title = f"{run.path.name}: {run.config.recipe} on {run.splits.train.name}, evaluated"
    body = [layout.facts(_facts(evidence)), _verdict(evaluation.scores), _table(evaluation.scores), *pictures(evidence)]
    return layout.write(path, title, LEAD, body)


def _facts(evidence: Evidence) -> Iterable[tuple[str, str]]:
    run = evidence.run
    yield "family", run.config.model.family
    yield "test images", f"{len(evidence.x):,}"
    yield "size", str(run.shape)
    yield "seed", str(evidence.seed)
    if evidence.prior is not None:
        yield "prior", evidence.prior.identity
    if evidence.can_sample or isinstance(run.model, Translating):
        yield "features", f"{evidence.extractor.name}:{evidence.extractor.digest[:12]}"


# ------------------------------------------------------------------------------------------------ the scores


def _verdict(scores: Sequence[Score]) -> str:
    """What the scores of samples say together, where they say something."""
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in verdict.sentences(scores))
    return layout.section("What the scores say", "", f"<ul>{said}</ul>") if said else ""


def _table(scores: Sequence[Score]) -> str:
    """Scores in groups, a distance with its floor beside it."""
    of = {score.metric: score for score in scores}
    rows: list[list[Cell | str]] = []
    for group, names in by_group(without_floors(of)).items():
        rows.append([Cell(group, kind="group", span=5)])
        rows += [_row(of[name], of.get(name + FLOOR)) for name in names]
    note = (
        "A score means something only beside another score of the same test images, number of images and features. "
        "Differences no larger than those between two seeds mean nothing."
    )
    return layout.section(
        "Scores", note, layout.table(["metric", number("value"), "", "better", number("images")], rows)
    )


def _row(score: Score, floor: Score | None) -> list[Cell | str]:
    said = meaning(score.metric)
    split = "" if score.split == "test" else score.split
    return [
        Cell(score.metric, said.sentence),
        number(f"{score.value:.4g}", beside(score, floor)),
        score.unit,
        said.better or "",
        number(f"{score.n:,}", split),
    ]


def beside(score: Score, floor: Score | None) -> str:
    """What belongs below a value: its floor, its interval."""
    parts = [] if floor is None else [f"floor {floor.value:.4g}"]
    if score.interval is not None:
        parts.append("{:.4g} to {:.4g}".format(*score.interval))
    return ", ".join(parts)


# ---------------------------------------------------------------------------------------------- the pictures


def pictures(evidence: Evidence) -> Iterable[str]:
    """The sections of pictures that a model can be shown by."""
    if evidence.can_sample:
        yield _samples(evidence)
        yield _nearest_training_images(evidence)
        yield _class_counts(evidence)
        yield _farthest_samples(evidence)
    if isinstance(evidence.model, Inferential):
        yield _reconstructions(evidence)
        yield _worst_reconstructions(evidence)
        yield _map(evidence)
    if isinstance(evidence.model, Translating):
        yield _translations(evidence)
        if evidence.test.paired:
            yield from (_worst_translations(evidence, to) for to in evidence.translated)


def _samples(evidence: Evidence) -> str:
    sheet = images.grid(images.magnified(evidence.samples[:SAMPLES]), FEW)
    return layout.section("Samples", "The first samples drawn, not chosen by hand.", layout.picture(sheet, "samples"))


def _nearest_training_images(evidence: Evidence) -> str:
    """Each sample above the training images that are nearest to it in the space of features."""
    train, name = evidence.run.splits.train, evidence.extractor.name
    return neighbours.section(evidence.samples, evidence.fake, train, evidence.known, evidence.real, name)


def _class_counts(evidence: Evidence) -> str:
    """How often samples look like each class, where the features come with a classifier."""
    if evidence.probabilities is None:
        return ""
    classes = evidence.probabilities.shape[1]
    labels = evidence.test.labels
    marks = None if labels is None else _shares(labels, classes)
    drawn = _shares(evidence.probabilities.argmax(1), classes)
    note = (
        f"The classes that the {evidence.extractor.name} classifier gives to the {len(evidence.samples):,} samples."
        + ("" if marks is None else " Vertical marks show the shares among test images.")
    )
    return layout.section("Classes of the samples", note, charts.bars(drawn, marks, evidence.test.classes))


def _shares(labels: Tensor, classes: int) -> list[float]:
    counts = torch.bincount(labels.clamp(max=classes - 1), minlength=classes)
    return [float(count) / len(labels) for count in counts]


def _farthest_samples(evidence: Evidence) -> str:
    """The samples that look least like any test image, each above the nearest one."""
    distance, index = nearest(evidence.fake, evidence.real)
    worst = distance.argsort(descending=True)[:FEW]
    columns = [
        neighbours.column([(evidence.samples[i], ""), (evidence.x[index[i]], f"{float(distance[i]):.3g}")])
        for i in worst
    ]
    note = (
        f"The {len(worst)} of {len(distance):,} samples that are farthest from every test image. Each framed sample "
        f"stands above its nearest test image and their distance (median: {float(distance.median()):.3g})."
    )
    return layout.section("Samples least like any test image", note, layout.box("neighbours", *columns))


def _reconstructions(evidence: Evidence) -> str:
    chosen = _at_equal_steps(evidence.x, 2 * FEW)
    note = "Test images (framed, not chosen by hand), and below each one its reconstruction."
    return _pairs("Reconstructions", note, evidence, chosen, lambda _: "")


def _worst_reconstructions(evidence: Evidence) -> str:
    error = evidence.reconstruction_errors
    worst = error.argsort(descending=True)[:FEW]
    note = (
        "The test images (framed) with the largest mean squared errors, given below on the [0, 1] scale "
        f"(median: {float(error.median()):.3g})."
    )
    return _pairs("Worst reconstructions", note, evidence, evidence.x[worst], lambda k: f"{float(error[worst[k]]):.3g}")


def _pairs(title: str, note: str, evidence: Evidence, x: Tensor, say: Callable[[int], str]) -> str:
    returned = generate.reconstruct(evidence.model, x)
    columns = [column([(x[k], ""), (returned[k], say(k))]) for k in range(len(x))]
    return layout.section(title, note, layout.box("neighbours", *columns))


def _translations(evidence: Evidence) -> str:
    note = "The first test images of each domain and their translations."
    picture = translate.sheet(evidence.model, evidence.test, 2 * FEW)
    return layout.section("Translations", note, layout.picture(picture, "translations"), kind="wide")


def _worst_translations(evidence: Evidence, to: str) -> str:
    source, target = (images.from_bytes(evidence.test.domains[name].images) for name in (translate.OTHER[to], to))
    there = evidence.translated[to]
    error = (there - target).abs().flatten(1).mean(1) / 2
    worst = error.argsort(descending=True)[:FEW].tolist()
    columns = [
        neighbours.column([(source[k], ""), (there[k], ""), (target[k], f"{float(error[k]):.3g}")]) for k in worst
    ]
    note = (
        "The test images (framed) with the largest mean absolute errors, their translations, and the true images "
        f"(median: {float(error.median()):.3g})."
    )
    return layout.section(f"Worst translations to {to}", note, layout.box("neighbours", *columns))


def _map(evidence: Evidence) -> str:
    """The codes of test images, two latents as they are, more by their two principal components."""
    labels = evidence.test.labels
    codes = _at_equal_steps(_without_label(evidence), MAX_POINTS)
    if codes.shape[1] < 2:
        return ""
    points, note = (codes, "The two latents of") if codes.shape[1] == 2 else _principal(codes)
    colours = (
        " The data has no classes." if labels is None else " Each class has a colour; its name stands at its median."
    )
    labels = None if labels is None else _at_equal_steps(labels, MAX_POINTS)
    drawing = charts.scatter(points, labels, evidence.test.classes)
    return layout.section("Map of the latents", f"{note} {len(codes):,} test images.{colours}", drawing)


def _without_label(evidence: Evidence) -> Tensor:
    """The latents ``(n, D)`` of the test images without the label, where a model is told one."""
    if evidence.conditional and isinstance(evidence.model, Coded):
        return evidence.codes[:, : evidence.model.codes.noise]
    return evidence.codes


def _principal(codes: Tensor) -> tuple[Tensor, str]:
    """Codes ``(N, D)`` on their two principal axes, ``(N, 2)``, and what share of the variance that shows."""
    centred = codes.double() - codes.double().mean(0)
    variance, axes = torch.linalg.eigh(centred.T @ centred)
    share = float(variance[-2:].sum() / variance.sum().clamp(min=1e-12))
    words = f"The first two principal components of {codes.shape[1]} latents, with {share:.0%} of their variance, for"
    return centred @ axes[:, -2:].flip(1), words


def _at_equal_steps(values: Tensor, count: int) -> Tensor:
    """At most that many rows, from the first to the last."""
    return values[torch.linspace(0, len(values) - 1, min(count, len(values))).round().long()]
