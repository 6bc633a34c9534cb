"""Models of the Hugging Face Hub: `hub:OWNER/NAME@REVISION` stands for a run wherever one is asked for.

Only safetensors and text are read, so that opening a model of somebody else runs no code of theirs. What was fetched
lies in the cache under the commit that it came from, and is not fetched again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulacra import machine
from simulacra.errors import ConfigError, RunError, listed
from simulacra.runs.folder import CONFIG, ENVIRONMENT, EVALUATION, METRICS, MODEL, PRIOR
from simulacra.storage import scratch

PREFIX = "hub:"
READ = (MODEL, CONFIG, METRICS, EVALUATION, PRIOR, ENVIRONMENT)
LARGEST = 4 << 30  # bytes read of a file
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
REVISION = re.compile(r"[\w][\w./-]{0,199}")
COMMIT = re.compile(r"[0-9a-f]{40}")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras", ".msgpack")


@dataclass(frozen=True)
class Address:
    """A model of the hub: ``repository`` is OWNER/NAME, ``revision`` a branch, a tag or a commit."""

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")


def parse(text: str) -> Address:
    """Read ``hub:OWNER/NAME@REVISION``. Raises `RunError`."""
    repository, at, revision = text.removeprefix(PREFIX).partition("@")
    if not NAME.fullmatch(repository) or ".." in text or (at and not REVISION.fullmatch(revision)):
        raise RunError(f"'{text}' is not the address of a model. Write hub:OWNER/NAME or hub:OWNER/NAME@REVISION.")
    return Address(repository, revision or None)


def fetched(text: str) -> Path:
    """Return the folder of a model of the hub, fetched unless that was done before; its address is `pinned`.

    Raises `RunError` where there is none, or none that can be read; `ConfigError` for the missing extra.
    """
    address = parse(text)
    if address.revision is not None and COMMIT.fullmatch(address.revision) and _home(address).is_dir():
        return _home(address)
    with _answers(address) as api:
        facts = api.model_info(address.repository, revision=address.revision, files_metadata=True)
        found = Address(address.repository, str(facts.sha))
        if not COMMIT.fullmatch(str(facts.sha)):
            raise RunError(f"The hub names no commit for {address}. Try again later.")
        if not _home(found).is_dir():
            _fetch(api, found, _readable(address, facts.siblings or ()))
    return _home(found)


def pinned(path: Path) -> str | None:
    """Return the address, with its commit, of a folder that `fetched` returned; None for any other."""
    home = _cache()
    if not path.is_relative_to(home) or len(path.relative_to(home).parts) != 3:
        return None
    owner, name, commit = path.relative_to(home).parts
    return str(Address(f"{owner}/{name}", commit))


def push(folder: Path, name: str, *, private: bool = False) -> str:
    """Put the files of a folder into a repository of models, which is made where it is missing; return its address.

    ``name`` is OWNER/NAME, or NAME alone for the user's own. Raises `RunError`, `ConfigError`.
    """
    refuse_name(name)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    with _answers(Address(name, None)) as api:
        hub = _hub()
        repository = str(api.create_repo(name, private=private or None, exist_ok=True).repo_id)
        added = [hub.CommitOperationAdd(path.name, str(path)) for path in files]
        commit = api.create_commit(repository, added, commit_message="A model trained with simulacra")
    return str(Address(repository, str(commit.oid)))


def refuse_name(name: str) -> None:
    """Refuse what cannot be the name of a model. Raises `ConfigError`."""
    if not NAME.fullmatch(name if "/" in name else f"owner/{name}") or ".." in name:
        raise ConfigError(f"'{name}' cannot be the name of a model on the hub. Write OWNER/NAME, or NAME.")


# --------------------------------------------------------------------------------------------------- the hub


def _hub() -> Any:
    return machine.extra("huggingface_hub", "The hub", "hub")


def _cache() -> Path:
    return machine.cache() / "hub"


def _home(address: Address) -> Path:
    return _cache() / address.repository / str(address.revision)


def _readable(address: Address, siblings: Sequence[Any]) -> list[str]:
    """The names of the files to read. Raises `RunError` where the weights are not among them."""
    sizes = {one.rfilename: one.size or 0 for one in siblings}
    if MODEL not in sizes:
        pickles = [name for name in sizes if name.lower().endswith(PICKLES)]
        if pickles:
            raise RunError(
                f"{address} holds its weights as {listed(pickles)}. Such files can run code when they are opened, and "
                f"are not read. Ask its owner for a {MODEL} (simulacra push)."
            )
        raise RunError(f"{address} holds no {MODEL}: it is not a model of simulacra.")
    large = next((name for name in READ if sizes.get(name, 0) > LARGEST), None)
    if large is not None:
        raise RunError(f"{address}: {large} has {sizes[large]:,} bytes; at most {LARGEST:,} are read.")
    return [name for name in READ if name in sizes]


def _fetch(api: Any, address: Address, names: Sequence[str]) -> None:
    """Fetch files of a commit; their folder appears when all are there."""
    home = _home(address)
    home.parent.mkdir(parents=True, exist_ok=True)
    with scratch(home.parent) as folder:
        staged = folder / "run"
        staged.mkdir()
        for name in names:
            file = api.hf_hub_download(
                address.repository, name, revision=address.revision, local_dir=folder / "fetched"
            )
            shutil.move(file, staged / name)
        with contextlib.suppress(FileExistsError, OSError):  # another process was faster
            staged.rename(home)
    if not home.is_dir():
        raise RunError(f"{home} cannot be written. Choose a cache folder: export XDG_CACHE_HOME=FOLDER")


@contextlib.contextmanager
def _answers(address: Address) -> Iterator[Any]:
    """The hub to ask, its errors in one line. Raises `RunError`."""
    hub, errors = _hub(), machine.extra("huggingface_hub.errors", "The hub", "hub")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        with _quiet():
            yield hub.HfApi(endpoint=endpoint, library_name="simulacra")
    except errors.RevisionNotFoundError:
        raise RunError(f"{address.repository} has no revision '{address.revision}' on the hub.") from None
    except errors.GatedRepoError:
        raise RunError(f"{address} is open to users whom its owner has admitted. Log in: hf auth login") from None
    except errors.RepositoryNotFoundError:
        raise RunError(
            f"There is no model {address.repository} on the hub, or you may not see it. Check the name; for one that "
            "is private, log in: hf auth login"
        ) from None
    except errors.HfHubHTTPError as error:
        raise RunError(_refusal(address, error)) from None
    except (errors.OfflineModeIsEnabled, errors.HTTPError, ConnectionError, TimeoutError) as error:
        raise RunError(
            f"The hub does not answer about {address}: {_first_line(error)} A revision that was fetched before opens "
            "without it: hub:OWNER/NAME@COMMIT"
        ) from None
    except errors.HFValidationError as error:
        raise RunError(f"{address.repository} cannot be the name of a model: {_first_line(error)}") from None
    except errors.FileMetadataError as error:
        raise RunError(f"{address} cannot be fetched: {_first_line(error)}") from None


def _refusal(address: Address, error: Any) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        return f"The hub does not let you write or read {address.repository} ({status}). Log in: hf auth login"
    return f"The hub refuses {address} ({status}): {_first_line(error)}"


def _first_line(error: Exception) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if line.endswith(".") else f"{line}."


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars of progress of the library, and without its warnings."""
    utils = machine.extra("huggingface_hub.utils", "The hub", "hub")
    bars, verbosity = utils.are_progress_bars_disabled(), utils.logging.get_verbosity()
    utils.disable_progress_bars()
    utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        utils.logging.set_verbosity(verbosity)
        if not bars:
            utils.enable_progress_bars()
