"""Sizes are estimated before anything is allocated, and absurd ones refused, also those in a file from elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from simulacra import Run, cli, config, machine, models
from simulacra.errors import ConfigError, RunError
from simulacra.images import Shape
from simulacra.models import size
from simulacra.runs.model_file import FORMAT


def test_the_estimate_counts_weights_gradients_states_and_averages(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder of 64 x 3 + 3 and a decoder of 3 x 64 + 64 numbers, through a hidden layer of one."""
    found: list[float] = []
    monkeypatch.setattr(machine, "refuse_more_than_memory", lambda needed, *_: found.append(needed))
    network = {"kind": "mlp", "hidden": [1]}
    parameters = (64 + 1) + (3 + 3) + (3 + 1) + (64 + 64)
    for train, copies in (({"ema": 0}, 4), ({"ema": 9}, 5), ({"optimizer": {"kind": "sgd"}}, 3)):
        values = config.parse(
            {"model": {"family": "autoencoder", "latent": 3, "network": network}, "train": {"batch": 10, **train}}
        )
        size.refuse_too_large(values, Shape(1, 8))
        assert found.pop() == 4 * copies * parameters + 3 * 10 * 64 * 4


def test_a_model_that_does_not_fit_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun, out = time.process_time(), tmp_path / "run"
    words = [
        "train",
        "vae-mlp",
        "--data",
        "digits",
        "--model.network.hidden",
        "65536,65536,65536,65536,65536,65536,65536",
    ]
    assert cli.main([*words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "parameters on batches of" in said
    assert "of memory;" in said
    assert said.count("\n") == 1
    assert not out.exists()
    assert time.process_time() - begun < 30


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ('family = "vae"\nlatent = 1000000000', r"model\.latent must be less than or equal to"),
        ('family = "vae"\nnetwork = { kind = "resnet", blocks = 1000000000 }', "blocks must be less than or equal to"),
        (f'family = "vae"\nnetwork = {{ widths = {[8] * 100_000} }}', "at most 64"),
        (
            'family = "vae"\nlatent = 65536\nnetwork = { kind = "mlp", hidden = [65536, 65536] }',
            "do not fit the config",
        ),
    ],
    ids=["latent", "blocks", "layers", "widths"],
)
def test_sizes_in_a_file_of_weights_are_bounded(values: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    text = f"[data]\nsize = 32\nchannels = 3\n[model]\n{values}\n"
    save_file({"encoder.0.weight": torch.zeros(1)}, file, {"format": FORMAT, "config": text})
    begun = time.process_time()
    with pytest.raises(RunError, match=message):
        Run.open(file)
    assert time.process_time() - begun < 10


def test_batches_are_bounded() -> None:
    with pytest.raises(ConfigError, match=r"train\.batch must be less than or equal to 65536"):
        config.parse({"model": {"family": "vae"}, "train": {"batch": 1_000_000_000}})


FAMILIES = ["vae", "autoencoder", "gan-mlp", "gan", "infogan", "bigan", "vaegan", "cyclegan", "pix2pix", "pictures"]


@pytest.mark.parametrize("recipe", FAMILIES)
def test_what_every_family_keeps_of_an_image_is_estimated(recipe: str) -> None:
    values = config.parse(config.recipe(recipe).values)
    shape = Shape(1, 32)
    with torch.device("meta"):
        model = models.build(values.model, shape)
    assert size.kept(model, shape) > 2 * shape.pixels * 4, "more than an image and its copy"


def test_what_a_network_keeps_is_what_autograd_keeps() -> None:
    """An encoder of 64 x 50 and a decoder of 2 x 50 and 50 x 64: of each layer the input, of activations a value."""
    network = {"kind": "mlp", "hidden": [50]}
    values = config.parse({"model": {"family": "autoencoder", "latent": 2, "network": network}})
    with torch.device("meta"):
        model = models.build(values.model, Shape(1, 8))
    least, most = 64 + 50 + 2 + 50 + 64, 2 * (64 + 2 * 50 + 2 + 2 * 50 + 3 * 64)
    assert 4 * least <= size.kept(model, Shape(1, 8)) <= 4 * most


def test_what_is_kept_of_an_oblong_image_is_estimated_too() -> None:
    """Activations of convolutions grow with the number of pixels: those of 16 x 32 are twice those of 16 x 16."""
    values = config.parse({"model": {"family": "autoencoder", "latent": 2, "network": {"kind": "conv", "widths": [8]}}})
    found = []
    for shape in (Shape(1, 16), Shape(1, 16, 32)):
        with torch.device("meta"):
            model = models.build(values.model, shape)
        found.append(size.kept(model, shape))
    assert found[1] == pytest.approx(2 * found[0], rel=0.05)


def test_activations_beyond_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 2_000_000_000)
    values = config.parse(config.merge(config.recipe("vae").values, {"train": {"batch": 20_000}}))
    with pytest.raises(
        ConfigError, match=r"batches of 20,000 .* would take about \d\.\d GB of memory; 2\.0 GB are free"
    ):
        size.refuse_too_large(values, Shape(1, 28))
    divided = config.parse(config.merge(config.recipe("vae").values, {"train": {"batch": 20_000, "accumulate": 20}}))
    size.refuse_too_large(divided, Shape(1, 28))
