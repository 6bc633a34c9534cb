"""A run laid out for the hub: its weights as safetensors, its texts, and a model card; nothing about the machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from simulacra.export import card
from simulacra.runs import hub, zoo
from simulacra.runs.folder import CONFIG, ENVIRONMENT, EVALUATION, METRICS, MODEL, PRIOR, is_folder
from simulacra.runs.run import Run

__all__ = ["lay_out", "push"]

README = "README.md"
PUBLIC = ("simulacra", "python", "torch", "data", "data_sha256", "data_fingerprint")  # of environment.json


def push(run: Run, folder: Path, name: str, *, licence: str, private: bool = False) -> str:
    """Lay a run out in an empty folder and publish it; return its address, with the commit. Raises `RunError`."""
    lay_out(run, folder, name, licence)
    return hub.push(folder, name, private=private)


def lay_out(run: Run, folder: Path, name: str, licence: str) -> None:
    """Write the files that are published into an empty folder. Raises `StorageError`, `RunError`."""
    shutil.copyfile(run.file, folder / MODEL)
    if is_folder(run.path):
        for one in (CONFIG, METRICS, EVALUATION, PRIOR):
            found = run.folder.file(one)
            if found is not None:
                shutil.copyfile(found, folder / one)
        (folder / ENVIRONMENT).write_text(json.dumps(_public(run), indent=2) + "\n", "utf-8")
    card.write(run, folder / README, licence, address=f"{hub.PREFIX}{name}")


def _public(run: Run) -> dict[str, object]:
    """What says which data and software a run is of; the command and the machine stay at home."""
    known = run.folder.table(ENVIRONMENT)
    found = {key: known[key] for key in PUBLIC if key in known}
    init = known.get("init")
    if isinstance(init, str) and init.startswith((hub.PREFIX, zoo.PREFIX)):
        found["init"] = init
    return found
