"""Pairs made from single pictures: what the operations leave, fresh noise in every batch, the verb, the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from simulacra import Run, cli, config, data, networks
from simulacra.config import Data, Subpixel
from simulacra.data import DegradedLoader, Images, Pairs
from simulacra.data.degradation import Degradation
from simulacra.errors import ConfigError, UserError
from simulacra.evaluation import evaluate
from simulacra.evaluation.restorations import _non_local_means, _telea
from simulacra.images import Shape, from_bytes, luma, to_bytes
from simulacra.metrics import meanings
from simulacra.metrics.pixels import psnr
from simulacra.training.session import Session

SMALL: dict[str, Any] = {
    "data": {"size": 16},
    "model": {"generator": {"width": 8, "blocks": 1}, "discriminator": {"width": 4, "downsamplings": 1}},
    "train": {"images": 64, "batch": 8, "log": 16, "sheet": 64, "checkpoint": 64, "score": 64, "precision": "float32"},
}


def smooth(count: int, channels: int = 3, size: int = 16) -> torch.Tensor:
    coarse = torch.randn(count, channels, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    return from_bytes(to_bytes(F.interpolate(coarse, (size, size), mode="bilinear")))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(folder: Path, count: int = 12, size: tuple[int, int] = (20, 20)) -> Path:
    folder.mkdir()
    for index, image in enumerate(to_bytes(smooth(count, 3, max(size)))):
        Image.fromarray(image.movedim(0, -1).numpy()).resize(size).save(folder / f"{index:02d}.png")
    return folder


def test_an_image_is_reduced_and_brought_back_to_its_size() -> None:
    x, degradation = smooth(2), Degradation(("resize width=4 height=4",))
    expected = F.interpolate(
        F.interpolate(x, (4, 4), mode="bicubic", antialias=True).clamp(-1, 1), (16, 16), mode="bicubic", antialias=True
    )
    assert torch.allclose(degradation(x, generator()), expected.clamp(-1, 1), atol=1 / 127)
    assert degradation.small(x).shape == (2, 3, 4, 4)
    assert degradation.reduction(16) == 4


def test_grey_leaves_one_channel_of_luma() -> None:
    x = smooth(2)
    assert torch.equal(Degradation(("grey",))(x, generator()), from_bytes(to_bytes(luma(x))))


def test_erased_rectangles_have_their_share_and_nothing_else_changes() -> None:
    x = torch.ones(50, 3, 32, 32)
    erased = Degradation(("erase share=0.25",))(x, generator())
    hidden = erased != 1
    assert float(hidden.float().mean()) == pytest.approx(0.25, abs=0.01)
    assert torch.equal(hidden[:, 0], hidden[:, 2])
    assert float(erased[hidden].abs().max()) < 0.01


def test_noise_is_new_in_every_batch_and_the_same_in_a_repeated_one() -> None:
    chosen = Data(name="digits", pairs=("noise deviation=0.1",))
    splits = data.load(chosen, None, Pairs)
    assert splits.degraded
    assert splits.train.paired
    loader = data.loader(Pairs, splits.train, chosen, len(splits.train), seed=3)
    assert isinstance(loader, DegradedLoader)
    first, again, later = loader.batch(0), loader.batch(0), loader.batch(1)
    assert isinstance(first, Pairs)
    assert isinstance(again, Pairs)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.other, again.other)
    order = [
        batch.other.flatten(1).double().sum(1).sort().values for batch in (first, later) if isinstance(batch, Pairs)
    ]
    assert torch.allclose(*order)  # both are a whole epoch
    middle = first.other.abs() < 0.3  # where noise is not cut off
    assert float((first.image - first.other)[middle].std()) == pytest.approx(0.2, rel=0.05)
    assert not torch.equal(first.image, later.image)


def test_measured_pairs_are_the_same_each_time() -> None:
    chosen = Data(name="digits", pairs=("noise deviation=0.1",))
    one, other = (data.load(chosen, None, Pairs) for _ in range(2))
    assert one.fingerprint() == other.fingerprint()
    loader = data.loader(Pairs, one.train, chosen, 4)
    measured = [batch for batch in loader.fixed(one.test, 50) if isinstance(batch, Pairs)]
    assert one.test.other is not None
    assert torch.equal(torch.cat([batch.image for batch in measured]), from_bytes(one.test.images))
    assert torch.equal(torch.cat([batch.other for batch in measured]), from_bytes(one.test.other.images))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ("flip", "flip moves pixels.*data.augment"),
        ("grei", "Unknown operation 'grei'.*grey"),
        ("resize width=8 probability=0.5", "leave its probability out"),
    ],
)
def test_steps_that_cannot_make_pairs_are_refused(pairs: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.parse({"data": {"pairs": pairs}, "model": {"family": "pix2pix"}})


def test_pairs_are_for_families_that_learn_from_pairs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.pairs makes pairs"):
        data.load(Data(name="digits", pairs=("grey",)), None, Images)
    with pytest.raises(UserError, match=r"data\.swap exchanges"):
        data.load(Data(name="digits", pairs=("grey",), swap=True), None, Pairs)
    assert cli.main(["train", "vae", "--data", "digits", "--data.pairs", "grey", "--out", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()


def test_a_restoring_network_begins_near_its_input_and_stays_in_range() -> None:
    torch.manual_seed(0)
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    network = networks.translator(Subpixel(width=8, blocks=2, downsamplings=2), Shape(3, 16), Shape(3, 16))
    assert float((network(x) - x).abs().mean()) < 0.1
    assert float(network.eval()(3 * x).abs().max()) <= 1
    from_grey = networks.translator(Subpixel(width=8, blocks=1), Shape(1, 16), Shape(3, 16))
    assert from_grey(x[:, :1]).shape == x.shape
    with pytest.raises(ConfigError, match="not a multiple of 4"):
        networks.translator(Subpixel(downsamplings=2), Shape(3, 18), Shape(3, 18))


@pytest.fixture(scope="module")
def enlarging(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("restore")
    source = pictures(folder / "set", 40)
    changes = {**SMALL, "data": {"size": 16, "pairs": ["resize width=4 height=4"], "test": 0.3}}
    return Session.start("upscale", data_name=str(source), out=folder / "run", changes=changes).run()


def test_a_run_enlarges_any_picture_by_its_factor(enlarging: Run, tmp_path: Path) -> None:
    picture = tmp_path / "small.png"
    Image.fromarray(np.full((9, 14, 3), 100, dtype=np.uint8)).save(picture)
    grey = tmp_path / "grey.png"
    Image.fromarray(np.full((9, 14), 100, dtype=np.uint8)).save(grey)
    for path in (picture, grey):
        out = tmp_path / f"out-{path.stem}"
        assert cli.main(["translate", str(enlarging.path), str(path), "--out", str(out)]) == 0
        with Image.open(out / path.name) as result:
            assert result.size == (56, 36)


def test_a_picture_that_would_become_too_large_is_refused(
    enlarging: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((300, 400), dtype=np.uint8)).save(tmp_path / "large.png")
    words = ["translate", str(enlarging.path), str(tmp_path / "large.png"), "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--max-megapixels", "1"]) == 2
    assert "4 times as large, large.png would have 1.9 megapixels" in capsys.readouterr().err


def test_restorations_are_measured_beside_interpolation(enlarging: Run) -> None:
    scores = {score.metric: score.value for score in evaluate.evaluate(enlarging).scores}
    assert {"psnr", "psnr_of_bicubic", "psnr_of_lanczos", "ssim", "ssim_of_bicubic", "l1"} <= set(scores)
    a, b = (from_bytes(part.images) for part in enlarging.splits.test.domains.values())
    assert scores["psnr_of_bicubic"] == pytest.approx(float(psnr(a, b).mean()))
    assert scores["psnr_of_lanczos"] == pytest.approx(scores["psnr_of_bicubic"], abs=2)
    assert "domain_accuracy" not in scores
    assert meanings.meaning("psnr_of_bicubic").sentence.startswith("For comparison, bicubic interpolation")


def test_opencv_removes_noise_and_fills_holes() -> None:
    pytest.importorskip("cv2")
    x = smooth(3, 3, 32)
    noisy = Degradation(("noise deviation=0.1",))(x, generator())
    assert float(psnr(_non_local_means(noisy, 20.0), x).mean()) > float(psnr(noisy, x).mean()) + 2
    erased = Degradation(("erase share=0.1",))(x, generator())
    assert float(psnr(_telea(erased, x), x).mean()) > float(psnr(erased, x).mean()) + 3
    assert torch.equal(_telea(x, x), x)
