"""Extractors: shipped, trained when needed, given; what is kept of them; and whether they see images get worse."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from simulacra import cli, data, features, images
from simulacra.config import Data
from simulacra.data import Dataset, Splits, shapes
from simulacra.errors import ConfigError
from simulacra.evaluation import evaluate
from simulacra.evaluation.scores import load
from simulacra.features import (
    CLASSIFIERS,
    Classifier,
    Classifying,
    Given,
    GivenClassifier,
    Pixels,
    cache,
    given,
    learning,
    self_test,
)  # fmt: skip
from simulacra.features.pictures import Pictures
from simulacra.images import Shape
from simulacra.runs.run import Run
from simulacra.testing.small import noise_images
from simulacra.training.session import Session
from tests.conftest import SHORT


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(count: int, channels: int, size: int) -> Tensor:
    return torch.rand(count, channels, size, size, generator=generator()) * 2 - 1


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "simulacra" / "features"


@pytest.fixture(scope="module")
def digits() -> Splits:
    return data.load(Data(name="digits"))


@pytest.fixture(scope="module")
def sprites() -> Splits:
    """Discs, squares, triangles and stars in colour, 150 of each or so, of 16 pixels."""
    whole = shapes.generate(800, 16, generator(1))
    return Splits(whole.take(torch.arange(600)), whole.take(torch.arange(600, 800)))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "IMAGES_SEEN", 3_000)


# ------------------------------------------------------------------------------------------------- shipped


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_as_accurate_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    root = None if name == "digits" else request.getfixturevalue("data_root")
    splits = data.load(Data(name=name), root)
    classifier = Classifier.load(name)
    probabilities = classifier.probabilities(images.from_bytes(splits.test.images))
    assert splits.test.labels is not None
    found = float((probabilities.argmax(1) == splits.test.labels).double().mean())
    assert found == pytest.approx(classifier.facts["test_accuracy"], abs=0.001)
    assert found >= {"digits": 0.94, "mnist": 0.988, "fashion-mnist": 0.90}[name]
    assert classifier.facts["data_sha256"] == splits.digest()
    assert classifier.classes == splits.test.classes


@pytest.mark.parametrize("shape", [(1, 8), (1, 28), (3, 40)], ids=str)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_takes_any_size_grey_or_colour(name: str, shape: tuple[int, int]) -> None:
    classifier = Classifier.load(name)
    x = random_images(3, shape[0], shape[1])
    assert classifier.features(x).shape == (3, classifier.dimensions)
    assert torch.allclose(classifier.probabilities(x).sum(1), torch.ones(3))
    assert isinstance(classifier, Classifying)


def test_the_shipped_classifiers_keep_their_digests() -> None:
    found = {name: Classifier.load(name).digest[:12] for name in CLASSIFIERS}
    assert found == {"digits": "6a1255f16580", "mnist": "e016ee83f704", "fashion-mnist": "60a3d2499a5e"}


def test_features_have_one_scale(digits: Splits) -> None:
    found = Classifier.load("digits").features(images.from_bytes(digits.train.images))
    assert float(found.square().mean().sqrt()) == pytest.approx(1.0, abs=0.01)


def test_the_classifiers_are_small() -> None:
    paths = list((Path(features.__file__).parent.parent / "weights").iterdir())
    assert {path.stem for path in paths} == {*CLASSIFIERS, "pictures"}
    assert all(path.stat().st_size < 1_000_000 for path in paths)


def test_pixels_are_raw_where_they_are_few() -> None:
    x = random_images(2, 1, 28)
    assert torch.equal(Pixels(Shape(1, 28)).features(x), x.flatten(1))
    large = Pixels(Shape(3, 64))
    assert large.features(torch.zeros(2, 3, 64, 64)).shape == (2, large.dimensions)
    assert large.dimensions <= 1024
    assert not isinstance(large, Classifying)
    assert Pixels(Shape(3, 64)).digest == large.digest != Pixels(Shape(1, 28)).digest


def test_an_unknown_classifier_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'mnist'"):
        Classifier.load("mnits")


# --------------------------------------------------------------------------------------- trained when needed


@pytest.mark.usefixtures("quick")
def test_a_classifier_is_learned_from_labels_once(digits: Splits) -> None:
    said: list[str] = []
    torch.manual_seed(7)
    first = features.learned(digits, said.append)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(1)), "the global generator was used"
    second = features.learned(digits, said.append)
    assert len(said) == 1
    assert "Training a classifier of the 10 classes of digits" in said[0]
    assert first.digest == second.digest
    assert first.classes == tuple("0123456789")
    assert first.facts["test_accuracy"] > 0.7, "chance is 0.1"
    x = images.from_bytes(digits.test.images)
    right = first.probabilities(x).argmax(1) == digits.test.labels
    assert float(right.double().mean()) == pytest.approx(first.facts["test_accuracy"], abs=0.001)


@pytest.mark.usefixtures("quick")
def test_colour_tells_classes_apart(sprites: Splits) -> None:
    def of_colour(part: Dataset) -> Dataset:
        """Two classes by what grey hardly shows: red against blue of equal luma."""
        labels = torch.arange(len(part)) % 2
        pixels = torch.zeros(len(part), 3, 16, 16)
        pixels[labels == 0, 0], pixels[labels == 1, 2] = 60.0, 60.0 * 0.299 / 0.114
        noise = 20 * torch.rand(pixels.shape, generator=generator())
        return replace(part, images=(pixels + noise).to(torch.uint8), labels=labels, classes=("red", "blue"))

    found = features.learned(Splits(of_colour(sprites.train), of_colour(sprites.test)))
    assert found.network.channels == 3
    assert found.facts["test_accuracy"] > 0.95


@pytest.mark.usefixtures("quick")
def test_training_is_deterministic_and_depends_on_labels(sprites: Splits, empty_cache: Path) -> None:
    first = features.learned(sprites)
    for path in empty_cache.iterdir():
        path.unlink()
    assert features.learned(sprites).digest == first.digest
    assert sprites.train.labels is not None
    other = replace(sprites, train=replace(sprites.train, labels=sprites.train.labels.flip(0)))
    assert features.learned(other).digest != first.digest


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("damage", ["flipped bit", "truncated", "empty"])
def test_a_damaged_classifier_is_trained_again(damage: str, sprites: Splits, empty_cache: Path) -> None:
    first = features.learned(sprites)
    (path,) = empty_cache.iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes({"flipped bit": bytes(content), "truncated": bytes(content[:1000]), "empty": b""}[damage])
    said: list[str] = []
    assert features.learned(sprites, said.append).digest == first.digest
    assert said
    assert features.learned(sprites, said.append).digest == first.digest
    assert len(said) == 1


def test_the_data_decides_what_is_compared_by(sprites: Splits, digits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = Classifier.load("digits")
    monkeypatch.setattr(features, "learned", lambda *_: stand_in)
    assert features.extractor("shapes", sprites) is stand_in
    assert features.extractor("digits", digits).name == "digits"
    assert isinstance(features.extractor("digits", digits, "pixels"), Pixels)
    few = replace(sprites, train=sprites.train.take(torch.arange(150)))
    assert isinstance(features.extractor("mine/", few), Pictures), "less than 50 of a class"
    assert features.extractor("mine/", few, "classifier") is stand_in
    bare = Splits(noise_images(200, 3, 16), replace(noise_images(50, 3, 16), labels=None))
    assert isinstance(features.extractor("mine/", bare), Pictures)


def test_the_settings_bound_the_cost() -> None:
    for count, size in ((100, 8), (5_000, 30), (60_000, 64), (1_000_000, 256)):
        chosen = learning.chosen(
            Dataset("any", torch.empty(1, 3, size, size, dtype=torch.uint8).expand(count, -1, -1, -1))
        )
        assert chosen.side % 4 == 0
        assert 16 <= chosen.side <= 32
        assert chosen.batch <= count
        assert min(count, learning.IMAGES_SEEN) * chosen.epochs <= learning.IMAGES_SEEN


# --------------------------------------------------------------------------------------------------- given


class Tiny(nn.Module):
    """Means over rows, and two logits."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.outputs = outputs
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor] | Tensor:
        found = x.mean((1, 3)) + x.square().mean((1, 3))
        return (found, self.head(found)) if self.outputs == 2 else found


