"""The process of one training: `python -m simulacra.studio.worker FOLDER NUMBER`, started by `jobs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from simulacra.cli import main
from simulacra.storage import atomic
from simulacra.studio.jobs import locked


def work(folder: Path, number: str) -> int:
    """Run a job's command line while holding its lock, and leave its exit status."""
    with (folder / f"{number}.lock").open("a") as lock:
        if not locked(lock):
            return 1
        lock.write("taken\n")
        lock.flush()
        words: list[str] = json.loads((folder / f"{number}.json").read_text("utf-8"))["words"]
        status = main(words)
        with atomic(folder / f"{number}.end") as temporary:
            temporary.write_text(json.dumps(status), "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1]), sys.argv[2]))
