"""Families, networks and objectives from outside the package: docs/extending.md runs; files never cause an import."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import simulacra
from simulacra import cli, config, models, networks, plugins
from simulacra.adversarial import OBJECTIVES
from simulacra.config import adversarial as names
from simulacra.errors import ConfigError, RunError
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.networks import KINDS
from simulacra.testing import cases, conformance

PAGE = (Path(__file__).parent.parent / "docs" / "extending.md").read_text("utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TOML = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FAMILY, SUITE, NETWORK, OBJECTIVE = PYTHON


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the page's files; what they register is forgotten afterwards."""
    registries: list[dict[str, Any]] = [
        models.FAMILIES, config.FAMILIES, KINDS, config.NETWORKS, OBJECTIVES, names.OBJECTIVES
    ]  # fmt: skip
    before = [dict(registry) for registry in registries]
    folder = tmp_path_factory.mktemp("page")
    (folder / "aae.py").write_text(FAMILY)
    (folder / "parts.py").write_text(FAMILY.split("class Options")[0] + NETWORK + OBJECTIVE)
    (folder / "aae.toml").write_text(TOML[0])
    yield folder
    for registry, contents in zip(registries, before, strict=True):
        registry.clear()
        registry.update(contents)


@pytest.fixture(scope="module")
def run(page: Path) -> Path:
    """The page's recipe, trained briefly by the command line."""
    out = page / "run"
    words = ["train", page / "aae.toml", "--plugin", page / "aae.py", "--data", "digits", "--out", out]
    assert cli.main([str(word) for word in [*words, "--train.images", 5_120, "--train.log", 640]]) == 0
    return out


def own() -> type[Model]:
    return models.FAMILIES["aae"]


def test_the_example_is_short() -> None:
    lines = [line for line in (FAMILY + TOML[0]).splitlines() if line.strip()]
    assert len(lines) <= 60


