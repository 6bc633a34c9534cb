"""What is found in folders and zips, and what is never opened, started, or unpacked without end."""

from __future__ import annotations

import ast
import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra import images
from simulacra.cli import main
from simulacra.errors import DataError
from simulacra.images import batch, find

PACKAGE = Path(__file__).parent.parent / "simulacra"


def encoded(array: np.ndarray, format_: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format_)
    return buffer.getvalue()


GREY = encoded(np.full((8, 8), 7, np.uint8))


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n"], ids=["eps"]
)
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_name_does_not_choose_a_decoder_that_starts_a_program(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = tmp_path / "started"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {started}\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).write_bytes(content)
    assert main(["transform", "invert", str(tmp_path / "d"), "--out", str(tmp_path / "o")]) == 2
    assert "is not an image file that can be read" in capsys.readouterr().err
    assert not started.exists()


def test_pictures_are_opened_in_one_place_with_a_list_of_formats() -> None:
    calls = [
        f"{path.relative_to(PACKAGE).as_posix()}: {ast.unparse(node)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open", "open_image")
    ]
    assert len(calls) == 1
    assert calls[0].startswith("images/decode.py: ")
    assert "formats=FORMATS" in calls[0]


def test_jpegs_by_their_other_names_are_read_and_other_kinds_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    jpeg = encoded(np.full((8, 8), 90, np.uint8), "JPEG")
    for name in ("a.jfif", "b.jpe", "c.JPG"):
        (folder / name).write_bytes(jpeg)
    (folder / "d.webp").write_bytes(encoded(np.full((8, 8, 3), 90, np.uint8), "WEBP"))
    for name in ("e.heic", "f.heic", "g.avif", "h.ppm", "i.jp2", "notes.txt", ".hidden.heic"):
        (folder / name).write_bytes(b"x")
    entries, others = find.find_with_others(folder)
    assert [entry.name.name for entry in entries] == ["a.jfif", "b.jpe", "c.JPG", "d.webp"]
    assert str(others) == (
        "5 pictures are of kinds that are not read: 2 .heic, 1 .avif, 1 .ppm, 1 .jp2 (such as e.heic)."
    )
    assert main(["transform", "invert", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert str(others) in capsys.readouterr().err
    with Image.open(tmp_path / "out" / "a.jfif") as picture:
        assert picture.format == "JPEG"


def test_a_lone_file_of_another_kind_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.ppm").write_bytes(b"P6 1 1 255 abc")
    with pytest.raises(DataError, match=r"x\.ppm is a \.ppm picture, which is not read\. Convert it to PNG"):
        find.find(tmp_path / "x.ppm")


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_never_opened(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.png").write_bytes(GREY)
    odd = folder / "odd.png"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero")
    assert not stat.S_ISREG(odd.stat().st_mode)
    entries, others = find.find_with_others(folder)
    assert [entry.name.name for entry in entries] == ["good.png"]
    assert "1 that is not a regular file (such as odd.png)" in str(others)
    with pytest.raises(DataError, match="neither a regular file nor a folder"):
        find.find(odd)
    with pytest.raises(DataError, match="is not a regular file"):
        images.read(odd, "odd.png")
    assert images.dimensions(odd) is None


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "store" / name).mkdir(parents=True)
        (tmp_path / "store" / name / "1.png").write_bytes(GREY)
    (tmp_path / "set").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "store" / name)
    (tmp_path / "store" / "cats" / "again").symlink_to(tmp_path / "set")
    names = [entry.name.as_posix() for entry in find.find(tmp_path / "set")]
    assert names[0] == "cats/1.png"
    assert "dogs/1.png" in names
    assert len(names) < 10


def test_links_to_links_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "MOST_LINKS", 50)
    for level in range(8):
        (tmp_path / f"l{level}").mkdir()
        for link in "ab":
            (tmp_path / f"l{level}" / link).symlink_to(tmp_path / f"l{level + 1}")
    (tmp_path / "l8").mkdir()
    with pytest.raises(DataError, match="more than 50 folders are links"):
        find.find(tmp_path / "l0")


def bomb(path: Path, members: int, size: int) -> Path:
    """A zip of members of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(members):
            archive.writestr(f"{number}.bmp", bytes(size))
    return path


def test_a_small_zip_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bomb(tmp_path / "z.zip", 6, 1 << 20)
    assert len(find.find(path)) == 6
    monkeypatch.setattr(find, "LARGEST_SMALL_ZIP", 5 << 20)
    with pytest.raises(DataError, match=r"z\.zip of 0\.0 MB would unpack to 6 MB; the limit for it is 5 MB"):
        find.find(path)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = bomb(tmp_path / "z.zip", 3, 5000)
    content = bytearray(path.read_bytes())
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + 42 : place + 46] = struct.pack("<I", 0)
        place = content.find(b"PK\x01\x02", place + 4)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"overlap|cannot be unpacked|nor a zip"):
        [entry.source() for entry in find.find(path)]


def test_names_of_zips_with_backslashes_are_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in ("cats\\1.png", "dogs\\2.png"):
            info = zipfile.ZipInfo(name)
            info.filename = name
            archive.writestr(info, GREY)
    assert [entry.name.as_posix() for entry in find.find(tmp_path / "z.zip")] == ["cats/1.png", "dogs/2.png"]


def test_no_more_is_held_than_fits() -> None:
    import threading

    lock, held, most = threading.Lock(), 0, 0

    def work(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        threading.Event().wait(0.002)
        with lock:
            held -= size
        return size

    sizes = [batch.IN_FLIGHT // 3] * 12 + [5 * batch.IN_FLIGHT] + [10] * 12
    assert list(batch.each(sizes, work, 6, lambda size: size)) == sizes
    assert most == 5 * batch.IN_FLIGHT, "one alone may be larger, and only alone"
    most = 0
    list(batch.each(sizes[:12], work, 6, lambda size: size))
    assert most <= batch.IN_FLIGHT


def test_the_weight_of_a_file_comes_from_its_header(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
    size = (tmp_path / "a.png").stat().st_size
    assert batch.weight(find.find(tmp_path / "a.png")[0], 6) == 6 * 300 * 200
    assert batch.weight(find.find(tmp_path / "z.zip")[0], 6) == 6 * 300 * 200 + size


def test_a_zip_member_without_a_name_is_passed_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"nothing")
        archive.writestr("a.png", b"something")
    assert [str(entry.name) for entry in find.find(tmp_path / "a.zip")] == ["a.png"]
