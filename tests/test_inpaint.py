"""Inpainting and repair: known pixels stay, a linear decoder gives what can be computed, damage is found."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from simulacra import cli
from simulacra.errors import ConfigError
from simulacra.images import Shape, from_bytes
from simulacra.steering import generate, inpaint, invert
from simulacra.training.session import train
from tests import contract
from tests.conftest import SHORT
from tests.test_invert import Linear


def some_images(n: int, seed: int = 1) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def half(n: int = 1) -> Tensor:
    known = torch.ones(n, 1, 8, 8, dtype=torch.bool)
    known[..., 4:] = False
    return known


def test_a_linear_decoder_gives_ridge_regression_on_the_known_pixels() -> None:
    """With error |k (x - A z)|^2 / 4 and c |z|^2 / 2 the solution is (A_k^T A_k + 2 c I)^-1 A_k^T x_k."""
    model, x, weight = Linear(), some_images(3), 2.0
    y = inpaint.inpaint(model, x, half(), steps=300, prior_weight=weight)
    A, k = model.matrix.detach(), half().flatten()
    z = torch.linalg.solve(A[k].T @ A[k] + 2 * weight * torch.eye(3), A[k].T @ x.flatten(1)[:, k].T).T
    assert torch.equal(y[..., :4], x[..., :4])
    assert torch.allclose(y[..., 4:], model.decode(z)[..., 4:], atol=2e-3)


@pytest.mark.parametrize("family", ["gan", "vae", "bigan", "autoencoder", "infogan", "cvae"])
def test_what_the_mask_hides_is_never_looked_at(family: str) -> None:
    model = contract.build(family, "mlp", Shape(1, 8))
    x = some_images(3)
    other = torch.where(half(), x, some_images(3, seed=2))
    first, second = (inpaint.inpaint(model, given, half(), steps=5) for given in (x, other))
    assert torch.equal(first, second)
    assert torch.equal(first[..., :4], x[..., :4])
    assert first.shape == x.shape


def test_pixels_that_count_are_fitted_better_than_by_all_pixels() -> None:
    model = contract.build("gan", "mlp", Shape(1, 8))
    x = some_images(4)
    part = invert.invert(model, x, steps=100, prior_weight=0, known=half(4))
    whole = invert.invert(model, x, steps=100, prior_weight=0)
    errors = [invert.squared_error(x, found.images, half(4)).sum() for found in (part, whole)]
    assert float(errors[0]) < float(errors[1])
    everything = invert.invert(model, x, steps=5, known=torch.ones(4, 1, 8, 8, dtype=torch.bool))
    assert torch.equal(everything.latents, invert.invert(model, x, steps=5).latents)


@pytest.mark.parametrize("known", [torch.ones(1, 1, 8, 8), torch.ones(2, 1, 8, 8) > 0, torch.ones(1, 8, 8) > 0])
def test_masks_that_do_not_fit_are_refused(known: Tensor) -> None:
    with pytest.raises(ConfigError, match="The known pixels must be bool"):
        inpaint.inpaint(Linear(), some_images(3), known)


def test_errors_are_means_over_the_hidden_pixels() -> None:
    x, y = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    y[0, :, :, :4], y[0, :, 0, 4] = 1.0, 1.0
    assert inpaint.masked_error(x, y, half()).tolist() == pytest.approx([0.25 / 32, 0])
    assert inpaint.masked_error(x, y, torch.ones(1, 1, 8, 8) > 0).tolist() == [0, 0]


def test_the_anomaly_map_is_a_root_mean_square_over_a_window() -> None:
    x = torch.zeros(1, 3, 8, 8)
    y = x.clone()
    y[:, 0, 3, 3] = 2.0
    anomaly = inpaint.anomaly_map(x, y)[0, 0]
    assert float(anomaly[3, 3]) == pytest.approx((1 / 27) ** 0.5)
    assert float(anomaly[4, 2]) == pytest.approx((1 / 27) ** 0.5)
    assert int((anomaly > 0).sum()) == 9


def test_damage_is_found_and_replaced() -> None:
    model = Linear()
    sound = generate.decode(model, 0.3 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0)))
    damaged = sound[:10].clone()
    damaged[:, :, 2:4, 2:4] = 1.0
    threshold = inpaint.threshold(model, sound, steps=100)
    repaired = inpaint.repair(model, damaged, threshold, steps=100)
    before, after = (invert.squared_error(sound[:10], x).mean() for x in (damaged, repaired.images))
    assert float(after) < 0.4 * float(before)
    assert not repaired.known[:, :, 2:4, 2:4].any()
    untouched = inpaint.repair(model, sound, threshold, steps=100)
    assert float(untouched.known.double().mean()) > 0.95
    assert torch.equal(untouched.images[untouched.known], sound[untouched.known])


@pytest.mark.slow
def test_a_trained_model_fills_in_better_than_the_mean_image(data_root: Path, tmp_path: Path) -> None:
    run = train("vae", out=tmp_path / "vae", changes={"train": {"images": 100_000}}, data_root=data_root)
    test, mean = (from_bytes(part.images) for part in (run.splits.test, run.splits.train.take(torch.arange(5_000))))
    x, known = test[:100], torch.ones(1, 1, 28, 28, dtype=torch.bool)
    known[..., 9:19, 9:19] = False
    y = run.inpaint(x, known, steps=100)
    error, rival = (inpaint.masked_error(x, guess, known).mean() for guess in (y, mean.mean(0).expand_as(x)))
    assert float(error) < 0.7 * float(rival)


# ------------------------------------------------------------------------------------------------ the verbs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps."""
    out = tmp_path_factory.mktemp("runs") / "vae"
    train("vae", out=out, changes=SHORT)
    return out


