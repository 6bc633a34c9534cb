"""Metrics against closed forms, loops over all pairs, scipy and scikit-learn, and their limits."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra import metrics
from simulacra.errors import ConfigError
from simulacra.metrics import common
from simulacra.steering import latent


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(rows: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=seeded(seed), dtype=torch.float64)


def correlated(rows: int, width: int, seed: int) -> Tensor:
    mixing = gaussian(width, width, seed + 1000) * torch.arange(1, width + 1).double() ** -0.5
    return gaussian(rows, width, seed) @ mixing + 0.3 * gaussian(1, width, seed + 2000)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, of which the last is shorter."""
    for module in ("common", "latents"):
        monkeypatch.setattr(sys.modules[f"simulacra.metrics.{module}"], "BLOCK_ELEMENTS", 450)


# ------------------------------------------------------------------------------------------------- frechet


def frechet_by_scipy(real: Tensor, fake: Tensor) -> float:
    linalg = pytest.importorskip("scipy.linalg")
    x, y = real.double().numpy(), fake.double().numpy()
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shift = x.mean(0) - y.mean(0)
    overlap = np.trace(linalg.sqrtm(first @ second)).real
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * overlap)


def test_frechet_distance_of_diagonal_gaussians_is_that_of_means_and_standard_deviations() -> None:
    mean1, mean2, std1, std2 = gaussian(4, 7).unbind()
    expected = float((mean1 - mean2).square().sum() + (std1.abs() - std2.abs()).square().sum())
    found = metrics.frechet_from_moments(mean1, torch.diag(std1**2), mean2, torch.diag(std2**2))
    assert found == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_of_a_scaled_copy_in_any_basis() -> None:
    features = correlated(200, 12, 0)
    expected = float(features.mean(0).square().sum() + features.var(0).sum()) * (1.5 - 1) ** 2
    assert metrics.frechet_distance(features, 1.5 * features) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("rows", "others", "width"), [(400, 300, 24), (65, 90, 64), (1000, 64, 64)])
def test_frechet_distance_equals_the_matrix_root(rows: int, others: int, width: int) -> None:
    real, fake = correlated(rows, width, 1), correlated(others, width, 2)
    assert metrics.frechet_distance(real, fake) == pytest.approx(frechet_by_scipy(real, fake), rel=1e-6)


@pytest.mark.parametrize(("rows", "others"), [(30, 40), (40, 30), (30, 500), (500, 30)])
def test_frechet_distance_of_fewer_rows_than_dimensions_is_that_of_the_moments(rows: int, others: int) -> None:
    real, fake = correlated(rows, 64, 1), correlated(others, 64, 2)
    expected = metrics.frechet_from_moments(*metrics.moments(real), *metrics.moments(fake))
    assert metrics.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)


def test_moments_equal_numpy() -> None:
    features = correlated(50, 5, 3)
    mean, covariance = metrics.moments(features.float())
    assert np.allclose(mean, features.float().double().numpy().mean(0))
    assert np.allclose(covariance, np.cov(features.float().double().numpy(), rowvar=False), atol=1e-12)


@pytest.mark.parametrize("rows", [20, 200])
def test_frechet_distance_is_symmetric_and_zero_for_equal_samples(rows: int) -> None:
    real, fake = correlated(rows, 40, 1), correlated(rows, 40, 2)
    assert metrics.frechet_distance(real, fake) == pytest.approx(metrics.frechet_distance(fake, real), rel=1e-9)
    assert metrics.frechet_distance(real, real) == pytest.approx(0, abs=1e-5)


def test_frechet_distance_rises_with_noise() -> None:
    real, fake, noise = correlated(2000, 16, 1), correlated(2000, 16, 1), gaussian(2000, 16, 9)
    distances = [metrics.frechet_distance(real, fake + level * noise) for level in (0.0, 0.1, 0.3, 1.0, 3.0)]
    assert distances == sorted(distances)
    assert len(set(distances)) == 5


# -------------------------------------------------------------------------------------------------- kernel


def discrepancy_by_loops(first: Tensor, second: Tensor) -> float:
    def mean(x: Tensor, y: Tensor, same: bool) -> float:
        pairs = [(a, b) for i, a in enumerate(x) for j, b in enumerate(y) if not (same and i == j)]
        return sum((float(a @ b) / len(a) + 1) ** 3 for a, b in pairs) / len(pairs)

    return mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, False)


def shifted_discrepancy(shift: float) -> float:
    """Of N(0, 1) and N(shift, 1), by their first three moments."""
    second, third = 1 + shift**2, shift**3 + 3 * shift
    return 4 + (1 + 3 * shift**2 + 3 * second**2 + third**2) - 2 * (1 + 3 * second)


def test_squared_discrepancy_equals_the_sum_over_pairs() -> None:
    first, second = gaussian(12, 3, 0), 0.5 + gaussian(9, 3, 1)
    assert metrics.squared_discrepancy(first, second) == pytest.approx(discrepancy_by_loops(first, second), rel=1e-12)


def test_kernel_distance_has_the_expectation_zero_for_equal_distributions() -> None:
    values = torch.tensor(
        [metrics.squared_discrepancy(gaussian(40, 8, i), gaussian(40, 8, 500 + i)) for i in range(400)]
    )
    assert abs(float(values.mean())) < 4 * float(values.std()) / math.sqrt(len(values))
    assert float(values.min()) < 0


