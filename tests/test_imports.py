"""Imports go one way; help needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "simulacra"
LAYERS = [  # a module may import from its own layer and those above it in this list
    {"errors", "version"},
    {"operations"},
    {"config", "storage"},
    {"machine", "images", "optimizers", "parallel", "tensors"},
    {"transforms", "networks", "distributions", "metrics"},
    {"adversarial", "data", "priors"},
    {"models"},
    {"features"},
    {"steering"},
    {"runs"},
    {"evaluation"},
    {"plugins", "pages", "export"},
    {"training"},
    {"testing"},
    {"bench"},
    {"cli", "studio"},
    {"__main__"},
]
EXTRAS = {
    "torchmetrics",
    "sklearn",
    "scipy",
    "matplotlib",
    "tensorboard",
    "kornia",
    "cv2",
    "skimage",
    "torchvision",
    "zuko",
    "imageio_ffmpeg",
    "onnx",
    "onnxruntime",
    "huggingface_hub",
}


def layer(module: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if module in names)


def imported(path: Path) -> set[str]:
    """The first-level modules of this package, and the top-level modules of others, that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "simulacra" and len(parts) > 1:
            assert layer(parts[1]) <= layer(own), f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_extras_are_imported_only_where_used(path: Path) -> None:
    top = {
        name.split(".")[0]
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert not top & EXTRAS


def test_the_server_of_the_studio_is_imported_in_its_room_alone() -> None:
    for path in FILES:
        if path.relative_to(PACKAGE).parts[0] != "studio":
            top = {name.partition(".")[0] for name in imported(path)}
            assert not top & {"fastapi", "starlette", "uvicorn", "python_multipart"}, path


def test_the_trainer_knows_no_family() -> None:
    for path in (PACKAGE / "training").glob("*.py"):
        assert not {name for name in imported(path) if name.startswith("simulacra.models.")} & {
            f"simulacra.models.{family}" for family in ("autoencoder", "vae", "gan")
        }


def needs_config(arguments: list[str]) -> bool:
    """Whether an answer is made of sections of the config, which are pydantic models."""
    return arguments[0] in ("train", "recipes", "data")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["train", "vae-2d", "--help"],
        ["sample", "--help"],
        ["--version"],
        ["recipes"],
        ["data"],
        ["anomaly", "--help"],
        ["transform", "rotate", "--help"],
        ["compose", "--help"],
    ],
    ids=" ".join,
)
def test_help_needs_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom simulacra.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "assert 'PIL' not in sys.modules, 'pillow was imported'\n"
        f"assert {needs_config(arguments)} or 'pydantic' not in sys.modules, 'pydantic was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