def exported(path: Path, module: nn.Module, *, channels: int = 3, dynamic: bool = True) -> Path:
    sizes = {0: torch.export.Dim("batch", min=1, max=4096)} if dynamic else {}
    program = torch.export.export(module.eval(), (torch.zeros(4, channels, 16, 16),), dynamic_shapes=(sizes,))
    torch.export.save(program, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("dynamic", [True, False], ids=["any batch", "batches of 4"])
def test_an_exported_network_is_an_extractor(dynamic: bool, tmp_path: Path) -> None:
    path = exported(tmp_path / "tiny.pt2", Tiny(), dynamic=dynamic)
    found = given.load(path, sha256(path), Shape(1, 8))
    assert isinstance(found, Classifying)
    assert (found.name, found.digest, found.dimensions, found.shape) == ("tiny", sha256(path), 16, Shape(3, 16))
    x = random_images(7, 3, 16)
    expected, logits = Tiny()(x)
    assert torch.allclose(found.features(x), expected, atol=1e-5)
    assert torch.allclose(found.probabilities(x), logits.softmax(1), atol=1e-5)
    assert found.features(random_images(5, 1, 28)).shape == (5, 16)


def test_a_network_without_logits_knows_no_classes(tmp_path: Path) -> None:
    path = exported(tmp_path / "bare.pt2", Tiny(outputs=1))
    assert not isinstance(given.load(path, sha256(path), Shape(3, 16)), Classifying)


def test_a_module_is_an_extractor() -> None:
    found = GivenClassifier(Tiny(), name="mine", digest="0" * 64, shape=Shape(3, 16))
    assert isinstance(found, Classifying)
    assert found.dimensions == 16


class Shuffled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)).flatten(1)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Dropout(0.5), r"must return features \(N, D\)"),
        (nn.Sequential(nn.Flatten(), nn.Dropout(0.5)), "eval mode"),
        (Shuffled(), "eval mode"),
        (nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), "fails on images"),
        (nn.Sequential(nn.Flatten(), nn.Threshold(9.0, float("nan"))), "not finite"),
    ],
    ids=["images", "dropout", "company", "size", "nan"],
)
def test_a_network_that_is_no_extractor_is_refused(module: nn.Module, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Given(module, name="mine", digest="0" * 64, shape=Shape(3, 16))


def test_a_digest_must_be_one() -> None:
    with pytest.raises(ConfigError, match="64 characters"):
        Given(nn.Flatten(), name="mine", digest="1", shape=Shape(3, 16))


def test_a_file_is_loaded_only_by_its_sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = exported(tmp_path / "tiny.pt2", Tiny())
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ConfigError, match="--features-sha256 HEX"):
        given.load(path, None, Shape(3, 16))
    with pytest.raises(ConfigError, match=f"has the SHA-256 {sha256(path)}"):
        given.load(path, "0" * 64, Shape(3, 16))


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('the pickle was executed')",)


