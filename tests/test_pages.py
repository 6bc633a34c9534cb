"""The pages about an evaluation and about several runs: the right numbers, nothing from outside, nothing unescaped."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import cli, images
from simulacra.data import Images, Pairs, Unpaired
from simulacra.evaluation import compare
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score, load, save
from simulacra.metrics.meanings import MEANINGS, by_group, meaning, without_floors
from simulacra.metrics.neighbours import nearest, nearest_few
from simulacra.pages import charts, comparison, evaluation, layout
from simulacra.runs.run import Run
from simulacra.training.session import Session
from tests.conftest import SHORT

SMALL = {"network": {"kind": "mlp", "hidden": [16]}, "latent": 4}
QUICK = {"images": 128, "batch": 32, "log": 32, "sheet": 64, "score": 64, "ema": 100, "precision": "float32"}
HOSTILE = "<script>alert(1)<!--"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with short runs on the digits, evaluated on 40 images: vae, other (a VAE), gan, autoencoder."""
    folder = tmp_path_factory.mktemp("runs")
    common = {"data": SHORT["data"], "train": QUICK}
    Session.start("quickstart", out=folder / "vae", changes={**SHORT, "train": QUICK}).run()
    Session.start("vae", out=folder / "other", changes={**common, "model": SMALL}).run()
    Session.start("gan-mlp", out=folder / "gan", changes=common).run()
    Session.start("autoencoder", out=folder / "autoencoder", changes={**common, "model": SMALL}).run()
    for run in sorted(folder.iterdir()):
        assert cli.main(["evaluate", str(run), "--n", "40"]) == 0
    return folder


@pytest.fixture(scope="module")
def measured(runs: Path) -> Evidence:
    return Evidence(Run.open(runs / "vae"), n=60)


def copied(run: Path, to: Path) -> Path:
    return Path(shutil.copytree(run, to))


def rescored(run: Path, **changes: object) -> Path:
    """Pretend that a run was measured otherwise."""
    scores = load(run / "evaluation.json")
    save([replace(score, **changes) for score in scores], run / "evaluation.json")  # type: ignore[arg-type]
    return run


def is_self_contained(page: str) -> bool:
    addresses = re.findall(r"""(?:src|href)=["']?([^"'\s>]+)|url\(([^)]+)\)|@import""", page)
    return "http://" not in page and "https://" not in page and all(a.startswith("data:") for a, _ in addresses)


# --------------------------------------------------------------------------------------------- one evaluation


@pytest.mark.parametrize("family", ["vae", "gan", "autoencoder"])
def test_every_score_is_on_the_page_with_what_it_says(family: str, runs: Path) -> None:
    page = html.unescape((runs / family / "evaluation.html").read_text())
    for score in load(runs / family / "evaluation.json"):
        assert f"{score.value:.4g}" in page, score
        if not score.metric.endswith("_floor"):
            row = re.search(rf"<tr><td>{score.metric}<small>(.*?)</small></td><td class=\"number\">([^<]+)", page)
            assert row, score
            assert row.groups() == (MEANINGS[score.metric].sentence, f"{score.value:.4g}")
    assert is_self_contained(page)
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("ending", ["", "_to_a"])
def test_scores_of_copies_have_no_direction(ending: str) -> None:
    assert meaning(f"l1{ending}").better == "lower"
    copied = meaning(f"l1_of_copying{ending}")
    assert copied.better is None
    assert copied.sentence.startswith("For comparison, the unchanged input: Mean absolute error")


def test_every_metric_is_declared_with_its_unit(runs: Path) -> None:
    for path in sorted(runs.glob("*/evaluation.json")):
        for score in load(path):
            assert MEANINGS[score.metric].unit == score.unit


def test_a_floor_stands_beside_its_distance(runs: Path) -> None:
    page = (runs / "gan" / "evaluation.html").read_text()
    floor = next(s for s in load(runs / "gan" / "evaluation.json") if s.metric == "frechet_distance_floor")
    assert re.search(rf"<td>frechet_distance<small>.*?</td><td[^>]*>[^<]+<small>floor {floor.value:.4g}</small>", page)
    assert "<td>frechet_distance_floor" not in page
    assert without_floors(["a", "a_floor", "b_floor"]) == ["a", "b_floor"]


def test_groups_hold_every_metric_once_and_unknown_ones_last() -> None:
    groups = by_group(["psnr", "brand_new", "elbo", "l1"])
    assert groups == {meaning("elbo").group: ["elbo"], meaning("l1").group: ["l1", "psnr"], "Other": ["brand_new"]}


