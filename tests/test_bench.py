"""The ledger: rows that are whole, results that are kept, measures against values that are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn

from simulacra import Run, cli, config
from simulacra.bench import measures, rows
from simulacra.bench.ledger import Ledger
from simulacra.bench.mixtures import MIXTURES
from simulacra.bench.rows import Row
from simulacra.cli import bench
from simulacra.distributions import LIKELIHOODS
from simulacra.errors import ConfigError, RunError
from simulacra.images import Shape, from_bytes
from simulacra.models.vae import VAE
from simulacra.training.session import Session
from tests.conftest import SHORT


@pytest.mark.parametrize("row", rows.rows().values(), ids=lambda row: row.name)
def test_every_row_can_be_trained_and_measured(row: Row) -> None:
    values = row.config(seed=3)
    assert values.seed == 3
    assert row.measure in measures.MEASURES or row.measure in MIXTURES
    assert row.title
    assert row.protocol
    assert row.published is None or row.source.count("http") or "docs/" in row.source


def test_the_digest_is_of_what_is_set() -> None:
    row = rows.rows()["vae-k1"]
    longer = row.model_copy(update={"values": config.merge(row.values, {"train": {"images": 7}})})
    assert row.digest(0) != row.digest(1)
    assert row.digest(0) != longer.digest(0)
    same = row.model_copy(update={"values": config.merge(row.values, {"train": {"retries": 2}})})
    assert row.digest(0) == same.digest(0), "a default that is written out changes nothing"


@pytest.fixture
def short() -> Row:
    """A row that takes a second."""
    return Row(
        name="short", title="a short training", published=1.5, unit="nats", better="lower", source="nowhere",
        protocol="none", measure="elbo", recipe="quickstart", values=SHORT,
    )  # fmt: skip


def test_results_are_kept_and_measured_once(short: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.bench.ledger.rows", lambda: {"short": short})
    said: list[str] = []
    ledger = Ledger(tmp_path / "page.md", tmp_path / "runs")
    ledger.fill(short, 2, said.append)
    page = (tmp_path / "page.md").read_text()
    values = [result.value for result in ledger.results]
    assert len(set(values)) == 2, "two seeds give two values"
    assert f"{sum(values) / 2:.2f} ± {abs(values[0] - values[1]) / math.sqrt(2):.4g}" in page
    said.clear()
    again = Ledger(tmp_path / "page.md", tmp_path / "runs")
    again.fill(short, 2, said.append)
    assert again.results == ledger.results
    assert all("already measured" in line for line in said)
    changed = short.model_copy(update={"values": config.merge(SHORT, {"model": {"latent": 3}})})
    again.fill(changed, 1, said.append)
    assert again.results[-1].figures != ledger.results[0].figures


def test_progress_and_news_are_told_apart(short: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.bench.ledger.rows", lambda: {"short": short})
    news: list[str] = []
    shown: list[str] = []
    Ledger(tmp_path / "page.md", tmp_path / "runs").fill(short, 1, news.append, shown.append)
    assert len(news) == 2
    assert len(shown) == 10
    assert "640 of 640 images" in shown[-1]


def test_progress_is_told_now_and_then() -> None:
    told: list[str] = []
    show = bench._sparsely(told.append)
    for k in range(5):
        show(str(k))
    assert told == ["0"]


def test_a_result_of_another_config_is_not_shown(short: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "page.md", tmp_path / "runs")
    monkeypatch.setattr("simulacra.bench.ledger.rows", lambda: {"short": short})
    ledger.fill(short, 1, lambda _: None)
    changed = short.model_copy(update={"values": config.merge(SHORT, {"model": {"latent": 3}})})
    monkeypatch.setattr("simulacra.bench.ledger.rows", lambda: {"short": changed})
    assert "not run yet" in "\n".join(ledger.lines())


RESULT = {
    "row": "a", "seed": 0, "figures": {"x": 1.0}, "images": 1, "seconds": 1.0, "machine": "m", "torch": "2",
    "date": "d", "config": "c",
}  # fmt: skip
WRONG: list[dict[str, object]] = [
    {"figures": {}}, {"figures": [1]}, {"figures": {"x": "1"}}, {"figures": {"x": 10**400}}, {"seed": "0"},
    {"images": 1.5}, {"seconds": None}, {"row": 1},
]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"results": 1}', b'{"results": [1]}',
        *(json.dumps({"results": [RESULT | wrong]}).encode() for wrong in WRONG),
    ],
    ids=lambda content: content[:80].decode(errors="replace"),
)  # fmt: skip
def test_a_damaged_ledger_is_not_overwritten(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "page.json").write_bytes(content)
    with pytest.raises(RunError, match="is not a file of ledger results"):
        Ledger(tmp_path / "page.md", tmp_path / "runs")
    (tmp_path / "page.json").write_text(json.dumps({"results": [RESULT]}))
    assert Ledger(tmp_path / "page.md", tmp_path / "runs").results[0].value == 1


def test_the_published_page_is_that_of_its_results() -> None:
    page = Path(__file__).parent.parent / "docs" / "ledger.md"
    assert "\n".join(Ledger(page, Path("runs")).lines()) + "\n" == page.read_text("utf-8")


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'gan-parzen'"):
        rows.chosen(["gan-parzn"])


def test_the_list_trains_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["bench", "ledger", "--list", "--page", str(tmp_path / "p.md")]) == 0
    assert "vae-k1" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


class Linear(nn.Module):
    """A decoder whose logits are ``2 z`` in every pixel, for one latent."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (self.weight * z).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


