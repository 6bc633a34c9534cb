"""Whether what a model reads off an image tells its class: latents, named codes, labels."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.classes import CODE_ACCURACY, match_codes
from simulacra.metrics.meanings import CLASSES, declare
from simulacra.metrics.probes import KNN_ACCURACY, LINEAR_PROBE_ACCURACY, knn_accuracy, linear_probe
from simulacra.models import Recognising
from simulacra.models.codes import Categorical
from simulacra.models.labels import LABEL
from simulacra.steering import generate

# fmt: off
LABEL_ACCURACY = declare(
    "label_accuracy", CLASSES, "share",
    "Share of test images whose true class is the one under which the model finds them most probable.", "higher",
)
# fmt: on


def measure(evidence: Evidence) -> Iterator[Score]:
    """Whether the latents of training images tell the classes of test images."""
    train, test = evidence.training_images(), evidence.test
    if train.labels is None or test.labels is None or int(train.labels.max()) == int(train.labels.min()):
        return
    known = generate.encode(evidence.model, evidence.images(train))
    samples = (known, train.labels, evidence.codes, test.labels)
    yield evidence.score(KNN_ACCURACY, knn_accuracy(*samples))
    yield evidence.score(LINEAR_PROBE_ACCURACY, linear_probe(*samples))


def measure_codes(evidence: Evidence) -> Iterator[Score]:
    """Whether a categorical code learned without labels tells the classes: codes are named on training images."""
    model = evidence.model
    assert isinstance(model, Recognising)
    train, test = evidence.training_images(), evidence.test
    if train.labels is None or test.labels is None:
        return
    classes = int(train.labels.max()) + 1
    known = model.codes.values(generate.encode(model, evidence.images(train)))
    tested = model.codes.values(evidence.codes)
    for code in model.codes:
        if isinstance(code, Categorical) and code.categories == classes:
            matching = match_codes(known[code.name], train.labels, classes)
            named = torch.tensor(matching.label_of_code)[tested[code.name]]
            yield evidence.score(CODE_ACCURACY, float((named == test.labels).double().mean()))


def measure_labels(evidence: Evidence) -> Iterator[Score]:
    """Whether the class that a conditional model reads off a test image is its own."""
    model, labels = evidence.model, evidence.test.labels
    assert isinstance(model, Recognising)
    if labels is not None:
        inferred = model.codes.values(evidence.codes)[LABEL]
        yield evidence.score(LABEL_ACCURACY, float((inferred == labels).double().mean()))
