"""Exported parts compute what the model computes, their READMEs run, and wrong input is told in one line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import Run, cli, config
from simulacra.errors import CapabilityError
from simulacra.export import runtimes
from simulacra.export.boundary import Boundary, Range
from simulacra.export.capture import captured
from simulacra.export.modules import KernelDraw, MixtureDraw, zoomed
from simulacra.export.parts import Part, parts
from simulacra.export.program import traced
from simulacra.export.runtimes import Mismatch, examples, largest_difference, onnx_runner
from simulacra.export.to_onnx import graph
from simulacra.export.write import needed_weights
from simulacra.images import Shape
from simulacra.models import FAMILIES, Model
from simulacra.priors.mixture import fit_normal
from simulacra.runs import model_file
from simulacra.testing import small
from simulacra.training.inherit import inherit
from simulacra.transforms import zoom

CASES = [
    *((family, "unet" if small.translates(family) else "conv") for family in FAMILIES),
    *(("vae", network) for network in small.NETWORKS if network != "conv"),
    *(("cyclegan", network) for network in small.TRANSLATOR_NETWORKS if network != "unet"),
]


def built(family: str, network: str) -> Model:
    model = small.build(family, network, small.shapes(family)[1]).eval()
    if hasattr(model, "zoom"):
        model.zoom = {"B": 1.3, "A": 1 / 1.3}
    return model


def compared(part: Part, convention: Range) -> float:
    boundary = Boundary(part, convention)
    content = graph(traced(part, boundary), part, convention, {"part": part.name}).SerializeToString()
    given = examples(part, boundary)
    return largest_difference(given, lambda x: list(boundary(*x)), onnx_runner(content), part.name)


@pytest.mark.parametrize(("family", "network"), CASES)
def test_onnx_computes_what_the_model_computes(family: str, network: str) -> None:
    found = parts(built(family, network))
    assert found
    for name, part in found.items():
        assert compared(part, "symmetric") < 2e-5, name


@pytest.mark.parametrize("convention", ["unit", "uint8"])
def test_images_cross_the_boundary_in_each_convention(convention: Range) -> None:
    for part in parts(built("vae", "conv")).values():
        assert compared(part, convention) <= (1 if convention == "uint8" else 2e-5)


def test_a_part_that_computes_something_else_is_refused() -> None:
    part = parts(built("gan", "mlp"))["generator"]
    boundary = Boundary(part, "symmetric")
    with pytest.raises(Mismatch, match="differs from the model by"):
        largest_difference(
            examples(part, boundary), lambda x: list(boundary(*x)), lambda x: [boundary(*x)[0] + 2e-4], "it"
        )


def test_torch_export_computes_what_the_model_computes() -> None:
    part = parts(built("infogan", "mlp"))["generator"]
    boundary = Boundary(part, "unit")
    module = captured(part, boundary).module()
    for given in examples(part, boundary):
        assert torch.allclose(module(*given)[0], boundary(*given)[0], atol=1e-5)


def test_zoom_is_that_of_the_model() -> None:
    x = torch.rand(2, 3, 10, 14) * 2 - 1
    for factor in (0.7, 1.0, 1.3):
        assert torch.allclose(zoomed(x, factor), zoom.zoomed(x, factor), atol=1e-5)


def test_a_mixture_is_drawn_as_the_prior_draws_it() -> None:
    codes = torch.randn(200, 3, generator=torch.Generator().manual_seed(1)) @ torch.randn(3, 3)
    prior = fit_normal(codes)
    noise = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    drawn = MixtureDraw(prior)(noise.float())
    assert torch.allclose(drawn, prior.sample(50, torch.Generator().manual_seed(2)), atol=1e-4)


def test_an_unknown_operation_names_itself_and_the_format_that_keeps_it() -> None:
    part = parts(built("gan", "mlp"))["generator"]

    class Odd(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.lgamma(z)

    with pytest.raises(CapabilityError, match=r"torch\.lgamma.*--format torch-export"):
        traced(part, Odd())


# ---------------------------------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model files of small untrained models, by family."""
    path = tmp_path_factory.mktemp("models")
    for family in ("vae", "infogan", "cyclegan", "gan"):
        network = "resnet" if small.translates(family) else "mlp"
        shape = Shape(1, 8)
        torch.manual_seed(0)
        section = (
            small.translator_config(family, small.SMALL_RESNET, shape)
            if small.translates(family)
            else small.configs(family, small.NETWORKS[network])
        )
        values = config.Config(model=section, data=config.Data(name="digits", size=8, channels=1))
        model = small.models.build(section, shape).eval()
        model_file.save_model(model, values, path / f"{family}.safetensors")
    return path