def drawn(path: Path, level: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("L", (8, 8))
    picture.paste(level, (2, 2, 6, 6))
    picture.save(path)
    return path


@pytest.mark.parametrize("verb", ["inpaint", "repair"])
def test_files_whose_names_differ_in_their_ending_stay_apart(verb: str, run: Path, tmp_path: Path) -> None:
    for ending in ("png", "jpg", "tif"):
        drawn(tmp_path / "in" / f"x.{ending}")
    words = [verb, str(run), str(tmp_path / "in"), "--steps", "2", "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    names = ["x.jpg.png", "x.png", "x.tif.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert cli.main(words) == 2, "none is overwritten unless asked"
    assert cli.main([*words, "--force"]) == 0


@pytest.mark.parametrize("verb", ["inpaint", "repair"])
def test_members_of_a_zip_are_written_inside(verb: str, run: Path, tmp_path: Path) -> None:
    content = drawn(tmp_path / "x.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for name in ("a/g.png", "/abs/x.png", "../x.png", "..\\y.png"):
            archive.writestr(name, content)
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "p" / "q"
    assert cli.main([verb, str(run), str(tmp_path / "evil.zip"), "--steps", "2", "--out", str(out)]) == 0
    new = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert sorted(path.relative_to(out).as_posix() for path in new) == ["a/g.png", "abs/x.png", "x.png", "y.png"]


def test_masks_are_read_at_the_size_of_the_model(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn(tmp_path / "x.png")
    ones = Image.new("L", (40, 40))
    ones.paste(1, (0, 0, 20, 40))
    ones.save(tmp_path / "m.png")
    words = ["inpaint", str(run), str(tmp_path / "x.png"), "--mask", str(tmp_path / "m.png"), "--steps", "2"]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "what the mask hides: 0.0000" not in capsys.readouterr().out
    with Image.open(tmp_path / "x.png") as before, Image.open(tmp_path / "out" / "x.png") as after:
        apart = np.asarray(before).astype(int) != np.asarray(after)
    assert apart[:, :4].any()
    assert not apart[:, 4:].any()
    Image.new("L", (40, 40)).save(tmp_path / "m.png")
    assert cli.main([*words, "--out", str(tmp_path / "none")]) == 2
    assert "marks nothing" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
