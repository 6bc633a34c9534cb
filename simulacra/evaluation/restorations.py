"""Test images restored by a translator, against the originals, beside what needs no model: interpolation and OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec

import torch
from PIL import Image
from torch import Tensor

from simulacra import images
from simulacra.data.degradation import Degradation
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.reconstructions import MAX_PSNR, pixel_metrics
from simulacra.evaluation.scores import Score
from simulacra.images import from_bytes, to_bytes
from simulacra.metrics.meanings import COPIED
from simulacra.metrics.pixels import psnr

TUNED_ON = 32  # training pairs on which the strength of non-local means is chosen
STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3)  # of which, as multiples of the noise's standard deviation
Restore = Callable[[Tensor], Tensor]


def measure(evidence: Evidence) -> Iterator[Score]:
    """Errors of the model's restorations, and of the simpler methods that apply."""
    degraded, original = evidence.domain("A"), evidence.domain("B")
    yield from _scores(evidence, "", evidence.translated["B"], original)
    for ending, restore in _baselines(evidence, original).items():
        yield from _scores(evidence, ending, restore(degraded), original)


def _scores(evidence: Evidence, ending: str, restored: Tensor, original: Tensor) -> Iterator[Score]:
    for metric, function in pixel_metrics(min(evidence.run.shape.sides)):
        value = float(function(restored, original).clamp(max=MAX_PSNR).mean())
        yield evidence.score(replace(metric, name=metric.name + ending), value)


def _baselines(evidence: Evidence, original: Tensor) -> dict[str, Restore]:
    """What restores images without a model, by the ending of its scores' names."""
    degradation, channels = Degradation(evidence.run.config.data.pairs), original.shape[1]
    found: dict[str, Restore] = {COPIED: lambda x: x.expand(-1, channels, -1, -1)}
    if degradation.has("resize"):
        found = {"_of_bicubic": found[COPIED]}
        if not degradation.draws and not degradation.is_grey:
            found["_of_lanczos"] = lambda _: _lanczos(degradation.small(original), original)
    if degradation.has("noise") or degradation.has("erase"):
        found |= _of_opencv(evidence, degradation, original)
    return found


def _lanczos(small: Tensor, original: Tensor) -> Tensor:
    size = (original.shape[-1], original.shape[-2])
    enlarged = [images.picture(image).resize(size, Image.Resampling.LANCZOS) for image in small]
    return torch.stack([from_bytes(images.to_tensor(one, small.shape[1])) for one in enlarged])


# ------------------------------------------------------------------------------------------------- OpenCV


def _of_opencv(evidence: Evidence, degradation: Degradation, original: Tensor) -> dict[str, Restore]:
    if find_spec("cv2") is None:
        evidence.warn("OpenCV's methods are not measured beside the model: pip install 'simulacra[vision]'")
        return {}
    only = len(degradation.pipeline.steps) == 1
    found: dict[str, Restore] = {}
    if only and degradation.has("noise"):
        found["_of_non_local_means"] = lambda x: _non_local_means(x, _strength(evidence))
    if only and degradation.has("erase"):
        found["_of_telea"] = lambda x: _telea(x, original)
    return found


def _strength(evidence: Evidence) -> float:
    """The strength in grey levels that serves some training pairs best, so that the comparison is fair."""
    a, b = (from_bytes(part.images[:TUNED_ON]) for part in evidence.run.splits.train.domains.values())
    deviation = float((a - b).std()) * 127.5
    return max((deviation * times for times in STRENGTHS), key=lambda h: float(psnr(_non_local_means(a, h), b).mean()))


def _non_local_means(x: Tensor, strength: float) -> Tensor:
    """Average over similar patches of 7 pixels in a window of 21, as OpenCV's documentation recommends."""
    import cv2

    def one(image: Tensor) -> Tensor:
        pixels = to_bytes(image).movedim(0, -1).contiguous().numpy()
        if pixels.shape[-1] == 1:
            return torch.from_numpy(cv2.fastNlMeansDenoising(pixels, None, strength, 7, 21)).unsqueeze(0)
        return torch.from_numpy(cv2.fastNlMeansDenoisingColored(pixels, None, strength, strength, 7, 21)).movedim(-1, 0)

    return from_bytes(torch.stack([one(image) for image in x]))


def _telea(x: Tensor, original: Tensor) -> Tensor:
    """Fill in the pixels that differ from the original; a picture without any is left as it is."""
    from simulacra.transforms.inpaint import telea

    hidden = (x != original).any(1, keepdim=True)
    return torch.stack(
        [telea(image[None], hole[None])[0] if hole.any() else image for image, hole in zip(x, hidden, strict=True)]
    )