def test_the_family_trains_samples_and_is_measured(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    errors = [row["decoder/squared_error"] for row in rows if "decoder/squared_error" in row]
    assert errors[-1] < 0.6 * errors[0]
    assert {"discriminator/real", "discriminator/fake", "encoder/adversarial"} <= rows[-1].keys() | rows[0].keys()
    opened = simulacra.Run.open(run)
    assert opened.sample(3, seed=0).shape == (3, 1, 8, 8) or opened.sample(3).shape[0] == 3
    x = opened.examples(4)
    assert opened.reconstruct(x).shape == x.shape
    assert cli.main(["sample", str(run), "--out", str(run / "s.png"), "--plugin", str(run.parent / "aae.py")]) == 0
    assert cli.main(["evaluate", str(run), "--n", "100"]) == 0
    assert (run / "evaluation.json").is_file()


def test_its_options_are_explained(page: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", str(page / "aae.toml"), "--help"]) == 0
    said = capsys.readouterr().out
    assert "--model.weight 1.0" in said
    assert "weight of the encoder's adversarial loss" in said
    assert cli.main(["train", str(page / "aae.toml"), "--model.wieght", "2"]) == 2
    assert "Did you mean '--model.weight'" in capsys.readouterr().err


def test_it_conforms_and_a_broken_one_does_not(run: Path) -> None:
    few = [case for case in cases(own()) if case.network == "mlp" and case.shape == Shape(1, 8)]
    assert len(few) == 13
    for case in few:
        case()


def test_conformance_names_the_broken_clause(page: Path, run: Path) -> None:
    class Options(config.Family):
        family: str = "still"
        latent: int = 2
        network: config.AnyNetwork = config.Mlp()

    class Still(own()):  # type: ignore[misc]
        section = Options

        def players(self) -> dict[str, torch.nn.Module]:
            return {"encoder": self.encoder, "decoder": self.decoder}

    simulacra.register(Still)
    with pytest.raises(AssertionError, match=r"^players_partition_the_parameters-still-mlp-1x8: .*belongs to nobody"):
        conformance(Still)


def test_a_run_of_an_unknown_family_is_refused_with_what_to_type(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(config.FAMILIES, "aae")
    with pytest.raises(RunError, match=r"model\.family is 'aae'.*--plugin FILE\.py"):
        simulacra.Run.open(run)
    assert cli.main(["sample", str(run)]) == 2
    assert "--plugin FILE.py" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["evil", "evil:run", "evil.run", "./evil.py", "os"])
@pytest.mark.parametrize("key", ["family", "kind", "loss"])
def test_no_name_in_a_file_causes_an_import(
    key: str, name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    tables: dict[str, Any] = {"model": {"family": "gan"}, "data": {"size": 8, "channels": 1}}
    where = tables["model"].setdefault("generator", {}) if key == "kind" else tables["model"]
    where[key] = name
    with safe_open(run / "model.safetensors", framework="pt") as file:
        tensors = {one: file.get_tensor(one) for one in file.keys()}  # noqa: SIM118
        form = file.metadata()["format"]
    crafted = tmp_path / "model.safetensors"
    import tomli_w

    save_file(tensors, crafted, {"format": form, "config": tomli_w.dumps(tables)})
    before = set(sys.modules)
    with pytest.raises(RunError, match=re.escape(name)):
        simulacra.Run.open(crafted)
    assert "evil" not in sys.modules
    assert not {one for one in set(sys.modules) - before if "evil" in one}


def test_a_network_and_an_objective_serve_every_family(page: Path) -> None:
    plugins.load_file(page / "parts.py")
    network = {"kind": "linear"}
    gan = config.parse(
        {"model": {"family": "gan", "loss": "total_variation", "generator": network, "discriminator": network}}
    )
    model = models.build(gan.model, Shape(1, 8))
    terms = next(model.rounds(simulacra.data.Images(torch.zeros(2, 1, 8, 8)), 0))["discriminator"]  # type: ignore[attr-defined]
    assert -1 <= float(sum(terms.values())) <= 1
    with pytest.raises(ConfigError, match=r"'relativistic' or 'total_variation'; got 'total'"):
        config.parse({"model": {"family": "gan", "loss": "total"}})
    with pytest.raises(ConfigError, match="exists already"):
        simulacra.register(networks.Kind(type("Conv", (config.Conv,), {}), *[lambda *_: None] * 2))  # type: ignore[arg-type]


def test_what_cannot_be_registered_is_refused(run: Path) -> None:
    class Nameless(config.Family):
        family: str

    class Idle(Model):
        section = Nameless

    class Taken(own()):  # type: ignore[misc]
        section = type("VAE", (config.VAE,), {})

    with pytest.raises(ConfigError, match=r"Idle must define build, players, rounds"):
        simulacra.register(Idle)
    with pytest.raises(ConfigError, match="The family 'vae' exists already"):
        simulacra.register(Taken)
    with pytest.raises(ConfigError, match="needs a section of options"):
        simulacra.register(type("Bare", (Model,), {}))
    with pytest.raises(ConfigError, match="cannot be registered"):
        simulacra.register("aae.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a Python file"),
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("import simulacra\nsimulacra.register(3)", "failed: 3 cannot be registered"),
    ],
)
def test_a_plugin_that_fails_says_why(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.py"
    if text is not None:
        file.write_text(text)
    assert cli.main(["recipes", "--plugin", str(file)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_installed_packages_offer_families_by_entry_points(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FAMILY.replace('"aae"', '"installed_aae"')
    (tmp_path / "offered.py").write_text(text)
    info = tmp_path / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[simulacra.families]\naae = offered:AdversarialAutoencoder\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [entry.value for entry in plugins.installed()] == ["offered:AdversarialAutoencoder"]
    assert "offered" not in sys.modules
    plugins.load_installed()
    assert "installed_aae" in models.FAMILIES