class Ignorant(nn.Module):
    """An encoder that answers N(0, 1) whatever it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 2)


def test_the_likelihood_agrees_with_quadrature() -> None:
    """``log int N(z) prod_i p(x_i | z) dz`` on a fine grid, against importance samples from the prior."""
    model = VAE(Ignorant(), Linear(), LIKELIHOODS["bernoulli"](), Shape(1, 2), config.VAE(latent=1))
    x = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, -1], [1, -1, 1, -1]]).view(3, 1, 2, 2)
    z = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
    white = (x > 0).flatten(1).sum(1, keepdim=True)
    log_p = white * nn.functional.logsigmoid(2 * z) + (4 - white) * nn.functional.logsigmoid(-2 * z)
    weight = torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    exact = (log_p.exp() * weight).sum(1).log()
    run = Run(Path("nowhere"), model, config.parse({"model": {"family": "vae"}}))
    found = measures._log_likelihood(run, x, 20_000, torch.Generator().manual_seed(0))
    assert found.tolist() == pytest.approx(exact.tolist(), abs=0.02)


# ------------------------------------------------------------------------------------------ measures, on few images


def test_codes_are_named_and_counted(tmp_path: Path) -> None:
    players = {"generator": {"kind": "mlp", "hidden": [16]}, "discriminator": {"kind": "mlp", "hidden": [16]}}
    changes = {"data": SHORT["data"], "model": {"latent": 4, **players}, "train": SHORT["train"]}
    run = Session.start("infogan", out=tmp_path / "run", changes=changes).run()
    found = measures.codes(run, images=200)
    assert list(found) == ["code_accuracy"]
    assert 10 <= found["code_accuracy"] <= 100, "a matching is right for a tenth at least"


def test_priors_of_one_model_are_set_side_by_side(tmp_path: Path) -> None:
    changes = {**SHORT, "model": {"network": {"kind": "mlp", "hidden": [16]}, "latent": 4}}
    run = Session.start("autoencoder", out=tmp_path / "run", changes=changes).run()
    found = measures.fitted_priors(run, images=200, kinds=("normal", "per-class"))
    assert list(found) == ["normal", "per-class", "unfitted"]
    assert len(set(found.values())) == 3


def test_reconstructed_samples(tmp_path: Path) -> None:
    network = {"kind": "mlp", "hidden": [16]}
    changes = {**SHORT, "model": {"latent": 4, "layer": 1, "network": network, "discriminator": network}}
    run = Session.start("vaegan", out=tmp_path / "run", changes=changes).run()
    found = measures.reconstructed_samples(run, images=50)
    assert next(iter(found)) == "frechet_distance"
    assert 0 <= found["class_agreement"] <= 1


@pytest.mark.slow
def test_modes_of_stacks(data_root: Path, tmp_path: Path) -> None:
    changes = {"data": {"name": "stacked-mnist"}, "train": SHORT["train"]}
    players = {"generator": {"hidden": [16]}, "discriminator": {"hidden": [16]}}
    run = Session.start(
        "gan-mlp", out=tmp_path / "run", changes={**changes, "model": players}, data_root=data_root
    ).run()
    found = measures.modes(run, samples=300)
    assert list(found) == ["reverse_kl", "modes"]
    assert 1 <= found["modes"] <= 300
    assert found["reverse_kl"] > 0


def test_labels_are_read_off_by_the_nearest_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thirds facade, the rest window; half of the windows are lost, and the painter is a little off."""
    monkeypatch.setattr(measures, "_translated", lambda _: {"psnr": 1.0})
    wall, window = measures.FACADES[1:3]
    truth, read = (torch.tensor(colours, dtype=torch.uint8).view(1, 1, 12, 3).permute(0, 3, 1, 2) for colours in
                   ([wall] * 8 + [window] * 4, [wall] * 10 + [window] * 2))  # fmt: skip
    domains = {"A": SimpleNamespace(images=truth), "B": SimpleNamespace(images=truth)}
    run = SimpleNamespace(
        splits=SimpleNamespace(test=SimpleNamespace(domains=domains)),
        translate=lambda x, to: from_bytes(read) + 0.05,
    )
    found = measures.labels(cast(Run, run))
    assert found == pytest.approx({
        "pixel_accuracy": 1000 / 12, "label_accuracy": 75, "label_iou": (80 + 50) / 2, "commonest_label": 800 / 12,
        "psnr": 1,
    })  # fmt: skip


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_mixtures_are_rows_without_a_run(name: str, tmp_path: Path) -> None:
    row = rows.rows()[name]
    short = row.model_copy(update={"values": config.merge(row.values, {"train": {"images": 256 * 3}})})
    ledger = Ledger(tmp_path / "page.md", tmp_path / "runs")
    ledger.fill(short, 1, lambda _: None)
    (result,) = ledger.results
    assert list(result.figures) == ["modes", "high_quality"]
    assert result.images == 256 * 3
    assert not (tmp_path / "runs").exists()