def test_the_page_shows_what_the_family_can_do(runs: Path) -> None:
    heads = {
        family: set(re.findall("<h2>(.*?)</h2>", (runs / family / "evaluation.html").read_text()))
        for family in ("vae", "gan", "autoencoder")
    }
    assert heads["vae"] == heads["gan"] | heads["autoencoder"]
    assert "Samples least like any test image" in heads["gan"] - heads["autoencoder"]
    assert {"Worst reconstructions", "Map of the latents"} <= heads["autoencoder"] - heads["gan"]


def test_out_names_the_page_too(runs: Path, tmp_path: Path) -> None:
    assert cli.main(["evaluate", str(runs / "autoencoder"), "--n", "20", "--out", str(tmp_path / "scores.json")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.html", "scores.json"]


def test_copies_are_shown_beside_what_they_copy(runs: Path) -> None:
    found = Evidence(Run.open(runs / "gan"), n=40)
    train = images.from_bytes(found.run.splits.train.images)
    found.__dict__.update(samples=train[100:140], fake=found.extractor.features(train[100:140]))
    page = evaluation._nearest_training_images(found)
    columns = page.split("<figure>")[1:]
    assert len(columns) == evaluation.FEW
    for column in columns:
        sample, first, *others = re.findall('src="(.*?)"', column)
        assert sample == first not in others
        distances = [float(text) for text in re.findall("<figcaption>([^<]+)</figcaption>", column)]
        assert distances[0] == 0 < distances[1] <= distances[2]


def test_the_worst_reconstructions_are_the_worst(measured: Evidence) -> None:
    returned = measured.run.reconstruct(measured.x)
    errors = ((returned - measured.x) / 2).square().flatten(1).mean(1)
    assert torch.allclose(measured.reconstruction_errors, errors)
    shown = re.findall("<figcaption>([^<]+)</figcaption>", evaluation._worst_reconstructions(measured))
    assert shown == [f"{value:.3g}" for value in sorted(errors.tolist(), reverse=True)[: evaluation.FEW]]


def test_the_samples_farthest_from_the_test_images_are_shown(measured: Evidence) -> None:
    distance = nearest(measured.fake, measured.real)[0]
    shown = re.findall("<figcaption>([^<]+)</figcaption>", evaluation._farthest_samples(measured))
    assert shown == [f"{value:.3g}" for value in sorted(distance.tolist(), reverse=True)[: evaluation.FEW]]


def test_nearest_few_agrees_with_all_distances() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, references = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (7, 40))
    queries[2] = references[5]
    expected = torch.linalg.vector_norm(queries[:, None] - references, dim=2).sort(1)
    distance, index = nearest_few(queries, references, 3)
    assert torch.allclose(distance, expected.values[:, :3], atol=1e-12)
    assert torch.equal(index, expected.indices[:, :3])
    assert (distance[2, 0], index[2, 0]) == (0, 5)
    assert nearest_few(queries, references[:2], 3)[0].shape == (7, 2)
    assert torch.equal(nearest_few(queries, references, 1)[1][:, 0], nearest(queries, references)[1])


def test_principal_components_say_what_they_leave_out() -> None:
    line = torch.linspace(-1, 1, 50)[:, None] * torch.tensor([[1.0, 2.0, 2.0]])
    points, note = evaluation._principal(line)
    assert "3 latents, with 100%" in note
    assert torch.allclose(points[:, 0].abs(), 3 * torch.linspace(-1, 1, 50).abs().double(), atol=1e-6)
    even = torch.cat([torch.eye(4), -torch.eye(4)])
    assert "4 latents, with 50%" in evaluation._principal(even)[1]


def photos(folder: Path, classes: tuple[str, ...]) -> Path:
    generator = np.random.default_rng(0)
    for index in range(60):
        place = folder / classes[index % len(classes)] if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(place / f"{index}.png")
    return folder


@pytest.mark.parametrize(("classes", "latent"), [((), 3), ((), 1), ((HOSTILE.replace("/", ""), "<b>cats</b>"[:6]), 2)])
def test_few_colour_images_with_and_without_classes(classes: tuple[str, ...], latent: int, tmp_path: Path) -> None:
    changes = {
        "data": {"name": str(photos(tmp_path / "photos", classes)), "size": 8, "channels": 3, "test": 0.3},
        "model": {**SMALL, "latent": latent},
        "train": QUICK,
    }
    Session.start("vae", out=tmp_path / "run", changes=changes).run()
    assert cli.main(["evaluate", str(tmp_path / "run"), "--n", "10"]) == 0
    page = (tmp_path / "run" / "evaluation.html").read_text()
    assert is_self_contained(page)
    assert ("Map of the latents" in page) == (latent > 1)
    assert ("The data has no classes" in page) == (latent > 1 and not classes)
    assert ('class="legend"' in page) == bool(classes)
    assert "Classes of the samples" not in page, "there is no classifier of these"
    assert HOSTILE not in page
    assert (html.escape(HOSTILE) in page) == bool(classes)


# ------------------------------------------------------------------------------------------------- the charts


def test_the_map_keeps_both_axes_on_one_scale() -> None:
    points = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    drawn = charts.scatter(points, torch.tensor([0, 0, 1]), ["low", "high"])
    low, high = (
        [tuple(map(int, xy)) for xy in re.findall(r"M(-?\d+) (-?\d+)h0", path)] for path in drawn.split("<path")[1:]
    )
    (x0, y0), (x1, y1), (x2, y2) = low[0], low[1], high[0]
    assert (y0, x0) == (y1, x2)
    assert x1 - x0 == 2 * (y0 - y2) > 0, "y points upwards"
    assert re.findall(r"<li[^>]*>(.*?)</li>", drawn) == ["low", "high"]


def test_the_map_names_the_frequent_classes_and_lumps_the_others() -> None:
    labels = torch.arange(12).repeat_interleave(torch.arange(12) + 1)
    drawn = charts.scatter(torch.randn(len(labels), 2), labels, [f"class {k}" for k in range(12)])
    assert re.findall(r"<li[^>]*>(.*?)</li>", drawn) == [*(f"class {k}" for k in range(3, 12)), "other"]
    assert drawn.count("h0") == len(labels)


def test_equal_points_are_drawn_too() -> None:
    assert "nan" not in charts.scatter(torch.zeros(5, 2), None, ())


def test_bars_are_as_long_as_their_shares() -> None:
    drawn = charts.bars([0.5, 0.25, 0.25, 0.0], [0.25] * 4, ["a", "b", "c<"])
    widths = [float(width) for width in re.findall(r'<rect[^>]*width="([\d.]+)"', drawn)]
    assert widths == [charts.BAR, charts.BAR / 2, charts.BAR / 2, 0]
    assert "50.0%" in drawn
    assert "even: 25.0%" in drawn
    assert ">c&lt;<" in drawn
    assert ">3<" in drawn, "a class without a name has its number"


SIGHT = {  # A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), severity 1
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0520)),
    "deuteranopia": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    "tritanopia": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_ten_colours_can_be_told_apart(mode: str, sight: str) -> None:
    style = (resources.files("simulacra") / "pages" / "style.css").read_text()
    block = style.split("@media")[mode == "dark"]
    colours = [bytes.fromhex(re.search(rf"--{n}: #(\w{{6}})", block)[1]) for n in (f"c{k}" for k in range(10))]  # type: ignore[index]
    unit = np.array([list(colour) for colour in colours]) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.array(SIGHT[sight]).T).clip(0, 1)
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    f = np.cbrt(seen @ to_xyz.T / to_xyz.sum(1))
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) > 22


