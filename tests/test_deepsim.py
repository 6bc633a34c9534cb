"""DeePSiM: what its discriminator sees, when it joins in, and how it is kept from learning pictures by heart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from simulacra import config
from simulacra.adversarial import sometimes
from simulacra.adversarial.augment import colour
from simulacra.config import Optimizer, Train
from simulacra.data import Dataset, ImageLoader
from simulacra.data.dataset import Images
from simulacra.images import Shape
from simulacra.models.deepsim import EVERY, MOST, OVERFITTING, PACE, PROBABILITY, DeePSiM, jittered
from simulacra.networks.pictures import PictureNetwork, shipped
from simulacra.networks.projected import Projected, projections
from simulacra.training import Trainer

CONV = config.Conv(widths=(4, 8), activation="leaky_relu")


def some_images(n: int, size: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def dataset(n: int, size: int = 16, seed: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    return Dataset("noise", torch.randint(0, 256, (n, 3, size, size), generator=generator, dtype=torch.uint8))


def small(**values: object) -> DeePSiM:
    torch.manual_seed(0)
    section = config.DeePSiM(latent=3, heads=4, network=CONV, discriminator=CONV, **values)  # type: ignore[arg-type]
    return DeePSiM.build(section, Shape(3, 16))


# --------------------------------------------------------------------------------------- what is seen


@pytest.mark.parametrize("size", [8, 13, 32, 50, 64, 100])
def test_logits_of_pixels_and_of_three_scales(size: int) -> None:
    x = some_images(2, size).requires_grad_()
    critic = Projected(CONV, 4, Shape(3, size))
    logits = critic(x)
    assert logits.shape == (2, 4)
    assert torch.allclose(logits, torch.cat([critic.pixels(x), critic.judge(projections(x))], 1))
    for column in range(4):
        (slope,) = torch.autograd.grad(logits[:, column].sum(), x, retain_graph=True)
        assert bool((slope.flatten(1).abs().sum(1) > 0).all()), "an image without a gradient"


def test_projections_are_the_activations_about_one_in_size() -> None:
    x = some_images(2, 32)
    first, _, third, _, fifth = shipped()[0].activations(x)
    found = projections(x)
    assert found.shape == (2, first[0].numel() + third[0].numel() + fifth[0].numel())
    inner = found[:, : first[0].numel()].reshape(2, 16, 16, 32).permute(0, 3, 1, 2)
    ratio = first / inner
    assert torch.allclose(ratio, ratio.flatten()[0].expand_as(ratio), rtol=1e-4)
    smooth = nn.functional.interpolate(some_images(20, 8), (32, 32), mode="bilinear")
    assert 0.3 < float(projections(smooth).square().mean().sqrt()) < 3


def test_the_fixed_network_is_not_part_of_the_model() -> None:
    assert not any(isinstance(module, PictureNetwork) for module in small().modules())


# ------------------------------------------------------------------------------------- when it plays


def test_the_vae_moves_alone_until_the_discriminator_joins_in() -> None:
    model = small(start=2)
    rounds = [next(model.rounds(Images(some_images(4)), step)) for step in range(3)]
    assert [sorted(round_) for round_ in rounds] == [["model"], ["model"], ["discriminator", "model"]]
    assert rounds[0]["model"].keys() == {"pixels", "features", "kl"}
    assert rounds[2]["model"].keys() == {"pixels", "features", "kl", "adversarial"}


def test_the_adversarial_term_is_that_of_reconstructions_and_samples() -> None:
    model, x = small(loss="relativistic", adversarial=2.0).eval(), some_images(4)
    torch.manual_seed(1)
    round_ = next(model.rounds(Images(x), 0))
    torch.manual_seed(1)
    z = model.posterior(x[::2]).rsample()
    fake = model.decoder(torch.cat([z, model.prior(2)]))
    margin = model.discriminator(x[[0, 2, 1, 3]]) - model.discriminator(fake)
    assert torch.allclose(round_["model"]["adversarial"], 2 * nn.functional.softplus(margin).mean())
    assert torch.allclose(round_["discriminator"]["pairs"], nn.functional.softplus(-margin).mean())


def test_slopes_are_penalised_in_pixels_and_in_features() -> None:
    """R1 by hand: half the squared slope at real images, and a tenth of that in the activations."""
    model, x = small(penalty={"kind": "r1", "weight": 2.0}).eval(), some_images(4)
    terms = next(model.rounds(Images(x), 0))["discriminator"]
    expected = torch.zeros(())
    for critic, point, weight in (
        (model.discriminator.pixels, x, 1.0),
        (model.discriminator.judge, projections(x), 0.1),
    ):
        point = point.detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic(point).sum(), point)
        expected = expected + weight * slope.square().flatten(1).sum(1).mean()
    assert torch.allclose(terms["r1"], expected, rtol=1e-4)


def test_images_of_a_step_move_alike_and_only_in_training() -> None:
    x = torch.arange(256.0).view(1, 1, 16, 16).repeat(3, 1, 1, 1)
    torch.manual_seed(0)
    seen = [jittered(x[None])[0] for _ in range(60)]
    assert all(torch.equal(one[0], one[2]) for one in seen)
    centres = {(int(one[0, 0, 8, 8]) // 16 - 8, int(one[0, 0, 8, 8]) % 16 - 8) for one in seen}
    assert {place for pair in centres for place in pair} == {-2, -1, 0, 1, 2}
    model = small(augment=())
    assert model.eval().augmented(x) is x
    assert model.train().augmented(x).shape == x.shape


# ----------------------------------------------------------------------------------- learning by heart


def test_an_augmentation_reaches_the_share_of_images_that_is_asked_for() -> None:
    x = some_images(2_000, 8)
    assert sometimes(colour, x, 0.0) is x
    changed = (sometimes(colour, x, 0.3, torch.Generator().manual_seed(0)) != x).flatten(1).any(1)
    assert 0.26 < float(changed.float().mean()) < 0.34


class Brightness(nn.Module):
    """A discriminator that takes bright images for real."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None]


