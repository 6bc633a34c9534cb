"""Conditional families against values worked out by hand: the projection, the bound given y, the class it tells."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import config, data, models
from simulacra.config import Mlp
from simulacra.data import Labelled
from simulacra.distributions import LIKELIHOODS
from simulacra.errors import CapabilityError, ConfigError, DataError
from simulacra.evaluation import evaluate
from simulacra.images import Shape, to_unit
from simulacra.models import Coded, Inferential, Recognising, Scored
from simulacra.models.cgan import CGAN, Projection
from simulacra.models.codes import Categorical
from simulacra.models.cvae import CVAE, ConditionalEncoder
from simulacra.runs.run import Run
from simulacra.steering import generate
from simulacra.training.session import Session
from tests import contract
from tests.conftest import SHORT

SHAPE = Shape(1, 8)
PETS = ("cat", "dog", "7")
SMALL = Mlp(hidden=(16,))


def batch(count: int = 12, classes: int = 3) -> Labelled:
    generator = torch.Generator().manual_seed(1)
    return Labelled(torch.rand(count, 1, 8, 8, generator=generator) * 2 - 1, torch.arange(count) % classes)


def cgan() -> CGAN:
    torch.manual_seed(0)
    values = config.CGAN(
        latent=4, classes=PETS, features=6, generator=Mlp(hidden=(16,)), discriminator=Mlp(hidden=(16,))
    )
    model = models.build(values, SHAPE)
    assert isinstance(model, CGAN)
    return model


class Table(nn.Module):
    """A decoder that ignores z: for each class the logits of one pattern."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, z: Tensor) -> Tensor:
        return ((z[:, -len(self.logits) :] > 0).float() @ self.logits.flatten(1)).view(-1, *self.logits.shape[1:])


def cvae(mean: float = 0.0, log_variance: float = 0.0) -> tuple[CVAE, Tensor]:
    """A model whose posterior is the same Gaussian for every x and y, in two latents; the logits of its classes."""
    torch.manual_seed(0)
    encoder = ConditionalEncoder(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), 5, 3, 4)
    output = list(encoder.head.children())[-1]
    assert isinstance(output, nn.Linear)
    with torch.no_grad():
        output.weight.zero_()
        output.bias.copy_(torch.tensor([mean, mean, log_variance, log_variance]))
    logits = 0.3 * torch.randn(3, 1, 8, 8)
    values = config.CVAE(latent=2, classes=PETS)
    return CVAE(encoder, Table(logits), LIKELIHOODS["bernoulli"](), SHAPE, values).eval(), logits


