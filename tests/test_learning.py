"""Slow checks that the families learn what they should on real data (make test-slow)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import mixtures
from simulacra import Run, config, data, images
from simulacra.config import Data, Train
from simulacra.data import ImageLoader
from simulacra.distributions import DiagonalGaussian
from simulacra.evaluation.evaluate import evaluate
from simulacra.models.bigan import BiGAN
from simulacra.models.vae import VAE
from simulacra.training.session import Session

pytestmark = pytest.mark.slow


def trained(recipe: str, out: Path, root: Path, **changes: dict[str, object]) -> Run:
    return Session.start(recipe, out=out, data_root=root, changes=changes).run()


def last(run: Run, name: str) -> float:
    return [float(row[name]) for row in run.history() if name in row][-1]


def test_the_multilayer_vae_reaches_the_tutorials_figure(tmp_path: Path, data_root: Path) -> None:
    """Ten epochs on Fashion-MNIST; the tutorial's own loop reaches 253.6 nats there."""
    run = trained("vae-mlp", tmp_path / "run", data_root, train={"images": 600_000})
    assert last(run, "test/negative_elbo") < 255.0


def test_two_latents_organise_the_digits(tmp_path: Path, data_root: Path) -> None:
    """Two epochs on MNIST; all ten digits stand on the manifold, by a classifier trained on real ones."""
    run = trained("vae-2d", tmp_path / "run", data_root, train={"images": 120_000})
    assert last(run, "test/negative_elbo") < 163.0
    probabilities = classifier(data_root)(run.manifold(25)).softmax(1)
    confident = probabilities.max(1).values > 0.7
    found = probabilities.argmax(1)[confident].unique().numel()
    assert found >= 8, f"{found} digits on the manifold"


def test_the_multilayer_gan_draws_every_digit(tmp_path: Path, data_root: Path) -> None:
    run = trained("gan-mlp", tmp_path / "run", data_root, train={"images": 480_000})
    probabilities = classifier(data_root)(run.sample(2000, seed=1)).softmax(1)
    counts = torch.bincount(probabilities.argmax(1), minlength=10)
    assert int(counts.min()) > 40, f"digits {counts.tolist()}"
    assert float(probabilities.max(1).values.median()) > 0.9


def test_the_categories_of_infogan_are_digits(tmp_path: Path, data_root: Path) -> None:
    """A quarter of the recipe, no labels: categories named on training images tell test images, and are obeyed."""
    run = trained("infogan", tmp_path / "run", data_root, train={"images": 120_000})
    scores = {score.metric: score.value for score in evaluate(run, n=5000).scores}
    assert scores["code_accuracy"] > 0.6
    classify = classifier(data_root)
    drawn = [run.sample(200, codes={"digit": k}) for k in range(10)]
    purity = [float(torch.bincount(classify(x).argmax(1), minlength=10).max()) / 200 for x in drawn]
    assert sorted(purity)[5] > 0.6, f"shares of the commonest digit of a category {purity}"


def test_the_autoencoder_compresses_better_than_principal_components(tmp_path: Path, data_root: Path) -> None:
    """With 32 numbers for 784 pixels, against the best linear code of 32 numbers."""
    run = trained("autoencoder", tmp_path / "run", data_root, train={"images": 120_000})
    train, test = (
        images.to_unit(images.from_bytes(part.images)).flatten(1) for part in (run.splits.train, run.splits.test)
    )
    torch.manual_seed(0)
    centre = train.mean(0)
    _, _, components = torch.pca_lowrank(train[:20_000] - centre, 32, center=False)
    linear = (test - centre) - (test - centre) @ components @ components.T
    assert last(run, "test/squared_error") < 0.75 * float(linear.square().sum(1).mean())


def test_the_importance_weighted_bound_is_worth_its_samples(tmp_path: Path) -> None:
    """On the embedded digits: trained equally long, IWAE's likelihood estimate is not worse than the VAE's."""
    small = {"network": {"kind": "mlp", "hidden": [200]}, "latent": 16}
    estimates = {}
    for family, samples in (("vae", 20), ("iwae", 20)):
        changes = {
            "model": {"family": family, "samples": samples, **small},
            "data": {"size": 8},
            "train": {"images": 300_000, "ema": 10_000},
        }
        model = Session.start("quickstart", out=tmp_path / family, changes=changes).run().model
        assert isinstance(model, VAE)
        x = images.from_bytes(data.load(Data(name="digits")).test.images)
        estimates[family] = float(model.log_likelihood(x, 500, generator=torch.Generator().manual_seed(0)).mean())
    assert estimates["iwae"] > estimates["vae"] - 0.05, estimates


def test_the_discretised_logistic_compresses_colour(tmp_path: Path) -> None:
    """Bits per dimension on `shapes` fall far below the 8 bits of the raw pixels."""
    changes = {
        "model": {"likelihood": "logistic", "latent": 16},
        "data": {"name": "shapes", "size": 16},
        "train": {"images": 120_000, "precision": "float32"},
    }
    run = Session.start("vae", out=tmp_path / "run", changes=changes).run()
    bits = last(run, "test/negative_elbo") / (3 * 16 * 16) / 0.6931
    assert bits < 3.0