@pytest.mark.parametrize(("held", "gauge"), [(0, 1.0), (255, -1.0)])
def test_the_gauge_is_the_mean_sign_and_drives_the_probability(held: int, gauge: float) -> None:
    """Held-out images that are all judged lower than training images are the mark of learning by heart."""
    model = small(augment=())
    model.hold_out(Dataset("held", torch.full((5, 3, 16, 16), held, dtype=torch.uint8)))
    model.discriminator = Brightness()  # type: ignore[assignment]
    real = model.discriminator(some_images(8))
    for times in range(1, 4):
        model._adapt(real)
        assert float(model.watched[OVERFITTING]) == gauge
        assert float(model.watched[PROBABILITY]) == pytest.approx(max(0, gauge) * times * EVERY * 8 / PACE)
    model.probability.fill_(MOST)
    model._adapt(real)
    assert float(model.probability) == pytest.approx(MOST - (gauge < 0) * EVERY * 8 / PACE)


def test_the_probability_is_saved_and_the_held_out_images_are_not() -> None:
    model = small()
    model.hold_out(dataset(5))
    assert "probability" in model.state_dict()
    assert "held" not in model.state_dict()


def test_resuming_is_exact_while_the_probability_moves() -> None:
    def trainer(seed: int) -> Trainer:
        torch.manual_seed(seed)
        model = small(overfitting=0.0, penalty={"kind": "r1_r2", "every": 2}, loss="relativistic", start=0)
        model.hold_out(dataset(6, seed=1))
        values = Train(images=48, batch=4, ema=8, optimizer=Optimizer(learning_rate=1e-3))
        return Trainer(model, ImageLoader(dataset(11), 4, seed=5), values, seed=5)

    whole, half, resumed = trainer(0), trainer(0), trainer(9)
    for play in (whole, half):
        play.model.probability.fill_(0.5)  # type: ignore[operator, union-attr]
    for _ in range(6):
        whole.advance()
    for _ in range(3):
        half.advance()
    assert float(half.model.probability) != 0.5  # type: ignore[arg-type]
    resumed.load_state_dict(half.state_dict())
    for _ in range(3):
        resumed.advance()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_it_says_when_augmentation_no_longer_helps() -> None:
    model = small(overfitting=0.6)
    assert not model.diagnose({OVERFITTING: 0.9, PROBABILITY: 0.4})
    assert not model.diagnose({OVERFITTING: 0.5, PROBABILITY: MOST})
    (said,) = model.diagnose({OVERFITTING: 0.9, PROBABILITY: MOST})
    assert "memorised" in said
    assert "stop here, or add pictures" in said


def test_it_says_when_a_training_ends_before_the_discriminator_joins_in() -> None:
    assert small(start=99).remarks_on(100) == []
    (said,) = small(start=100).remarks_on(100)
    assert "the model stays a VAE" in said
    assert "--model.start 75" in said


# -------------------------------------------------------------------------------------------- learning


@pytest.mark.slow
def test_it_learns_where_a_square_is() -> None:
    """Bright squares at the left or at the right of a dark ground: samples show one of them, not grey in between."""
    torch.manual_seed(0)
    images = torch.full((64, 3, 16, 16), 20, dtype=torch.uint8)
    images[:32, :, 5:11, 1:7] = 235
    images[32:, :, 5:11, 9:15] = 235
    network = config.Conv(widths=(8, 16), norm="batch", upsampling="bilinear", activation="silu")
    values = config.DeePSiM(
        latent=4, smoothing=0.3, heads=8, network=network, discriminator=CONV, start=110, loss="relativistic",
        penalty=config.Penalty(kind="r1_r2", weight=1.0, every=8),
    )  # fmt: skip
    train = Train(images=8 * 200, batch=8, ema=0, optimizer=Optimizer(learning_rate=5e-3, betas=(0.0, 0.99)))
    play = Trainer(DeePSiM.build(values, Shape(3, 16)), ImageLoader(Dataset("squares", images), 8), train)
    while not play.finished:
        play.advance()
    model = play.model.eval()
    with torch.no_grad():
        x = model.decode(model.prior(64, torch.Generator().manual_seed(0)))  # type: ignore[operator]
    left, right = x[:, :, 6:10, 2:6].mean((1, 2, 3)), x[:, :, 6:10, 10:14].mean((1, 2, 3))
    clear = (left - right).abs() > 0.8
    assert float(clear.float().mean()) > 0.6
    assert 0.2 < float((left > right)[clear].float().mean()) < 0.8


def test_a_network_that_begins_at_the_mean_image() -> None:
    model = small()
    model.begin(torch.full((3, 16, 16), 0.5))
    assert float(model.decode(torch.zeros(2, 3)).mean()) == pytest.approx(0.5, abs=0.2)
