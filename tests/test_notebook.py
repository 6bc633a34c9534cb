"""Notebook manners: runs and progress show themselves, tensors become pictures, decode has gradients."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

import simulacra
from simulacra import Run
from simulacra.errors import DataError
from simulacra.training import notebook
from simulacra.training.session import Session
from tests.conftest import SHORT


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "a<b>"
    Session.start("quickstart", out=folder, changes=SHORT).run()
    return Run.open(folder)


def test_one_image_is_shown_magnified_pixel_by_pixel() -> None:
    x = torch.tensor([[[-1.0, 1.0], [1.0, -1.0]]])
    picture = simulacra.show(x)
    width, height = picture.size
    assert width == height >= 56
    assert [picture.getpixel(at) for at in ((0, 0), (width - 1, 0), (0, height - 1))] == [0, 255, 255]


def test_many_images_are_shown_as_a_grid() -> None:
    assert simulacra.show(torch.zeros(4, 3, 56, 56)).size == (2 * 58 + 2, 2 * 58 + 2)
    assert simulacra.grid(torch.zeros(4, 1, 56, 56), columns=4).size == (4 * 58 + 2, 60)
    assert simulacra.grid([torch.zeros(2, 1, 56, 56)] * 2, columns=4).size == (4 * 58 + 2, 60)


def test_rows_may_have_captions() -> None:
    rows = [torch.zeros(3, 1, 56, 56), torch.ones(3, 1, 56, 56, requires_grad=True)]
    sheet = simulacra.grid(rows, captions=["black", "white"])
    assert isinstance(sheet, Image.Image)
    assert sheet.size[1] == 2 * 60
    assert sheet.size[0] > 3 * 58 + 2
    with pytest.raises(DataError, match="1 captions for 2 rows"):
        simulacra.grid(rows, captions=["black"])


@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8), (0, 1, 8, 8), (1, 1, 1, 8, 8)])
def test_what_is_not_an_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"Images are \(N, C, H, W\)"):
        simulacra.show(torch.zeros(shape))


def test_a_run_shows_itself_with_samples_and_what_is_measured(run: Run) -> None:
    page = run._repr_html_()
    assert "a&lt;b&gt;" in page
    assert "a<b>" not in page
    assert "vae (quickstart)" in page
    assert "data:image/png;base64," in page
    last = next(row for row in reversed(run.history()) if any(key.startswith("test/") for key in row))
    name, value = next((key, value) for key, value in last.items() if key.startswith("test/"))
    assert f"<th>{name}</th><td>{value:.4g}</td>" in page


def test_scores_of_an_evaluation_come_first(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    scores = [{"metric": "psnr", "value": 20.5, "unit": "dB"}, "damaged", {"metric": "l1", "value": "damaged"}]
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps({"scores": scores}))
    page = Run.open(tmp_path / "run")._repr_html_()
    assert "<th>psnr</th><td>20.5 dB</td>" in page
    assert "test/" not in page
    assert "damaged" not in page


def test_a_file_of_weights_shows_itself(run: Run, tmp_path: Path) -> None:
    shutil.copy(run.path / "model.safetensors", tmp_path / "model.safetensors")
    assert "data:image/png;base64," in Run.open(tmp_path / "model.safetensors")._repr_html_()


def test_decode_is_differentiable(run: Run) -> None:
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    plain = run.decode(z)
    assert plain.shape == (3, 1, 8, 8)
    assert not plain.requires_grad
    bent = z.clone().requires_grad_()
    image = run.decode(bent)
    assert torch.equal(image, plain)
    (gradient,) = torch.autograd.grad(image.sum(), bent)
    step = 1e-3 * torch.eye(2)[0]
    slope = (run.decode(z + step).sum((1, 2, 3)) - run.decode(z - step).sum((1, 2, 3))) / 2e-3
    assert torch.allclose(gradient[:, 0], slope, rtol=0.05, atol=0.05)
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_a_history_is_rows_of_plain_values(run: Run) -> None:
    rows = run.history()
    assert rows
    assert all(isinstance(value, int | float | str) for row in rows for value in row.values())
    assert all({"step", "images", "seconds"} <= row.keys() for row in rows)


def _progress() -> Iterator[simulacra.Progress]:
    for seen in (50, 100):
        yield simulacra.Progress(seen, seen, 100, 1.0, 25.0, {"model/<nll>": 0.5})


def test_a_training_is_watched_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert [progress.images for progress in simulacra.watch(_progress())] == [50, 100]
    assert capsys.readouterr().out.splitlines() == [
        "50 of 100 images  25 images/s  model/<nll> 0.5  2 s left",
        "100 of 100 images  25 images/s  model/<nll> 0.5  0 s left",
    ]


def test_a_training_is_watched_as_a_bar_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, progress: simulacra.Progress) -> None:
            shown.append(progress._repr_html_())

    def display(progress: simulacra.Progress, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(progress._repr_html_())
        return Handle()

    monkeypatch.setattr(notebook, "_display", lambda: display)
    assert len(list(simulacra.watch(_progress()))) == 2
    assert '<progress value="50" max="100"' in shown[0]
    assert "model/&lt;nll&gt; 0.5" in shown[1]