def classifier(root: Path) -> nn.Module:
    """A small network that tells MNIST digits, trained for five epochs (about 97 % of the test images right)."""
    torch.manual_seed(0)
    splits = data.load(Data(name="mnist"), root)
    loader = ImageLoader(splits.train, 128)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for step in range(5 * 60_000 // Train().batch):
        batch = loader.batch(step)
        nn.functional.cross_entropy(network(batch.image), batch.label).backward()  # type: ignore[attr-defined]
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        predicted = network(images.from_bytes(splits.test.images)).argmax(1)
    assert float((predicted == splits.test.labels).float().mean()) > 0.96  # type: ignore[union-attr]
    return network.eval()


def test_latents_of_the_vae_are_used_and_have_the_priors_scale(tmp_path: Path, data_root: Path) -> None:
    """Over the data, each latent's second moment is near the prior's 1, and its mean tells images apart."""
    run = trained("vae-2d", tmp_path / "run", data_root, train={"images": 120_000})
    assert isinstance(run.model, VAE)
    with torch.no_grad():
        q: DiagonalGaussian = run.model.posterior(run.examples(2000))
    second_moment = (q.mean.square() + q.log_variance.exp()).mean(0)
    assert bool(((second_moment > 0.5) & (second_moment < 2.5)).all()), second_moment
    assert bool((q.mean.var(0) > 0.3).all()), "a latent is not used"


def test_compiled_networks_learn_the_same(tmp_path: Path) -> None:
    changes = {"train": {"images": 1280, "log": 640, "precision": "float32"}}
    runs = []
    for compiled in (False, True):
        both = {"train": {**changes["train"], "compile": compiled}}
        runs.append(Session.start("quickstart", out=tmp_path / str(compiled), changes=both).run().history())
    assert runs[0][-1]["model/nll"] == pytest.approx(runs[1][-1]["model/nll"], rel=1e-3)


def test_latents_of_the_bidirectional_gan_tell_digits_apart(tmp_path: Path, data_root: Path) -> None:
    """Four epochs on MNIST, no label seen: nearest neighbours, chance 0.1; and clothes are stranger than digits."""
    run = trained("bigan", tmp_path / "run", data_root, train={"images": 240_000})
    assert isinstance(run.model, BiGAN)
    scores = {score.metric: score.value for score in evaluate(run, n=2000).scores}
    assert scores["knn_accuracy"] > 0.85
    clothes = images.from_bytes(data.load(Data(name="fashion-mnist"), data_root).test.images[:1000])
    known, strange = run.model.anomaly(run.examples(1000)), run.model.anomaly(clothes)
    above = (strange.unsqueeze(1) > known).float().mean()
    assert float(above) > 0.9, f"area under the curve {float(above):.3f}"


def test_the_vaegan_draws_clothes_and_keeps_their_class(tmp_path: Path, data_root: Path) -> None:
    """A fifth of the recipe; without a penalty the distance was 14.1 even after 75,000 images."""
    run = trained("vaegan", tmp_path / "run", data_root, train={"images": 40_000})
    scores = {score.metric: score.value for score in evaluate(run, n=2000).scores}
    assert scores["frechet_distance"] < 12, scores
    assert scores["class_agreement"] > 0.65, scores


def test_the_convolutional_gan_beats_the_multilayer_one_at_once(tmp_path: Path, data_root: Path) -> None:
    """A fifth of the recipe `gan`: every digit about equally often, and images that a classifier is sure of."""
    run = trained("gan", tmp_path / "run", data_root, train={"images": 128_000})
    probabilities = classifier(data_root)(run.sample(2000, seed=1)).softmax(1)
    counts = torch.bincount(probabilities.argmax(1), minlength=10)
    assert int(counts.min()) > 80, f"digits {counts.tolist()}"
    assert float(probabilities.max(1).values.median()) > 0.9


def test_relativistic_pairing_finds_every_mode_of_the_ring() -> None:
    values = config.parse(config.merge(mixtures.MODERN["ring"], {"train": {"images": 512_000}}))
    found = mixtures.measure(mixtures.MIXTURES["ring"](), values)
    assert found.covered == 8
    assert found.high_quality > 0.9


def test_sprites_become_drawings_and_back_without_pairs(tmp_path: Path) -> None:
    """The recipe, on domains whose every translation is known; copying the input gives an L1 of 0.293."""
    run = Session.start("cyclegan", out=tmp_path / "run").run()
    scores = {score.metric: score.value for score in evaluate(run, n=1000).scores}
    assert scores["l1"] <= 0.05, scores
    assert scores["l1_to_a"] <= 0.05, scores


def test_pairs_teach_the_same_translation_faster(tmp_path: Path) -> None:
    run = Session.start("pix2pix", out=tmp_path / "run").run()
    assert last(run, "test/l1") <= 0.03
