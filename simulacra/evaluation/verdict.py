"""What scores of samples say together, in sentences: noise, repetition, blur and copies are called what they are.

No single number does: copies of the training images have the best distances, one picture repeated has perfect
precision, and blur is nearer to photographs than crisp samples with faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulacra.evaluation.scores import Score

COPIES = 0.5  # copy ratio below which samples are nearer to training images than chance allows
ALIKE = 0.35  # of the variety of test images
BLURRED, NOISY = 0.6, 2.0  # of the detail of test images
UNLIKE = 0.1  # density up to which hardly anything looks real
FEW_IMAGES = 1_000  # test images below which the Frechet distance is mostly its own error


def sentences(scores: Iterable[Score]) -> list[str]:
    """Return what a person should know of samples, a sentence each: their faults, and which distance to read."""
    found = {score.metric: score for score in scores}
    return [*faults(found.values()), *_small_sample(found)]


def faults(scores: Iterable[Score]) -> list[str]:
    """Return what is wrong with samples, a sentence for each fault; nothing where no fault was found."""
    return list(_faults({score.metric: score.value for score in scores}))


def _faults(values: dict[str, float]) -> Iterator[str]:
    detail = values.get("sharpness", 1.0)
    variety = values.get("sample_variety", 1.0)
    if variety < ALIKE:
        yield f"The samples look alike: they differ from each other {variety:.0%} as much as test images."
    if detail > NOISY:
        yield f"The samples are noisy: they have {detail:.1f} times the fine detail of test images."
    elif detail < BLURRED:
        yield f"The samples are blurred: they have {detail:.0%} of the fine detail of test images."
    if values.get("density", 1.0) <= UNLIKE:
        yield "The samples do not look like the pictures: hardly any of them lies among the test images."
    elif values.get("copy_ratio", 1.0) < COPIES:
        yield (
            f"The samples are copies of training pictures, or nearly so: their distance to the nearest one is "
            f"{values['copy_ratio']:.0%} of that of test images."
        )


def _small_sample(found: dict[str, Score]) -> Iterator[str]:
    """A warning where a Frechet distance was measured on few images, for which it is mostly its own error."""
    distance, floor = found.get("frechet_distance"), found.get("frechet_distance_floor")
    if distance is not None and floor is not None and distance.n < FEW_IMAGES:
        yield (
            f"With {distance.n} test images, read the kernel distance: the Frechet distance of {distance.value:.3g} is "
            f"biased, and real training images would have {floor.value:.3g}."
        )
