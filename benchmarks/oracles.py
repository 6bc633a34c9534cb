"""Every metric that is written here, beside an independent oracle or a value known in closed form.

``python -m benchmarks.oracles`` prints a Markdown table: ours, the oracle's, the difference. The oracles are scipy,
scikit-learn, torchmetrics, loops over all pairs, and closed forms; what only wraps one of them (SSIM, the linear
probe) is left out. Sums of random draws differ from a closed form by chance: the last column says where.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import mutual_info_score
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from benchmarks.frechet import by_matrix_root, features
from simulacra import config, metrics
from simulacra.distributions import DiagonalGaussian, Gaussian
from simulacra.images import Shape
from simulacra.models.vae import VAE
from simulacra.steering import latent

VALUES = (4, 3, 5)  # of the known factors


@dataclass(frozen=True)
class Row:
    """One metric: what we say, what the oracle says, and who it is."""

    metric: str
    ours: float
    oracle: float
    by: str


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(rows: int, width: int, seed: int) -> Tensor:
    return torch.randn(rows, width, generator=seeded(seed), dtype=torch.float64)


def frechet() -> Iterator[Row]:
    """More rows than dimensions, and fewer: two ways through our code."""
    for rows in (1000, 100):
        real, fake = features(rows, 256, 0.0, seeded(1)), features(rows, 256, 0.1, seeded(2))
        ours = metrics.frechet_distance(real, fake)
        yield Row(f"Frechet distance, {rows:,} x 256", ours, by_matrix_root(real, fake), "scipy `sqrtm`")


def kernel() -> Iterator[Row]:
    real, fake = gaussian(120, 8, 0), 0.5 + gaussian(100, 8, 1)

    def mean(first: Tensor, second: Tensor, same: bool) -> float:
        pairs = [(a, b) for i, a in enumerate(first) for j, b in enumerate(second) if not (same and i == j)]
        return sum((float(a @ b) / len(a) + 1) ** 3 for a, b in pairs) / len(pairs)

    oracle = mean(real, real, True) + mean(fake, fake, True) - 2 * mean(real, fake, False)
    yield Row("kernel distance", metrics.squared_discrepancy(real, fake), oracle, "loop over pairs")


def balls(k: int = 5) -> Iterator[Row]:
    real, fake = gaussian(200, 4, 0), 0.6 + 0.8 * gaussian(150, 4, 1)
    r, f = real.tolist(), fake.tolist()

    def radius(point: list[float], points: list[list[float]]) -> float:
        return sorted(math.dist(point, other) for other in points)[k]  # the first is the point itself

    real_radii, fake_radii = [radius(p, r) for p in r], [radius(p, f) for p in f]
    inside = [[math.dist(p, q) <= radius for q, radius in zip(r, real_radii, strict=True)] for p in f]
    among = [any(math.dist(q, p) <= radius for p, radius in zip(f, fake_radii, strict=True)) for q in r]
    found = metrics.prdc(real, fake, k)
    yield Row("precision", found.precision, sum(map(any, inside)) / len(f), "loop over pairs")
    yield Row("recall", found.recall, sum(among) / len(r), "loop over pairs")
    yield Row("density", found.density, sum(map(sum, inside)) / (k * len(f)), "loop over pairs")
    yield Row("coverage", found.coverage, sum(map(any, zip(*inside, strict=True))) / len(r), "loop over pairs")


def memorisation() -> Iterator[Row]:
    train, test, fake = gaussian(300, 3, 0), gaussian(200, 3, 1), 0.4 + gaussian(250, 3, 2)
    near, other = (metrics.nearest(points, train)[0].numpy() for points in (fake, test))
    oracle = stats.mannwhitneyu(near, other, method="asymptotic", use_continuity=False).pvalue
    ours = math.erfc(abs(metrics.memorisation(fake, train, test).z) / math.sqrt(2))
    yield Row("memorisation, p of its z", ours, float(oracle), "scipy `mannwhitneyu`")


def density() -> Iterator[Row]:
    samples, points = gaussian(500, 6, 0), gaussian(200, 6, 1)
    oracle = KernelDensity(bandwidth=0.4, rtol=1e-12).fit(samples.numpy()).score_samples(points.numpy())
    ours = metrics.parzen_log_density(samples, points, 0.4)
    yield Row("Parzen window, nats", float(ours.mean()), float(oracle.mean()), "scikit-learn `KernelDensity`")


def probes() -> Iterator[Row]:
    labels = [torch.randint(5, (rows,), generator=seeded(rows)) for rows in (800, 400)]
    train, test = (gaussian(len(y), 6, len(y)) + 1.2 * torch.eye(5, 6)[y] for y in labels)
    oracle = KNeighborsClassifier(5).fit(train.numpy(), labels[0].numpy()).score(test.numpy(), labels[1].numpy())
    ours = metrics.knn_accuracy(train, labels[0], test, labels[1], k=5)
    yield Row("5-nearest-neighbour accuracy", ours, float(oracle), "scikit-learn `KNeighborsClassifier`")


def classes() -> Iterator[Row]:
    logits = 2 * gaussian(900, 10, 5)
    probabilities = logits.softmax(1)
    parts = np.split(probabilities.numpy(), 10)
    oracle = np.mean([math.exp(np.mean([stats.entropy(row, part.mean(0)) for row in part])) for part in parts])
    yield Row("classifier score", metrics.classifier_score(probabilities).mean, float(oracle), "scipy `entropy`")
    counts = torch.bincount(probabilities.argmax(1), minlength=10)
    evenness = float(stats.entropy(counts.numpy())) / math.log(10)
    yield Row("class evenness", metrics.class_coverage(probabilities).evenness, evenness, "scipy `entropy`")
    target = torch.arange(1, 11).double()
    yield Row(
        "reverse KL, nats", metrics.reverse_kl(counts, target), stats.entropy(counts, target / 55), "scipy `entropy`"
    )
    codes, names = torch.randint(5, (500,), generator=seeded(1)), torch.tensor([2, 0, 3, 1, 4])
    labels = torch.where(torch.rand(500, generator=seeded(2)) < 0.6, names[codes], codes)
    best = max(float((torch.tensor(p)[codes] == labels).double().mean()) for p in itertools.permutations(range(5)))
    yield Row("code accuracy", metrics.match_codes(codes, labels, 5).accuracy, best, "all permutations")


def divergences() -> Iterator[Row]:
    q = DiagonalGaussian(gaussian(50, 6, 0), gaussian(50, 6, 1))
    normal = torch.distributions.Normal
    oracle = torch.distributions.kl_divergence(normal(q.mean, q.std), normal(0.0, 1.0)).sum(1).mean()
    yield Row("KL from N(0, I), nats", float(q.kl().mean()), float(oracle), "`torch.distributions`")
    apart = 1000 * torch.arange(50).double().unsqueeze(1)
    found = metrics.kl_decomposition(apart + gaussian(50, 1, 1), apart, torch.zeros(50, 1))
    yield Row("mutual information of 50 codes apart", found.mutual_information, math.log(50), "log 50")


class Affine(nn.Module):
    """``x -> W x + b``, images flattened and unflattened."""

    def __init__(self, weight: Tensor, bias: Tensor, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight, self.bias, self.shape = nn.Parameter(weight), nn.Parameter(bias), shape

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.weight.T + self.bias).view(-1, *self.shape)


@torch.no_grad()
def likelihood() -> Iterator[Row]:
    """``x = W z + noise`` has the marginal N(0, W W^T + scale^2 I); the encoder is rougher than the true posterior."""
    scale, W = 0.5, 0.4 * torch.randn(64, 2, generator=seeded(3))
    precision = W.T @ W / scale**2 + torch.eye(2)
    to_mean = 0.7 * torch.linalg.solve(precision, W.T) / scale**2
    log_variance = (3 * torch.linalg.inv(precision).diagonal()).log()
    encoder = Affine(torch.cat([to_mean, torch.zeros(2, 64)]), torch.cat([torch.zeros(2), log_variance]), (4,))
    model = VAE(encoder, Affine(W, torch.zeros(64), (1, 8, 8)), Gaussian(scale), Shape(1, 8), config.VAE(latent=2))
    x = 0.5 * torch.randn(20, 1, 8, 8, generator=seeded(9))
    oracle = torch.distributions.MultivariateNormal(torch.zeros(64), W @ W.T + scale**2 * torch.eye(64))
    ours = model.log_likelihood(x, 20_000, chunk=1000, generator=seeded())
    yield Row(
        "log p(x), 20,000 weighted latents, nats", float(ours.mean()), float(oracle.log_prob(x.flatten(1)).mean()),
        "exact marginal of a linear Gaussian model; by chance",
    )  # fmt: skip


def disentanglement() -> Iterator[Row]:
    """Codes that are the factors in another order and scale; noise besides for the gap."""
    factors = torch.stack([torch.randint(count, (3000,), generator=seeded(count)) for count in VALUES], dim=1)
    codes = factors[:, [2, 0, 1]].double() * torch.tensor([2.0, -0.5, 7.0])
    noisy = codes + gaussian(3000, 3, 0)
    yield Row("MIG", metrics.mutual_information_gap(noisy, factors), gap(noisy, factors), "scikit-learn")
    votes = metrics.factor_vae_score(codes, factors, generator=seeded())
    yield Row("FactorVAE of one latent a factor", votes, 1.0, "1")
    chance = sum(1 / count for count in VALUES) / len(VALUES)
    known = "1 - mean 1/K; by chance"
    yield Row("SAP of one latent a factor", metrics.sap(codes, factors, seeded()), 1 - chance, known)
    found = metrics.dci(codes, factors, generator=seeded())
    yield Row("DCI: disentanglement of the same", found.disentanglement, 1.0, "1")
    yield Row("DCI: completeness of the same", found.completeness, 1.0, "1")
    yield Row("DCI: informativeness of the same", found.informativeness, 1.0, "1")
    needs_two = torch.tensor([[0.5, 0.0], [0.5, 0.0], [0.0, 1.0], [0.0, 0.0]])  # the first factor, of four latents
    found = metrics.dci_from_importances(needs_two, 1.0)
    yield Row("DCI: completeness, a factor in two of four latents", found.completeness, 3 / 4, "(1/2 + 1) / 2")


def gap(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """The mutual information gap by scikit-learn's mutual information and NumPy's bins."""
    gaps = []
    for factor in factors.T.numpy():
        binned = [np.digitize(z, np.histogram(z, bins)[1][:-1]) for z in codes.T.numpy()]
        first, second = sorted((mutual_info_score(z, factor) for z in binned), reverse=True)[:2]
        gaps.append((first - second) / mutual_info_score(factor, factor))
    return float(np.mean(gaps))


def paths() -> Iterator[Row]:
    weight, starts, ends = gaussian(8, 20, 0), gaussian(500, 8, 1), gaussian(500, 8, 2)
    found = metrics.perceptual_path_length(
        lambda z: z @ weight, lambda x: x, starts, ends, latent.along_line, generator=seeded()
    )
    oracle = ((ends - starts) @ weight).square().sum(1).mean()
    yield Row("path length of a linear decoder", found.mean, float(oracle), "mean square of W (z2 - z1)")


def pixels() -> Iterator[Row]:
    x, y = (2 * torch.rand(1, 3, 32, 32, generator=seeded(seed), dtype=torch.float64) - 1 for seed in (0, 1))
    oracle = peak_signal_noise_ratio((x + 1) / 2, (y + 1) / 2, data_range=1.0)
    yield Row("PSNR, dB", float(metrics.psnr(x, y)), float(oracle), "torchmetrics")


TABLE: tuple[Callable[[], Iterator[Row]], ...] = (
    frechet, kernel, balls, memorisation, classes, density, probes, divergences, likelihood, disentanglement, paths,
    pixels,
)  # fmt: skip


def main() -> None:
    """Print the table."""
    print("| metric | ours | oracle | difference | oracle is |\n|---|---|---|---|---|")
    for rows in TABLE:
        for row in rows():
            difference = row.ours - row.oracle
            print(f"| {row.metric} | {row.ours:.6g} | {row.oracle:.6g} | {difference:.1e} | {row.by} |", flush=True)


if __name__ == "__main__":
    main()