def test_a_penalty_is_on_the_slope_given_the_class() -> None:
    """D(x, y) = w_y . x has the slope w_y: R1 is half its square, averaged over the classes of the batch."""

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.randn(3, 64))

        def forward(self, x: Tensor, label: Tensor) -> Tensor:
            return (self.weights[label] * x.flatten(1)).sum(1, keepdim=True)

    critic, images = Linear(), batch(7)
    values = config.CGAN(latent=4, classes=PETS, penalty=config.Penalty(kind="r1", weight=2.0))
    model = CGAN(cgan().generator, critic, SHAPE, values)
    terms = next(model.rounds(images, 0))["discriminator"]
    expected = critic.weights[images.label].square().sum(1).mean()
    assert float(terms["r1"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


# ------------------------------------------------------------------------------------------- labels as codes


@pytest.mark.parametrize(("value", "index"), [("dog", 1), (1, 1), ("1", 1), ("7", 2), (2, 2), ("2", 2)])
def test_a_class_is_asked_for_by_name_or_index(value: str | int, index: int) -> None:
    assert Categorical("label", 3, PETS).vector(value).tolist() == F.one_hot(torch.tensor(index), 3).tolist()


@pytest.mark.parametrize("value", ["dgo", 3, -1, "1.5", "nan", "Dog"])
def test_a_wrong_class_names_the_classes(value: str | int) -> None:
    with pytest.raises(ConfigError, match=r"label \(cat, dog, 7; or a whole number from 0 to 2\)"):
        generate.sample(cgan(), 1, label=value)


def test_a_thousand_classes_are_not_all_listed() -> None:
    with pytest.raises(ConfigError, match=r"c0, c1, .* and 980 more; or a whole number from 0 to 999") as raised:
        Categorical("label", 1000, tuple(f"c{k}" for k in range(1000))).vector("x")
    assert len(str(raised.value)) < 250


def test_a_label_is_set_and_the_noise_stays() -> None:
    model = cgan().eval()
    z = generate.latents(model, 5, seed=3)
    z[:, 4:] = torch.tensor([0.0, 1.0, 0.0])
    assert torch.equal(generate.sample(model, 5, seed=3, label="dog"), generate.decode(model, z))
    assert torch.equal(generate.sample(model, 5, seed=3, codes={"label": "dog"}), generate.decode(model, z))


def test_families_without_labels_say_which_have_them() -> None:
    with pytest.raises(CapabilityError, match=r"needs a label; gan has none. Families with one: cgan, cvae"):
        generate.sample(contract.build("gan", "mlp", SHAPE), 1, label=3)
    with pytest.raises(CapabilityError, match="needs a label; infogan has none"):
        generate.sample(contract.build("infogan", "mlp", SHAPE), 1, label=3)
    with pytest.raises(CapabilityError, match="reconstruct needs an encoder; cgan has none"):
        generate.reconstruct(cgan(), batch().image)


def test_a_model_needs_classes() -> None:
    with pytest.raises(ConfigError, match="fewer than two classes"):
        models.build(config.CGAN(classes=("one",)), SHAPE)


# ------------------------------------------------------------------------------------------------------ cgan


def test_the_logit_is_the_projection() -> None:
    """phi = (x00, x01); psi(phi) = 2 phi_1 - phi_2 + 0.5; v_0 = (1, 0), v_1 = (0, 3)."""
    first_two = nn.Linear(4, 2, bias=False)
    projection = Projection(nn.Sequential(nn.Flatten(), first_two), 2, 2)
    with torch.no_grad():
        first_two.weight.copy_(torch.eye(2, 4))
        projection.psi.weight.copy_(torch.tensor([[2.0, -1.0]]))
        projection.psi.bias.fill_(0.5)
        projection.vectors.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    x = torch.tensor([[0.25, -1.0], [9.0, 9.0]]).view(1, 1, 2, 2).repeat(2, 1, 1, 1)
    assert projection(x, torch.tensor([0, 1])).tolist() == [[2.0 + 0.25], [2.0 - 3.0]]


def test_each_players_gradient_is_that_of_its_own_loss() -> None:
    """Against equation 2 written out; fakes are of the classes of the real images beside them."""
    model, real = cgan(), batch()
    torch.manual_seed(3)
    rounds = list(model.rounds(real, 0))
    torch.manual_seed(3)
    fake = torch.tanh(model.generator(torch.cat([torch.randn(12, 4), F.one_hot(real.label, 3).float()], 1)))
    ones = torch.ones(12, 1)
    on_real, on_fake = model.discriminator(real.image, real.label), model.discriminator(fake, real.label)
    losses = {
        "discriminator": F.binary_cross_entropy_with_logits(on_real, ones)
        + F.binary_cross_entropy_with_logits(on_fake, 0 * ones),
        "generator": F.binary_cross_entropy_with_logits(on_fake, ones),
    }
    for (player, loss), round_ in zip(losses.items(), rounds, strict=True):
        assert set(round_) == {player}
        parameters = list(model.players()[player].parameters())
        ours = torch.autograd.grad(sum(round_[player].values(), torch.zeros(())), parameters, retain_graph=True)
        for a, b in zip(ours, torch.autograd.grad(loss, parameters, retain_graph=True), strict=True):
            assert torch.allclose(a, b, atol=1e-6)
    d_loss = sum(rounds[0]["discriminator"].values(), torch.zeros(()))
    own = list(model.generator.parameters())
    assert all(g is None for g in torch.autograd.grad(d_loss, own, allow_unused=True, retain_graph=True))


def test_only_the_vectors_of_the_batchs_classes_move() -> None:
    model = cgan()
    only_dogs = Labelled(batch().image, torch.ones(12, dtype=torch.int64))
    loss = sum(next(model.rounds(only_dogs, 0))["discriminator"].values(), torch.zeros(()))
    (gradient,) = torch.autograd.grad(loss, [model.discriminator.vectors.weight])
    assert gradient.abs().sum(1).gt(0).tolist() == [False, True, False]


# ------------------------------------------------------------------------------------------------------ cvae


def likelihoods(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x | y) for every y, ``(B, K)``, by torch's own Bernoulli."""
    pattern = torch.distributions.Bernoulli(logits=logits, validate_args=False)
    return pattern.log_prob(to_unit(x).unsqueeze(1)).flatten(2).sum(2)


def test_the_bound_given_y_is_exact_where_z_tells_nothing() -> None:
    model, logits = cvae()
    given = batch()
    exact = likelihoods(logits, given.image).gather(1, given.label.unsqueeze(1)).mean()
    score = model.score(given)
    assert float(score["kl"]) == 0.0
    assert float(-score["negative_elbo"]) == pytest.approx(float(exact), rel=1e-5)


def test_the_divergence_is_that_of_the_posterior() -> None:
    """0.5 (m^2 + s^2 - log s^2 - 1) in each of two latents."""
    model, _ = cvae(mean=0.7, log_variance=-1.0)
    expected = 0.7**2 + math.exp(-1.0) + 1.0 - 1.0
    assert float(model.score(batch())["kl"].detach()) == pytest.approx(expected, rel=1e-5)


def test_the_class_it_tells_is_bayes_rule() -> None:
    model, logits = cvae()
    x = batch().image
    expected = likelihoods(logits, x).softmax(1)
    assert torch.allclose(generate._chunked(model, model.infer, x), expected, atol=1e-4)
    latents = generate.encode(model, x)
    assert torch.equal(latents[:, 2:].argmax(1), expected.argmax(1))
    assert torch.equal(latents[:, :2], torch.zeros(12, 2))


def test_the_label_reaches_the_encoder_and_the_decoder() -> None:
    torch.manual_seed(0)
    values = config.CVAE(latent=4, classes=PETS, features=6, network=SMALL)
    model = models.build(values, SHAPE)
    assert isinstance(model, CVAE)
    hidden = model.encoder.trunk(batch(1).image)
    means = [model.given(hidden, torch.tensor([k])).mean for k in range(3)]
    assert not torch.allclose(means[0], means[1])
    pictures = [generate.sample(model, 1, label=name) for name in PETS]
    assert not torch.allclose(pictures[0], pictures[1])


def test_what_each_family_can_do() -> None:
    told, _ = cvae()
    assert isinstance(told, Recognising)
    assert isinstance(told, Inferential)
    assert isinstance(told, Scored)
    assert isinstance(cgan(), Coded)
    assert not isinstance(cgan(), Recognising)


# ------------------------------------------------------------------------------------------------- trainings


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Forty black and white pictures in two class folders."""
    generator = np.random.default_rng(0)
    for index in range(40):
        name = ("cat", "dog")[index % 2]
        (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 60, (8, 8), dtype=np.uint8) + np.uint8(150 * (index % 2))
        Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{index}.png")
    return tmp_path / "pets"


def changes(**model: object) -> dict[str, object]:
    short = dict(SHORT["train"])  # type: ignore[call-overload]
    sizes = {"images": 1600, "batch": 16, "log": 160, "checkpoint": 800, "optimizer": {"rate": 1e-2}}
    return {"train": {**short, **sizes}, "model": model}


def test_a_run_keeps_the_names_of_its_folders_and_one_file_is_a_model(pets: Path, tmp_path: Path) -> None:
    small = changes(network={"kind": "mlp", "hidden": [16]}, latent=2)
    run = Session.start("cvae", data_name=str(pets), out=tmp_path / "run", changes=small).run()
    assert getattr(run.config.model, "classes", None) == ("cat", "dog")
    alone = Run.open(tmp_path / "run" / "model.safetensors")
    assert torch.equal(alone.sample(3, label="dog"), run.sample(3, label=1))
    found = {score.metric: score.value for score in evaluate.evaluate(on_training_images(run, pets), n=20).scores}
    assert found["label_accuracy"] == 1.0, "black and white are told apart"
    assert found["conditional_elbo"] == pytest.approx(-found["reconstruction_nll"] - found["kl"], rel=1e-5)


def on_training_images(run: Run, pets: Path) -> Run:
    """The run measured on its training images: ten are the least, and the test split has four."""
    splits = data.load(config.Data(name=str(pets)))
    run.__dict__["splits"] = data.Splits(splits.train, splits.train)
    return run


def test_images_without_classes_are_refused(pets: Path, tmp_path: Path) -> None:
    for index, path in enumerate(sorted(pets.rglob("*.png"))):
        path.rename(pets / f"{index}.png")
    with pytest.raises(DataError, match=r"cgan needs labels, and pets has none. Put the images of each class"):
        Session.start("cgan", data_name=str(pets), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_classes_than_the_datas_are_refused(pets: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="differ from those of pets"):
        Session.start("cgan", data_name=str(pets), out=tmp_path / "run", changes={"model": {"classes": ["a", "b"]}})


# --------------------------------------------------------------------------------------------------- scores


class Right:
    """A classifier of three classes that is right whenever an image shows its class in its first pixels."""

    name, digest, dimensions = "right", "0" * 64, 3

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3]

    def probabilities(self, x: Tensor) -> Tensor:
        return self.features(x).softmax(1)


@pytest.mark.parametrize(("shift", "share"), [(0, 1.0), (1, 0.0)])
def test_label_agreement_is_the_share_of_samples_of_the_asked_class(
    shift: int, share: float, tmp_path: Path
) -> None:  # fmt: skip
    model = cgan().eval()
    shown = F.pad(torch.eye(3).roll(shift, 1), (0, 61)).view(3, 1, 8, 8)
    model.generator = Table(shown)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (60, 1, 8, 8), generator=generator, dtype=torch.uint8)
    images = data.Dataset("pets", pixels, torch.arange(60) % 3, PETS)
    run = Run(tmp_path, model, config.Config(model=config.CGAN(latent=4, classes=PETS)))
    run.__dict__["splits"] = data.Splits(images, images)
    found = {s.metric: s for s in evaluate.evaluate(run, n=50, extractor=Right(), warn=lambda _: None).scores}
    assert found["label_agreement"].value == share
    assert found["label_agreement"].n == 50
    assert found["label_agreement"].split == "generated"