# ------------------------------------------------------------------------------------------------ several runs


def compared(*paths: Path) -> compare.Comparison:
    return compare.compare(list(paths))


def rows_of(found: compare.Comparison) -> dict[str, compare.Row]:
    return {row.metric: row for rows in found.groups.values() for row in rows}


def test_the_table_has_every_score_and_marks_the_best(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [runs / "vae", runs / "gan", runs / "other"]
    assert cli.main(["compare", *map(str, paths), "--out", str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    page = (tmp_path / "page.html").read_text()
    assert is_self_contained(page)
    values = [{score.metric: score for score in load(path / "evaluation.json")} for path in paths]
    for metric in values[0]:
        line = next(line for line in said.out.splitlines() if line.split()[0] == metric)
        for of in values:
            assert (f"{of[metric].value:.4g}" if metric in of else " -") in line
        if metric.endswith("_floor"):
            continue
        cells = re.search(rf"<td>{metric}<small>.*?</tr>", page)[0]  # type: ignore[index]
        assert [f"{of[metric].value:.4g}" if metric in of else "–" for of in values] == re.findall(
            r'<td class="number[^>]*>([^<]+)', cells
        )
    psnr = [values[0]["psnr"].value, values[2]["psnr"].value]
    assert rows_of(compared(*paths))["psnr"].best == {0 if psnr[0] > psnr[1] else 2}


SCORE = Score("psnr", 3.0, "dB", "test", 40, None, 0)


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("psnr", (1.0, 2.0, None), {1}), ("l1", (1.0, 2.0, 3.0), {0}), ("l1", (1.0, 2.0, 1.0), {0, 2}),
        ("kl", (1.0, 2.0, 3.0), set()), ("psnr", (None, 2.0, None), set()), ("unheard_of", (1.0, 2.0, 3.0), set()),
    ],
)  # fmt: skip
def test_the_best_depends_on_which_way_is_better(metric: str, values: tuple[float | None, ...], best: set[int]) -> None:
    scores = tuple(None if value is None else replace(SCORE, metric=metric, value=value) for value in values)
    assert compare.Row(metric, scores).best == best
    assert compare.Row(metric, scores, refused="for a reason").best == set()


def test_runs_are_described_by_what_they_logged(runs: Path) -> None:
    facts = compared(runs / "vae", runs / "gan").entries[1].facts()
    last = Run.open(runs / "gan").history()[-1]
    assert facts["images seen"] == f"{last['images']:,}" == "128"
    assert facts["images/s"] == f"{128 / last['seconds']:,.0f}"
    assert (facts["family"], facts["recipe"], facts["data"]) == ("gan", "gan-mlp", "digits, 1 x 8 x 8")


def test_curves_hold_the_points_of_both_runs(runs: Path, tmp_path: Path) -> None:
    page = comparison.write(compared(runs / "vae", runs / "other"), tmp_path / "page.html").read_text()
    curves = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])  # type: ignore[index]
    of = {curve["name"]: curve["series"] for curve in curves}
    assert set(of) >= {"model/nll", "model/kl", "test/negative_elbo"}
    for series, name in zip(of["model/kl"], ("vae", "other"), strict=True):
        rows = [row for row in Run.open(runs / name).history() if "model/kl" in row]
        assert series["points"] == [[row["images"], row["seconds"], row["model/kl"]] for row in rows]
    assert [series["color"] for series in of["model/kl"]] == [0, 1]