@pytest.mark.parametrize("place", ["weights", "sample inputs", "constants"])
def test_a_file_with_a_pickle_is_refused(place: str, tmp_path: Path) -> None:
    source, path = exported(tmp_path / "tiny.pt2", Tiny()), tmp_path / "bomb.pt2"
    content = io.BytesIO()
    torch.save(Bomb(), content)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            inside = old.read(name)
            if place == "weights" and name.endswith("weights_config.json"):
                inside = inside.replace(b'"use_pickle": false', b'"use_pickle": true')
            if place == "constants" and name.endswith("constants_config.json"):
                entry = b'{"path_name": "opaque_obj_0", "is_param": false, "use_pickle": true, "tensor_meta": null}'
                inside = b'{"config": {"x": ' + entry + b"}}"
                new.writestr(name.replace("model_constants_config.json", "opaque_obj_0"), pickle.dumps(Bomb()))
            if place == "sample inputs" and name.endswith("sample_inputs/model.pt"):
                inside = content.getvalue()
            new.writestr(name, content.getvalue() if place == "weights" and "weight_" in name else inside)
    with pytest.raises(ConfigError, match="pickled objects" if place != "sample inputs" else "is damaged, or was not"):
        given.load(path, sha256(path), Shape(3, 16))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x05\x06" + 18 * b"\0"], ids=["empty", "text", "empty zip"])
def test_a_foreign_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.pt2"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is damaged, or was not"):
        given.load(path, sha256(path), Shape(3, 16))


# --------------------------------------------------------------------------------------------------- cache


def test_what_is_kept_comes_back(empty_cache: Path) -> None:
    computed: list[int] = []

    def compute() -> Tensor:
        computed.append(1)
        return torch.arange(6.0).view(2, 3)

    for _ in range(3):
        assert torch.equal(cache.tensor(cache.key("a", 1), compute), torch.arange(6.0).view(2, 3))
    cache.tensor(cache.key("a", 2), compute)
    assert len(computed) == 2
    assert len(list(empty_cache.iterdir())) == 2