@pytest.fixture
def errors(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    lines += capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("family", "file"), [("infogan", "generator"), ("vae", "encoder"), ("cyclegan", "translator-a")]
)
def test_the_example_of_the_readme_runs(
    family: str, file: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert cli.main(["export", str(folder / f"{family}.safetensors"), "--format", "onnx", "--out", str(out)]) == 0
    assert (out / f"{file}.onnx").exists()
    text = (out / "README.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    assert len(code.splitlines()) <= 14
    monkeypatch.chdir(out)
    exec(compile(code, "README.md", "exec"), {})
    with Image.open("image.png") as picture:
        assert picture.size == (8, 8)


def test_a_file_says_what_it_takes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "g.onnx"
    words = [
        "export",
        str(folder / "infogan.safetensors"),
        "--format",
        "onnx",
        "--part",
        "generator",
        "--out",
        str(out),
    ]
    assert cli.main([*words, "--licence", "CC0"]) == 0
    import onnx

    model = onnx.load(out)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["licence"] == "CC0"
    assert [one["name"] for one in json.loads(said["inputs"])] == ["z", "digit", "c1", "c2"]
    assert json.loads(said["outputs"])[0]["shape"] == ["batch", 8, 8, 1]
    assert [one.name for one in model.graph.input] == ["z", "digit", "c1", "c2"]


@pytest.mark.parametrize(("option", "share"), [("--half", 0.55), ("--int8", 0.5)])
def test_smaller_files_say_what_they_cost(
    option: str, share: float, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(folder / "gan.safetensors"), "--format", "onnx", "--out", str(tmp_path)]
    assert cli.main([*words, option]) == 0
    said = capsys.readouterr().out
    ((before, after),) = re.findall(r"; ([\d,]+) to ([\d,]+) bytes, .* images/s, Frechet distance", said)
    assert int(after.replace(",", "")) < share * int(before.replace(",", "")) + 3_000
    run = onnx_runner((tmp_path / "generator.onnx").read_bytes())
    (image,) = run([torch.zeros(2, 4)])
    assert image.shape == (2, 8, 8, 1)


def test_a_lean_file_is_a_whole_model(folder: Path, tmp_path: Path) -> None:
    source, out = folder / "gan.safetensors", tmp_path / "lean"
    assert cli.main(["export", str(source), "--format", "safetensors", "--half", "--out", str(out)]) == 0
    whole, lean = Run.open(source), Run.open(out / "model.safetensors")
    assert (out / "model.safetensors").stat().st_size < 0.6 * source.stat().st_size
    assert float((whole.sample(8) - lean.sample(8)).abs().max()) < 2e-3
    assert lean.model.left_out
    assert all(name.startswith("discriminator.") for name in lean.model.left_out)


def test_a_training_starts_from_no_weight_that_was_left_out(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "lean"
    cli.main(["export", str(folder / "gan.safetensors"), "--format", "safetensors", "--out", str(out)])
    model = small.build("gan", "mlp", Shape(1, 8), seed=5)
    before = model.discriminator[1].weight.clone()
    taken = inherit(model, out / "model.safetensors").taken
    assert all(name.startswith("generator.") for name in taken)
    assert torch.equal(model.discriminator[1].weight, before)


def test_weights_that_no_part_reads_are_found(folder: Path) -> None:
    run = Run.open(folder / "infogan.safetensors")
    needed = needed_weights(run, list(parts(run.model).values()))
    assert any(name.startswith("discriminator.codes") for name in needed)
    assert not any(name.startswith(("discriminator.real", "memory")) for name in needed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "onnx", "--part", "encoder"], "no part 'encoder'."),
        (["--format", "onnx", "--part", "generater"], "Did you mean 'generator'?"),
        (["--format", "onxn"], "--format cannot be 'onxn'"),
        (["--format", "onnx", "--half", "--int8"], "exclude each other"),
        (["--format", "torch-export", "--int8"], "--int8 is for --format onnx"),
        (["--format", "torch-export", "--half"], "--half is for"),
        (["--format", "safetensors", "--range", "unit"], "--range is for"),
        (["--format", "safetensors", "--part", "generator"], "holds the whole model"),
        (["--format", "onnx", "--out", "/dev/null/x"], "cannot be written"),
        (["--format", "onnx", "--out", "x.pt2"], "end in .onnx"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    words: list[str], message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", str(folder / "gan.safetensors"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(folder / "gan.safetensors"), "--format", "onnx", "--out", str(tmp_path)]
    assert [cli.main(words), cli.main(words), cli.main([*words, "--force"])] == [0, 2, 0]
    assert "exists already" in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cli.main(["export", str(folder / "gan.safetensors"), "--format", "onnx", "--out", str(tmp_path / "o")]) == 2
    assert "pip install 'simulacra[export]'" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_torch_export_runs_where_this_package_is_not(folder: Path, tmp_path: Path) -> None:
    for family in ("vae", "cyclegan"):
        out = tmp_path / family
        words = ["export", str(folder / f"{family}.safetensors"), "--format", "torch-export", "--out", str(out)]
        assert cli.main(words) == 0
        assert list(out.glob("*.pt2"))
    assert runtimes.LOADER.splitlines()[2] == 'sys.modules["simulacra"] = None'


def test_categories_and_numbers_are_what_codes_say(folder: Path) -> None:
    run = Run.open(folder / "infogan.safetensors")
    part = parts(run.model)["generator"]
    z = torch.randn(3, 4)
    digit, c1, c2 = torch.tensor([1, 3, 9]), torch.tensor([0.5, 0, -1]), torch.zeros(3)
    latents = torch.cat([z, torch.eye(10)[digit], c1[:, None], c2[:, None]], 1)
    assert torch.equal(part.module(z, digit, c1, c2), run.decode(latents))
    assert np.isfinite(part.module(z, digit, c1, c2).numpy()).all()


def test_kernels_are_drawn_as_the_model_draws_them() -> None:
    """Far centres and a narrow factor: each draw lies beside one centre, and all are drawn equally often."""
    centres, factor = torch.eye(4)[:, :3] * 100, 0.1 * torch.eye(3)
    noise = torch.randn(4_000, 4, generator=torch.Generator().manual_seed(0))
    distance, nearest = torch.cdist(KernelDraw(centres, factor)(noise), centres).min(1)
    assert float(distance.max()) < 1
    assert torch.allclose(nearest.bincount(minlength=4) / 4_000, torch.tensor(0.25), atol=0.03)