def test_kernel_distance_of_a_shift_is_the_closed_form() -> None:
    found = metrics.kernel_distance(gaussian(20_000, 1, 0), 1 + gaussian(20_000, 1, 1), 50, 500, seeded())
    assert found.low < shifted_discrepancy(1.0) < found.high
    assert found.mean == pytest.approx(22, rel=0.1)


def test_the_interval_of_the_kernel_distance_covers_the_truth() -> None:
    hits = 0
    for trial in range(150):
        real, fake = gaussian(200, 1, trial), 0.5 + gaussian(200, 1, 10_000 + trial)
        found = metrics.kernel_distance(real, fake, 20, 50, seeded(trial))
        hits += found.low < shifted_discrepancy(0.5) < found.high
    assert hits / 150 >= 0.85


def test_kernel_distance_follows_the_generator() -> None:
    real, fake = gaussian(100, 4, 0), gaussian(100, 4, 1)
    first, again, other = (metrics.kernel_distance(real, fake, 5, 20, seeded(seed)) for seed in (0, 0, 1))
    assert first == again != other


# ------------------------------------------------------------------------------------------------ manifold


def prdc_by_loops(real: Tensor, fake: Tensor, k: int) -> tuple[float, float, float, float]:
    def distance(a: Tensor, b: Tensor) -> float:
        return math.dist(a.tolist(), b.tolist())

    def radius(i: int, points: Tensor) -> float:
        return sorted(distance(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    real_radius = [radius(i, real) for i in range(len(real))]
    fake_radius = [radius(j, fake) for j in range(len(fake))]
    inside = [[distance(f, r) <= real_radius[i] for i, r in enumerate(real)] for f in fake]
    return (
        sum(any(row) for row in inside) / len(fake),
        sum(any(distance(f, r) <= fake_radius[j] for j, f in enumerate(fake)) for r in real) / len(real),
        sum(map(sum, inside)) / (k * len(fake)),
        sum(any(row[i] for row in inside) for i in range(len(real))) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
def test_prdc_equals_the_loop_over_all_pairs(k: int, small_blocks: None) -> None:
    real, fake = gaussian(60, 3, 0), 0.8 + 0.7 * gaussian(45, 3, 1)
    found = metrics.prdc(real, fake, k)
    expected = prdc_by_loops(real, fake, k)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(expected, abs=1e-12)


def test_prdc_at_its_limits() -> None:
    real = gaussian(100, 4)
    same, apart = metrics.prdc(real, real), metrics.prdc(real, real + 100)
    assert (same.precision, same.recall, same.coverage, same.density) == (
        1,
        1,
        1,
        pytest.approx(6 / 5, abs=0.05),
    )  # rims by rounding
    assert apart == metrics.PRDC(0, 0, 0, 0)


def test_one_mode_repeated_is_precise_and_covers_little() -> None:
    real = torch.cat([gaussian(200, 2, 0), 50 + gaussian(200, 2, 1)])
    found = metrics.prdc(real, gaussian(400, 2, 2))
    assert found.precision > 0.9
    assert found.recall < 0.55
    assert found.coverage < 0.55


def test_density_has_the_expectation_one_for_equal_distributions() -> None:
    assert metrics.prdc(gaussian(1500, 8, 0), gaussian(1500, 8, 1)).density == pytest.approx(1, abs=0.1)


# ------------------------------------------------------------------------------------------------- nearest


def test_nearest_equals_the_loop_and_is_exact_for_copies(small_blocks: None) -> None:
    references = 100 + gaussian(90, 6, 0)
    queries = torch.cat([references[[7, 42]], 100 + gaussian(30, 6, 1)])
    distance, index = metrics.nearest(queries, references)
    expected = [[math.dist(q.tolist(), r.tolist()) for r in references] for q in queries]
    assert index.tolist() == [row.index(min(row)) for row in expected]
    assert torch.allclose(distance, torch.tensor([min(row) for row in expected], dtype=torch.float64))
    assert distance[:2].tolist() == [0, 0]


def test_nearest_holds_far_from_the_origin() -> None:
    references, queries = gaussian(50, 3, 0), gaussian(20, 3, 1)
    assert torch.equal(metrics.nearest(1e8 + queries, 1e8 + references)[1], metrics.nearest(queries, references)[1])


def test_memorisation_of_the_test_images_themselves_is_none() -> None:
    train, test = gaussian(50, 3, 0), gaussian(40, 3, 1)
    assert metrics.memorisation(test, train, test) == metrics.Memorisation(share=0.5, z=0.0)


def test_memorisation_of_copies_fresh_samples_and_noise() -> None:
    train, test = gaussian(500, 5, 0), gaussian(300, 5, 1)
    copies = metrics.memorisation(train[:200] + 0.01 * gaussian(200, 5, 2), train, test)
    fresh = metrics.memorisation(gaussian(1000, 5, 3), train, test)
    noise = metrics.memorisation(30 * gaussian(200, 5, 4), train, test)
    assert copies.share == 1
    assert copies.z < -10
    assert fresh.share == pytest.approx(0.5, abs=0.1)
    assert abs(fresh.z) < 4
    assert noise.share == 0
    assert noise.z > 10


def test_memorisation_equals_the_rank_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    train, test, fake = gaussian(100, 3, 0), gaussian(70, 3, 1), 0.2 + gaussian(80, 3, 2)
    d_fake, d_test = metrics.nearest(fake, train)[0].numpy(), metrics.nearest(test, train)[0].numpy()
    oracle = stats.mannwhitneyu(d_fake, d_test, method="asymptotic", use_continuity=False)
    found = metrics.memorisation(fake, train, test)
    assert math.erfc(abs(found.z) / math.sqrt(2)) == pytest.approx(oracle.pvalue, rel=1e-9)
    assert (found.z > 0) == (oracle.statistic > 70 * 80 / 2)


# -------------------------------------------------------------------------------------------------- parzen


def test_parzen_equals_kernel_density_estimation(small_blocks: None) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    samples, points = gaussian(80, 4, 0), gaussian(30, 4, 1)
    oracle = neighbors.KernelDensity(bandwidth=0.4, rtol=1e-12).fit(samples.numpy()).score_samples(points.numpy())
    assert np.allclose(metrics.parzen_log_density(samples, points, 0.4), oracle, rtol=1e-8)


def test_parzen_chooses_the_width_on_the_validation_points() -> None:
    samples, validation, test = gaussian(1000, 1, 0), gaussian(500, 1, 1), gaussian(500, 1, 2)
    found = metrics.parzen(samples, validation, test, [0.001, 0.3, 5.0])
    assert found.sigma == 0.3
    assert found.mean == pytest.approx(-0.5 * math.log(2 * math.pi * math.e), abs=0.1)
    assert 0 < found.standard_error < 0.1


# ------------------------------------------------------------------------------------------------- classes


def test_classifier_score_is_the_number_of_classes_for_certain_ones_and_one_for_constants() -> None:
    certain = torch.eye(7).repeat(20, 1)
    assert metrics.classifier_score(certain, splits=4).mean == pytest.approx(7)
    assert metrics.classifier_score(torch.full((50, 7), 1 / 7)).mean == pytest.approx(1)
    assert metrics.classifier_score(certain[:1].repeat(50, 1)).mean == pytest.approx(1)


def test_classifier_score_equals_the_divergences_by_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    probabilities = torch.softmax(2 * gaussian(90, 5), dim=1).numpy()
    parts = np.split(probabilities, 3)
    scores = [math.exp(np.mean([stats.entropy(row, part.mean(0)) for row in part])) for part in parts]
    found = metrics.classifier_score(torch.from_numpy(probabilities), splits=3)
    assert (found.mean, found.std) == pytest.approx((np.mean(scores), np.std(scores)))


def test_class_coverage_counts_classes_and_evenness() -> None:
    assert metrics.class_coverage(torch.eye(6)) == metrics.ClassCoverage(pytest.approx(1), 6)
    assert metrics.class_coverage(torch.eye(6)[[2, 2]]) == metrics.ClassCoverage(pytest.approx(0), 1)
    half = metrics.class_coverage(torch.eye(4)[[0, 1, 0, 1]])
    assert half == metrics.ClassCoverage(pytest.approx(0.5), 2)


def test_reverse_kl_equals_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    counts, target = torch.tensor([3, 0, 5, 2]), torch.tensor([0.1, 0.2, 0.3, 0.4])
    assert metrics.reverse_kl(counts, target) == pytest.approx(stats.entropy(counts.numpy(), target.numpy()), rel=1e-6)
    assert metrics.reverse_kl(counts, counts) == 0
    assert metrics.reverse_kl(torch.tensor([1, 1]), torch.tensor([1, 0])) == math.inf


def test_mixture_modes_counts_modes_with_a_sample_within_three_deviations() -> None:
    angles = torch.arange(8) * math.pi / 4
    centres = torch.stack([angles.cos(), angles.sin()], dim=1)
    samples = torch.cat([centres[:5] + 0.02, centres[5:6] * 0.5, centres[6:7] * 0.9, centres[7:] * 1.31])
    found = metrics.mixture_modes(samples, centres, std=0.1)
    assert found == metrics.MixtureModes(covered=6, high_quality=6 / 8)


def test_match_codes_finds_the_best_of_all_permutations() -> None:
    pytest.importorskip("scipy")
    labels = torch.randint(4, (200,), generator=seeded())
    codes = torch.where(torch.rand(200, generator=seeded(1)) < 0.5, torch.tensor([2, 0, 3, 1])[labels], labels)
    expected = max(
        float((torch.tensor(names)[codes] == labels).double().mean()) for names in itertools.permutations(range(4))
    )
    found = metrics.match_codes(codes, labels, 4)
    assert found.accuracy == pytest.approx(expected)
    assert float((torch.tensor(found.label_of_code)[codes] == labels).double().mean()) == pytest.approx(expected)


def test_match_codes_of_renamed_labels_is_perfect() -> None:
    pytest.importorskip("scipy")
    labels = torch.arange(30) % 3
    assert metrics.match_codes(torch.tensor([1, 2, 0])[labels], labels, 3) == metrics.Matching(1.0, (2, 0, 1))


# ------------------------------------------------------------------------------------------------- latents


def test_active_units_are_those_whose_means_vary() -> None:
    means = gaussian(500, 4) * torch.tensor([1.0, 0.2, 0.05, 0.0])
    assert metrics.active_units(means) == 2
    assert metrics.active_units(means, threshold=1e-4) == 3


def posteriors(rows: int, correlation: float, std: float) -> tuple[Tensor, Tensor, Tensor]:
    """Two latents with ``q(z | x) = N(mean, std^2)`` and ``q(z)`` of variance 1, correlated through the means."""
    noise = gaussian(rows, 2) * math.sqrt(1 - std**2)
    second = correlation * noise[:, 0] + math.sqrt(1 - correlation**2) * noise[:, 1]
    mean = torch.stack([noise[:, 0], second], dim=1)
    return mean + std * gaussian(rows, 2, 1), mean, torch.full((rows, 2), 2 * math.log(std), dtype=torch.float64)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_kl_decomposition_of_gaussians_is_the_closed_form(correlation: float) -> None:
    std = 0.6
    z, mean, log_variance = posteriors(3000, correlation, std)
    found = metrics.kl_decomposition(z, mean, log_variance)
    joint = 1 - (correlation * (1 - std**2)) ** 2  # determinant of the covariance of q(z)
    assert found.mutual_information == pytest.approx(0.5 * math.log(joint / std**4), abs=0.06)
    assert found.total_correlation == pytest.approx(-0.5 * math.log(joint), abs=0.03)
    assert found.dimension_wise_kl == pytest.approx(0, abs=0.03)


def test_kl_decomposition_sums_to_the_mean_kl() -> None:
    z, mean, log_variance = posteriors(2000, 0.5, 0.5)
    mean, z = mean + 0.7, z + 0.7
    found = metrics.kl_decomposition(z, mean, log_variance)
    by_draws = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(z)
    by_draws = (by_draws - torch.distributions.Normal(0, 1).log_prob(z)).sum(1)
    closed = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()
    assert found.total == pytest.approx(float(by_draws.mean()), rel=1e-10)
    assert found.total == pytest.approx(float(closed), rel=0.03)


def test_kl_decomposition_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    z, mean, log_variance = posteriors(90, 0.5, 0.5)
    whole = metrics.kl_decomposition(z, mean, log_variance)
    monkeypatch.setattr(sys.modules["simulacra.metrics.latents"], "BLOCK_ELEMENTS", 7 * 180)
    blocks = metrics.kl_decomposition(z, mean, log_variance)
    assert blocks.mutual_information == pytest.approx(whole.mutual_information, rel=1e-10)
    assert blocks.total_correlation == pytest.approx(whole.total_correlation, rel=1e-10)


def test_mutual_information_of_codes_that_name_their_image_is_log_n() -> None:
    mean = 1000 * torch.arange(50).double().unsqueeze(1)
    found = metrics.kl_decomposition(mean + gaussian(50, 1), mean, torch.zeros(50, 1))
    assert found.mutual_information == pytest.approx(math.log(50), rel=1e-9)


# ---------------------------------------------------------------------------------------------------- path


@pytest.mark.parametrize("epsilon", [1e-4, 1e-2, 1.0])
def test_path_length_of_a_linear_decoder_is_the_squared_distance_of_the_ends(epsilon: float) -> None:
    weight, starts, ends = gaussian(6, 9), gaussian(50, 6, 1), gaussian(50, 6, 2)
    found = metrics.perceptual_path_length(
        lambda z: z @ weight, lambda x: 3 * x, starts, ends, latent.along_line, epsilon, seeded()
    )
    expected = (3 * (ends - starts) @ weight).square().sum(1)
    assert found.mean == pytest.approx(float(expected.mean()), rel=1e-7)
    assert found.standard_error == pytest.approx(float(expected.std()) / math.sqrt(50), rel=1e-7)


def test_path_length_is_computed_in_full_precision() -> None:
    def decode(z: Tensor) -> Tensor:
        seen.append((torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision))
        return z

    seen: list[tuple[str, str]] = []
    before = torch.backends.cudnn.conv.fp32_precision
    metrics.perceptual_path_length(decode, lambda x: x, X, X.flip(0), latent.along_line)
    assert seen == [("ieee", "ieee")] * 2
    assert torch.backends.cudnn.conv.fp32_precision == before


def test_path_length_divides_by_the_step_that_was_taken() -> None:
    """In float32 ``t + 1e-6`` is up to 6 % away from t + 1e-6; the length of a straight line does not depend on it."""
    start = torch.zeros(200, 1)
    found = metrics.perceptual_path_length(
        lambda z: z, lambda x: x, start, start + 1, lambda a, b, t: t.unsqueeze(1), epsilon=1e-6
    )
    assert found.mean == pytest.approx(1, abs=1e-6)


def test_path_length_on_a_sphere_is_the_squared_angle() -> None:
    starts, ends = (torch.nn.functional.normalize(gaussian(40, 5, seed)) for seed in (1, 2))
    found = metrics.perceptual_path_length(
        lambda z: z, lambda x: x, starts, ends, latent.along_arc, 1e-4, generator=seeded()
    )
    angles = torch.acos((starts * ends).sum(1))
    assert found.mean == pytest.approx(float(angles.square().mean()), rel=1e-6)


def test_path_length_is_taken_at_uniform_times() -> None:
    starts, ends = torch.zeros(20_000, 1, dtype=torch.float64), torch.ones(20_000, 1, dtype=torch.float64)
    found = metrics.perceptual_path_length(  # z = t and images t^2 / 2, so the square of the speed is t^2
        lambda z: z.square() / 2, lambda x: x, starts, ends, latent.along_line, generator=seeded()
    )
    assert found.mean == pytest.approx(1 / 3, abs=4 * found.standard_error + 1e-4)
    assert found.standard_error == pytest.approx(math.sqrt(4 / 45 / 20_000), rel=0.05)


# ----------------------------------------------------------------------------------------- disentanglement


VALUES = (4, 3, 5)


def known_factors(rows: int = 2000) -> Tensor:
    return torch.stack([torch.randint(count, (rows,), generator=seeded(count)) for count in VALUES], dim=1)


def perfect(factors: Tensor) -> Tensor:
    """One latent a factor, in another order and on other scales."""
    return factors[:, [2, 0, 1]].double() * torch.tensor([2.0, -0.5, 7.0])


def entangled(factors: Tensor) -> Tensor:
    """A reflection after which every latent holds some of every factor."""
    scaled = factors.double() - factors.double().mean(0)
    scaled = scaled / scaled.std(0)
    return scaled @ (2 / 3 - torch.eye(3, dtype=torch.float64))


Score = Callable[[Tensor, Tensor], float]
SCORES: dict[str, Score] = {
    "mig": metrics.mutual_information_gap,
    "factor_vae": lambda codes, factors: metrics.factor_vae_score(codes, factors, 300, generator=seeded()),
    "sap": lambda codes, factors: metrics.sap(codes, factors, seeded()),
    "disentanglement": lambda codes, factors: metrics.dci(codes, factors, 20, generator=seeded()).disentanglement,
    "completeness": lambda codes, factors: metrics.dci(codes, factors, 20, generator=seeded()).completeness,
    "informativeness": lambda codes, factors: metrics.dci(codes, factors, 20, generator=seeded()).informativeness,
}
CHANCE = sum(1 / count for count in VALUES) / len(VALUES)
LIMITS = {  # of perfect codes, of noise
    "mig": (1, 0),
    "factor_vae": (1, 1 / 3),
    "sap": (1 - CHANCE, 0),
    "disentanglement": (1, 0),
    "completeness": (1, 0),
    "informativeness": (1, CHANCE),
}


@pytest.mark.parametrize("name", SCORES)
def test_disentanglement_scores_at_their_limits(name: str) -> None:
    if name not in ("mig", "factor_vae"):
        pytest.importorskip("sklearn")
    factors, score = known_factors(), SCORES[name]
    best, worst = LIMITS[name]
    clean, noise = perfect(factors), gaussian(len(factors), 4)
    assert score(clean, factors) == pytest.approx(best, abs=0.05)
    assert score(torch.cat([noise[:, :1], clean, noise[:, :1]], dim=1), factors) == pytest.approx(best, abs=0.08)
    assert score(noise, factors) == pytest.approx(worst, abs=0.12)
    if name != "informativeness":
        assert score(entangled(factors), factors) < best - 0.2


def test_mutual_information_equals_scikit_learn() -> None:
    scores = pytest.importorskip("sklearn.metrics")
    factors, codes = known_factors(500), gaussian(500, 3)
    codes[:, 0] += factors[:, 0]
    found = metrics.mutual_information(codes, factors)
    for d, f in itertools.product(range(3), range(3)):
        z = codes[:, d].numpy()
        binned = np.digitize(z, np.histogram(z, 20)[1][:-1])
        assert float(found[d, f]) == pytest.approx(scores.mutual_info_score(binned, factors[:, f].numpy()), abs=1e-9)


def test_the_gap_is_between_latents_of_a_factor_not_between_factors_of_a_latent() -> None:
    factors = known_factors()[:, :2]
    codes = factors[:, [0, 0, 1]].double()  # the first factor twice: no gap
    information = metrics.mutual_information(codes, factors)
    of_latents = information.topk(2, dim=1).values
    assert metrics.mutual_information_gap(codes, factors) == pytest.approx(0.5, abs=0.01)
    assert float(((of_latents[:, 0] - of_latents[:, 1]) / information.amax(1)).mean()) == pytest.approx(1, abs=0.01)


def test_the_gap_is_relative_to_the_entropy_of_the_factor_not_of_the_code() -> None:
    code = torch.randint(20, (4000,), generator=seeded())
    factors = (code // 10).unsqueeze(1)  # the code tells all of the factor, and log 10 nats more
    codes = torch.stack([code.double(), torch.zeros(4000)], dim=1)
    assert metrics.mutual_information_gap(codes, factors) == pytest.approx(1, abs=0.01)
    assert float(metrics.mutual_information(codes, factors)[0, 0]) / math.log(20) == pytest.approx(0.23, abs=0.01)


def test_codes_reshaped_where_they_must_be_transposed_lose_the_gap() -> None:
    factors = known_factors()
    codes = perfect(factors)
    scrambled = codes.reshape(3, -1).T  # what a copied implementation does to (N, D)
    assert metrics.mutual_information_gap(codes, factors) > 0.95
    assert metrics.mutual_information_gap(scrambled, factors) < 0.05


def test_collapsed_latents_do_not_vote() -> None:
    factors = known_factors()
    codes = torch.cat([perfect(factors), 1e-3 * gaussian(len(factors), 2)], dim=1)
    assert metrics.factor_vae_score(codes, factors, 200, generator=seeded()) == 1
    assert metrics.factor_vae_score(0.01 * codes[:, 3:], factors, 200, generator=seeded()) == 0


def test_votes_do_not_depend_on_the_scale_of_the_latents() -> None:
    factors = known_factors()
    codes = (factors + 0.2 * gaussian(len(factors), 3)) * torch.tensor([1000.0, 1.0, 1.0])
    assert metrics.factor_vae_score(codes, factors, 200, generator=seeded()) > 0.95


def test_dci_of_known_importances() -> None:
    one_to_one = metrics.dci_from_importances(torch.eye(3), 1.0)
    assert (one_to_one.disentanglement, one_to_one.completeness) == pytest.approx((1, 1))
    even = metrics.dci_from_importances(torch.ones(4, 3), 1.0)
    assert (even.disentanglement, even.completeness) == pytest.approx((0, 0))
    shared = metrics.dci_from_importances(torch.tensor([[0.5, 0.0], [0.5, 0.0], [0.0, 1.0], [0.0, 0.0]]), 1.0)
    assert shared.disentanglement == pytest.approx(1)  # each latent serves one factor
    assert shared.completeness == pytest.approx((0.5 + 1) / 2)  # the first factor needs two of the four: log 2 / log 4


def test_bins_of_equal_frequency_are_equally_full_and_in_order() -> None:
    values = gaussian(1003, 1)[:, 0].exp()
    bins = metrics.equal_frequency_bins(values)
    assert torch.bincount(bins).tolist() in ([101, 100, 100, 101, 100, 100, 101, 100, 100, 100], [100] * 7 + [101] * 3)
    assert torch.equal(bins[values.argsort()], bins.sort().values)


def test_all_scores_of_real_valued_factors() -> None:
    pytest.importorskip("sklearn")
    place = torch.rand(1000, generator=seeded())
    factors = {"shape": known_factors(1000)[:, 0], "place": place}
    codes = torch.stack([place.double(), factors["shape"].double()], dim=1)
    found = metrics.disentanglement_scores(codes, factors, generator=seeded())
    assert found.pop("latents_in_use") == 2
    assert found.pop("sap") == pytest.approx(1 - (1 / 4 + 1 / 10) / 2, abs=0.1)
    for name, value in found.items():
        assert value == pytest.approx(1, abs=0.06), name


def test_latents_that_are_not_in_use_take_no_part() -> None:
    pytest.importorskip("sklearn")
    factors = dict(zip("abc", known_factors(600).T, strict=True))
    codes = perfect(known_factors(600))
    traces = 1e-3 * codes  # each factor again, on a scale that no decoder notices
    found = metrics.disentanglement_scores(torch.cat([codes, traces], dim=1), factors, generator=seeded())
    assert found["latents_in_use"] == 3
    assert found["mutual_information_gap"] == pytest.approx(1, abs=0.02)
    assert found["dci_completeness"] == pytest.approx(1, abs=0.02)
    assert metrics.disentanglement_scores(traces, factors) == {"latents_in_use": 0}
    assert "sap" in metrics.disentanglement_scores(codes[:, :1], factors), "one latent has no rival"


# -------------------------------------------------------------------------------------------------- probes


def classes(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    labels = torch.randint(3, (rows,), generator=seeded(seed))
    return gaussian(rows, 4, seed) + 1.2 * torch.eye(3, 4)[labels], labels


@pytest.mark.parametrize("k", [1, 4])
def test_knn_accuracy_equals_scikit_learn(k: int, small_blocks: None) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    (train, train_labels), (test, test_labels) = classes(200, 0), classes(100, 1)
    oracle = neighbors.KNeighborsClassifier(k).fit(train.numpy(), train_labels.numpy())
    expected = oracle.score(test.numpy(), test_labels.numpy())
    assert metrics.knn_accuracy(train, train_labels, test, test_labels, k) == pytest.approx(expected, abs=1e-12)


def test_linear_probe_equals_scikit_learn_and_is_perfect_on_labels() -> None:
    pipeline, linear = pytest.importorskip("sklearn.pipeline"), pytest.importorskip("sklearn.linear_model")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    (train, train_labels), (test, test_labels) = classes(300, 0), classes(200, 1)
    oracle = pipeline.make_pipeline(preprocessing.StandardScaler(), linear.LogisticRegression(max_iter=1000))
    expected = oracle.fit(train.numpy(), train_labels.numpy()).score(test.numpy(), test_labels.numpy())
    assert metrics.linear_probe(train, train_labels, test, test_labels) == pytest.approx(expected, abs=1e-12)
    assert metrics.linear_probe(torch.eye(3)[train_labels], train_labels, torch.eye(3)[test_labels], test_labels) == 1


# -------------------------------------------------------------------------------------------------- pixels


def images(side: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(2, 3, side, side, generator=seeded(seed)) - 1


def test_l1_and_psnr_are_on_the_unit_scale() -> None:
    black = torch.full((2, 1, 4, 4), -1.0)
    grey = torch.stack([torch.full((1, 4, 4), -0.8), torch.full((1, 4, 4), 1.0)])
    assert metrics.l1(black, grey).tolist() == pytest.approx([0.1, 1])
    assert metrics.psnr(black, grey).tolist() == pytest.approx([20, 0], abs=1e-5)
    assert metrics.psnr(black, black).tolist() == [math.inf, math.inf]


def test_psnr_equals_torchmetrics() -> None:
    functional = pytest.importorskip("torchmetrics.functional.image")
    x, y = images(16, 0), images(16, 1)
    for one, other, found in zip(x, y, metrics.psnr(x, y), strict=True):
        expected = functional.peak_signal_noise_ratio((one + 1) / 2, (other + 1) / 2, data_range=1.0)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


def ssim_by_loops(a: np.ndarray, b: np.ndarray) -> float:
    ramp = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    window = np.outer(ramp, ramp) / ramp.sum() ** 2
    values = []
    for row, column in np.ndindex(a.shape[0] - 10, a.shape[1] - 10):
        p, q = (image[row : row + 11, column : column + 11] for image in (a, b))
        mean_p, mean_q = (window * p).sum(), (window * q).sum()
        var_p, var_q = (window * (p - mean_p) ** 2).sum(), (window * (q - mean_q) ** 2).sum()
        covariance = (window * (p - mean_p) * (q - mean_q)).sum()
        luminance = (2 * mean_p * mean_q + 0.01**2) / (mean_p**2 + mean_q**2 + 0.01**2)
        values.append(luminance * (2 * covariance + 0.03**2) / (var_p + var_q + 0.03**2))
    return float(np.mean(values))


def alike(side: int) -> tuple[Tensor, Tensor]:
    """Colour images that differ a little, twice as wide as high."""
    x = torch.cat([images(side, 0), images(side, 1)], dim=3)
    return x, 0.6 * x + 0.4 * torch.cat([images(side, 2), images(side, 3)], dim=3)


def unit(x: Tensor) -> np.ndarray:
    return np.asarray((x.double() + 1) / 2)


def test_ssim_equals_the_loop_over_windows() -> None:
    x, y = (part[:, :1] for part in alike(14))
    for one, other, found in zip(unit(x), unit(y), metrics.ssim(x, y), strict=True):
        expected = ssim_by_loops(one[0], other[0])
        assert float(found) == pytest.approx(expected, rel=1e-9)


def test_ssim_equals_scikit_image() -> None:
    theirs = pytest.importorskip("skimage.metrics").structural_similarity
    x, y = alike(20)
    for one, other, found in zip(unit(x), unit(y), metrics.ssim(x, y), strict=True):
        expected = theirs(
            one, other, data_range=1.0, channel_axis=0, gaussian_weights=True,
            sigma=1.5, use_sample_covariance=False,
        )  # fmt: skip
        assert float(found) == pytest.approx(expected, rel=1e-9)


def test_ms_ssim_equals_the_filters_of_scipy() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.gaussian_filter(values, 1.5, truncate=3.5)[5:-5, 5:-5])

    def halved(values: np.ndarray) -> np.ndarray:
        return np.asarray(values.reshape(len(values) // 2, 2, -1, 2).mean((1, 3)))

    x, y = (part[:1, :1] for part in alike(176))
    a, b = unit(x)[0, 0], unit(y)[0, 0]
    expected = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        covariance = mean(a * b) - mean(a) * mean(b)
        variances = mean(a * a) + mean(b * b) - mean(a) ** 2 - mean(b) ** 2
        similarity = (2 * covariance + 0.03**2) / (variances + 0.03**2)
        if scale == 4:
            similarity *= (2 * mean(a) * mean(b) + 0.01**2) / (mean(a) ** 2 + mean(b) ** 2 + 0.01**2)
        expected *= similarity.mean() ** weight
        a, b = (halved(a), halved(b)) if scale < 4 else (a, b)
    assert float(metrics.ms_ssim(x, y)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("measure", "side"), [(metrics.ssim, 24), (metrics.ms_ssim, 176)], ids=["ssim", "ms_ssim"])
def test_similarity_is_one_for_equal_images_and_falls_with_noise(measure: Callable[..., Tensor], side: int) -> None:
    x = torch.nn.functional.interpolate(images(8), side, mode="bilinear")
    noisy = [measure(x + level * images(side, 1), x) for level in (0.0, 0.1, 0.5)]
    assert noisy[0].shape == (2,)
    assert torch.allclose(noisy[0], torch.ones_like(noisy[0]), atol=1e-6)
    assert (noisy[0] > noisy[1]).all()
    assert (noisy[1] > noisy[2]).all()


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("scipy.optimize", lambda: metrics.match_codes(torch.tensor([0]), torch.tensor([0]), 1)),
        ("sklearn.tree", lambda: metrics.sap(perfect(known_factors()), known_factors())),
        ("sklearn.ensemble", lambda: metrics.dci(perfect(known_factors()), known_factors())),
        ("sklearn.linear_model", lambda: metrics.linear_probe(*classes(20, 0), *classes(20, 1))),
    ],
    ids=["match_codes", "sap", "dci", "linear_probe"],
)
def test_a_missing_extra_is_named(
    module: str, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as caught:
        use()
    name = request.node.callspec.id
    assert str(caught.value) == f"{name} needs the extra: pip install 'simulacra[evaluate]'"


# ------------------------------------------------------------------------------------------------- mistakes


X = gaussian(20, 3)
NONE, WIDE, ONE, NAN = X[:0], gaussian(20, 4), X[:1], torch.full((20, 3), math.nan)
LABELS, FACTORS = torch.arange(20) % 2, torch.stack([torch.arange(20) % 2, torch.arange(20) % 3], dim=1)
PROBABILITIES = torch.softmax(X, dim=1)


def path_length(
    starts: Tensor, ends: Tensor, epsilon: float = 1e-4, features: Callable[[Tensor], Tensor] = lambda x: x
) -> object:
    return metrics.perceptual_path_length(lambda z: z, features, starts, ends, latent.along_line, epsilon)


MISTAKES: list[tuple[str, Callable[[], object]]] = [
    ("real has 1 rows; at least 2", lambda: metrics.frechet_distance(ONE, X)),
    ("fake has 0 rows; at least 2", lambda: metrics.frechet_distance(X, NONE)),
    ("same dimension; got 3 and 4", lambda: metrics.frechet_distance(X, WIDE)),
    ("real holds NaN", lambda: metrics.frechet_distance(NAN, X)),
    (r"real must be a matrix .*\(20,\)", lambda: metrics.frechet_distance(X[:, 0], X)),
    (r"mean1 must be", lambda: metrics.frechet_from_moments(X[0, :2], X.T @ X, X[0], X.T @ X)),
    ("features has 1 rows", lambda: metrics.moments(ONE)),
    ("= 2000 rows each .* pass subset_size = 10 or", lambda: metrics.kernel_distance(X, X)),
    ("at least 2; got 1 and 5", lambda: metrics.kernel_distance(X, X, 1, 5)),
    ("first has 1 rows", lambda: metrics.squared_discrepancy(ONE, X)),
    ("real has 20 rows; at least 21", lambda: metrics.prdc(X, X, k=20)),
    ("k must be positive", lambda: metrics.prdc(X, X, k=0)),
    ("references has 0 rows", lambda: metrics.nearest(X, NONE)),
    ("same dimension", lambda: metrics.memorisation(X, X, WIDE)),
    ("at least 2 test points; got 10 and 1", lambda: metrics.parzen(X, X, ONE)),
    ("sigma must be positive", lambda: metrics.parzen_log_density(X, X, 0.0)),
    ("apply softmax", lambda: metrics.classifier_score(X)),
    ("at least 30", lambda: metrics.classifier_score(PROBABILITIES, splits=30)),
    ("at least 2 classes", lambda: metrics.class_coverage(torch.ones(5, 1))),
    ("same length; got 2 and 3", lambda: metrics.reverse_kl(torch.ones(2), torch.ones(3))),
    ("not all 0", lambda: metrics.reverse_kl(torch.zeros(2), torch.ones(2))),
    ("std must be positive", lambda: metrics.mixture_modes(X, X, 0.0)),
    (r"codes must lie in \[0, 1\]; got 0 to 2", lambda: metrics.match_codes(torch.arange(3), torch.arange(3), 2)),
    (r"labels must be \(20,\)", lambda: metrics.match_codes(LABELS, LABELS[:5], 2)),
    ("codes must be integers", lambda: metrics.match_codes(LABELS.float(), LABELS, 2)),
    ("means has 1 rows", lambda: metrics.active_units(ONE)),
    ("must have one shape", lambda: metrics.kl_decomposition(X, X, X[:5])),
    ("epsilon must be positive", lambda: path_length(X, X, 0.0)),
    ("as many rows; got 20 and 5", lambda: path_length(X, X[:5])),
    ("starts has 1 rows", lambda: path_length(ONE, ONE)),
    ("features holds NaN", lambda: path_length(X, X, features=lambda x: x * math.nan)),
    (r"factors must be \(20, F\)", lambda: metrics.mutual_information_gap(X, FACTORS[:5])),
    ("at least 2 latents", lambda: metrics.mutual_information_gap(X[:, :1], FACTORS)),
    ("factor 1 is constant", lambda: metrics.mutual_information_gap(X, FACTORS * torch.tensor([1, 0]))),
    ("factors must be integers", lambda: metrics.factor_vae_score(X, FACTORS.float())),
    ("group must be at least 2", lambda: metrics.factor_vae_score(X, FACTORS, group=1)),
    ("bins must be at least 2", lambda: metrics.mutual_information(X, FACTORS, 1)),
    ("bins must be at least 2", lambda: metrics.equal_frequency_bins(X[:, 0], 1)),
    ("values has 20 rows; at least 30", lambda: metrics.equal_frequency_bins(X[:, 0], 30)),
    ("values holds NaN", lambda: metrics.equal_frequency_bins(NAN[:, 0])),
    ("codes has 1 rows", lambda: metrics.disentanglement_scores(ONE, {"a": LABELS[:1]})),
    ("at least 2 columns for dci", lambda: metrics.dci(X, FACTORS[:, :1])),
    ("none negative", lambda: metrics.dci_from_importances(-torch.ones(2, 2), 1.0)),
    (r"k must lie in \[1, 20\]", lambda: metrics.knn_accuracy(X, LABELS, X, LABELS, k=21)),
    ("test_labels must be", lambda: metrics.knn_accuracy(X, LABELS, X, LABELS[:3])),
    ("at least 2 classes; got 1", lambda: metrics.linear_probe(X, 0 * LABELS, X, LABELS)),
    ("one shape", lambda: metrics.l1(images(8), images(9))),
    ("at least 11 x 11 pixels; the smaller side is 8", lambda: metrics.ssim(images(8), images(8))),
    ("at least 176 x 176", lambda: metrics.ms_ssim(images(28), images(28))),
]


@pytest.mark.parametrize(("message", "use"), MISTAKES, ids=[message for message, _ in MISTAKES])
def test_mistakes_are_told_in_one_line(message: str, use: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        use()
    assert "\n" not in str(caught.value)


def test_blocks_stay_within_their_bound() -> None:
    sizes = [block.numel() for block in common.distance_blocks(gaussian(3000, 2), gaussian(10_000, 2, 1))]
    assert max(sizes) <= common.BLOCK_ELEMENTS
    assert sum(sizes) == 3000 * 10_000
