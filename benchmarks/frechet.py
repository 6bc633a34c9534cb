"""Our Frechet distance beside the usual one by a general matrix square root, on the same features.

``python -m benchmarks.frechet [--rows 10000] [--width 2048]``. Both start from the features and work in float64; each
is timed once, since the usual form takes a minute or so at the size of Inception's features.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from simulacra.metrics import frechet_distance


def features(rows: int, width: int, shift: float, generator: torch.Generator) -> Tensor:
    """Features like a classifier's last layer: rectified, correlated, of unequal strength, ``(rows, width)``."""
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(0)) / width**0.5
    strength = torch.arange(1, width + 1) ** -0.5
    hidden = torch.randn(rows, width, generator=generator) * strength
    return torch.relu(hidden @ mixing + shift * strength)


def by_matrix_root(real: Tensor, fake: Tensor) -> float:
    """The usual form: ``|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2)`` with scipy's square root of a general matrix."""
    x, y = real.double().numpy(), fake.double().numpy()
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second)
    shift = x.mean(0) - y.mean(0)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * np.trace(root).real)


def timed(distance: Callable[[Tensor, Tensor], float], real: Tensor, fake: Tensor) -> tuple[float, float]:
    """The value and the seconds it took."""
    start = time.perf_counter()
    value = distance(real, fake)
    return value, time.perf_counter() - start


def main() -> None:
    """Print both values, their difference and the ratio of the times."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frechet", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000, help="features a side")
    parser.add_argument("--width", type=int, default=2_048, help="of a feature")
    values = parser.parse_args()
    generator = torch.Generator().manual_seed(1)
    real = features(values.rows, values.width, 0.0, generator)
    fake = features(values.rows, values.width, 0.1, generator)
    ours, our_seconds = timed(frechet_distance, real, fake)
    print(f"{values.rows} x {values.width} features per side, {torch.get_num_threads()} threads")
    print(f"simulacra        {ours:.12g}  {our_seconds:8.2f} s", flush=True)
    usual, usual_seconds = timed(by_matrix_root, real, fake)
    print(f"matrix root      {usual:.12g}  {usual_seconds:8.2f} s")
    print(f"difference       {ours - usual:.3g}  ({abs(ours - usual) / usual:.2g} of the value)")
    print(f"ratio of times   {usual_seconds / our_seconds:.1f}")


if __name__ == "__main__":
    main()
