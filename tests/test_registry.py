"""Operations from outside the package, and pictures changed from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from simulacra.cli import main
from simulacra.errors import ConfigError, DataError
from simulacra.operations import OPERATIONS
from simulacra.transforms import Operation, Parameter, Pipeline, Range, Step, apply, compose_files, register
from simulacra.transforms import transform_files as transform

LEVELS = Operation("colour", "Keep a few levels.", {"levels": Parameter(4, "levels", 2, 256, Range(2, 5))})


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """The table as it was, after each test."""
    before = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


def posterize(x: Tensor, levels: float = 4) -> Tensor:
    steps = torch.as_tensor(levels, dtype=x.dtype).view(-1, 1, 1, 1) - 1
    return ((x + 1) / 2 * steps).round() / steps * 2 - 1


def picture(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def test_a_registered_operation_is_one_of_the_table(tmp_path: Path) -> None:
    assert register("posterize", LEVELS)(posterize) is posterize
    x = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    assert torch.equal(apply("posterize", x, levels=2).unique(), torch.tensor([-1.0, 1.0]))
    pipeline = Pipeline.parse("flip, posterize levels=3")
    assert str(Pipeline.parse(str(pipeline))) == str(pipeline)
    assert len(pipeline(x, torch.Generator().manual_seed(0)).unique()) == 3
    source = picture(tmp_path / "a.png", np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    assert main(["transform", "posterize", str(source), "--levels", "2", "--out", str(tmp_path / "b.png")]) == 0
    with Image.open(tmp_path / "b.png") as found:
        assert set(np.asarray(found).flatten().tolist()) == {0, 255}


@pytest.mark.parametrize("name", ["rotate", "mixup", "Posterize", "two words", "-x", ""])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"already|small letters, digits and hyphens"):
        register(name, LEVELS)(posterize)
    assert "posterize" not in OPERATIONS


def test_a_function_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"takes amount beside the images, and the operation has levels"):
        register("posterize", LEVELS)(lambda x, amount: x)


def test_files_are_changed_from_python(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    picture(tmp_path / "in" / "a.png", array)
    (tmp_path / "in" / "b.png").write_text("words")
    seen: list[int] = []

    def counted(items: Iterator[object], total: int, what: str) -> Iterator[object]:
        for item in items:
            seen.append(total)
            yield item

    done = transform(tmp_path / "in", [Step("invert", {})], tmp_path / "out", counted=counted)  # type: ignore[arg-type]
    assert [one.problem is None for one in done] == [True, False]
    assert "b.png is not an image file" in str(done[1].problem)
    assert seen == [2, 2]
    with Image.open(tmp_path / "out" / "a.png") as found:
        assert np.array_equal(np.asarray(found), 255 - array)
    with pytest.raises(ConfigError, match="exists already"):
        transform(tmp_path / "in", "invert", tmp_path / "out")
    with pytest.raises(DataError, match=r"b\.png is not an image file"):
        transform(tmp_path / "in" / "b.png", "invert", tmp_path / "x")
    with pytest.raises(ConfigError, match="mixup needs a picture for 'with'"):
        compose_files(tmp_path / "in", Step("mixup", {"weight": 1.0}), tmp_path / "x", beside={})
    with pytest.raises(ConfigError, match="invert is not a composition"):
        compose_files(tmp_path / "in", Step("invert", {}), tmp_path / "x", beside={})
    beside = {"with": tmp_path / "out" / "a.png"}
    mixed = compose_files(tmp_path / "in" / "a.png", Step("mixup", {"weight": 1.0}), tmp_path / "m", beside=beside)
    with Image.open(mixed[0].job.out) as found:
        assert np.array_equal(np.asarray(found), array)


def test_results_that_do_not_fit_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("simulacra.machine.free_memory", lambda: 8_000_000_000)
    narrow = picture(tmp_path / "in" / "a.png", np.zeros((20_000, 1), np.uint8))
    picture(tmp_path / "in" / "b.png", np.zeros((1, 20_000), np.uint8))
    assert main(["transform", "resize", str(narrow), "--width", "100000", "--height", "100000"]) == 2
    assert "100,000 x 100,000 pixels would take about 80.0 GB of memory; 8.0 GB are free" in capsys.readouterr().err
    assert main(["transform", "pad", str(narrow), "--left", "100000", "--top", "100000"]) == 2
    assert "GB are free" in capsys.readouterr().err
    assert main(["compose", "collage", str(tmp_path / "in"), "--out", str(tmp_path / "c.png")]) == 2
    assert "A sheet of 1,200 x " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_black_and_white_in_a_lossy_format_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8))
    assert main(["transform", "binarize", str(source), "--out", str(tmp_path / "b.jpg")]) == 0
    assert "black and white blurred by JPEG; --format png keeps them" in capsys.readouterr().out
    assert main(["transform", "binarize", str(source), "--out", str(tmp_path / "b.png")]) == 0
    assert "blurred" not in capsys.readouterr().out