def test_the_cache_is_limited_and_keeps_what_was_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 250)
    for name in ("a", "b"):
        cache.write(name, bytes(100))
    assert cache.read("a") == bytes(100)
    cache.write("c", bytes(100))
    assert [cache.read(name) is not None for name in "abc"] == [True, False, True]
    cache.write("large", bytes(1000))
    assert cache.read("large") is None


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache.remembered("key", lambda: b"found") == b"found"


# --------------------------------------------------------------------------------------------------- self-test


SHIPPED = {
    **{name: (name, Classifier.load(name)) for name in CLASSIFIERS},
    "pixels of digits": ("digits", Pixels(Shape(1, 8))),
    "pixels of clothes": ("fashion-mnist", Pixels(Shape(1, 28))),
    "pixels of shapes": ("shapes", Pixels(Shape(3, 32))),
}


@pytest.mark.parametrize("shipped", SHIPPED)
def test_a_shipped_extractor_sees_images_get_worse(shipped: str, request: pytest.FixtureRequest) -> None:
    name, extractor = SHIPPED[shipped]
    if name == "shapes":
        pixels = shapes.generate(120, 32, generator()).images
    else:
        root = None if name == "digits" else request.getfixturevalue("data_root")
        pixels = data.load(Data(name=name), root).train.images[:200]
    table = self_test(extractor, images.from_bytes(pixels), generator())
    assert [row.name for row in table] == ["noise", "blur", "patches", "duplicates"]
    assert all(row.rises for row in table), [str(row) for row in table]


class Blind:
    """Sees the mean brightness only."""

    name, digest, dimensions = "blind", "b" * 64, 2

    def features(self, x: Tensor) -> Tensor:
        noise = torch.randn(len(x), 1, generator=generator())
        return torch.cat([x.mean((1, 2, 3)).unsqueeze(1).sign(), noise], 1)


def test_the_self_test_can_fail(digits: Splits) -> None:
    table = self_test(Blind(), images.from_bytes(digits.train.images), generator())
    assert not all(row.rises for row in table)


def test_the_self_test_is_reproducible_and_needs_images(digits: Splits) -> None:
    x = images.from_bytes(digits.train.images[:60])
    assert self_test(Pixels(Shape(1, 8)), x, generator()) == self_test(Pixels(Shape(1, 8)), x, generator())
    with pytest.raises(ConfigError, match="at least 4"):
        self_test(Pixels(Shape(1, 8)), x[:3], generator())


# ----------------------------------------------------------------------------------------------- in evaluate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {"data": SHORT["data"], "train": SHORT["train"]}
    return Session.start("gan-mlp", out=tmp_path_factory.mktemp("runs") / "gan", changes=changes).run()


def test_evaluate_keeps_features_and_finds_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate.evaluate(run, n=50).scores
    seen: list[int] = []
    features_of = Classifier.features

    def counted(self: Classifier, x: Tensor) -> Tensor:
        seen.append(len(x))
        return features_of(self, x)

    monkeypatch.setattr(Classifier, "features", counted)
    assert evaluate.evaluate(run, n=50).scores == first
    assert sum(seen) == 3 * 50, "only the samples, and two images on each path, are new"
    seen.clear()
    evaluate.evaluate(run, n=60)
    assert sum(seen) == 4 * 60, "and other test images"


def test_features_that_fail_are_not_silent(run: Run) -> None:
    with pytest.warns(UserWarning, match="The features blind fail their self-test"):
        scores = evaluate.evaluate(run, n=20, extractor=Blind()).scores
    found = {score.metric: score for score in scores}["features_self_test"]
    assert found.value < 1
    assert found.features == "blind:bbbbbbbbbbbb"


def test_a_given_network_on_the_command_line(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = exported(tmp_path / "tiny.pt2", Tiny()), tmp_path / "scores.json"
    arguments = ["evaluate", run.path, "--n", 20, "--features", path, "--features-sha256", sha256(path), "--out", out]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert f"tiny:{sha256(path)[:12]}" in capsys.readouterr().out
    assert {"frechet_distance", "classifier_score"} <= {score.metric for score in load(out)}
