"""What images are compared by: extractors turn ``(N, C, H, W)`` in [-1, 1] into features ``(N, D)``.

`Pictures` serves any data: a small network that has seen photographs, shipped with the package. `Classifier` is a
smaller one for one labelled data set: shipped, or trained when it is first needed. `Given` is a network of yours,
`Pixels` are the pixels themselves. No features are universal, so every value computed from them carries their name and
digest, and `self_test` says whether they see that images get worse.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulacra.config.choices import FEATURES
from simulacra.data import Splits
from simulacra.errors import ConfigError, nearest
from simulacra.features import given, learning
from simulacra.features.base import Classifying, Extractor, resized
from simulacra.features.classifier import CLASSIFIERS, Classifier, Network
from simulacra.features.corruption import Corruption, self_test
from simulacra.features.domains import domain_classifier
from simulacra.features.given import Given, GivenClassifier
from simulacra.features.learning import learned
from simulacra.features.pictures import Pictures
from simulacra.features.pixels import Pixels
from simulacra.features.stacked import StackedDigits
from simulacra.images import Shape

__all__ = [
    "CLASSIFIERS",
    "Classifier",
    "Classifying",
    "Corruption",
    "Extractor",
    "Given",
    "GivenClassifier",
    "Network",
    "Pictures",
    "Pixels",
    "StackedDigits",
    "domain_classifier",
    "extractor",
    "learned",
    "ready",
    "resized",
    "self_test",
]

CHOICES = FEATURES


def extractor(
    data: str,
    splits: Splits,
    choice: str | None = None,
    *,
    sha256: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Extractor:
    """Return the extractor for a data set.

    ``choice`` is "pictures"; "pixels"; "classifier", the shipped one of that name or one trained on ``splits``; or the
    path of a network in a ``.pt2`` file that has ``sha256``. None chooses: for two domains the classifier of these,
    unless one was made from the other; else a classifier where one is shipped, or where each of two classes or more
    has 50 training images; else the pictures.
    ``tell`` is called with a sentence before a training.
    Raises `ConfigError`.
    """
    check(choice, sha256)
    if choice is None and splits.train.other is not None and not splits.degraded:
        return domain_classifier(splits, tell)
    if choice is not None and choice not in CHOICES:
        return given.load(Path(choice), sha256, splits.train.shape)
    if choice == "pixels":
        return Pixels(splits.train.shape)
    if choice == "pictures":
        return Pictures()
    found = ready(data, splits.train.shape)
    if isinstance(found, Pictures) and (choice == "classifier" or learning.labelled(splits, learning.MIN_PER_CLASS)):
        return learned(splits, tell)
    return found


def ready(data: str, shape: Shape) -> Extractor:
    """Return the best extractor for a data set that needs no training: the classifier of that name, or the pictures."""
    if data == StackedDigits.name and shape.channels == 3:
        return StackedDigits()
    return Classifier.load(data) if data in CLASSIFIERS else Pictures()


def check(choice: str | None, sha256: str | None) -> None:
    """Refuse what can be seen to be wrong without any data. Raises `ConfigError`."""
    path = choice is not None and choice not in CHOICES
    if sha256 is not None and not path:
        raise ConfigError("--features-sha256 needs the file that it belongs to: --features FILE.pt2")
    if choice is not None and path and not choice.endswith(given.ENDING):
        if Path(choice).suffix and not Path(choice).exists():
            raise ConfigError(
                f"--features {choice}: there is no such file. A network for features is a {given.ENDING} file."
            )
        raise ConfigError(
            f"--features '{choice}' is unknown.{nearest(choice, CHOICES)} "
            f"Choose one of {', '.join(CHOICES)}, or a {given.ENDING} file."
        )
