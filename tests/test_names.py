"""Paths of results: whatever a foreign name says, they stay below the folder and apart from each other."""

from __future__ import annotations

import ast
import time
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from simulacra.cli import main
from simulacra.errors import ConfigError
from simulacra.images import targets
from simulacra.storage import LONGEST_NAME, atomic, component, inside

PACKAGE = Path(__file__).parent.parent / "simulacra"
HOSTILE = [
    "/abs/x.png", "../x.png", "../../etc/x.png", "a/../../x.png", "\\abs\\x.png", "..\\x.png", "C:\\x.png", "C:x.png",
    "//server/share/x.png", "a\nb\x1b[2Jc.png", "\u202egnp.x.png", "./.", "..", "a\x00.png", "\udcff.png",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/abs/x.png", "abs/x.png"),
        ("../../x.png", "x.png"),
        ("a\\b\\c.png", "a/b/c.png"),
        ("C:\\a\\x.png", "a/x.png"),
        ("C:x.png", "x.png"),
        ("a/./b//c.png", "a/b/c.png"),
        ("a\nb\x1b.png", "a_b_.png"),
        ("..", "_"),
        ("", "_"),
        ("familie Grün/12:30 \u202fUhr.png", "familie Grün/12:30 \u202fUhr.png"),
        ("\U0001f468\u200d\U0001f469.png", "\U0001f468\u200d\U0001f469.png"),
    ],
)
def test_a_foreign_name_becomes_one_that_stays_inside(name: str, expected: str) -> None:
    assert str(inside(name)) == expected


def test_long_names_are_cut_and_stay_two() -> None:
    first, second = component("ä" * 200 + "1.png"), component("ä" * 200 + "2.png")
    assert first != second
    assert first.endswith(".png")
    assert max(len(name.encode()) for name in (first, second)) <= LONGEST_NAME
    assert component("x" * 251 + ".png") == "x" * 251 + ".png"


NAMES = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=300)), min_size=1, max_size=8)


@given(NAMES)
def test_no_path_leaves_the_folder_and_no_two_are_one(names: list[str]) -> None:
    folder = Path("/out")
    paths = targets(folder, names)
    keys = {unicodedata.normalize("NFC", str(path)).casefold() for path in paths}
    assert len(keys) == len(names)
    for path in paths:
        assert path.is_relative_to(folder)
        assert ".." not in path.parts
        assert path.name.endswith(".png")
        assert all(len(part.encode()) <= LONGEST_NAME for part in path.parts)
        assert str(path).isprintable() or not any(unicodedata.category(char) == "Cc" for char in str(path))
    assert not set(paths) & {parent for path in paths for parent in path.parents}


def test_names_that_fall_together_keep_their_endings_or_get_a_number() -> None:
    found = targets(Path("o"), ["x.png", "x.jpg", "x.tif", "y.png", "Y.PNG", "e\u0301.png", "é.png", "d", "d/e.png"])
    assert [path.relative_to("o").as_posix() for path in found] == [
        "x.png", "x.jpg.png", "x.tif.png", "y.png", "Y-2.PNG", "e\u0301.png", "é-2.png", "d.png", "d/e.png"
    ]  # fmt: skip


def hostile_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for index, name in enumerate(
            ["a/g.png", "/abs/x.png", "../x.png", "..\\y.png", "C:\\z.png", "n" * 300 + ".png"]
        ):
            Image.fromarray(np.full((8, 8), index, np.uint8)).save(path.with_suffix(".tmp"), "PNG")
            archive.writestr(name, path.with_suffix(".tmp").read_bytes())
    path.with_suffix(".tmp").unlink()
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["transform", "invert", "ZIP", "--out", "OUT"],
        ["compose", "mixup", "ZIP", "--with", "ZIP", "--out", "OUT"],
        ["augment", "ZIP", "--classical", "flip", "--size", "8", "--duplicate", "1e-9", "--out", "OUT"],
    ],
    ids=lambda words: words[0],
)
def test_members_with_hostile_names_are_written_inside(words: list[str], tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    names = {"ZIP": str(hostile_zip(tmp_path / "evil.zip")), "OUT": str(home / "out")}
    before = set(tmp_path.rglob("*"))
    main([names.get(word, word) for word in words])
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(home / "out") for path in new)
    assert words[0] == "augment" or len([path for path in new if path.is_file()]) == 6


ALLOWED = {"images/names.py", "storage.py", "images/find.py"}


def _foreign(node: ast.AST) -> bool:
    """Whether a part of an expression is a name that came with data."""
    return any(
        (isinstance(part, ast.Name) and part.id in ("name", "entry"))
        or (isinstance(part, ast.Attribute) and part.attr == "name" and ast.unparse(part.value).endswith("entry"))
        for part in ast.walk(node)
    )


def test_paths_of_foreign_names_are_made_in_one_place() -> None:
    """No module that writes pictures joins a folder and a name itself."""
    found = []
    verbs = [f"cli/{verb}.py" for verb in ("transform", "inpaint", "augment", "translate", "anomaly")]
    for room in ("images", "transforms", "steering", "storage.py", *verbs):
        place = PACKAGE / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if file.relative_to(PACKAGE).as_posix() in ALLOWED:
                continue
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                joins = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _foreign(node.right)
                if joins or (isinstance(node, ast.Attribute) and node.attr == "joinpath"):
                    found.append(f"{file.relative_to(PACKAGE)}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize("name", ["x" * 245 + ".png", "x" * 251 + ".png", "ß" * 125 + ".png"])
def test_a_name_that_the_disk_takes_is_written(name: str, tmp_path: Path) -> None:
    with atomic(tmp_path / name) as temporary:
        assert len(temporary.name.encode()) <= 20
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "/".join(["y" * 200] * 40)], ids=["name", "path"])
def test_a_name_that_it_does_not_take_is_named_without_talk_of_space(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"File name too long\. Choose another name"), atomic(tmp_path / name) as file:
        file.write_text("x")


def test_a_file_that_cannot_be_written_is_left_out_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for index, name in enumerate(["a.png", "b/c.png", "d.png"]):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(folder / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b").write_text("a file where the folder of c.png would go")
    assert main(["transform", "invert", str(folder), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "left out: b/c.png: " in said
    assert "space" not in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b", "d.png"]


def test_inside_is_idempotent() -> None:
    for name in HOSTILE:
        assert inside(inside(name)) == inside(name) == PurePosixPath(*inside(name).parts)


def test_names_of_thousands_of_folders_are_short_and_stay_apart() -> None:
    first, second = (inside("a/" * 3_000 + middle + "/" + "b/" * 3_000 + "x.png") for middle in ("c", "d"))
    assert len(first.parts) == len(second.parts) == 64
    assert first != second
    assert first.name == "x.png"
    assert str(inside("a/" * 63 + "x.png")) == "a/" * 63 + "x.png", "64 parts stay as they are"
    names = ["a/" * 3_000 + f"{number}.png" for number in range(1_000)]
    start = time.process_time()
    assert len(set(targets(Path("out"), names))) == 1_000
    assert time.process_time() - start < 5, "each such name used to take 2 seconds"
