"""The exported page draws what the model draws, in a real browser without a network, and follows the hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import Run, cli, config, images
from simulacra.export.page import write_page
from simulacra.images import Shape
from simulacra.runs import model_file
from simulacra.testing import small

CASES = [
    ("vae", "mlp-batch-norm", 8), ("vae", "conv", 13), ("gan", "resnet", 13), ("cvae", "conv-group-norm", 13),
    ("infogan", "conv", 8), ("dfcvae", "mlp", 8),
]  # fmt: skip
TRANSLATORS = ["resnet", "resnet-kernel-3", "resnet-correct", "unet"]


def run_of(family: str, network: str, side: int, folder: Path) -> Run:
    """A small untrained model as a file, opened."""
    torch.manual_seed(0)
    if small.translates(family):
        shape = Shape(3, 12)
        section = small.translator_config(family, small.TRANSLATOR_NETWORKS[network], shape)
        zoom = {"zoom": 1.3} if "zoom" in type(section).model_fields else {}
        section = section.model_copy(update=zoom)
        data = config.Data(name="shapes", size=12, channels=3)
    else:
        shape = Shape(1, side)
        section, data = (
            small.configs(family, small.NETWORKS[network]),
            config.Data(name="digits", size=side, channels=1),
        )
    model = small.models.build(section, shape)
    path = folder / f"{family}-{network}.safetensors"
    model_file.save_model(model, config.Config(model=section, data=data), path)
    return Run.open(path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no chromium on this machine")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the page of a run from its file, with the network cut; nothing may go wrong in it."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True, locale="en-US")
    wrong: list[str] = []

    def open_(run: Run) -> Any:
        path = tmp_path / "page.html"
        write_page(run, path)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        return page

    yield open_
    context.close()
    assert not wrong


def drawn(page: Any, network: str, given: torch.Tensor) -> np.ndarray[Any, Any]:
    code = """([name, data, shape]) => {
      const image = networks[name].run(Float32Array.from(data), shape);
      return [image.shape, [...bytesOf(image)]];
    }"""
    (channels, height, width), values = page.evaluate(code, [network, given.flatten().tolist(), list(given.shape)])
    return np.array(values).reshape(height, width, channels)


def levels_apart(page: Any, network: str, given: torch.Tensor, image: torch.Tensor) -> int:
    wanted = images.to_bytes(image).permute(1, 2, 0).numpy().astype(int)
    return int(np.abs(drawn(page, network, given) - wanted).max())


@pytest.mark.parametrize(("family", "network", "side"), CASES)
def test_the_page_draws_what_the_model_draws(
    family: str, network: str, side: int, open_page: Any, tmp_path: Path
) -> None:
    run = run_of(family, network, side, tmp_path)
    page = open_page(run)
    z = run.model.prior(3, torch.Generator().manual_seed(3))  # type: ignore[operator]
    assert page.evaluate("vectors.ready"), "this browser has vector instructions"
    for ready in ("true", "false"):  # by WebAssembly, and by the plain loops of browsers without it
        page.evaluate(f"vectors.ready = {ready}")
        for latent, image in zip(z, run.decode(z), strict=True):
            assert levels_apart(page, "generator", latent, image) <= 1
    assert "Checked in this browser" in page.inner_text("#checked")


@pytest.mark.parametrize("network", TRANSLATORS)
def test_the_page_translates_as_the_model_does(network: str, open_page: Any, tmp_path: Path) -> None:
    run = run_of("cyclegan", network, 12, tmp_path)
    page = open_page(run)
    for to, channels in (("B", run.model.domains["A"].channels), ("A", run.model.domains["B"].channels)):  # type: ignore[index, union-attr]
        x = 2 * torch.rand(1, channels, 12, 12, generator=torch.Generator().manual_seed(1)) - 1
        assert levels_apart(page, to, x[0], run.translate(x, to)[0]) <= 1


def test_a_picture_that_is_dropped_in_is_translated(open_page: Any, tmp_path: Path) -> None:
    page = open_page(run_of("cyclegan", "resnet", 12, tmp_path))
    picture = tmp_path / "picture.png"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    page.wait_for_function("document.querySelectorAll('canvas')[1].width === 12")
    page.set_input_files("input[type=file]", picture)
    page.wait_for_function(
        f"seen(document.querySelectorAll('canvas')[0], 3).data[0] === Math.fround({pixels[0, 0, 0]} / 127.5 - 1)"
    )
    read = page.evaluate("[...bytesOf(seen(document.querySelectorAll('canvas')[0], 3))]")
    assert np.array_equal(np.array(read).reshape(12, 12, 3), pixels)
    page.set_input_files("input[type=file]", __file__)
    page.wait_for_selector("text=not a picture")


def test_the_hand_moves_what_is_drawn(open_page: Any, tmp_path: Path) -> None:
    page = open_page(run_of("infogan", "conv", 8, tmp_path))
    canvas = "bytesOf(seen(document.querySelector('.stage canvas'), 1)).join()"
    pictures = [page.evaluate(canvas)]

    def changed() -> None:
        page.wait_for_function(f"{canvas} !== {pictures[-1]!r}")
        pictures.append(page.evaluate(canvas))

    page.click("text=New sample")
    assert page.input_value("#seed") == "2"
    changed()
    pressed = page.get_attribute(".codes button >> nth=3", "aria-pressed")
    page.click(f".codes button >> nth={3 if pressed == 'false' else 4}")
    changed()
    page.fill(".codes input[type=range] >> nth=0", "1.5")
    changed()
    page.fill(".ends input", "0.5")
    changed()
    page.fill("#seed", "1")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{canvas} === {pictures[0]!r}")  # the same seed gives the same picture
    with page.expect_download() as download:
        page.click("text=Save as PNG")
    with Image.open(download.value.path()) as saved:
        assert saved.size == (256, 256)
    page.click("#language")
    page.wait_for_selector("text=重新采样")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_two_latents_are_dragged_on_their_manifold(open_page: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    section = small.configs("vae", small.SMALL_MLP).model_copy(update={"latent": 2})
    path = tmp_path / "plane.safetensors"
    model = small.models.build(section, Shape(1, 8))
    model_file.save_model(
        model, config.Config(model=section, data=config.Data(name="digits", size=8, channels=1)), path
    )
    page = open_page(Run.open(path))
    box = page.locator(".pad").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 7.5 / 15, box["y"] + box["height"] * 0.5 / 15)
    page.wait_for_function("parseFloat(document.querySelector('.pad i').style.top) < 10")
    middle, top = page.evaluate("[parseFloat(document.querySelector('.pad i').style.left), quantile(0.95)]")
    assert middle == pytest.approx(50, abs=1)
    assert top == pytest.approx(1.645, abs=0.01)


@pytest.mark.parametrize(
    ("family", "words", "message"),
    [
        ("autoencoder", [], "has no prior. Fit one"),
        ("gan", ["--part", "generator"], "holds the whole model"),
        ("gan", ["--half"], "holds float16 in any case"),
        ("gan", ["--out", "x.png"], "must end in .html"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    family: str, words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(family, "mlp", 8, tmp_path)
    assert cli.main(["export", str(run.path), "--format", "html", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.glob("*.html"))
