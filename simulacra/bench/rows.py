"""The rows of the ledger: what a paper reports, the recipe that repeats it, and how it is measured.

A row is a TOML file in ``rows/``: a table ``[row]`` and the tables of a recipe, or the name of a shipped recipe and
what is changed. This module imports no torch, so that rows are listed and mistakes answered at once.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import Field

from simulacra import config
from simulacra.config import Config, Section
from simulacra.config.renamed import original
from simulacra.errors import ConfigError, nearest

FOLDER = resources.files("simulacra") / "bench" / "rows"


class Row(Section):
    """One row: the published figure and what it takes to repeat it."""

    name: str
    title: str = Field(description="what is repeated")
    published: float | None = Field(
        None, description="the figure of the source; default: there is none to compare with"
    )
    unit: str = Field(description="unit of the figure")
    better: Literal["lower", "higher"]
    source: str = Field(description="where the figure stands: title (year), table, address")
    protocol: str = Field(description="how the figure is measured here")
    differs: str = Field("", description="what is not as in the source, above all the length of the training")
    remark: str = Field("", description="why a figure is missed, and what was tried")
    size: Literal["cpu", "hours"] = Field("cpu", description="minutes on 2 cores; or hours, or a GPU")
    measure: str = Field(description="a key of simulacra.bench.measures.MEASURES, or a mixture")
    seeds: Annotated[int, Field(gt=0)] = Field(1, description="trainings, with seeds 0, 1, ...")
    recipe: str | None = Field(
        None, description="the shipped recipe that the tables change; default: the tables are the recipe"
    )
    values: dict[str, Any] = Field({}, description="the tables of the recipe")

    def config(self, seed: int) -> Config:
        """The config of the training with a seed."""
        base = {"recipe": self.name} if self.recipe is None else config.recipe(self.recipe).values
        return config.parse(config.merge(config.merge(base, self.values), {"seed": seed}))

    def digest(self, seed: int) -> str:
        """SHA-256 of all that the config sets: results of another config are not results of this row."""
        settings = self.config(seed).model_dump(mode="json", exclude_defaults=True)
        return hashlib.sha256(json.dumps(original(settings), sort_keys=True).encode()).hexdigest()


def rows() -> dict[str, Row]:
    """All rows by name, in order of their files' names."""
    files = sorted(entry.name for entry in FOLDER.iterdir() if entry.name.endswith(".toml"))
    found = [_read(name) for name in files]
    return {row.name: row for row in found}


def chosen(names: list[str]) -> list[Row]:
    """The rows of these names; all that take minutes where no name is given. Raises `ConfigError`."""
    known = rows()
    for name in names:
        if name not in known:
            raise ConfigError(
                f"The ledger has no row '{name}'.{nearest(name, known)} See all: simulacra bench ledger --list"
            )
    return [known[name] for name in names] or [row for row in known.values() if row.size == "cpu"]


def _read(file: str) -> Row:
    tables = config.loads((FOLDER / file).read_text("utf-8"), file)
    about = tables.pop("row")
    name = file.removesuffix(".toml").partition("-")[2]  # files are numbered: 10-vae-k1.toml
    return Row.model_validate({"name": name, **about, "values": tables})
