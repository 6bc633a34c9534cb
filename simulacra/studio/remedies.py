"""What can be done about what the watchdog saw: each remedy is a command line that one press starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulacra.config import Config
from simulacra.errors import ConfigError
from simulacra.runs.folder import CONFIG, WARNING
from simulacra.studio import learn, shelf
from simulacra.studio.commands import command
from simulacra.studio.gallery import Found


@dataclass(frozen=True)
class Remedy:
    """A remedy: its name, by which the page describes and asks for it, and the options that it changes."""

    name: str
    options: tuple[str, ...]
    anew: bool  # whether it begins a new run, or continues the same

    def words(self, found: Found, runs: Path) -> tuple[list[str], str]:
        """The words of the command line, and the name of the run that it fills."""
        name = learn.unused(runs, learn.component_of(f"{found.name}-{self.name}")) if self.anew else found.name
        out = ["--out", str(runs / name if self.anew else found.path)]
        resume = [] if self.anew else ["--resume"]
        return ["train", str(found.path / CONFIG), *out, *resume, *self.options], name


def remedies(found: Found) -> list[Remedy]:
    """The remedies for a run of which the watchdog complained; none where it did not."""
    if found.folder.file(CONFIG) is None or not any(WARNING in row for row in shelf.rows_of(found)):
        return []
    return list(_remedies(found.folder.config()))


def _remedies(values: Config) -> Iterator[Remedy]:
    model: Any = values.model
    if values.train.collapse != "roll_back":
        yield Remedy("roll-back", ("--train.collapse=roll_back",), anew=False)
    if hasattr(model, "penalty") and hasattr(model, "loss") and model.loss != "relativistic":
        steady = ("--model.loss=relativistic", "--model.penalty.kind=r1_r2", "--model.penalty.weight=1")
        free = ("--model.discriminator.norm=none",) if model.discriminator.norm == "batch" else ()
        yield Remedy("steady", (*steady, *free), anew=True)
    if hasattr(model, "cycle_a"):
        yield Remedy(
            "cycle", (f"--model.cycle_a={2 * model.cycle_a:g}", f"--model.cycle_b={2 * model.cycle_b:g}"), True
        )
    yield Remedy(
        "slower", (f"--train.optimizer.learning_rate={values.train.optimizer.learning_rate / 2:g}",), anew=True
    )
    yield Remedy("seed", (f"--seed={values.seed + 1}",), anew=True)


def chosen(found: Found, name: str) -> Remedy:
    """A remedy by its name. Raises `ConfigError`."""
    offered = remedies(found)
    remedy = next((one for one in offered if one.name == name), None)
    if remedy is None:
        names = ", ".join(one.name for one in offered)
        raise ConfigError(f"There is no remedy '{name}' for {found.name}. " + (f"There are: {names}." if names else ""))
    return remedy


def shown(found: Found, runs: Path) -> list[dict[str, Any]]:
    """The remedies of a run as the page shows them."""
    return [
        {
            "name": one.name,
            "options": " ".join(one.options),
            "anew": one.anew,
            "command": command(*one.words(found, runs)[0]),
        }
        for one in remedies(found)
    ]
