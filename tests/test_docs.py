"""Docs cannot drift: commands parse, Python runs, links lead somewhere, every option says what it means."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from simulacra import cli, config
from simulacra.cli import train
from simulacra.evaluation import evaluate  # noqa: F401 - whose parts declare metrics, too
from simulacra.metrics.meanings import MEANINGS, row
from simulacra.models import FAMILIES
from simulacra.operations import COMPOSITIONS, OPERATIONS, markdown
from simulacra.training.proposal import RECIPE
from tests import contract

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [path.relative_to(ROOT).as_posix() for path in PAGES]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    return [
        (path.relative_to(ROOT).as_posix(), line.split("  #")[0].removesuffix("\\").strip())
        for path in PAGES
        for block in blocks(path, "console")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("simulacra ")
    ]


@pytest.mark.parametrize(("page", "command"), commands(), ids=lambda value: value)
def test_commands_in_the_docs_are_right(page: str, command: str) -> None:
    arguments = re.sub(r" --plugin \S+", "", command)  # of a file that the page shows, and test_extending runs
    arguments = shlex.split(arguments)[1:]
    if {"--help", "-h"} & set(arguments):
        return
    options = cli.parse(arguments)
    if arguments[0] == "train" and not options.recipe.endswith(".toml"):
        name = RECIPE if options.recipe == train.AUTO else options.recipe
        train.refuse_unknown(options.pairs, config.recipe(name))


@pytest.mark.parametrize(
    "path", [page for page in PAGES if page.name in ("python.md", "README.md", "transforms.md")], ids=lambda p: p.name
)
def test_python_in_the_docs_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    table = dict(OPERATIONS)  # a page may register an operation
    for block in blocks(path, "python"):
        exec(compile(block, path.name, "exec"), names)
    OPERATIONS.clear()
    OPERATIONS.update(table)


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = (
        [line.split("  #")[0].strip() for block in blocks(ROOT / name, "console") for line in block.splitlines()]
        for name in ("README.md", "README.zh-CN.md")
    )
    assert chinese == english


def test_the_chinese_table_of_verbs_is_whole() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "zh" / "verbs.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(cli.verb_names())


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize(("family", "network"), [(f, n) for f in FAMILIES for n in list(contract.networks(f))[:4]])
def test_every_option_says_what_it_means(family: str, network: str) -> None:
    values = config.Config(model=contract.configs(family, contract.networks(family)[network]))
    silent = [option.key for option in config.options(values) if not option.meaning]
    assert not silent


def test_every_recipe_verb_and_family_is_documented() -> None:
    text = "\n".join(path.read_text("utf-8") for path in PAGES)
    for name in (*config.recipe_names(), *FAMILIES):
        assert f"`{name}`" in text, name
    for verb in cli.verb_names():
        assert f"`{verb}`" in text or f"simulacra {verb}" in text, verb


def test_the_tables_of_operations_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "transforms.md").read_text("utf-8")
    assert markdown(OPERATIONS) in text
    assert markdown(COMPOSITIONS) in text


def test_the_tables_of_metrics_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "evaluate.md").read_text("utf-8")
    tables = re.findall(r"^\| metric \| what it says \| unit \| better \|\n.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert sorted("".join(tables).splitlines()) == sorted(row(said) for said in MEANINGS.values())