def test_long_curves_are_thinned_but_keep_their_end() -> None:
    rows = [{"images": i, "seconds": i / 10, "a/b": float(i)} for i in range(1, 5000)]
    (series,) = layout._series({"run": rows}, "a/b")
    assert len(series["points"]) <= 1.5 * layout.MAX_POINTS
    assert series["points"][0] == [1, 0.1, 1.0]
    assert series["points"][-1] == [4999, 499.9, 4999.0]


def test_likelihoods_of_different_densities_are_refused_by_the_row(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"data": SHORT["data"], "train": QUICK, "model": {**SMALL, "likelihood": "gaussian"}}
    Session.start("vae", out=tmp_path / "gaussian", changes=changes).run()
    assert cli.main(["evaluate", str(tmp_path / "gaussian"), "--n", "40"]) == 0
    capsys.readouterr()
    paths = [str(runs / "other"), str(tmp_path / "gaussian")]
    assert cli.main(["compare", *paths, "--out", str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr()
    reason = "bernoulli and gaussian likelihoods measure different densities"
    assert reason in said.err
    assert "elbo, reconstruction_nll, nll, bits_per_dimension not compared" in said.err
    page = (tmp_path / "page.html").read_text()
    rows = rows_of(compared(*map(Path, paths)))
    for metric in compare.DENSITIES:
        assert rows[metric].best == set()
        assert re.search(
            rf"<td>{metric}<small>[^<]*</small></td><td class=\"refused\"[^>]*>not compared: {reason}<", page
        )
        for score in rows[metric].scores:
            assert score is not None
            assert f">{score.value:.4g}<" not in page
    assert rows["kl"].best == set()
    assert not rows["psnr"].refused
    assert '"model/nll"' not in page
    assert '"model/kl"' in page


def test_a_single_file_is_compared_by_the_scores_beside_it(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    shutil.copy(runs / "vae" / "model.safetensors", file)
    with pytest.raises(compare.RunError, match=r"--out .*mine\.json"):
        compared(file, runs / "gan")
    shutil.copy(runs / "vae" / "evaluation.json", tmp_path / "mine.json")
    entry = compared(file, runs / "gan").entries[0]
    assert entry.digest == compared(runs / "vae", runs / "gan").entries[0].digest
    assert entry.facts()["images seen"] == ""
    inside = compared(runs / "vae" / "model.safetensors", runs / "gan").entries[0]
    assert (inside.name, inside.facts()["images seen"]) == ("vae", "128")


def test_names_of_runs_are_escaped_everywhere(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = copied(runs / "vae", tmp_path / HOSTILE)
    assert cli.main(["evaluate", str(hostile), "--n", "40"]) == 0
    markup = copied(runs / "other", tmp_path / "[bold]x & y")
    assert cli.main(["compare", str(hostile), str(markup), "--out", str(tmp_path / "page.html")]) == 0
    assert "[bold]x & y" in capsys.readouterr().out
    for page in ((tmp_path / "page.html").read_text(), (hostile / "evaluation.html").read_text()):
        assert "<script>alert" not in page
        assert html.escape(HOSTILE) in page
        assert "<!--" not in page.removeprefix("<!doctype html>")


def test_equal_names_are_told_apart_by_their_paths(runs: Path, tmp_path: Path) -> None:
    twin = copied(runs / "vae", tmp_path / "vae")
    assert [entry.name for entry in compared(runs / "vae", twin).entries] == [str(runs / "vae"), str(twin)]


def test_reconstructions_are_left_out_where_the_images_are_gone(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compared(runs / "vae", runs / "other")

    def gone(*_: object) -> None:
        raise comparison.DataError("digits is not on this machine.")

    monkeypatch.setattr("simulacra.data.load", gone)
    page = comparison.write(found, tmp_path / "page.html").read_text()
    assert "Not shown, because the test images cannot be read: digits is not on this machine." in page


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n": 30}, "on 40 and on 30 images"),
        ({"split": "validation"}, "different splits"),
        ({"features": "mine:123"}, "different features"),
    ],
)
def test_what_was_measured_otherwise_is_refused_with_what_to_type(
    changes: dict[str, object], reason: str, runs: Path, tmp_path: Path
) -> None:
    other = rescored(copied(runs / "gan", tmp_path / "gan"), **changes)
    with pytest.raises(compare.ConfigError, match=reason) as caught:
        compared(runs / "vae", other)
    again = runs / "vae" if "n" in changes else other
    assert f"simulacra evaluate {again}" + (" --n 30" if "n" in changes else "") in str(caught.value)
    assert "other scores." in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"name": "shapes", "size": 8, "channels": 1}}, "one was trained on digits, the other on shapes"),
        ({"data": {"name": "digits", "size": 10}}, "1 x 8 x 8, those of the other 1 x 10 x 10"),
        ({"data": {**SHORT["data"], "augment": ["binarize"]}}, "binarised"),
        ({"data": {**SHORT["data"], "validation": 0.1}}, "division into training and test images"),
    ],
)  # fmt: skip
def test_other_images_are_refused(changes: dict[str, object], reason: str, runs: Path, tmp_path: Path) -> None:
    Session.start("vae", out=tmp_path / "run", changes={"train": QUICK, "model": SMALL, **changes}).run()
    shutil.copy(runs / "other" / "evaluation.json", tmp_path / "run")
    with pytest.raises(compare.ConfigError, match=reason):
        compared(runs / "other", tmp_path / "run")


