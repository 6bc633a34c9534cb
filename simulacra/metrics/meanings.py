"""What a score says: its unit, a sentence for a person, and which way is better.

A metric is declared once, beside the function that computes it; the pages, the scores of an evaluation and the tables
of docs/evaluate.md take what they say from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from simulacra.errors import ConfigError

LIKELIHOOD = "Likelihood of test images"
LATENTS = "Use of the latents"
IMAGES = "Reconstructions or translations of test images"
CLASSES = "Classes in the latents"
FACTORS = "Disentanglement of the latents"
SAMPLES = "Samples or translations against test images"
KINDS = "Classes among the samples"
OTHER = "Other"
GROUPS = (LIKELIHOOD, LATENTS, IMAGES, CLASSES, FACTORS, SAMPLES, KINDS)  # in the order of the pages

FLOOR = "_floor"  # ends the name of a score that says what a perfect model would get
TO_A = "_to_a"  # ends the name of a score of translations to domain A; without it they are to B
COPIED = "_of_copying"  # ends the name of a score of the input itself, taken for its translation
BASELINES = {  # end the name of a score of something simpler than the model, and say what it is
    COPIED: "the unchanged input",
    "_of_bicubic": "bicubic interpolation of the input",
    "_of_lanczos": "Lanczos interpolation of the input",
    "_of_non_local_means": "non-local means (OpenCV)",
    "_of_telea": "filling by fast marching (OpenCV)",
}


@dataclass(frozen=True)
class Meaning:
    """A metric: its name, the group it belongs to, its unit, one sentence, which way is better (None: neither)."""

    name: str
    group: str
    unit: str
    sentence: str
    better: Literal["higher", "lower"] | None = None


MEANINGS: dict[str, Meaning] = {}  # every metric that was declared, by name


def declare(
    name: str, group: str, unit: str, sentence: str, better: Literal["higher", "lower"] | None = None
) -> Meaning:
    """Declare a metric; what is returned names it in `Evidence.score`. A group of your own stands after `GROUPS`.

    Raises `ConfigError` for a name that means something else already.
    """
    declared = Meaning(name, group, unit, sentence, better)
    if MEANINGS.setdefault(name, declared) != declared:
        raise ConfigError(f"A metric '{name}' is declared already: {MEANINGS[name].sentence} Choose another name.")
    return declared


def meaning(metric: str) -> Meaning:
    """What a score of that name says; for an unknown one, nothing. Scores of baselines have no direction."""
    base = _declared_name(metric)
    said = replace(MEANINGS.get(base, Meaning(base, OTHER, "", "")), name=metric)
    for ending, what in BASELINES.items():
        if metric.removesuffix(TO_A).endswith(ending):
            said = replace(said, sentence=f"For comparison, {what}: {said.sentence}", better=None)
    return replace(said, sentence=f"{said.sentence} From B to A.") if TO_A in metric else said


def to_a(metric: str) -> str:
    """The name of the same score of translations to domain A."""
    base = metric.removesuffix(FLOOR)
    return base + TO_A + metric[len(base) :]


def _declared_name(metric: str) -> str:
    """The name under which the metric of a score was declared."""
    name = metric.replace(TO_A, "")
    return next((name.removesuffix(ending) for ending in BASELINES if name.endswith(ending)), name)


def by_group(metrics: Iterable[str]) -> dict[str, list[str]]:
    """Names of scores by their group, in the order of `GROUPS`; in a group, in the order of declaration."""
    names = list(MEANINGS)
    found: dict[str, list[str]] = {}
    for metric in sorted(metrics, key=lambda metric: _place(_declared_name(metric), names)):
        found.setdefault(meaning(metric).group, []).append(metric)
    return {group: found.pop(group) for group in GROUPS if group in found} | found


def _place(name: str, names: list[str]) -> int:
    return names.index(name) if name in names else len(names)


def without_floors(metrics: Iterable[str]) -> list[str]:
    """Names of metrics, but for the floors of others, which stand beside them."""
    known = list(metrics)
    return [name for name in known if not (name.endswith(FLOOR) and name.removesuffix(FLOOR) in known)]


def row(said: Meaning) -> str:
    """The metric's row in a table of docs/evaluate.md."""
    return f"| `{said.name}` | {said.sentence} | {said.unit} | {said.better or ''} |"
