"""What installing this package brings beside PyTorch, in MB, as a table in Markdown.

    python -m benchmarks.install

Sizes are those of the files that are installed here, without compiled bytecode; what PyTorch needs itself is left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> None:
    """Print the core packages one by one, and what each extra adds to them."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    torch = set(brought(["torch"]))
    core = [name for name in brought(project["dependencies"]) if name not in torch]
    print("| package | MB |\n|---|---|")
    for name in sorted(core, key=size, reverse=True):
        print(f"| {name} | {size(name):.1f} |")
    print(f"| together, beside PyTorch's {sum(map(size, torch)):,.0f} | {sum(map(size, core)):.1f} |")
    print("\n| extra | packages | MB more |\n|---|---|---|")
    for extra, wanted in project["optional-dependencies"].items():
        if extra != "dev":
            more = set(brought(wanted)) - torch - set(core)
            missing = [one for one in wanted if installed(Requirement(one)) is None]
            told = "not installed here" if missing else f"{sum(map(size, more)):.0f}"
            print(f"| `{extra}` | {', '.join([*sorted(more), *missing])} | {told} |")


def brought(requirements: list[str]) -> list[str]:
    """The names of the packages that are installed for some requirements, each once."""
    found: dict[str, None] = {}
    queue = list(requirements)
    while queue:
        requirement = Requirement(queue.pop())
        there = installed(requirement)
        if there is not None and there.name not in found:
            found[there.name] = None
            queue += there.requires or []
    return list(found)


def installed(requirement: Requirement) -> Distribution | None:
    """The package of a requirement, where it holds on this machine and is there."""
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return None
    try:
        return distribution(requirement.name)
    except PackageNotFoundError:
        return None


def size(name: str) -> float:
    """MB of the files of a package."""
    return sum(path.stat().st_size for path in files(name)) / 1e6


def files(name: str) -> Iterator[Path]:
    """The files of a package, without compiled bytecode."""
    for file in distribution(name).files or ():
        path = Path(str(file.locate()))
        if path.suffix != ".pyc" and path.is_file():
            yield path


if __name__ == "__main__":
    main()