@pytest.mark.parametrize(
    ("batch", "reason", "advice"),
    [
        (
            Unpaired,
            "one was trained on pairs, the other on two unpaired domains",
            "translators with translators of the same",
        ),
        (Images, "one was trained on pairs, the other on images of one domain", "generators with generators"),
        (Pairs, "both were trained on shapes, but its images", "--data.test, --data.validation"),
    ],
)
def test_the_advice_about_other_images_can_be_followed(batch: type[Images], reason: str, advice: str) -> None:
    """Pairs of `shapes` are other images than unpaired ones: no option makes them equal."""

    def entry(batch: type[Images], digest: str) -> compare.Entry:
        model = SimpleNamespace(batch=batch)
        settings = SimpleNamespace(data=SimpleNamespace(name="shapes", binarised=False))
        run = SimpleNamespace(model=model, config=settings, shape=images.Shape(3, 32), path=Path("run"))
        return compare.Entry("run", run, {}, [], {"data_sha256": digest})  # type: ignore[arg-type]

    found = compare._other_images(entry(Pairs, "a"), entry(batch, "b"))
    assert found is not None
    assert reason in found[0]
    assert advice in found[1]
    assert compare._other_images(entry(Pairs, "a"), entry(batch, "a")) is None, "equal images compare"


def test_a_page_is_overwritten_only_with_force(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "mine.html"
    page.write_text("mine")
    command = ["compare", str(runs / "vae"), str(runs / "gan"), "--out", str(page)]
    assert cli.main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert cli.main([*command, "--force"]) == 0
    assert is_self_contained(page.read_text())
    assert cli.main(command[:3]) == cli.main(command[:3]) == 0, "compare.html is nobody's own name"
