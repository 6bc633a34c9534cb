"""The command line as a person meets it: each verb's result, and one clear line for each mistake."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import Run, cli, config, machine
from simulacra.cli.train import _follow_with_lines as follow_with_lines
from simulacra.errors import ConfigError
from simulacra.evaluation.scores import Score, save
from simulacra.images import write
from simulacra.training.session import Session
from tests.conftest import SHORT


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one short run of each family; vae has 2 latents, infogan the codes digit, c1, c2."""
    folder = tmp_path_factory.mktemp("runs")
    Session.start("quickstart", out=folder / "vae", changes=SHORT).run()
    data_train = {"data": SHORT["data"], "train": SHORT["train"]}
    Session.start("gan-mlp", out=folder / "gan", changes=data_train).run()
    small = {"network": {"kind": "mlp", "hidden": [16]}, "latent": 4}
    Session.start("autoencoder", out=folder / "autoencoder", changes={**data_train, "model": small}).run()
    players = {"generator": {"kind": "mlp", "hidden": [16]}, "discriminator": {"kind": "mlp", "hidden": [16]}}
    Session.start("infogan", out=folder / "infogan", changes={**data_train, "model": {"latent": 4, **players}}).run()
    Session.start("cgan", out=folder / "cgan", changes={**data_train, "model": {"latent": 4, **players}}).run()
    Session.start("cvae", out=folder / "cvae", changes={**data_train, "model": small}).run()
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve colour pictures of mixed sizes in two class folders."""
    generator = np.random.default_rng(0)
    for index in range(12):
        folder = tmp_path / "photos" / ("cats" if index % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (20 + index, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "photos"


def call(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


# ------------------------------------------------------------------------------------------------ the verbs


def test_sample_is_reproducible(runs: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert call("sample", runs / "gan", "--n", 9, "--seed", seed, "--out", tmp_path / f"{name}.png") == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c
    assert size(tmp_path / "a.png") == (3 * 56 + 8, 3 * 56 + 8)


def test_sample_into_a_folder(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("sample", runs / "vae", "--n", 3, "--out", tmp_path / "many") == 0
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    assert size(tmp_path / "many" / "00000.png") == (8, 8)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "00002.png").write_bytes(b"mine")
    assert call("sample", runs / "vae", "--n", 3, "--out", tmp_path / "own") == 2
    assert "00002.png exists already" in capsys.readouterr().err
    assert [path.read_bytes() for path in (tmp_path / "own").iterdir()] == [b"mine"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["sample", "vae"], "mine.png"),
        (["sample", "vae"], "00000.png"),
        (["traverse", "vae"], "mine.png"),
        (["inpaint", "vae", "--steps", "2"], "mine.png"),
        (["inpaint", "vae", "--steps", "2"], "cats/1.png"),
        (["invert", "vae", "--steps", "2"], "mine.npz"),
        (["encode", "vae"], "mine.npz"),
        (["interpolate", "vae"], "mine.png"),
    ],
    ids=lambda x: x if isinstance(x, str) else x[0],
)
def test_what_is_there_is_overwritten_only_if_that_is_asked(
    words: list[str], name: str, runs: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, family, *rest = words
    pictures = [photos] if verb in ("inpaint", "invert", "encode") else []
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    out = mine.with_suffix(".png") if verb == "invert" else mine
    if name in ("00000.png", "cats/1.png"):
        out = tmp_path / "out"
    line = [verb, runs / family, *pictures, *rest, "--out", out]
    assert call(*line) == 2
    assert f"{name} exists already" in capsys.readouterr().err
    assert mine.read_bytes() == b"mine"
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [mine]
    assert call(*line, "--force") == 0
    assert mine.read_bytes() != b"mine"


def test_a_picture_goes_into_the_run_folder_unless_asked(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("manifold", runs / "vae", "--side", 4) == 0
    assert str(runs / "vae" / "manifold.png") in capsys.readouterr().out
    assert size(runs / "vae" / "manifold.png") == (4 * 56, 4 * 56)


@pytest.mark.parametrize("family", ["vae", "autoencoder", "cvae"])
def test_reconstruct_test_images_and_ones_own(family: str, runs: Path, photos: Path, tmp_path: Path) -> None:
    assert call("reconstruct", runs / family, "--n", 5, "--out", tmp_path / "test.png") == 0
    assert call("reconstruct", runs / family, "--images", photos, "--out", tmp_path / "own.png") == 0
    assert size(tmp_path / "own.png")[0] > size(tmp_path / "test.png")[0]


@pytest.mark.parametrize("family", ["vae", "gan", "autoencoder", "infogan", "cgan", "cvae"])
def test_interpolate_and_traverse(family: str, runs: Path, tmp_path: Path) -> None:
    assert call("interpolate", runs / family, "--steps", 7, "--out", tmp_path / "path.png") == 0
    assert size(tmp_path / "path.png") == (7 * 58 + 2, 60)
    assert call("interpolate", runs / family, "--steps", 5, "--out", tmp_path / "path.gif") == 0
    with Image.open(tmp_path / "path.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 8, "there and back"
    assert call("traverse", runs / family, "--steps", 5, "--out", tmp_path / "latents.png") == 0
    rows = {"vae": 2, "gan": 10, "autoencoder": 4, "infogan": 6, "cgan": 4, "cvae": 4}[family]
    heads = {"infogan": 3, "cgan": 1, "cvae": 1}.get(family, 0)
    assert size(tmp_path / "latents.png")[1] == rows * 60 + heads * 16, "columns of codes are named"


def test_codes_are_set_traversed_and_read(runs: Path, tmp_path: Path) -> None:
    for name, codes in (("a", ["digit=3", "c1=-1.5"]), ("b", ["c1=-1.5", "digit=3"]), ("c", ["digit=4"])):
        words = [word for code in codes for word in ("--code", code)]
        assert call("sample", runs / "infogan", *words, "--n", 4, "--out", tmp_path / f"{name}.png") == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c
    assert call("traverse", runs / "infogan", "--steps", 5, "--out", tmp_path / "codes.png") == 0
    assert size(tmp_path / "codes.png")[1] == 6 * 60 + 3 * 16, "four rows of digit, one of c1, one of c2"
    assert call("encode", runs / "infogan", "digits", "--out", tmp_path / "codes.npz") == 0
    found = np.load(tmp_path / "codes.npz")
    assert found["latents"].shape == (297, 12)
    assert np.array_equal(found["latents"][:, :10].argmax(1), found["digit"])
    assert np.array_equal(found["latents"][:, 11], found["c2"])


@pytest.mark.parametrize("family", ["cgan", "cvae"])
def test_a_label_is_a_code(family: str, runs: Path, tmp_path: Path) -> None:
    for name, words in (("a", ["--label", 3]), ("b", ["--code", "label=3"]), ("c", ["--label", 4])):
        assert call("sample", runs / family, *words, "--n", 4, "--out", tmp_path / f"{name}.png") == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_a_conditional_vae_tells_the_class(runs: Path, tmp_path: Path) -> None:
    assert call("encode", runs / "cvae", "digits", "--out", tmp_path / "codes.npz") == 0
    found = np.load(tmp_path / "codes.npz")
    assert found["latents"].shape == (297, 4 + 10)
    assert np.array_equal(found["latents"][:, 4:].argmax(1), found["label"])


def test_evaluate_names_categories_on_training_images(runs: Path, tmp_path: Path) -> None:
    assert call("evaluate", runs / "infogan", "--n", 200, "--out", tmp_path / "scores.json") == 0
    scores = {score["metric"]: score for score in json.loads((tmp_path / "scores.json").read_text())["scores"]}
    assert 0.1 <= scores["code_accuracy"]["value"] <= 1
    assert scores["code_accuracy"]["n"] == 200
    assert "l1" not in scores


def test_interpolate_between_given_images(runs: Path, photos: Path, tmp_path: Path) -> None:
    first, last = photos / "dogs" / "0.png", photos / "cats" / "1.png"
    assert call("interpolate", runs / "vae", "--from", first, "--to", last, "--out", tmp_path / "a.png") == 0
    assert call("interpolate", runs / "vae", "--from", last, "--to", first, "--out", tmp_path / "b.png") == 0
    forth, back = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "ab")
    assert np.array_equal(forth[2:58, 2:58], back[2:58, -58:-2])


@pytest.mark.parametrize("route", ["fade", "transport"])
def test_interpolate_without_the_model(route: str, runs: Path, photos: Path, tmp_path: Path) -> None:
    ends = ["--from", photos / "dogs" / "0.png", "--to", photos / "cats" / "1.png", "--route", route]
    assert call("interpolate", *ends, "--steps", 3, "--out", tmp_path / "frames") == 0
    frames = sorted((tmp_path / "frames").iterdir())
    assert [path.name for path in frames] == ["00000.png", "00001.png", "00002.png"]
    first, given = (np.asarray(Image.open(path)) for path in (frames[0], photos / "dogs" / "0.png"))
    assert np.array_equal(first, given)
    assert call("interpolate", *ends, "--steps", 3, "--out", tmp_path / "film.gif") == 0
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4
    assert call("interpolate", runs / "gan", "--route", route, "--steps", 3, "--out", tmp_path / "strip.png") == 0
    assert size(tmp_path / "strip.png")[0] == 3 * 58 + 2


@pytest.mark.parametrize("family", ["vae", "gan", "autoencoder"])
def test_inpaint_and_repair(family: str, runs: Path, photos: Path, tmp_path: Path) -> None:
    mask = np.zeros((30, 30), np.uint8)
    mask[:, 15:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    steps = ["--n", 2, "--steps", 2]
    assert call("inpaint", runs / family, photos, *steps, "--mask", tmp_path / "mask.png", "--out", tmp_path / "a") == 0
    names = sorted(path.relative_to(tmp_path / "a").as_posix() for path in (tmp_path / "a").rglob("*.png"))
    assert names == ["cats/1.png", "cats/11.png"]
    assert call("encode", runs / "vae", tmp_path / "a", "--out", tmp_path / "z.npz") == 0
    assert call("inpaint", runs / family, photos, *steps, "--out", tmp_path / "sheet.png") == 0
    assert call("repair", runs / family, photos, *steps, "--out", tmp_path / "repaired.png") == 0
    assert size(tmp_path / "sheet.png")[1] == 3 * 60
    assert size(tmp_path / "repaired.png")[1] == 4 * 60


def test_augment_writes_a_data_set_that_trains(runs: Path, tmp_path: Path) -> None:
    asked = ["augment", "digits", "--labels", 3, "--size", 8, "--classical", "affine, shift", "--run", runs / "cvae"]
    assert call(*asked, "--preview", tmp_path / "look.png") == 0
    assert size(tmp_path / "look.png")[1] == 3 * 60
    assert call(*asked, "--per-class", 5, "--out", tmp_path / "more") == 0
    about = json.loads((tmp_path / "more" / "about.json").read_text())
    assert about["counts"]["7"] == {"real": 3, "classical": 1, "generated": 1}
    assert about["generator"]["with_classes"] is True
    assert call("train", "vae-2d", "--data", tmp_path / "more", "--out", tmp_path / "run", "--train.images", 64,
                "--model.network.kind", "mlp", "--model.network.hidden", "8,8") == 0  # fmt: skip


def test_evaluate_downstream(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from simulacra.evaluation import downstream

    monkeypatch.setitem(downstream.measure.__kwdefaults__, "steps", 3)
    asked = ["evaluate", runs / "vae", "--downstream", "--labels", 2, "--repeats", 2, "--out", tmp_path / "d.json"]
    assert call(*asked) == 0
    scores = {score["metric"]: score for score in json.loads((tmp_path / "d.json").read_text())["scores"]}
    assert set(scores) == {*(f"downstream_{arm}" for arm in downstream.ARMS), "downstream_gain"}
    assert "20 real images with classes; the vae was trained on 1,500 images without classes" in capsys.readouterr().out


def test_an_autoencoder_samples_once_a_prior_is_fitted(runs: Path, tmp_path: Path) -> None:
    run = _copy(runs / "autoencoder", tmp_path / "run")
    assert call("fit-prior", run, "--prior", "per-class") == 0
    assert call("sample", run, "--n", 4, "--out", tmp_path / "a.png") == 0
    assert call("fit-prior", run, "--components", 3, "--out", tmp_path / "gmm.safetensors") == 0
    assert call("sample", run, "--n", 4, "--prior", tmp_path / "gmm.safetensors", "--out", tmp_path / "b.png") == 0
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert call("evaluate", run, "--n", 20) == 0
    scores = {score["metric"]: score for score in json.loads((run / "evaluation.json").read_text())["scores"]}
    assert scores["frechet_distance"]["prior"].startswith("per-class:")
    assert "prior" not in scores["psnr"]
    assert call("sample", runs / "vae", "--prior", run / "prior.safetensors", "--out", tmp_path / "c.png") == 2


def test_a_fitted_prior_is_used_by_a_vae_only_when_asked(runs: Path, tmp_path: Path) -> None:
    run = _copy(runs / "vae", tmp_path / "run")
    pictures = []
    for name, options in (("a", ()), ("b", ()), ("c", ("--prior", "fitted")), ("d", ("--prior", "model"))):
        assert call("sample", run, "--n", 4, "--out", tmp_path / f"{name}.png", *options) == 0
        pictures.append((tmp_path / f"{name}.png").read_bytes())
        assert name != "a" or call("fit-prior", run, "--prior", "normal") == 0
    assert pictures[0] == pictures[1] == pictures[3] != pictures[2]


@pytest.mark.parametrize("family", ["vae", "gan", "autoencoder"])
def test_invert(family: str, runs: Path, photos: Path, tmp_path: Path) -> None:
    assert call("invert", runs / family, photos, "--n", 3, "--steps", 5, "--out", tmp_path / "found.png") == 0
    found = np.load(tmp_path / "found.npz")
    assert found["squared_error"].shape == (6, 3)
    assert len(found["latents"]) == len(found["names"]) == 3
    assert size(tmp_path / "found.png")[1] == 3 * 60


@pytest.mark.parametrize(
    "family",
    ["vae", "autoencoder", "cvae", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gan", "infogan"))],
)
def test_arithmetic_between_classes(family: str, runs: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "moved.png"
    options = ["--plus", "3", "--minus", "8", "--n", 2, "--steps", 4]
    assert call("arithmetic", runs / family, *options, "--out", out) == 0
    assert size(out) == (4 * 58 + 2, 2 * 58 + 2)
    assert call("arithmetic", runs / family, *options, "--images", photos, "--out", tmp_path / "film.gif") == 0
    assert call("arithmetic", runs / family, "--plus", photos, "--minus", photos, "--out", tmp_path / "none.png") == 0


def test_truncated_samples(runs: Path, tmp_path: Path) -> None:
    assert call("sample", runs / "gan", "--n", 4, "--truncation", 0.5, "--out", tmp_path / "a.png") == 0


def test_a_video_needs_ffmpeg(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["interpolate", runs / "gan", "--steps", 4, "--out", tmp_path / "walk.mp4"]
    with monkeypatch.context() as without:
        without.setattr("shutil.which", lambda _: None)
        without.setitem(sys.modules, "imageio_ffmpeg", None)
        assert call(*options) == 2
        assert "simulacra[video]" in capsys.readouterr().err
        assert not (tmp_path / "walk.mp4").exists()
    try:
        write._ffmpeg()
    except ConfigError:
        pytest.skip("there is no ffmpeg here")
    assert call(*options) == 0
    assert (tmp_path / "walk.mp4").read_bytes()[4:8] == b"ftyp"


def test_encode_a_folder_and_a_data_set(runs: Path, photos: Path, tmp_path: Path) -> None:
    assert call("encode", runs / "vae", photos, "--out", tmp_path / "own.npz") == 0
    own = np.load(tmp_path / "own.npz")
    assert own["latents"].shape == (12, 2)
    assert own["names"][0] == "cats/1.png"
    assert own["classes"][own["labels"]].tolist() == [name.split("/")[0] for name in own["names"]]
    assert call("encode", runs / "vae", "digits", "--out", tmp_path / "digits.npz") == 0
    digits = np.load(tmp_path / "digits.npz")
    assert digits["latents"].shape == (297, 2)
    assert set(digits["labels"]) == set(range(10))


def test_train_on_a_folder_from_the_command_line(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = [
        "--train.images",
        64,
        "--train.batch",
        8,
        "--data.size",
        16,
        "--model.network.widths",
        "4,8",
        "--seed",
        3,
    ]
    assert call("train", "vae", "--data", photos, "--out", out, *options) == 0
    said = capsys.readouterr().out
    assert "11 training images of 3 x 16 x 16" in said
    assert "parameters" in said
    assert "report.html" in said
    values = config.parse(config.loads((out / "config.toml").read_text()))
    assert (values.seed, values.data.size, values.data.channels, values.train.batch) == (3, 16, 3, 8)


def test_recipes_and_data_list_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("recipes") == 0
    assert call("data") == 0
    said = capsys.readouterr().out
    for name in (*config.recipe_names(), "digits", "shapes", "mnist", "fashion-mnist"):
        assert name in said


def test_quickstart_never_fails_because_it_ran_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "quickstart").mkdir(parents=True)
    short = config.recipe("quickstart")
    short.values = config.merge(short.values, SHORT)
    monkeypatch.setattr(config, "recipe", lambda name: short)
    assert call("quickstart") == 0
    assert (tmp_path / "runs" / "quickstart-2" / "report.html").is_file()


def test_the_module_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "simulacra", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("simulacra ")


def test_options_of_a_recipe_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "vae-2d", "--help", "--model.latent", 3) == 0
    said = capsys.readouterr().out
    assert "--model.latent 3" in said
    assert "--train.optimizer.learning_rate 0.001" in said


# ----------------------------------------------------------------------------------------------- mistakes


class Trap:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def _copy(run: Path, to: Path) -> Path:
    for path in run.rglob("*"):
        if path.is_file():
            target = to / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return to


def _png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


Mistake = Callable[[Path, Path], list[object]]


def _train_on(name: str, content: bytes, *options: object) -> Mistake:
    def prepare(runs: Path, tmp: Path) -> list[object]:
        folder = tmp / "pictures"
        folder.mkdir()
        (folder / "good.png").write_bytes(_png(16, 16))
        (folder / name).write_bytes(content)
        return ["train", "vae", "--data", folder, "--out", tmp / "out", *options]

    return prepare


def _truncated_checkpoint(runs: Path, tmp: Path) -> list[object]:
    run = _copy(runs / "vae", tmp / "run")
    latest = run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip()
    latest.write_bytes(latest.read_bytes()[:1000])
    recipe = _saved_recipe(run, tmp)
    return ["train", recipe, "--out", run, "--resume"]


def _checkpoint_with_code(runs: Path, tmp: Path) -> list[object]:
    run = _copy(runs / "vae", tmp / "run")
    latest = run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip()
    torch.save({"format": "simulacra-1", "step": Trap(tmp / "trace")}, latest)
    return ["train", _saved_recipe(run, tmp), "--out", run, "--resume"]


def _saved_recipe(run: Path, tmp: Path) -> Path:
    recipe = tmp / "saved.toml"
    recipe.write_text((run / "config.toml").read_text().replace('recipe = "quickstart"\n', ""))
    return recipe


def _pickle_as_model(runs: Path, tmp: Path) -> list[object]:
    (tmp / "model.safetensors").write_bytes(pickle.dumps(Trap(tmp / "trace")))
    return ["sample", tmp / "model.safetensors"]


def _weights_of_another_size(runs: Path, tmp: Path) -> list[object]:
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(runs / "vae" / "model.safetensors", "pt") as file:
        tensors = {name: torch.cat([file.get_tensor(name)] * 2) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(tensors, tmp / "model.safetensors", metadata)
    return ["sample", tmp / "model.safetensors"]


def _empty_folder(runs: Path, tmp: Path) -> list[object]:
    (tmp / "empty").mkdir()
    return ["train", "vae", "--data", tmp / "empty", "--out", tmp / "out"]


def _broken_zip(runs: Path, tmp: Path) -> list[object]:
    with zipfile.ZipFile(tmp / "a.zip", "w") as archive:
        archive.writestr("a.png", _png(9, 9))
        archive.writestr("b.png", _png(9, 9))
    (tmp / "a.zip").write_bytes((tmp / "a.zip").read_bytes()[:60])
    return ["train", "vae", "--data", tmp / "a.zip", "--out", tmp / "out"]


def _mixed_channels(runs: Path, tmp: Path) -> list[object]:
    prepared = _train_on("grey.png", _png(16, 16))(runs, tmp)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp / "pictures/c.png")
    return prepared


def _evaluated(run: Path, to: Path, n: int = 50) -> Path:
    scores = [Score("psnr", 20.0, "dB", "test", n, None, 0), Score("l1", 0.1, "of the range", "test", n, None, 0)]
    save(scores, _copy(run, to) / "evaluation.json")
    return to


def _compare(first: str, second: str, *, n: int = 50, out: str = "page.html") -> Mistake:
    def prepare(runs: Path, tmp: Path) -> list[object]:
        return [
            "compare",
            _evaluated(runs / first, tmp / "a"),
            _evaluated(runs / second, tmp / "b", n),
            "--out",
            tmp / out,
        ]

    return prepare


def _compare_on_other_data(runs: Path, tmp: Path) -> list[object]:
    prepared = _compare("vae", "autoencoder")(runs, tmp)
    environment = tmp / "b" / "environment.json"
    environment.write_text(json.dumps({**json.loads(environment.read_text()), "data_sha256": "0" * 64}))
    return prepared


def _compare_without_common_scores(runs: Path, tmp: Path) -> list[object]:
    prepared = _compare("vae", "gan")(runs, tmp)
    save([Score("precision", 0.5, "share", "test", 50, "digits:0", 0)], tmp / "b" / "evaluation.json")
    return prepared


def _compare_damaged_scores(runs: Path, tmp: Path) -> list[object]:
    prepared = _compare("vae", "gan")(runs, tmp)
    (tmp / "b" / "evaluation.json").write_text('{"scores": []')
    return prepared


def _train_without_labels(_: Path, tmp: Path) -> list[object]:
    (tmp / "photos").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (tmp / "photos" / name).write_bytes(_png(16, 16))
    return ["train", "cgan", "--data", tmp / "photos", "--out", tmp / "out"]


def _out_is_a_file(runs: Path, tmp: Path) -> list[object]:
    (tmp / "out").write_text("")
    return ["train", "vae", "--data", "digits", "--out", tmp / "out"]


def _features(*options: str) -> Mistake:
    def prepare(runs: Path, tmp: Path) -> list[object]:
        (tmp / "net.pt2").write_bytes(b"not loaded")
        return ["evaluate", runs / "gan", *(tmp / word if word == "net.pt2" else word for word in options)]

    return prepare


def _recipe(name: str, content: str | Path) -> Mistake:
    """Train from a recipe file with a content, or one that is a link."""

    def prepare(_: Path, tmp: Path) -> list[object]:
        if isinstance(content, Path):
            (tmp / name).symlink_to(content)
        else:
            (tmp / name).write_text(content)
        return ["train", tmp / name, "--out", tmp / "out"]

    return prepare


def _pipe(_: Path, tmp: Path) -> list[object]:
    os.mkfifo(tmp / "pipe.toml")
    return ["train", tmp / "pipe.toml"]


def _link_to_itself(_: Path, tmp: Path) -> list[object]:
    (tmp / "loop").symlink_to("loop")
    return ["sample", tmp / "loop"]


MISTAKES: dict[str, tuple[Mistake, str]] = {
    "no such verb": (lambda *_: ["smaple", "x"], "Did you mean 'sample'"),
    "no such option": (lambda *_: ["sample", "x", "--seeds", 3], "Did you mean '--seed'"),
    "an option like no other": (lambda *_: ["sample", "x", "--mu", 3], "Unknown option --mu. Options: "),
    "a word too many": (lambda *_: ["recipes", "vae"], "Unexpected word 'vae'"),
    "no such row, after an option": (lambda *_: ["bench", "ledger", "--seeds", 1, "gan-parze"], "'gan-parzen'"),
    "no such run, after an option": (lambda *_: ["compare", "no", "--out", "c.html", "nor"], "no run no."),
    "no such recipe": (lambda *_: ["train", "vae2d"], "Did you mean 'vae-2d'"),
    "no such key": (
        lambda *_: ["train", "vae", "--model.latnet", 3],
        "Unknown key '--model.latnet'. Did you mean '--model.latent'?",
    ),
    "key without its section": (lambda *_: ["train", "vae", "--batch", 3], "Did you mean --train.batch?"),
    "key without a value": (lambda *_: ["train", "vae", "--train.batch"], "--train.batch needs a value"),
    "unknown option without a value": (
        lambda *_: ["sample", "x", "--forse"],
        "Unknown option --forse. Did you mean '--force'",
    ),
    "unknown option of a training without a value": (
        lambda *_: ["train", "vae", "--resum"], "Unknown option --resum. Did you mean '--resume'"),
    "a key before the recipe": (lambda *_: ["train", "--train.batch", 0, "vae"], "train.batch must be greater than 0"),
    "unknown key without a value": (
        lambda *_: ["train", "vae", "--train.batc"], "Unknown option --train.batc. Did you mean '--train.batch'"),
    "a known option without a value": (lambda *_: ["sample", "x", "--n"], "--n needs a value. See: simulacra sample"),
    "an unknown option before the verb": (
        lambda *_: ["--debg", "sample"],
        "Unknown option --debg. Did you mean '--debug'",
    ),
    "nothing as a name": (
        lambda runs, _: ["sample", runs / "vae", "--out", ""],
        "--out is empty. Type . for the working",
    ),
    "a strength that is no number": (
        lambda runs, _: ["arithmetic", runs / "vae", "--plus", 1, "--minus", 2, "--strength", "nan"],
        "--strength must be a finite number, not nan"),
    "a name of 300 characters": (lambda runs, _: ["sample", runs / "vae", "--out", "x" * 300], "File name too long"),
    "a path of 5,000 characters": (lambda *_: ["train", "vae", "--data", "x/" * 2500], "File name too long"),
    "a run of 300 characters": (lambda *_: ["sample", "x" * 300], "RUN cannot be 'xxx"),
    "a data set's name that is not UTF-8": (
        lambda _, t: ["train", "vae", "--data", "d\udcff", "--out", t / "out"],
        "--data cannot be 'd\\udcff': the config of a run holds this name, and it is not valid UTF-8. Rename it",
    ),
    "a link to itself": (_link_to_itself, "Too many levels of symbolic links"),
    "a recipe that never ends": (_recipe("x.toml", Path("/dev/zero")), "x.toml is not a regular file"),
    "a recipe that is a pipe": (_pipe, "pipe.toml is not a regular file"),
    "a recipe of a folder's name": (lambda _, t: ["train", t.rename(t.with_suffix(".toml"))], "is not a regular file"),
    "a recipe of megabytes": (_recipe("x.toml", "#" * (1 << 21)), "at most 1,048,576 are read"),
    "a recipe about nothing": (_recipe("x.toml", "about = 5"), "about must be a table"),
    "a recipe of a list of families": (_recipe("x.toml", '[model]\nfamily = ["vae"]'), "model.family"),
    "a number of 5,000 digits": (_recipe("x.toml", f"seed = {'1' * 5000}"), "is not valid TOML"),
    "20,000 brackets": (_recipe("x.toml", "a = " + "[" * 20_000), "is not valid TOML"),
    "an option of 20,000 brackets": (
        lambda *_: ["train", "vae", "--model.latent", "[" * 20_000],
        "model.latent must be",
    ),
    "an option of 5,000 digits": (lambda *_: ["train", "vae", "--model.latent", "1" * 5000], "model.latent must be"),
    "more samples than fit": (lambda runs, _: ["sample", runs / "vae", "--n", 10**12], "Ask for fewer"),
    "a larger manifold than fits": (lambda runs, _: ["manifold", runs / "vae", "--side", 10**6], "Ask for fewer"),
    "more steps than fit": (lambda runs, _: ["interpolate", runs / "gan", "--steps", 10**12], "Ask for fewer"),
    "more steps of a fade than fit": (
        lambda runs, _: ["interpolate", runs / "gan", "--route", "fade", "--steps", 10**12], "Ask for fewer"),
    "a longer row than fits": (lambda runs, _: ["traverse", runs / "infogan", "--steps", 10**12], "Ask for fewer"),
    "a longer way than fits": (
        lambda runs, _: ["arithmetic", runs / "vae", "--plus", 1, "--minus", 2, "--steps", 10**12], "Ask for fewer"),
    "stray word": (lambda *_: ["train", "vae", "mnist"], "Unexpected word 'mnist'"),
    "value out of range": (lambda *_: ["train", "vae", "--model.latent", -1], "model.latent must be greater than 0"),
    "penalty beside batch normalisation": (
        lambda *_: ["train", "gan", "--model.discriminator.norm", "batch"],
        "a penalty needs the gradient at each image",
    ),
    "unbounded critic": (
        lambda *_: ["train", "wgan-gp", "--model.penalty.kind", "none"],
        "the Wasserstein distance needs a critic with a bounded gradient",
    ),
    "packs that do not fill the batch": (
        lambda *_: ["train", "gan", "--model.packing", 5],
        "train.batch must be a multiple of model.packing",
    ),
    "negative count": (lambda runs, _: ["sample", runs / "vae", "--n", 0], "must be at least 1"),
    "number that is none": (
        lambda runs, _: ["sample", runs / "vae", "--seed", "x"],
        "--seed must be a whole number, not 'x'",
    ),
    "no such code": (lambda runs, _: ["sample", runs / "infogan", "--code", "digti=3"], "Did you mean 'digit'? Codes:"),
    "no such category": (lambda runs, _: ["sample", runs / "infogan", "--code", "digit=10"], "number from 0 to 9)"),
    "a code too far": (lambda runs, _: ["sample", runs / "infogan", "--code", "c1=-2.5"], "from -2 to 2"),
    "a code without a value": (lambda runs, _: ["sample", runs / "infogan", "--code", "digit"], "is not NAME=VALUE"),
    "codes for a gan": (lambda runs, _: ["sample", runs / "gan", "--code", "digit=3"], "needs a named code; gan has"),
    "no such class": (lambda runs, _: ["sample", runs / "cvae", "--label", "10"], "label (a whole number from 0 to 9)"),
    "a label for a gan": (lambda runs, _: ["sample", runs / "gan", "--label", "3"], "Families with one: cgan, cvae."),
    "no labels": (_train_without_labels, "needs labels, and photos has none"),
    "no such data": (lambda _, t: ["train", "vae", "--data", "mnits", "--out", t / "out"], "Did you mean 'mnist'"),
    "empty folder": (_empty_folder, "holds no images"),
    "broken zip": (_broken_zip, "nor a zip that can be read"),
    "text named png": (_train_on("notes.png", b"dear diary"), "notes.png is not an image file"),
    "truncated image": (_train_on("half.png", _png(64, 64)[:60]), "half.png is damaged"),
    "40 megapixels": (_train_on("huge.png", _png(8000, 5000)), "huge.png has 40.0 megapixels"),
    "mixed channels": (_mixed_channels, "--data.channels 3 or --data.channels 1"),
    "too small for the network": (
        _train_on("b.png", _png(16, 16), "--data.size", 8, "--model.network.widths", "4,4,4,4"),
        "at most 3 layers of stride 2",
    ),
    "a hidden layer that is none": (
        lambda _, t: ["train", "vaegan", "--data", "digits", "--model.layer", 9, "--out", t / "out"],
        "no hidden layer 9: this network has 3. Choose --model.layer from 1 to 3",
    ),
    "one image": (lambda _, t: ["train", "vae", "--data", _one(t), "--out", t / "out"], "at least 2 are needed"),
    "run folder that exists": (lambda runs, _: ["train", "vae", "--data", "digits", "--out", runs / "vae"], "--resume"),
    "out is a file": (_out_is_a_file, "out is not a folder. Name a folder with --out."),
    "unwritable out": (lambda *_: ["train", "vae", "--data", "digits", "--out", "/proc/out"], "/proc"),
    "truncated checkpoint": (_truncated_checkpoint, "is damaged or truncated"),
    "checkpoint with code": (_checkpoint_with_code, "Nothing in it was executed"),
    "pickle as a model": (_pickle_as_model, "damaged, or not a file of weights"),
    "weights of another size": (_weights_of_another_size, "do not fit the config"),
    "no run": (lambda _, t: ["sample", t / "nothing"], "There is no run"),
    "folder without a run": (lambda _, t: ["sample", t], "is not a run folder"),
    "verb without its primitive": (lambda runs, _: ["reconstruct", runs / "gan"], "gan has none. Families with one:"),
    "manifold of many latents": (lambda runs, _: ["manifold", runs / "gan"], "this one has 100"),
    "picture without a format": (lambda runs, t: ["manifold", runs / "vae", "--out", t / "x.txt"], "must end in .png"),
    "latents without a format": (lambda runs, t: ["encode", runs / "vae", "digits", "--out", t / "x.csv"], ".npz"),
    "a run as data": (lambda runs, t: ["train", "vae", "--data", runs / "vae", "--out", t / "out"], "is a run, not"),
    "a folder of runs": (lambda runs, _: ["sample", runs], "Choose one: autoencoder, cgan, cvae, gan, infogan, vae"),
    "text as a model": (lambda *_: ["sample", Path(__file__)], "neither a run folder nor a .safetensors"),
    "no such features": (lambda runs, _: ["evaluate", runs / "gan", "--features", "pixel"], "Did you mean 'pixels'"),
    "features of no file of torch": (
        lambda runs, _: ["evaluate", runs / "gan", "--features", "no.pt"], "no.pt: there is no such file"),
    "features of no file": (lambda runs, _: ["evaluate", runs / "gan", "--features", "no.pt2"], "cannot be read"),
    "features nobody vouches for": (_features("--features", "net.pt2"), "--features-sha256 HEX"),
    "features of another file": (
        _features("--features", "net.pt2", "--features-sha256", "0" * 64), "It was not loaded."),
    "sha256 of no file": (_features("--features-sha256", "0" * 64), "needs the file that it belongs to"),
    "features without samples": (
        lambda runs, _: ["evaluate", runs / "autoencoder", "--features", "pixels"],
        "needs a prior; autoencoder has none",
    ),
    "a route without a model": (
        lambda _, t: ["interpolate", "--from", _one(t) / "a.png", "--to", t / "one" / "a.png"], "--route fade, flow,"),
    "no images on the way": (lambda *_: ["interpolate", "--route", "fade"], "needs two images: --from IMG --to IMG"),
    "masks of other names": (
        lambda runs, t: ["inpaint", runs / "vae", _two(t), "--mask", _two(t / "masks", "b")], "no mask of this name"),
    "nothing to add by": (lambda _, t: ["augment", "digits", "--out", t / "more"], "--classical affine, --run RUN, or"),
    "nowhere to add": (lambda *_: ["augment", "digits", "--classical", "flip"], "needs --out DIR, or --preview"),
    "a change that is none": (
        lambda _, t: ["augment", "digits", "--classical", "flipp", "--out", t / "more"], "Did you mean 'flip'"),
    "samples of no class": (
        lambda runs, t: ["augment", "digits", "--run", runs / "gan", "--out", t / "more"], "gan is neither. Families:"),
    "more labels for the generator": (
        lambda runs, _: ["evaluate", runs / "cvae", "--downstream", "--labels", 10], "--data.per_class 10"),
    "labels without downstream": (
        lambda runs, _: ["evaluate", runs / "cvae", "--labels", 3], "--labels needs --downstream. Add it"),
    "repeats without downstream": (
        lambda runs, _: ["evaluate", runs / "cvae", "--repeats", 5], "leave --repeats out."),
    "a rival without downstream": (
        lambda runs, _: ["evaluate", runs / "cvae", "--classical", "affine"], "--classical needs --downstream."),
    "one end of a path": (lambda runs, _: ["interpolate", runs / "vae", "--from", "a.png"], "or neither"),
    "arithmetic with no class": (
        lambda runs, t: ["arithmetic", runs / "vae", "--plus", "12", "--minus", "3"], "class cannot be '12'. Did you"),
    "arithmetic with half a difference": (lambda runs, t: ["arithmetic", runs / "vae", "--plus", "1"], "--minus"),
    "no prior to sample from": (lambda runs, _: ["sample", runs / "autoencoder"], "simulacra fit-prior RUN"),
    "prior that was not fitted": (lambda runs, _: ["sample", runs / "vae", "--prior", "fitted"], "There is no prior"),
    "prior of no kind": (
        lambda runs, _: ["sample", runs / "vae", "--prior", "best"],
        "must be model, fitted or a .safetensors file, not 'best'",
    ),
    "truncation of nothing": (lambda runs, _: ["sample", runs / "gan", "--truncation", 0], "must be a positive number"),
    "a prior without codes": (lambda runs, _: ["fit-prior", runs / "gan"], "fit-prior needs an encoder; gan has none"),
    "a prior beside named codes": (lambda runs, _: ["fit-prior", runs / "cvae"], "latents without named codes; cvae"),
    "an unknown prior": (
        lambda runs, _: ["fit-prior", runs / "vae", "--prior", "gnm"],
        "--prior cannot be 'gnm'. Choose one of 'normal'",
    ),
    "more components than images": (lambda runs, _: ["fit-prior", runs / "vae", "--components", 9999], "there are 15"),
    "a prior named otherwise": (lambda runs, _: ["fit-prior", runs / "vae", "--out", "p.npz"], ".safetensors, not"),
    "nothing to invert": (lambda runs, t: ["invert", runs / "gan", t / "none"], "none"),
    "no such device": (lambda _, t: ["train", "vae", "--data", "digits", "--out", t / "out", "--train.device", "tpu9"],
                       "train.device: 'tpu9'"),
    "one run to compare": (lambda runs, _: ["compare", runs / "vae"], "needs at least two runs"),
    "a run compared with itself": (lambda runs, _: ["compare", runs / "vae", f"{runs}/./vae"], "the same run twice"),
    "a run that was not evaluated": (
        lambda runs, _: ["compare", runs / "vae", runs / "gan"], "has not been evaluated. Type: simulacra evaluate"),
    "no run to compare": (lambda runs, t: ["compare", t / "nothing", runs / "vae"], "There is no run"),
    "scores of other counts": (_compare("vae", "autoencoder", n=40), "is true of 1 other score. Type: simulacra"),
    "scores of other images": (_compare_on_other_data, "its images, or their division into training and test"),
    "scores of other kinds": (_compare_without_common_scores, "no score in common"),
    "damaged scores": (_compare_damaged_scores, "is not a file of scores"),
    "a page without a format": (_compare("vae", "autoencoder", out="page.png"), "ending in .html"),
    "unknown player": (lambda _, t: ["train", "vae", "--data", "digits", "--out", t / "out",
                                     "--train.players.critic.rate", 1], "Players: model"),
}  # fmt: skip


def _one(folder: Path) -> Path:
    (folder / "one").mkdir()
    (folder / "one" / "a.png").write_bytes(_png(16, 16))
    return folder / "one"


def _two(folder: Path, prefix: str = "a") -> Path:
    (folder / "two").mkdir(parents=True)
    for index in range(2):
        (folder / "two" / f"{prefix}{index}.png").write_bytes(_png(16, 16))
    return folder / "two"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_clear_line_and_status_2(
    name: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, expected = MISTAKES[name]
    arguments = prepare(runs, tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in [*runs.rglob("*"), *tmp_path.rglob("*")]}
    assert call(*arguments) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.startswith("simulacra: ")
    assert said.err.count("\n") == 1, "more than one line"
    after = {path: path.lstat().st_mtime_ns for path in [*runs.rglob("*"), *tmp_path.rglob("*")]}
    assert after == before, "something was written"


@pytest.mark.parametrize(
    ("gpu", "metal", "advice"),
    [
        (False, False, "Use auto or cpu."),
        (True, False, "Use auto, cpu or cuda."),
        (False, True, "Use auto, cpu or mps."),
    ],
)
def test_devices_that_are_not_there_are_not_advised(
    gpu: bool, metal: bool, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: metal)
    with pytest.raises(ConfigError, match=f"train.device: 'tpu9' is not available on this machine. {advice}"):
        machine.device("tpu9")


def test_training_that_diverges_ends_with_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--train.optimizer.kind",
        "sgd",
        "--train.optimizer.rate",
        "1e30",
        "--train.images",
        2000,
        "--data.size",
        8,
    ]
    status = call("train", "autoencoder", "--data", "digits", "--out", tmp_path / "out", *options)
    assert status == 3
    assert "last good checkpoint" in capsys.readouterr().err
    assert call("reconstruct", tmp_path / "out") == 0


def test_metrics_are_json_lines(runs: Path) -> None:
    for line in (runs / "gan" / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert 0 <= row["discriminator/accuracy"] <= 1


@pytest.mark.parametrize(("recipe", "verb"), [("quickstart", "sample"), ("autoencoder", "reconstruct")])
def test_what_is_suggested_after_a_training_works(
    recipe: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", "digits", "--train.images", 256, "--train.samples", 4, "--out", tmp_path / "run"]
    assert call("train", recipe, *options) == 0
    suggested = capsys.readouterr().out.splitlines()[-1].partition("simulacra ")[2].split()
    assert suggested[0] == verb
    assert call(*suggested) == 0


def test_words_and_options_may_stand_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["ledger", "--list", "vae-k1", "iwae-k5"], ["--list", "ledger", "vae-k1", "iwae-k5"]):
        assert call("bench", *words) == 0
        out = capsys.readouterr().out
        assert "vae-k1" in out
        assert "iwae-k5" in out
        assert "gan-parzen" not in out


def test_too_few_images_are_refused_before_a_classifier_is_trained(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("simulacra.features.extractor", lambda *_, **__: pytest.fail("features were prepared"))
    assert call("evaluate", runs / "gan", "--n", 5) == 2
    assert "at least 10 images" in capsys.readouterr().err


def test_progress_fits_a_line_and_ends_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """InfoGAN has a dozen terms: the losses of the players are shown instead, which are their sums."""
    players = {"generator": {"kind": "mlp", "hidden": [16]}, "discriminator": {"kind": "mlp", "hidden": [16]}}
    train = {**SHORT["train"], "images": 100, "log": 32}  # type: ignore[dict-item]
    changes = {"data": SHORT["data"], "model": players, "train": train}
    session = Session.start("infogan", out=tmp_path / "a", changes=changes)
    follow_with_lines(session)
    line = capsys.readouterr().out.splitlines()[-1]
    assert "100 of 100 images" in line
    assert len(line) < 170
    last = Run.open(tmp_path / "a").history()[-1]
    loss = sum(v for name, v in last.items() if name.startswith("generator/"))
    assert f"generator loss {loss:.4g}" in line
    assert f"discriminator/accuracy {last['discriminator/accuracy']:.4g}" in line
