"""Learned priors: densities that are right, mixtures that are found again, files that are checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from simulacra import priors
from simulacra.errors import ConfigError, RunError
from simulacra.priors import Flow, Mixture, Prior

CENTRES = torch.tensor([[-4.0, 0.0], [4.0, 1.0], [0.0, 6.0]])
SHARES = torch.tensor([0.2, 0.3, 0.5])


def known(n: int = 6_000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draws from a mixture of three Gaussians of unequal shape, and whose each is."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(SHARES, n, replacement=True, generator=generator)
    stretch = torch.tensor([[1.0, 0.0], [0.8, 0.3]])
    return CENTRES[labels] + torch.randn(n, 2, generator=generator) @ stretch.T, labels


@pytest.fixture(scope="module")
def fitted() -> dict[str, Prior]:
    codes, labels = known()
    found: dict[str, Prior] = {
        kind: priors.fit(kind, codes, labels, components=3 if kind == "gmm" else None)
        for kind in ("normal", "gmm", "per-class")
    }
    return {**found, "flow": priors.fit_flow(codes, steps=40)}


def grid(side: int, low: float, high: float) -> tuple[Tensor, float]:
    """Points of a square and the area that each stands for."""
    axis = torch.linspace(low, high, side, dtype=torch.float64)
    first, second = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([first.flatten(), second.flatten()], 1), float(axis[1] - axis[0]) ** 2


@pytest.mark.parametrize("kind", priors.KINDS)
def test_the_density_integrates_to_one(kind: str, fitted: dict[str, Prior]) -> None:
    z, area = grid(250, -16, 18)
    z = z.float() if kind == "flow" else z
    mass = float(fitted[kind].log_density(z).double().exp().sum()) * area
    assert mass == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("kind", ["gmm", "per-class"])
def test_a_known_mixture_is_found_again(kind: str, fitted: dict[str, Prior]) -> None:
    prior = fitted[kind]
    assert isinstance(prior, Mixture)
    nearest = torch.cdist(CENTRES.double(), prior.means).argmin(1)
    assert sorted(nearest.tolist()) == [0, 1, 2]
    assert torch.allclose(prior.means[nearest], CENTRES.double(), atol=0.15)
    assert torch.allclose(prior.weights[nearest], SHARES.double(), atol=0.03)
    covariance = torch.tensor([[1.0, 0.8], [0.8, 0.73]], dtype=torch.float64)
    found = prior.factors @ prior.factors.mT
    assert torch.allclose(found, covariance.expand(3, 2, 2), atol=0.15)


def test_the_density_is_that_of_scikit_learn() -> None:
    mixture = pytest.importorskip("sklearn.mixture")
    codes, _ = known(500)
    prior = priors.fit_mixture(codes, 4, seed=2)
    theirs = mixture.GaussianMixture(4)
    theirs.weights_, theirs.means_ = prior.weights.numpy(), prior.means.numpy()
    theirs.precisions_cholesky_ = torch.linalg.inv(prior.factors).mT.numpy()
    expected = torch.from_numpy(theirs.score_samples(codes.double().numpy()))
    assert torch.allclose(prior.log_density(codes.double()), expected, atol=1e-9)


@pytest.mark.parametrize("kind", priors.KINDS)
def test_draws_follow_the_density(kind: str, fitted: dict[str, Prior]) -> None:
    """The mean of log p over draws is the negative entropy, which the integral over a grid also gives."""
    prior = fitted[kind]
    draws = prior.sample(20_000, torch.Generator().manual_seed(1))
    assert draws.dtype == torch.float32
    z, area = grid(250, -16, 18)
    log_density = prior.log_density(z.float() if kind == "flow" else z).double()
    expected = float((log_density.exp() * log_density).sum()) * area
    assert float(prior.log_density(draws).mean()) == pytest.approx(expected, abs=0.05)


def test_more_flexible_priors_fit_better(fitted: dict[str, Prior]) -> None:
    codes, _ = known(2_000, seed=9)
    of = {kind: float(prior.log_density(codes).mean()) for kind, prior in fitted.items()}
    assert of["gmm"] > of["normal"] + 0.3
    assert of["flow"] > of["normal"] + 0.1


def test_a_seed_decides_fit_and_draws() -> None:
    codes, _ = known(300)
    for fit in (
        lambda seed: priors.fit_mixture(codes, 3, seed=seed),
        lambda s: priors.fit_flow(codes, steps=3, seed=s),
    ):
        torch.manual_seed(5)
        first = fit(1)
        expected = torch.rand(1)
        torch.manual_seed(6)
        assert first.identity == fit(1).identity
        torch.manual_seed(5)
        assert torch.equal(torch.rand(1), expected), "the global generator is left alone"


def test_one_class_is_drawn_by_itself(fitted: dict[str, Prior]) -> None:
    prior = fitted["per-class"]
    assert isinstance(prior, Mixture)
    draws = prior.of_class(2).sample(2_000, torch.Generator().manual_seed(0))
    assert torch.allclose(draws.mean(0), CENTRES[2], atol=0.15)
    with pytest.raises(ConfigError, match=r"no class 3. Classes: \[0, 1, 2\]"):
        prior.of_class(3)


def test_a_latent_that_never_varies_is_no_obstacle() -> None:
    codes = torch.cat([known(200)[0], torch.full((200, 1), 3.0)], 1)
    for kind in ("normal", "gmm"):
        draws = priors.fit(kind, codes, components=2 if kind == "gmm" else None).sample(50)
        assert torch.allclose(draws[:, 2], torch.tensor(3.0), atol=0.1)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda x, y: priors.fit("gmmm", x), "Did you mean 'gmm'"),
        (lambda x, y: priors.fit("gmm", x, components=11), "needs at least as many latents; there are 10"),
        (lambda x, y: priors.fit("normal", x, components=2), "no components"),
        (lambda x, y: priors.fit("per-class", x), "Try gmm"),
        (lambda x, y: priors.fit("per-class", x, torch.arange(10)), "Class 0 has 1 latents"),
        (lambda x, y: priors.fit("normal", x[:1]), "n at least 2"),
        (lambda x, y: priors.fit("normal", x / 0), "NaN or infinite"),
    ],
)
def test_mistakes_are_named(fit: Callable[[Tensor, Tensor], Prior], message: str) -> None:
    codes, labels = known(10)
    with pytest.raises(ConfigError, match=message):
        fit(codes, labels)


# ------------------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize("kind", priors.KINDS)
def test_a_file_gives_the_same_prior(kind: str, fitted: dict[str, Prior], tmp_path: Path) -> None:
    before = fitted[kind]
    after = priors.load(priors.save(before, tmp_path / "prior.safetensors", "abc"), "abc", 2)
    assert after.identity == before.identity
    draws = [prior.sample(20, torch.Generator().manual_seed(3)) for prior in (before, after)]
    assert torch.equal(*draws)


def _rewritten(path: Path, change: Callable[[dict[str, Tensor]], object], **facts: object) -> None:
    with safe_open(path, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    change(tensors)
    save_file(tensors, path, {**metadata, "prior": json.dumps({**json.loads(metadata["prior"]), **facts})})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:100]), "damaged or not a prior"),
    "empty": (lambda p: p.write_bytes(b""), "damaged or not a prior"),
    "absent": (lambda p: p.unlink(), "There is no prior"),
    "of another program": (lambda p: save_file({"a": torch.zeros(1)}, p), "not a prior of this version"),
    "NaN": (lambda p: _rewritten(p, lambda t: t["means"].fill_(torch.nan)), "usable prior"),
    "weights above 1": (lambda p: _rewritten(p, lambda t: t["weights"].mul_(2)), "usable prior"),
    "negative factor": (lambda p: _rewritten(p, lambda t: t["factors"].neg_()), "usable prior"),
    "a tensor too few": (lambda p: _rewritten(p, lambda t: t.pop("classes")), "usable prior"),
    "wrong shape": (lambda p: _rewritten(p, lambda t: t.update(factors=torch.ones(2))), "usable prior"),
    "unknown kind": (lambda p: _rewritten(p, lambda t: None, kind="os.system"), "usable prior"),
    "flow without tensors": (lambda p: _rewritten(p, lambda t: None, kind="flow"), "usable prior"),
    "other weights": (lambda p: _rewritten(p, lambda t: None, weights="xyz"), "fitted to a model with other weights"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_hostile_and_damaged_files_are_refused(name: str, fitted: dict[str, Prior], tmp_path: Path) -> None:
    damage, message = DAMAGE[name]
    path = priors.save(fitted["gmm"], tmp_path / "prior.safetensors", "abc")
    damage(path)
    with pytest.raises(RunError, match=message):
        priors.load(path, "abc", 2)


def test_a_prior_of_other_dimensions_is_refused(fitted: dict[str, Prior], tmp_path: Path) -> None:
    for kind in ("gmm", "flow"):
        path = priors.save(fitted[kind], tmp_path / "prior.safetensors", "abc")
        with pytest.raises(RunError):
            priors.load(path, "abc", 3)


def test_a_flow_can_be_fitted_in_one_step() -> None:
    assert isinstance(priors.fit_flow(known(50)[0], steps=1), Flow)
