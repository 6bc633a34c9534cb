"""Image to image: data of two domains, tiles without seams, the verb, the run, its scores, wrong input."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import Run, cli, config, data, images, models
from simulacra.cli import output
from simulacra.config import Data
from simulacra.data import LOADERS, Images, Pairs, PairsLoader, Unpaired, UnpairedLoader, shapes
from simulacra.errors import CapabilityError, ConfigError, DataError
from simulacra.evaluation import evaluate
from simulacra.features import domain_classifier, domains
from simulacra.images import Shape
from simulacra.metrics import meanings, retrieval_top1
from simulacra.models import Model, Round
from simulacra.models.cyclegan import CycleGAN
from simulacra.models.translation import Redrawing
from simulacra.steering import translate
from simulacra.testing.small import noise_domains
from simulacra.training.session import Session

SMALL: dict[str, Any] = {
    "data": {"name": "shapes", "size": 16},
    "model": {
        "generator": {"width": 4, "halvings": 1, "blocks": 1},
        "discriminator": {"width": 4, "halvings": 1},
        "pool": 10,
    },
    "train": {"images": 64, "batch": 8, "log": 16, "sheet": 32, "checkpoint": 32, "precision": "float32"},
}


@pytest.fixture(autouse=True, scope="module")
def quick_classifier() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domains, "IMAGES_SEEN", 600)
        yield


# ------------------------------------------------------------------------------------------------------- data


def picture(path: Path, size: tuple[int, int], *, grey: bool = False, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if grey else (size[1], size[0], 3)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def folders(root: Path, counts: Mapping[str, int], size: tuple[int, int] = (10, 8)) -> Path:
    for folder, count in counts.items():
        for index in range(count):
            picture(root / folder / f"{index}.png", size, seed=index)
    return root


@pytest.mark.parametrize(
    "layout", ["trainA trainB testA testB", "train/A train/B test/A test/B", "A/train B/train A/test B/test"]
)
def test_folders_name_the_domains_and_equal_names_are_pairs(tmp_path: Path, layout: str) -> None:
    counts = dict(zip(layout.split(), (3, 4, 2, 2), strict=True))
    splits = data.load(Data(name=str(folders(tmp_path / "set", counts)), size=8), None, Unpaired)
    assert [len(part) for part in splits.train.domains.values()] == [3, 4]
    assert not splits.train.paired
    assert splits.test.paired
    assert splits.test.images.shape == (2, 3, 8, 8)


def test_a_zip_and_a_split_of_its_own(tmp_path: Path) -> None:
    root = folders(tmp_path / "set", {"A": 10, "B": 20})
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, Path("set") / file.relative_to(root))
    splits = data.load(Data(name=str(path), size=8, test=0.2), None, Unpaired)
    assert [len(part) for part in splits.train.domains.values()] == [8, 16]
    assert [len(part) for part in splits.test.domains.values()] == [2, 4]


def test_halves_of_a_picture_are_pairs_and_may_be_swapped(tmp_path: Path) -> None:
    for index in range(4):
        left, right = (Image.new("RGB", (12, 12), (level, 0, 0)) for level in (40 * index, 200))
        both = Image.new("RGB", (24, 12))
        both.paste(left, (0, 0))
        both.paste(right, (12, 0))
        (tmp_path / "set" / "train").mkdir(parents=True, exist_ok=True)
        both.save(tmp_path / "set" / "train" / f"{index}.png")
    whole = {
        swap: data.load(Data(name=str(tmp_path / "set"), swap=swap, test=0.25), None, Pairs).train
        for swap in (False, True)
    }
    a, b = whole[False].domains.values()
    assert a.images.shape == b.images.shape == (3, 3, 12, 12)
    assert set(b.images[:, 0].unique().tolist()) == {200}
    assert len(a.images[:, 0].unique()) == 3
    assert torch.equal(whole[True].domains["A"].images, b.images)


def test_pairs_stay_aligned_whatever_is_done_to_them() -> None:
    dataset = noise_domains(20, 3, 3, 16)
    assert dataset.other is not None
    same = data.Dataset(
        "same", dataset.images, names=dataset.names, other=data.Dataset("b", dataset.images, names=dataset.names)
    )
    batch = PairsLoader(same, 8, seed=3, augment=("affine width=1.125 height=1.125", "flip", "shift")).batch(5)
    assert torch.equal(batch.image, batch.other)
    assert not torch.equal(batch.image, PairsLoader(same, 8, seed=3).batch(5).image)


def test_colours_of_pairs_are_not_changed() -> None:
    with pytest.raises(ConfigError, match="brightness does not move pixels"):
        PairsLoader(noise_domains(20, 3, 3, 16), 8, augment=("flip", "brightness"))


def test_unpaired_batches_have_orders_of_their_own_and_follow_the_step() -> None:
    dataset = noise_domains(20, 1, 3, 8, paired=False)
    loader, again = (UnpairedLoader(dataset, 8, seed=3, augment=("flip",)) for _ in range(2))
    batch = loader.batch(7)
    assert torch.equal(batch.other, again.batch(7).other)
    assert batch.image.shape == (8, 1, 8, 8)
    assert batch.other.shape == (8, 3, 8, 8)
    again.retry = 1
    assert not torch.equal(batch.other, again.batch(7).other)


def test_the_shapes_are_two_domains_with_a_known_truth() -> None:
    train, test = shapes.domains(16, paired=False)
    pairs, _ = shapes.domains(16, paired=True)
    assert test.paired
    assert pairs.paired
    assert not train.paired
    assert not set(train.names) & set(train.other.names if train.other else ())
    a, b = (images.from_bytes(part.images[:200]) for part in test.domains.values())
    assert 0.1 < float((a - b).abs().mean() / 2) < 0.5


def test_validation_images_of_two_domains_are_held_out(tmp_path: Path) -> None:
    root = folders(tmp_path / "set", {"trainA": 3, "trainB": 3, "validA": 2, "validB": 2, "TestA": 1, "TestB": 1})
    splits = data.load(Data(name=str(root), size=8), None, Pairs)
    assert splits.validation is not None
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [3, 2, 1]
    assert splits.validation.paired
    assert "images for validation: 2 + 2, the source's own split, not trained on" in splits.describe()


def bar(path: Path, size: tuple[int, int], rows: slice) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[rows] = 255
    Image.fromarray(pixels).save(path)


def test_pairs_of_unlike_proportions_are_refused_unless_both_are_distorted(tmp_path: Path) -> None:
    for index in range(3):  # a bar over the same quarter of the height in both
        bar(tmp_path / "set" / "A" / f"{index}.png", (32, 64), slice(16, 32))
        bar(tmp_path / "set" / "B" / f"{index}.png", (32, 32), slice(8, 16))
    for fit in ("crop", "pad"):
        with pytest.raises(DataError, match=r"A/0.png has 32 x 64 pixels and its counterpart B/0.png has 32 x 32"):
            data.load(Data(name=str(tmp_path / "set"), size=16, fit=fit), None, Pairs)
    assert len(data.load(Data(name=str(tmp_path / "set"), size=16), None, Unpaired).train) == 2
    a, b = data.load(Data(name=str(tmp_path / "set"), size=16, fit="stretch"), None, Pairs).train.domains.values()
    assert torch.equal(a.images[:, 0, :, 0] > 127, b.images[:, 0, :, 0] > 127)


def test_pairs_of_one_proportion_and_two_sizes_are_cut_alike(tmp_path: Path) -> None:
    for index in range(3):
        bar(tmp_path / "set" / "A" / f"{index}.png", (32, 65), slice(16, 32))
        bar(tmp_path / "set" / "B" / f"{index}.png", (64, 130), slice(32, 64))
    a, b = data.load(Data(name=str(tmp_path / "set"), size=16), None, Pairs).train.domains.values()
    assert int((a.images.int() - b.images.int()).abs().max()) <= 8


def test_halves_that_are_wider_than_high_are_both_cut_alike(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for index in range(3):
        half = np.zeros((16, 24), np.uint8)
        half[:, 4:8] = 255
        Image.fromarray(np.concatenate([half, half // 2], 1)).save(tmp_path / "set" / f"{index}.png")
    a, b = data.load(Data(name=str(tmp_path / "set"), size=16), None, Pairs).train.domains.values()
    assert a.images[0, 0, 0].tolist() == [255] * 4 + [0] * 12
    assert b.images[0, 0, 0].tolist() == [127] * 4 + [0] * 12


WRONG = {
    "an empty domain": (
        {"trainA": 2, "trainB": 0, "testB": 1},
        Unpaired,
        "domain B of the train images is empty|domain A of",
    ),
    "three domains": ({"trainA": 2, "trainB": 2, "trainC": 2}, Unpaired, "3 domains: A, B, C"),
    "one domain": ({"trainA": 2}, Unpaired, "domain A only"),
    "no domains": ({"cats": 2, "dogs": 2}, Unpaired, "does not hold two domains, but the folders cats, dogs"),
    "no counterpart": ({"A": 3, "B": 2}, Pairs, "1 image has no counterpart .* other domain: 2 in A. Remove it, or"),
    "no counterparts": ({"A": 4, "B": 2}, Pairs, "2 images have no counterpart .* such as 2 in A. Remove them, or"),
    "no training images": ({"testA": 2, "testB": 2}, Unpaired, "no training images"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_data_gets_one_clear_message(case: str, tmp_path: Path) -> None:
    counts, batch, message = WRONG[case]
    root = folders(tmp_path / "set", counts)
    with pytest.raises(DataError, match=message):
        data.load(Data(name=str(root), size=8), None, batch)


def test_a_damaged_file_is_skipped_with_its_counterpart(tmp_path: Path) -> None:
    root = folders(tmp_path / "set", {"trainA": 4, "trainB": 4, "testA": 2, "testB": 2})
    (root / "trainA" / "1.png").write_bytes(b"no picture")
    (root / "testB" / "0.png").write_bytes(b"no picture")
    splits = data.load(Data(name=str(root), size=8, corrupt="skip"), None, Pairs)
    assert [part.names for part in splits.train.domains.values()] == [("0", "2", "3")] * 2
    assert [part.names for part in splits.test.domains.values()] == [("1",)] * 2
    said = " ".join(splits.skipped)
    assert len(splits.skipped) == 4
    assert all(name in said for name in ("trainA/1.png is not an image", "testB/0.png is not an image"))
    assert all(
        f"{name}: the image that it is paired with cannot be read" in said for name in ("trainB/1.png", "testA/0.png")
    )
    unpaired = data.load(Data(name=str(root), size=8, corrupt="skip"), None, Unpaired)
    assert [len(part) for part in unpaired.train.domains.values()] == [3, 4]


def test_a_damaged_picture_of_halves_is_skipped(tmp_path: Path) -> None:
    for index in range(4):
        picture(tmp_path / "set" / f"{index}.png", (16, 8), seed=index)
    whole = (tmp_path / "set" / "1.png").read_bytes()
    (tmp_path / "set" / "1.png").write_bytes(whole[: len(whole) // 2])
    splits = data.load(Data(name=str(tmp_path / "set"), size=8, corrupt="skip"), None, Pairs)
    assert len(splits.train) + len(splits.test) == 3
    assert len(splits.skipped) == 1


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(DataError, match=r"'facade'.*Did you mean 'facades'.*trainA"):
        data.load(Data(name="facade"), None, Unpaired)


def test_mixed_modes_in_one_domain_ask_which_is_meant(tmp_path: Path) -> None:
    root = folders(tmp_path / "set", {"A": 2, "B": 2})
    picture(root / "B" / "grey.png", (8, 8), grey=True)
    with pytest.raises(DataError, match=r"--data\.channels_b 3 or --data\.channels_b 1"):
        data.load(Data(name=str(root)), None, Unpaired)


# ------------------------------------------------------------------------------------------------------ tiles


class Local(Redrawing, Model):
    """A translator that is the same everywhere: each pixel from the 5 x 5 around it."""

    directions = ("B",)

    def __init__(self) -> None:
        super().__init__(Shape(3, 32))
        self.domains = {"A": Shape(3, 32), "B": Shape(3, 32)}
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 3, 5, padding=2, padding_mode="reflect")

    def players(self) -> dict[str, nn.Module]:
        return {"only": self.layer}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        raise NotImplementedError

    def redraw(self, x: Tensor, to: str) -> Tensor:
        return torch.tanh(self.layer(x))


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (100, 47), (20, 90), (5, 7), (200, 32)], ids=str)
def test_tiles_leave_no_seams(size: tuple[int, int]) -> None:
    model = Local()
    x = F.avg_pool2d(torch.rand(2, 3, size[0] + 4, size[1] + 4), 5, 1) * 4 - 2
    with torch.no_grad():
        whole, tiled = model.translate(x, "B") if min(size) > 2 else x, translate.translate(model, x, "B")
    assert tiled.shape == x.shape
    inside = (slice(None), slice(None), slice(2, max(3, size[0] - 2)), slice(2, max(3, size[1] - 2)))
    error = (whole - tiled)[inside].abs()
    assert float(error.max()) < 0.02
    jumps = [
        whole[inside].diff(dim=d).abs().max() - tiled[inside].diff(dim=d).abs().max()
        for d in (2, 3)
        if whole[inside].shape[d] > 1
    ]
    assert all(float(jump) > -0.01 for jump in jumps)


def test_tiles_of_a_pixelwise_function_are_exact() -> None:
    x = torch.rand(1, 3, 77, 130) * 2 - 1
    assert torch.allclose(translate.tiled(lambda part: -part, x, 32), -x, atol=1e-6)


# ------------------------------------------------------------------------------------------- a run, and verbs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Session.start("cyclegan", out=tmp_path_factory.mktemp("runs") / "run", changes=SMALL).run()


def test_a_run_has_cycle_sheets_and_says_its_channels(run: Run) -> None:
    assert [path.name for path in sorted((run.path / "samples").iterdir())] == [
        "00000000.png",
        "00000004.png",
        "00000008.png",
    ]
    text = (run.path / "config.toml").read_text()
    assert text.count("channels_b = 3") == 2
    assert "Translations during the training" in (run.path / "report.html").read_text()
    assert {"to_b/likeness", "critics/accuracy_a", "translators/cycle_b"} <= run.history()[-1].keys()


def test_evaluate_says_why_it_takes_long(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(domains, "VERSION", -1)  # none of these is in the cache
    monkeypatch.setattr(domains, "IMAGES_SEEN", 60)
    assert run_verb("evaluate", str(run.path), "--n", "20", "--out", str(tmp_path / "e.json")) == 0
    said = capsys.readouterr()
    assert "Training a classifier that tells the two domains of shapes apart" in said.err
    assert "domain_accuracy" in said.out


def test_a_run_is_measured_in_both_directions(run: Run) -> None:
    scores = {score.metric: score for score in evaluate.evaluate(run, n=40).scores}
    both = (
        "l1",
        "psnr",
        "ssim",
        "retrieval_top1",
        "variety",
        "cycle_error",
        "domain_accuracy",
        "frechet_distance",
        "l1_of_copying",
        "domain_accuracy_of_copying",
    )
    for name in both:
        assert {name, f"{name}_to_a"} <= scores.keys()
    assert {"domain_accuracy_floor", "domain_accuracy_to_a_floor"} <= scores.keys()
    test = run.splits.test
    a, b = (images.from_bytes(part.images) for part in test.domains.values())
    assert 0 < scores["l1"].value < 1
    fake = run.translate(a, "B")
    expected = fake.std(0).mean() / b.std(0).mean()
    assert scores["variety"].value == pytest.approx(float(expected), rel=0.2)  # of 40 images
    assert scores["domain_accuracy"].features is not None
    assert scores["l1"].features is None
    assert scores["l1_of_copying"].value == pytest.approx(float((a - b).abs().mean() / 2), rel=0.2)
    assert meanings.meaning("l1_to_a").sentence.endswith("From B to A.")


def scored(run: Run, redraw: Callable[[Tensor, str], Tensor], patch: pytest.MonkeyPatch) -> dict[str, float]:
    """The scores of a run on all test pairs, as if its translators were that function of images and domain."""
    patch.setattr(CycleGAN, "redraw", lambda _, x, to: redraw(x, to))
    return {score.metric: score.value for score in evaluate.evaluate(run, n=1000).scores}


def both(scores: Mapping[str, float], name: str) -> list[float]:
    """A score of translations to B, and to A."""
    return [scores[name], scores[meanings.to_a(name)]]


def truth(test: data.Dataset) -> Callable[[Tensor, str], Tensor]:
    """The counterparts of test images, found by their bytes."""
    a, b = (part.images for part in test.domains.values())
    known = {"B": {x.numpy().tobytes(): y for x, y in zip(a, b, strict=True)}}
    known["A"] = {y.numpy().tobytes(): x for x, y in zip(a, b, strict=True)}
    return lambda x, to: images.from_bytes(torch.stack([known[to][y.numpy().tobytes()] for y in images.to_bytes(x)]))


def test_the_truth_gets_the_best_scores(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = scored(run, truth(run.splits.test), monkeypatch)
    for name, best in {"l1": 0, "cycle_error": 0, "frechet_distance": 0, "retrieval_top1": 1, "variety": 1}.items():
        assert both(scores, name) == pytest.approx([best, best], abs=1e-5)
    assert both(scores, "domain_accuracy") == both(scores, "domain_accuracy_floor")
    assert min(both(scores, "domain_accuracy")) > 0.9
    assert min(both(scores, "frechet_distance_floor")) > 1e-3


def test_copies_get_the_scores_of_copying(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = scored(run, lambda x, _: x, monkeypatch)
    a, b = (images.from_bytes(part.images) for part in run.splits.test.domains.values())
    assert both(scores, "l1") == pytest.approx(2 * [float((a - b).abs().mean() / 2)])
    for name in ("l1", "psnr", "ssim", "retrieval_top1", "domain_accuracy"):
        assert both(scores, name) == both(scores, f"{name}_of_copying")
    distances = torch.cdist(a.flatten(1), b.flatten(1))
    found = [(part.argmin(1) == torch.arange(len(a))).double().mean() for part in (distances, distances.T)]
    assert both(scores, "retrieval_top1") == pytest.approx([float(share) for share in found], abs=0.003)
    assert found[1] - found[0] > 0.01  # so that translations and truths exchanged are not as good
    assert max(both(scores, "domain_accuracy")) < 0.1
    assert min(both(scores, "frechet_distance")) > 10 * max(both(scores, "frechet_distance_floor"))


def test_resuming_a_run_is_exact_with_its_pools(tmp_path: Path) -> None:
    whole = Session.start("cyclegan", out=tmp_path / "whole", changes=SMALL)
    whole.run()
    half = Session.start("cyclegan", out=tmp_path / "half", changes=SMALL)
    for progress in half:
        if progress.images >= 32:
            break
    half.folder.unlock()
    resumed = Session.start("cyclegan", out=tmp_path / "half", changes=SMALL, resume=True)
    assert resumed.trainer.step == 4
    resumed.run()
    first, second = whole.trainer.model.state_dict(), resumed.trainer.model.state_dict()
    assert int(first["pools.A.count"]) == 10
    assert all(torch.equal(first[name], second[name]) for name in first)


def run_verb(*words: str) -> int:
    return cli.main(list(map(str, words)))


def test_translate_keeps_sizes_and_names_and_turns_pictures_upright(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in"
    picture(source / "inner" / "wide.png", (50, 20))
    picture(source / "small.jpg", (9, 12))
    upright = Image.new("RGB", (30, 20))
    exif = upright.getexif()
    exif[0x0112] = 6
    upright.save(source / "turned.jpg", exif=exif)
    assert run_verb("translate", str(run.path), str(source), "--out", str(tmp_path / "out")) == 0
    sizes = {
        path.relative_to(tmp_path / "out").as_posix(): Image.open(path).size
        for path in (tmp_path / "out").rglob("*.png")
    }
    assert sizes == {"inner/wide.png": (50, 20), "small.png": (9, 12), "turned.png": (20, 30)}


def test_translate_refuses_to_overwrite_and_names_that_fall_together_stay_apart(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x.png", "x.bmp"):
        picture(tmp_path / "in" / name, (16, 16))
    words = ("translate", str(run.path), str(tmp_path / "in"), "--to", "A", "--out", str(tmp_path / "out"))
    assert run_verb(*words) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x.bmp.png", "x.png"]
    assert run_verb(*words) == 2
    assert "exists already" in capsys.readouterr().err


def test_translate_takes_the_other_domain_of_a_zip_and_writes_only_below_its_folder(run: Run, tmp_path: Path) -> None:
    picture(tmp_path / "x.png", (16, 16))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("testA/1.png", "testB/2.png", "../testA/hidden.png"):
            archive.write(tmp_path / "x.png", name)
        archive.writestr(zipfile.ZipInfo("/testA/outside.png"), (tmp_path / "x.png").read_bytes())
    assert (
        run_verb(
            "translate", str(run.path), str(tmp_path / "set.zip"), "--size", "8", "--out", str(tmp_path / "o" / "p")
        )
        == 0
    )
    written = sorted(path.relative_to(tmp_path / "o").as_posix() for path in (tmp_path / "o").rglob("*.png"))
    assert written == ["p/testA/1.png", "p/testA/hidden.png", "p/testA/outside.png"]
    assert Image.open(tmp_path / "o" / "p" / "testA" / "1.png").size == (8, 8)


def test_a_grey_image_into_a_colour_model_is_refused_unless_asked_for(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "in" / "a.png", (16, 16))
    picture(tmp_path / "in" / "grey.png", (16, 16), grey=True)
    words = ("translate", str(run.path), str(tmp_path / "in"), "--out", str(tmp_path / "out"))
    assert run_verb(*words) == 1
    assert "1 of 2 files were left out, such as: grey.png is grey" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    assert run_verb(*words, "--convert", "--force") == 0
    assert len(list((tmp_path / "out").iterdir())) == 2
    alone = ("translate", str(run.path), str(tmp_path / "in" / "grey.png"), "--out", str(tmp_path / "alone"))
    assert run_verb(*alone) == 2
    assert not (tmp_path / "alone").exists()


def test_translate_takes_the_test_images_of_the_runs_data_by_name(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("translate", str(run.path), "shapes", "--to", "A", "--out", str(tmp_path / "out"))
    assert run_verb(*words) == 0
    written = sorted((tmp_path / "out").iterdir())
    assert [path.stem for path in written] == sorted(run.splits.test.names)
    first = run.translate(images.from_bytes(run.splits.test.domains["B"].images[:1]), "A")
    assert np.array_equal(np.asarray(Image.open(written[0])), images.to_bytes(first)[0].permute(1, 2, 0).numpy())
    assert run_verb(*words) == 2
    assert "Overwrite with --force" in capsys.readouterr().err


def test_the_right_verb_for_the_right_family(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "a.png", (16, 16))
    assert run_verb("sample", str(run.path)) == 2
    assert "cyclegan has none" in capsys.readouterr().err
    gan = models.build(config.parse({"model": {"family": "gan"}}).model, Shape(1, 8))
    with pytest.raises(CapabilityError, match=r"gan has none\. Families with one: cyclegan, pix2pix"):
        translate.translate(gan, torch.zeros(1, 1, 8, 8))
    one_way = models.build(config.parse({"model": {"family": "pix2pix"}}).model, Shape(3, 32))
    with pytest.raises(CapabilityError, match="translates to B only"):
        translate.translate(one_way, torch.zeros(1, 3, 32, 32), "A")


def test_pix2pix_of_pairs_has_a_score(tmp_path: Path) -> None:
    changes = {
        "data": {"name": "shapes", "size": 16},
        "model": {"generator": {"width": 4}, "discriminator": {"width": 4, "halvings": 1}},
        "train": {"images": 32, "batch": 8, "log": 16, "score": 16, "precision": "float32"},
    }
    run = Session.start("pix2pix", out=tmp_path / "run", changes=changes).run()
    assert 0 < run.history()[-1]["test/l1"] < 1


def test_patches_beyond_the_images_stop_before_anything_is_written(tmp_path: Path) -> None:
    changes = {**SMALL, "data": {"name": "shapes", "size": 16}, "model": {"discriminator": {"halvings": 3}}}
    with pytest.raises(ConfigError, match="too small for a critic"):
        Session.start("cyclegan", out=tmp_path / "run", changes=changes)
    assert not (tmp_path / "run").exists()


def test_a_size_beyond_the_limit_is_refused_before_pixels_are_decoded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "one.png", (40, 20))
    monkeypatch.setattr(Image.Image, "resize", lambda *_: pytest.fail("was resized"))
    words = ("translate", str(run.path), str(tmp_path / "one.png"), "--out", str(tmp_path / "out"))
    assert run_verb(*words, "--size", "100000") == 2
    said = capsys.readouterr().err
    assert "--size 100000 would make one.png a picture of 20,000.0 megapixels; the limit is 32." in said
    assert "Choose --size 4000 or less, or raise the limit with --max-megapixels." in said
    assert not (tmp_path / "out").exists()


def test_the_limit_of_megapixels_is_raised_as_its_message_says(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "one.png", (40, 30))
    words = ("translate", str(run.path), str(tmp_path / "one.png"), "--out", str(tmp_path / "out"))
    assert run_verb(*words, "--max-megapixels", "0.001") == 2
    assert "the limit is 0.001. Raise it with --max-megapixels 1, or shrink" in capsys.readouterr().err
    assert run_verb(*words, "--max-megapixels", "1") == 0


def test_translate_overwrites_if_asked_to_and_shows_how_far_it_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1.png", "2.png"):
        picture(tmp_path / "in" / name, (16, 16))
    monkeypatch.setattr(output, "PLAIN_SECONDS", -1)
    words = ("translate", str(run.path), str(tmp_path / "in"), "--out", str(tmp_path / "out"))
    assert run_verb(*words) == 0
    assert "translating: 1 of 2\ntranslating: 2 of 2\n" in capsys.readouterr().err
    (tmp_path / "out" / "1.png").write_bytes(b"half of one")
    assert run_verb(*words) == 2
    assert "Overwrite with --force" in capsys.readouterr().err
    assert run_verb(*words, "--force") == 0
    assert Image.open(tmp_path / "out" / "1.png").size == (16, 16)
    (tmp_path / "out" / "2.png").unlink()
    (tmp_path / "out" / "2.png").mkdir()
    assert run_verb(*words, "--force") == 2
    assert "2.png is a folder where a picture would go" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("traverse", "RUN"),
        ("interpolate", "RUN"),
        ("invert", "RUN", "a.png"),
        ("inpaint", "RUN", "a.png"),
        ("repair", "RUN", "a.png"),
        ("arithmetic", "RUN", "--plus", "8", "--minus", "3"),
    ],
    ids=lambda words: words[0],
)
def test_verbs_of_latents_say_by_their_own_name_that_a_translator_has_none(
    words: tuple[str, ...], run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png", (16, 16))
    paths = {"RUN": str(run.path), "a.png": str(tmp_path / "a.png")}
    assert run_verb(*(paths.get(word, word) for word in words), "--out", str(tmp_path / "out.png")) == 2
    said = capsys.readouterr().err
    assert f"{words[0]} needs a latent space; cyclegan has none. Families with one: autoencoder, vae," in said
    assert "pix2pix" not in said
    assert not (tmp_path / "out.png").exists()


def test_images_are_faded_into_each_other_beside_a_translator_too(run: Run) -> None:
    first, last = run.examples(2)
    assert torch.equal(run.interpolate(first, last, steps=3, route="fade")[0], first)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (("--downstream",), "--downstream trains on generated images with classes, but a cyclegan only translates"),
        (("--features", "pixels"), "are always compared by the features of a classifier"),
    ],
)
def test_what_evaluate_cannot_do_for_a_translator(
    option: tuple[str, ...], expected: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("evaluate", str(run.path), *option) == 2
    assert expected in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- metrics


def test_retrieval_counts_those_nearest_to_their_own() -> None:
    targets = torch.eye(4)
    assert retrieval_top1(targets + 0.1, targets) == 1
    assert retrieval_top1(targets[[1, 0, 2, 3]], targets) == 0.5
    with pytest.raises(ConfigError, match="equally many rows"):
        retrieval_top1(targets, targets[:3])


def test_the_domain_classifier_tells_the_shapes_apart() -> None:
    splits = data.load(Data(name="shapes", size=8), None, Unpaired)
    few = data.Splits(_few(splits.train, 100), _few(splits.test, 50))
    classifier = domain_classifier(few)
    a, b = (images.from_bytes(part.images) for part in few.test.domains.values())
    assert float((classifier.probabilities(a).argmax(1) == 0).float().mean()) > 0.9
    assert float((classifier.probabilities(b).argmax(1) == 1).float().mean()) > 0.9
    assert classifier.features(a).shape == (50, classifier.dimensions)
    assert domain_classifier(few).digest == classifier.digest


def test_small_differences_of_neighbours_are_magnified() -> None:
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 0.01
    seen = domains.magnified(x)
    assert torch.equal(seen[:, :1], x)
    left = math.tanh(0.2) * torch.tensor([[0.0, 0, 0], [0, 1, -1], [0, 0, 0]])
    torch.testing.assert_close(seen[0, 1], left)
    torch.testing.assert_close(seen[0, 2], left.T)
    assert set(LOADERS) == {Images, data.Labelled, Unpaired, Pairs}


def _few(dataset: data.Dataset, count: int) -> data.Dataset:
    a, b = (part.take(torch.arange(count)) for part in dataset.domains.values())
    return data.Dataset(a.name, a.images, names=a.names, other=b)


@pytest.mark.parametrize("flat", [True, False])
def test_tall_halves_are_told_from_wide_pictures(flat: bool, tmp_path: Path) -> None:
    """Portraits side by side, 3:4 each, make pictures of 3:2; landscapes of 3:2 have no edge in the middle."""
    random = np.random.default_rng(0)
    (tmp_path / "pairs").mkdir()
    (tmp_path / "wide").mkdir()
    for index in range(10):
        rows = np.linspace(0, 60, 32)[:, None] + np.linspace(0, 40, 48) + index
        noise = 0 if flat else random.normal(0, 5, (32, 48))
        tone = np.where(np.arange(48) < 24, 20, 130)
        Image.fromarray((rows + noise + tone).clip(0, 255).astype(np.uint8)).save(tmp_path / f"pairs/{index}.png")
        Image.fromarray((rows + noise + 20).clip(0, 255).astype(np.uint8)).save(tmp_path / f"wide/{index}.png")
    loaded = data.load(Data(name=str(tmp_path / "pairs"), size=16), batch=Pairs)
    a, b = loaded.train.domains.values()
    assert float(b.images.float().mean() - a.images.float().mean()) > 100
    with pytest.raises(DataError, match="does not hold two domains"):
        data.load(Data(name=str(tmp_path / "wide"), size=16), batch=Pairs)
