"""IDX files: parsing, the places they are looked up in, downloads that are whole or absent, and the real sets."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simulacra import data, machine
from simulacra.cli.data import _where as listed
from simulacra.config import Data, sources
from simulacra.data import archives, idx
from simulacra.errors import DataError

CODES = {np.uint8: 0x08, np.int8: 0x09, np.int16: 0x0B, np.int32: 0x0C, np.float32: 0x0D, np.float64: 0x0E}
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    return bytes([0, 0, CODES[array.dtype.type], array.ndim]) + sizes + big_endian.tobytes()


RNG = np.random.default_rng(0)
ARRAYS = {
    FILES[0]: RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8),
    FILES[1]: np.array([0, 1, 1, 0, 1], np.uint8),
    FILES[2]: RNG.integers(0, 256, (2, 4, 4), dtype=np.uint8),
    FILES[3]: np.array([1, 0], np.uint8),
}
CONTENT = {name: idx_bytes(array) for name, array in ARRAYS.items()}
SOURCE = idx.Source(
    "little", ("zero", "one"), (), {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
)


def put(folder: Path, change: Callable[[bytes], bytes] = lambda packed: packed) -> Path:
    """Write the four files as gz, each changed, below a root."""
    (folder / SOURCE.name).mkdir(parents=True, exist_ok=True)
    for name, content in CONTENT.items():
        (folder / SOURCE.name / f"{name}.gz").write_bytes(change(gzip.compress(content)))
    return folder


def assert_is_little(splits: tuple[data.Dataset, data.Dataset]) -> None:
    train, test = splits
    assert torch.equal(train.images, torch.from_numpy(ARRAYS[FILES[0]])[:, None])
    assert train.labels is not None
    assert train.labels.tolist() == [0, 1, 1, 0, 1]
    assert train.labels.dtype == torch.int64
    assert torch.equal(test.images, torch.from_numpy(ARRAYS[FILES[2]])[:, None])
    assert test.labels is not None
    assert test.labels.tolist() == [1, 0]
    assert train.classes == test.classes == ("zero", "one")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user cache of the test's own, and no folder of real data; returns where data sets are cached."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SIMULACRA_DATA", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return tmp_path / "cache" / "simulacra" / "data"


# --------------------------------------------------------------------------------------------------- parsing


@pytest.mark.parametrize("type_", CODES)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 3, 4), (1, 2, 1, 3), (0, 4)])
def test_every_type_and_shape_is_parsed(type_: type, shape: tuple[int, ...]) -> None:
    values = (RNG.standard_normal(shape) * 100).astype(type_)
    parsed = idx.parse(idx_bytes(values))
    assert parsed.shape == shape
    assert parsed.numpy().dtype == values.dtype
    assert np.array_equal(parsed.numpy(), values)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20))
@settings(max_examples=30, deadline=None)
def test_big_endian_numbers_are_turned(values: list[int]) -> None:
    assert idx.parse(idx_bytes(np.array(values, np.int32))).tolist() == values


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"\x89PNG....", b"\0\1\x08\1\0\0\0\0", b"\0\0\x0a\1\0\0\0\0", b"<html>no such file"]
)
def test_wrong_magic_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^somewhere is not an IDX file"):
        idx.parse(content, "somewhere")


@pytest.mark.parametrize(
    "content",
    [
        CONTENT[FILES[0]][:-1],
        CONTENT[FILES[0]] + b"\0",
        CONTENT[FILES[0]][:9],
        b"\0\0\x08\3",
        b"\0\0\x08\2" + b"\xff" * 8 + b"abc",
    ],
    ids=["short", "long", "no-sizes", "magic-only", "astronomic"],
)
def test_wrong_length_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^somewhere: the sizes .* do not fit"):
        idx.parse(content, "somewhere")


def test_parsed_tensors_can_be_written_to() -> None:
    parsed = idx.parse(CONTENT[FILES[1]])
    parsed += 1
    assert parsed.tolist() == [1, 2, 2, 1, 2]


# ---------------------------------------------------------------------------------------------------- lookup


def test_roots_are_in_order(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    assert machine.data_folders() == [cache]
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path / "env"))
    assert machine.data_folders(tmp_path / "root") == [tmp_path / "root", tmp_path / "env", cache]
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert machine.data_folders()[-1] == tmp_path / "home" / ".cache" / "simulacra" / "data"


def test_the_first_place_that_has_the_files_wins(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    root, env = tmp_path / "root", tmp_path / "env"
    monkeypatch.setenv("SIMULACRA_DATA", str(env))
    assert idx.find(SOURCE, root) is None
    for place in (cache, env, root):
        put(place)
        assert idx.find(SOURCE, root) == place / "little"
        assert_is_little(idx.load(SOURCE, root))
        put(place, lambda packed: packed[:-12])
        with pytest.raises(DataError, match=str(place / "little")):
            idx.load(SOURCE, root)


def test_files_need_no_compression(tmp_path: Path) -> None:
    (tmp_path / "little").mkdir()
    for name, content in CONTENT.items():
        (tmp_path / "little" / name).write_bytes(content)
    assert idx.find(SOURCE, tmp_path) == tmp_path / "little"
    assert_is_little(idx.load(SOURCE, tmp_path))


def test_a_folder_that_lacks_one_file_is_not_found(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "little" / f"{FILES[3]}.gz").unlink()
    assert idx.find(SOURCE, tmp_path) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda packed: packed[:-12], "truncated"),
        (lambda packed: packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:], "damaged"),
        (lambda packed: packed[:20] + b"\xff" * 8 + packed[28:], "damaged"),
        (lambda packed: gzip.compress(b"another file"), "not match the published file"),
        (lambda packed: b"<html>captive portal</html>", "not match the published file"),
        (lambda packed: b"", "not match the published file"),
    ],
    ids=["truncated", "checksum", "stream", "other", "html", "empty"],
)
def test_a_bad_file_on_disk_is_refused_with_its_path(
    change: Callable[[bytes], bytes], reason: str, tmp_path: Path
) -> None:
    put(tmp_path, change)
    with pytest.raises(DataError) as caught:
        idx.load(SOURCE, tmp_path)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "little" / f"{FILES[0]}.gz"))
    assert reason in message
    assert "Delete it and try again" in message


def test_an_archive_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(idx, "LARGEST", 1 << 16)
    put(tmp_path, lambda packed: gzip.compress(bytes(1 << 20)))
    with pytest.raises(DataError, match="larger than any file"):
        idx.load(SOURCE, tmp_path)


# -------------------------------------------------------------------------------------------------- download


@dataclass
class Mirrors:
    """A server on the loopback whose first path segment chooses what goes wrong."""

    address: str
    requests: list[str] = field(default_factory=list)

    def source(self, *behaviours: str) -> idx.Source:
        return replace(SOURCE, mirrors=tuple(f"{self.address}/{behaviour}/" for behaviour in behaviours))


class Handler(http.server.BaseHTTPRequestHandler):
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        _, behaviour, file = self.path.split("/")
        packed = gzip.compress(CONTENT[file.removesuffix(".gz")])
        if behaviour == "missing":
            self.send_error(404)
            return
        if behaviour == "chunks":  # ends in the middle of a chunk
            self.answer("Transfer-Encoding: chunked", b"%x\r\n" % len(packed) + packed[:10])
        elif behaviour == "cut":  # declares more than it sends
            self.answer(f"Content-Length: {len(packed)}", packed[:-10])
        elif behaviour == "nonsense":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
        else:
            body = gzip.compress(b"other") if behaviour == "corrupt" else packed
            self.answer(f"Content-Length: {len(body)}", body)

    def answer(self, header: str, body: bytes) -> None:
        self.wfile.write(f"HTTP/1.1 200 OK\r\n{header}\r\nConnection: close\r\n\r\n".encode() + body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirrors() -> Iterator[Mirrors]:
    requests: list[str] = []
    handler = type("Recording", (Handler,), {"requests": requests})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield Mirrors(f"http://127.0.0.1:{server.server_address[1]}", requests)
        server.shutdown()
        thread.join()


def test_a_download_is_checked_and_cached(mirrors: Mirrors, cache: Path) -> None:
    assert_is_little(idx.load(mirrors.source("good")))
    assert mirrors.requests == [f"/good/{name}.gz" for name in FILES]
    assert sorted(file.name for file in (cache / "little").iterdir()) == sorted(f"{name}.gz" for name in FILES)
    assert gzip.decompress((cache / "little" / f"{FILES[0]}.gz").read_bytes()) == CONTENT[FILES[0]]
    assert_is_little(idx.load(mirrors.source("good")))
    assert len(mirrors.requests) == len(FILES), "the second time from the cache"
    assert idx.find(SOURCE) == cache / "little"


def test_files_on_disk_are_not_downloaded(mirrors: Mirrors, cache: Path, tmp_path: Path) -> None:
    assert_is_little(idx.load(mirrors.source("good"), put(tmp_path / "root")))
    assert mirrors.requests == []
    assert not cache.exists()


@pytest.mark.parametrize("behaviour", ["missing", "cut", "chunks", "corrupt", "nonsense"])
def test_a_bad_mirror_leaves_nothing_and_the_next_is_asked(behaviour: str, mirrors: Mirrors, cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        idx.fetch(mirrors.source(behaviour), FILES[0])
    message = str(caught.value)
    assert f"{mirrors.address}/{behaviour}/{FILES[0]}.gz" in message
    assert "--data-root FOLDER or SIMULACRA_DATA=FOLDER" in message
    assert [file for file in cache.rglob("*") if file.is_file()] == []
    assert idx.fetch(mirrors.source(behaviour, "good"), FILES[0]) == CONTENT[FILES[0]]
    assert mirrors.requests[-2:] == [f"/{behaviour}/{FILES[0]}.gz", f"/good/{FILES[0]}.gz"]
    assert [file.name for file in (cache / "little").iterdir()] == [f"{FILES[0]}.gz"]


def test_without_a_network_the_message_says_what_to_do(cache: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = replace(SOURCE, mirrors=(f"http://127.0.0.1:{unused.getsockname()[1]}/",))
        with pytest.raises(DataError, match=r"little is not on this machine .* Put the IDX files in a folder little/"):
            idx.load(closed)
    assert not cache.exists()


# -------------------------------------------------------------------------------------------- the real sets


@pytest.mark.parametrize(
    ("name", "classes", "per_class"), [("mnist", 10, None), ("fashion-mnist", 10, 6000)], ids=["mnist", "fashion"]
)
def test_the_real_sets(data_root: Path, name: str, classes: int, per_class: int | None) -> None:
    splits = data.load(Data(name=name), data_root)
    assert splits.train.images.shape == (60_000, 1, 28, 28)
    assert splits.test.images.shape == (10_000, 1, 28, 28)
    assert splits.train.images.dtype == torch.uint8
    assert splits.train.labels is not None
    assert splits.test.labels is not None
    counts = torch.bincount(splits.train.labels)
    assert len(counts) == len(splits.train.classes) == classes
    assert counts.sum() == 60_000
    assert per_class is None or (counts == per_class).all()
    if name == "mnist":
        assert splits.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
        assert splits.train.images.double().mean() / 255 == pytest.approx(0.1306604, abs=1e-6)


@pytest.mark.parametrize(
    ("file", "md5"),
    [
        ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
        ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
    ],
)
def test_mnist_has_the_published_content(data_root: Path, file: str, md5: str) -> None:
    assert hashlib.md5(idx.fetch(idx.MNIST, file, data_root), usedforsecurity=False).hexdigest() == md5


def test_the_catalogue_says_where_sets_are(tmp_path: Path, cache: Path) -> None:
    assert data.SOURCES["mnist"].where(tmp_path) is None
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in FILES:
        (folder / name).touch()
    assert data.SOURCES["mnist"].where(tmp_path) == str(folder)
    assert data.SOURCES["digits"].where(None) == "in the package"


def test_the_list_of_sources_tells_what_the_readers_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMULACRA_DATA", raising=False)
    assert list(sources.NAMED) == list(data.SOURCES)
    for name in ("mnist", "fashion-mnist"):
        for file in sources.NAMED[name].files[:-1]:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / f"{file}.gz").write_bytes(b"")
        assert listed(sources.NAMED[name].files, tmp_path) is None, "a file is missing"
        (tmp_path / sources.NAMED[name].files[-1]).write_bytes(b"")
        assert listed(sources.NAMED[name].files, tmp_path) == data.SOURCES[name].where(tmp_path) == str(tmp_path / name)
    (tmp_path / "facades.zip").write_bytes(b"")
    assert listed(sources.ARCHIVES["facades"].files, tmp_path) == str(archives.where("facades", tmp_path))
