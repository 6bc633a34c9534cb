"""Starting from another run: what fits is taken over, to the bit; what does not is new; what cannot fit is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from simulacra import Run, cli, models
from simulacra.config import GAN, merge
from simulacra.errors import ConfigError
from simulacra.images import Shape
from simulacra.training.inherit import inherit
from simulacra.training.session import Session, train
from tests.conftest import SHORT

ONE_STEP = merge(SHORT, {"train": {"images": 32}})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("quickstart", out=tmp_path_factory.mktemp("runs") / "vae", changes=ONE_STEP)


def test_a_training_of_the_same_recipe_starts_from_all_weights(run: Run, tmp_path: Path) -> None:
    session = Session.start("quickstart", out=tmp_path / "b", changes=ONE_STEP, seed=5, init=run.path)
    own = session.trainer.model.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in run.model.state_dict().items())
    averaged = session.trainer.average.model.state_dict()
    assert all(torch.equal(averaged[name], tensor) for name, tensor in run.model.state_dict().items())
    assert json.loads((tmp_path / "b" / "environment.json").read_text())["init"] == str(run.path)


def test_what_has_another_shape_starts_anew(run: Run, tmp_path: Path) -> None:
    """With another latent only the layers beside it differ."""
    changes = merge(ONE_STEP, {"model": {"latent": 3}})
    before = Session.start("quickstart", out=tmp_path / "a", changes=changes).trainer.model.state_dict()
    session = Session.start("quickstart", out=tmp_path / "b", changes=changes, init=run.path)
    own, given = session.trainer.model.state_dict(), run.model.state_dict()
    assert session.inherited is not None
    assert session.inherited.left
    assert all(torch.equal(own[name], given[name]) for name in session.inherited.taken)
    assert all(torch.equal(own[name], before[name]) for name in session.inherited.left)


def test_convolutions_fit_at_another_side_and_dense_layers_are_interpolated(tmp_path: Path) -> None:
    path, small = tmp_path / "small", {"kind": "conv", "widths": [4, 8], "norm": "none"}
    players = {"generator": small, "discriminator": small}
    changes = {"data": SHORT["data"], "train": merge(SHORT, {"train": {"images": 32}})["train"], "model": players}
    run = train("gan", data="digits", out=path, changes=changes)
    larger = models.build(run.config.model, Shape(1, 16))
    found = inherit(larger, path)
    assert any("weight" in name and larger.state_dict()[name].ndim == 4 for name in found.taken)
    assert not found.left
    assert len(found.resampled) == 3  # weight and bias of the generator's, weight of the discriminator's
    biases = ((run.model.state_dict(), 2), (larger.state_dict(), 4))
    before, after = (state["generator.2.bias"].view(side, side, 8) for state, side in biases)
    assert torch.allclose(before.mean((0, 1)), after.mean((0, 1)), atol=1e-6)
    assert torch.allclose(before[0, 0], after[0, 0])


def test_first_layers_keep_the_weights_that_they_were_given(run: Run, tmp_path: Path) -> None:
    changes = merge(ONE_STEP, {"train": {"freeze": {"model": 2}}})
    session = Session.start("quickstart", out=tmp_path / "b", changes=changes, init=run.path)
    given = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    own = {name: tensor for name, tensor in session.run().model.state_dict().items() if "weight" in name}
    kept = [torch.equal(tensor, given[name]) for name, tensor in own.items()]
    assert kept == [True, True] + [False] * (len(kept) - 2)


def test_layers_are_frozen_only_where_another_run_left_them(run: Run, tmp_path: Path) -> None:
    def start(layers: dict[str, int], init: Path | None) -> None:
        changes = merge(ONE_STEP, {"train": {"freeze": layers}})
        Session.start("quickstart", out=tmp_path / "c", changes=changes, init=init)

    with pytest.raises(ConfigError, match="name that run with --init RUN"):
        start({"model": 1}, None)
    with pytest.raises(ConfigError, match=r"it has \d+ layers. Freeze \d+ at most"):
        start({"model": 100}, run.path)
    with pytest.raises(ConfigError, match="no such player"):
        start({"generator": 1}, run.path)
    assert not (tmp_path / "c").exists()


def test_another_family_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"No weights of .* fit: it is a vae of 1 x 8 x 8 images"):
        inherit(models.build(GAN(), Shape(3, 8)), run.path)
    words = ["train", "gan", "--data", "digits", "--data.size", "8", "--out", str(tmp_path / "gan")]
    assert cli.main([*words, "--init", str(run.path)]) == 2
    assert "leave --init out" in capsys.readouterr().err
    assert not (tmp_path / "gan").exists()


def test_a_run_that_has_begun_does_not_start_again(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "quickstart", "--out", str(run.path), "--resume", "--init", str(run.path)]) == 2
    assert "--init sets only the weights that a run begins with" in capsys.readouterr().err
