"""Images a second of the image operations, against bare kornia, scikit-image and OpenCV, in one run on one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.transforms [--only WORD ...] [--pictures FOLDER]

1,000 images of 28 x 28 in grey and 100 of 256 x 256 in colour, float32. scikit-image and OpenCV have no batches: the
loop over images is part of their time; OpenCV equalises and takes medians above 5 x 5 in 8 bits only. Times are of the
processor, the best of several, so that a busy machine does not blur them. With ``--pictures``: a Poisson clone beside a
plain paste and OpenCV's seamlessClone.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from simulacra import images
from simulacra.transforms import apply, compose, filters

REPEATS, LONGEST = 6, 2.0  # measurements, and seconds after which no other is begun
SETS = {"28 x 28": (1000, 1, 28, 28), "256 x 256 x 3": (100, 3, 256, 256)}
Work = Callable[[], object]


def seconds(work: Work) -> float:
    """The least time of the processor that the work took."""
    begun, best = time.process_time(), math.inf
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
        if time.process_time() - begun > LONGEST:
            break
    return best


def cases(x: Tensor) -> Mapping[str, Mapping[str, Work]]:
    """By operation: the same work by us, kornia, scikit-image and OpenCV."""
    import cv2
    import kornia
    import skimage
    from skimage import exposure, transform
    from skimage import filters as theirs

    unit = images.to_unit(x)
    arrays = [np.ascontiguousarray(one.permute(1, 2, 0).squeeze(-1).numpy()) for one in unit]
    bytes_ = [np.round(255 * one).astype(np.uint8) for one in arrays]
    count, _, height, width = x.shape
    angles = torch.linspace(-30, 30, count)
    centre = ((width - 1) / 2, (height - 1) / 2)
    turns = [cv2.getRotationMatrix2D(centre, float(angle), 1.0) for angle in angles]
    matrices = torch.from_numpy(np.stack(turns)).float()
    channel = None if x.shape[1] == 1 else -1
    field = np.random.default_rng(0).normal(0, 2, (2, height, width)).astype(np.float32)
    column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))

    def each(function: Callable[[np.ndarray], object], over: list[np.ndarray] = arrays) -> Work:
        return lambda: [function(one) for one in over]

    def pair(function: Callable[[np.ndarray, np.ndarray], object]) -> Work:
        return lambda: [function(one, turn) for one, turn in zip(arrays, turns, strict=True)]

    def blurred(sigma: float) -> Mapping[str, Work]:
        size = 2 * int(4 * sigma + 0.5) + 1
        return {
            "ours": lambda: filters.gaussian(x, sigma),
            "kornia": lambda: kornia.filters.gaussian_blur2d(unit, (size, size), (sigma, sigma)),
            "scikit-image": each(lambda one: theirs.gaussian(one, sigma, channel_axis=channel)),
            "OpenCV": each(lambda one: cv2.GaussianBlur(one, (size, size), sigma)),
        }

    def median(size: int) -> Mapping[str, Work]:
        footprint = np.ones((size, size) if channel is None else (size, size, 1))
        return {
            "ours": lambda: filters.median(x, size),
            "kornia": lambda: kornia.filters.median_blur(unit, (size, size)),
            "scikit-image": each(lambda one: theirs.median(one, footprint, behavior="ndimage")),
            "OpenCV": each(lambda one: cv2.medianBlur(one, size), arrays if size <= 5 else bytes_),
        }

    def sheared(turn: np.ndarray) -> np.ndarray:
        return turn @ np.array([[1, 0.2, 0], [0, 1.1, 0], [0, 0, 1]])

    table: dict[str, Mapping[str, Work]] = {
        "box 5 x 5": {
            "ours": lambda: filters.box(x, 5),
            "kornia": lambda: kornia.filters.box_blur(unit, (5, 5)),
            "OpenCV": each(lambda one: cv2.blur(one, (5, 5))),
        },
        "Gaussian, sigma 1": blurred(1.0),
        "Gaussian, sigma 3": blurred(3.0),
        "median 3 x 3": median(3),
        "median 5 x 5": median(5),
        "rotate": {
            "ours": lambda: apply("rotate", x, degrees=angles),
            "kornia": lambda: kornia.geometry.rotate(unit, angles),
            "scikit-image": lambda: [
                transform.rotate(one, float(angle)) for one, angle in zip(arrays, angles, strict=True)
            ],
            "OpenCV": pair(lambda one, turn: cv2.warpAffine(one, turn, (width, height))),
        },
        "affine": {
            "ours": lambda: apply("affine", x, degrees=angles, shear=11.0, height=1.1),
            "kornia": lambda: kornia.geometry.warp_affine(unit, matrices, (height, width)),
            "scikit-image": pair(
                lambda one, turn: transform.warp(one, np.linalg.inv(np.vstack([sheared(turn), [0, 0, 1]])))
            ),
            "OpenCV": pair(lambda one, turn: cv2.warpAffine(one, sheared(turn), (width, height))),
        },
        "elastic": {
            "ours": lambda: apply("elastic", x, torch.Generator().manual_seed(0)),
            "kornia": lambda: kornia.geometry.elastic_transform2d(
                unit, torch.rand(count, 2, height, width) * 2 - 1, (33, 33), (8.0, 8.0)
            ),
            "OpenCV": each(
                lambda one: cv2.remap(
                    one,
                    column + cv2.GaussianBlur(field[0], (33, 33), 8),
                    row + cv2.GaussianBlur(field[1], (33, 33), 8),
                    1,
                )
            ),
        },
        "dilate 5 x 5": {
            "ours": lambda: filters.dilate(x, 5),
            "kornia": lambda: kornia.morphology.dilation(unit, torch.ones(5, 5)),
            "OpenCV": each(lambda one: cv2.dilate(one, np.ones((5, 5), np.uint8))),
        },
        "contrast": {
            "ours": lambda: apply("contrast", x, factor=1.2),
            "kornia": lambda: kornia.enhance.adjust_contrast_with_mean_subtraction(unit, 1.2),
        },
        "gamma": {
            "ours": lambda: apply("gamma", x, exponent=1.2),
            "kornia": lambda: kornia.enhance.adjust_gamma(unit, 1.2),
            "scikit-image": each(lambda one: exposure.adjust_gamma(one, 1.2)),
            "OpenCV": each(lambda one: cv2.pow(one, 1.2)),
        },
        "equalize": {
            "ours": lambda: apply("equalize", x),
            "kornia": lambda: kornia.enhance.equalize(unit),
            "scikit-image": each(lambda one: exposure.equalize_hist(one)),
            "OpenCV": each(lambda one: [cv2.equalizeHist(part) for part in cv2.split(one)], bytes_),
        },
        "resize to half": {
            "ours": lambda: apply("resize", x, height=height // 2, width=width // 2),
            "kornia": lambda: kornia.geometry.resize(unit, (height // 2, width // 2), antialias=True),
            "scikit-image": each(lambda one: transform.resize(one, (height // 2, width // 2), anti_aliasing=True)),
            "OpenCV": each(lambda one: cv2.resize(one, (width // 2, height // 2), interpolation=cv2.INTER_AREA)),
        },
    }
    if channel is None:
        table["median 7 x 7"] = median(7)  # kornia takes minutes for the large ones
    else:
        table["saturation"] = {
            "ours": lambda: apply("saturation", x, factor=1.5),
            "kornia": lambda: kornia.enhance.adjust_saturation_with_gray_subtraction(unit, 1.5),
        }
        table["hue"] = {
            "ours": lambda: apply("hue", x, degrees=30.0),
            "kornia": lambda: kornia.enhance.adjust_hue(unit, 0.5),
            "scikit-image": each(lambda one: skimage.color.hsv2rgb(skimage.color.rgb2hsv(one))),
            "OpenCV": each(lambda one: cv2.cvtColor(cv2.cvtColor(one, cv2.COLOR_RGB2HSV), cv2.COLOR_HSV2RGB)),
        }
    return table


def measure(only: list[str]) -> None:
    """Print the table, or the rows that hold one of some words."""
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    names = ("ours", "kornia", "scikit-image", "OpenCV")
    print(f"| images/s of one thread | {' | '.join(names)} | ours / kornia | ours / OpenCV |")
    print("|---" * (len(names) + 3) + "|")
    for title, shape in SETS.items():
        x = filters.gaussian(torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 6 - 3, 2.0).clamp(-1, 1)
        chosen = {key: works for key, works in cases(x).items() if not only or any(word in key for word in only)}
        for operation, works in chosen.items():
            with torch.no_grad():
                rates = {name: shape[0] / seconds(work) for name, work in works.items()}
            shown = [f"{rates[name]:,.0f}" if name in rates else "-" for name in names]
            ratios = [f"{rates['ours'] / rates[name]:.2f}" if name in rates else "-" for name in ("kornia", "OpenCV")]
            print(f"| {operation}, {title} | {' | '.join([*shown, *ratios])} |", flush=True)


def pictures(folder: Path) -> None:
    """Write a plain paste, our clone, its mixed version and OpenCV's, and say how each treats mask and place."""
    import cv2
    from skimage import data

    target = images.from_bytes(torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None])
    source = images.from_bytes(torch.from_numpy(data.coffee()[40:340, 140:480]).permute(2, 0, 1)[None])
    source = apply("resize", source, height=150, width=170)
    row, column = torch.meshgrid(torch.arange(150.0), torch.arange(170.0), indexing="ij")
    mask = (((row - 75) / 73) ** 2 + ((column - 85) / 83) ** 2 < 1).float()[None, None]
    for name, (top, left) in {"inside": (130, 20), "border": (180, 330)}.items():
        rows = {"plain paste": compose.over(target, source, mask, top, left)}
        started = time.process_time()
        rows["ours"] = compose.clone(target, source, mask, top, left)
        ours = time.process_time() - started
        rows["ours, mixed"] = compose.clone(target, source, mask, top, left, mixed=True)
        part, whole = (np.ascontiguousarray(images.to_bytes(one)[0].permute(1, 2, 0)) for one in (source, target))
        cover = (255 * mask[0, 0]).byte().numpy()
        try:
            started = time.process_time()
            theirs = cv2.seamlessClone(part, whole, cover, (left + 85, top + 75), cv2.NORMAL_CLONE)
            rows["OpenCV"] = images.from_bytes(torch.from_numpy(theirs)).permute(2, 0, 1)[None]
            spent = f"{time.process_time() - started:.3f} s"
        except cv2.error as error:
            spent = f"refused: {str(error).strip().splitlines()[0]}"
        print(f"{name}: ours {ours:.3f} s, OpenCV {spent}")
        images.save(images.grid(torch.cat(list(rows.values())), 2), folder / f"clone-{name}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="only make the pictures of cloning")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="rows whose names hold one of these")
    options = parser.parse_args()
    if options.pictures is None:
        measure(options.only)
    else:
        pictures(options.pictures)
