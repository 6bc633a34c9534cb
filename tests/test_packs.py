"""Packs: what was packed is read, the same in memory and from the file, and no damaged one is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import cli, data
from simulacra.config import Data
from simulacra.data import ImageLoader, packing, packs, reading
from simulacra.data.loader import Ahead
from simulacra.errors import ConfigError, DataError, StorageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty pictures of two classes, each of one colour that its name says."""
    for label in ("cats", "dogs"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(30):
            colour = (index, 100 if label == "cats" else 200, 7)
            Image.new("RGB", (12, 9), colour).save(tmp_path / "photos" / label / f"{index}.png")
    return tmp_path / "photos"


def packed(folder: Path, name: str = "photos.simpack", **options: Any) -> Path:
    out = folder.parent / name
    packing.pack(folder, Data(name=str(folder), size=8, **options), out)
    return out


def loaded(pack: Path, **options: Any) -> data.Splits:
    return data.load(Data(name=str(pack), **options))


@pytest.mark.parametrize("resident", ["true", "false"])
def test_a_pack_holds_every_picture_with_its_name_and_class(folder: Path, resident: str) -> None:
    splits = loaded(packed(folder, test=0.2), resident=resident)
    assert (len(splits.train), len(splits.test)) == (48, 12)
    assert {*splits.train.names, *splits.test.names} == {f"{c}/{i}.png" for c in ("cats", "dogs") for i in range(30)}
    for part in (splits.train, splits.test):
        assert part.labels is not None
        assert part.classes == ("cats", "dogs")
        for image, label, name in zip(part.images, part.labels.tolist(), part.names, strict=True):
            assert name.startswith(part.classes[label])
            assert image[0].unique().tolist() == [int(Path(name).stem)]
    assert splits.train.mapped == (resident == "false")


def test_batches_are_the_same_from_memory_and_from_the_file(folder: Path) -> None:
    pack = packed(folder)
    held, mapped = (ImageLoader(loaded(pack, resident=held).train, 7, seed=1) for held in ("true", "false"))
    assert isinstance(mapped._images, Ahead)
    assert not isinstance(held._images, Ahead)
    for step in (0, 1, 2, 9, 9, 4):
        one, other = held.batch(step), mapped.batch(step)
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.label, other.label)  # type: ignore[attr-defined]


def test_a_share_is_held_out_without_copying(folder: Path) -> None:
    splits = loaded(packed(folder), resident="false", validation=0.25)
    assert splits.validation is not None
    assert len(splits.validation) + len(splits.train) == 54
    assert not {*splits.validation.names} & {*splits.train.names}
    whole = loaded(packed(folder, "other.simpack"), resident="false").train
    assert splits.train.images.untyped_storage().nbytes() >= whole.images.nbytes
    assert splits.train.digest() != whole.digest()


def test_equal_packs_have_equal_fingerprints(folder: Path) -> None:
    first, second = (loaded(packed(folder, f"{name}.simpack")).fingerprint() for name in "ab")
    assert first == second
    Image.new("RGB", (12, 9), (9, 9, 9)).save(folder / "cats" / "0.png")
    assert loaded(packed(folder, "c.simpack")).fingerprint() != first


def test_other_tools_can_read_it(folder: Path) -> None:
    from safetensors import safe_open

    with safe_open(packed(folder), "np") as file:
        assert file.get_tensor("train.images").shape == (54, 3, 8, 8)
        assert json.loads(file.metadata()["about"])["source"] == "photos"


def shorter(content: bytearray) -> None:
    del content[-100:]


def longer(content: bytearray) -> None:
    content += b"more"


def changed(content: bytearray) -> None:
    content[packs.HEADER + 50] ^= 1


def other(content: bytearray) -> None:
    content[:] = b"Once upon a time " * 10


def empty(content: bytearray) -> None:
    content.clear()


def larger_header(content: bytearray) -> None:
    content[:8] = (2**40).to_bytes(8, "little")


def other_shape(content: bytearray) -> None:
    content[:] = content.replace(b"[54, 3, 8, 8]", b"[54, 3, 8, 9]")


def other_version(content: bytearray) -> None:
    content[:] = content.replace(b'"simpack": "1"', b'"simpack": "2"')


def no_json(content: bytearray) -> None:
    content[8] = 0


def header_alone(content: bytearray) -> None:
    del content[packs.HEADER // 2 :]


def nameless(content: bytearray) -> None:
    content[:] = content.replace(b'"simpack": "1"', b'"sampack": "1"')


def deep(content: bytearray) -> None:
    content[8 : 8 + 60_000] = b"[" * 60_000


DAMAGE = (
    shorter,
    longer,
    changed,
    other,
    empty,
    larger_header,
    other_shape,
    other_version,
    no_json,
    deep,
    header_alone,
    nameless,
)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damaged_packs_are_refused_by_name(folder: Path, damage: Callable[[bytearray], None]) -> None:
    pack = packed(folder)
    content = bytearray(pack.read_bytes())
    damage(content)
    pack.write_bytes(content)
    with pytest.raises(DataError, match=r"photos.simpack cannot be read as a pack: .* Make another: simulacra pack"):
        loaded(pack)


def test_what_is_wrong_with_a_pack_is_said_in_words(folder: Path) -> None:
    pack = packed(folder)
    content = bytearray(pack.read_bytes())
    for damage, words in ((header_alone, "it ends in its header"), (nameless, "it lacks 'simpack'")):
        damaged = bytearray(content)
        damage(damaged)
        pack.write_bytes(damaged)
        with pytest.raises(DataError, match=words):
            loaded(pack)
    pack.unlink()
    with pytest.raises(DataError, match=r"There is no pack .*photos.simpack\. Make it: simulacra pack PATH"):
        packs.Opened(pack)


def test_what_interrupts_packing_leaves_nothing_behind(folder: Path) -> None:
    def interrupted(items: Any, total: int, what: str) -> Iterator[Any]:
        yield next(iter(items))
        raise KeyboardInterrupt

    out = folder.parent / "photos.simpack"
    with pytest.raises(KeyboardInterrupt):
        packing.pack(folder, Data(name=str(folder), size=8), out, interrupted)
    assert [path.name for path in folder.parent.iterdir()] == ["photos"]


def test_a_file_that_cannot_be_read_is_named_or_left_out(folder: Path) -> None:
    (folder / "cats" / "broken.png").write_bytes(b"no picture")
    out = folder.parent / "photos.simpack"
    with pytest.raises(DataError, match=r"broken.png"):
        packed(folder)
    assert not out.exists()
    done = packing.pack(folder, Data(name=str(folder), size=8, corrupt="skip"), out)
    assert sum(done.counts.values()) == 60
    assert "broken.png" in done.left_out[0]


def test_pictures_that_are_read_where_they_lie_keep_their_size(folder: Path) -> None:
    pack = packed(folder)
    assert loaded(pack, size=16, channels=1, resident="true").train.images.shape[1:] == (1, 16, 16)
    with pytest.raises(ConfigError, match=r"holds pictures of 3 x 8 x 8.*--data.size 16 --data.channels 3"):
        loaded(pack, size=16, resident="false")
    with pytest.raises(ConfigError, match=r"--data.resident true"):
        data.load(Data(name=str(pack), resident="false", pairs=("grey",)), batch=data.Pairs)
    with pytest.raises(DataError, match=r"is a pack of one domain"):
        data.load(Data(name=str(pack)), batch=data.Unpaired)


def test_a_full_disk_is_noticed_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(StorageError, match=r"would take .* are free there"):
        packed(folder)


def test_the_size_of_a_set_decides_whether_it_is_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = packed(folder)
    monkeypatch.setattr(packs.machine, "free_memory", lambda: 20_000)
    splits = loaded(pack)
    assert splits.train.mapped
    assert any("read from the pack when they are needed" in line for line in splits.describe())
    monkeypatch.setattr(packs.machine, "free_memory", lambda: 10**9)
    assert not loaded(pack).train.mapped


def test_blocks_are_those_of_the_whole_stream() -> None:
    content = np.random.default_rng(0).integers(0, 256, 3 * packs.BLOCK + 5, dtype=np.uint8).tobytes()
    whole, pieces = packing._Blocks(), packing._Blocks()
    whole.update(content)
    for start in range(0, len(content), 700_001):
        pieces.update(content[start : start + 700_001])
    found = whole.finished()
    assert found == pieces.finished()
    assert len(found) == 4 * packs.DIGEST


def test_the_verb(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.simpack"
    assert cli.main(["pack", str(folder), "--out", str(out), "--data.size", "8", "--data.channels", "1"]) == 0
    assert "54 for train, 6 for test, of 1 x 8 x 8" in capsys.readouterr().out
    assert cli.main(["pack", str(folder), "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert cli.main(["pack", str(out), "--check"]) == 0
    assert "match their digests" in capsys.readouterr().out
    assert cli.main(["pack", str(folder), "--out", "p.zip"]) == 2
    assert "ends in .simpack" in capsys.readouterr().err
    assert cli.main(["pack", str(folder), "--out", str(tmp_path / "q.simpack"), "--data.size", "banana"]) == 2


# ------------------------------------------------------------------------------------------------- two domains


def pictures(folder: Path, count: int, red: int) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (10, 10), (red, index, 7)).save(folder / f"{index}.png")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Thirty pictures of A and B each, with the same names."""
    for domain, red in (("A", 10), ("B", 20)):
        pictures(tmp_path / "both" / f"train{domain}", 30, red)
    return tmp_path / "both"


@pytest.mark.parametrize("resident", ["true", "false"])
@pytest.mark.parametrize("batch", [data.Pairs, data.Unpaired])
def test_a_pack_of_two_domains_keeps_pairs(two: Path, batch: type[data.Images], resident: str) -> None:
    packing.pack(two, Data(name=str(two), size=8), two.parent / "two.simpack", batch=data.Unpaired)
    splits = data.load(Data(name=str(two.parent / "two.simpack"), resident=resident), batch=batch)
    assert splits.train.paired
    assert splits.test.paired
    assert (len(splits.train), len(splits.test)) == (27, 3)
    a, b = splits.train.domains.values()
    assert (a.images[:, 0].unique().tolist(), b.images[:, 0].unique().tolist()) == ([10], [20])
    assert torch.equal(a.images[:, 1], b.images[:, 1])
    made = data.LOADERS[batch](splits.train, 5, seed=1).batch(3)
    assert isinstance(made, data.Pairs | data.Unpaired)
    assert torch.equal(made.image[:, 1], made.other[:, 1]) == (batch is data.Pairs)
    fixed = next(data.LOADERS[batch](splits.train, 5).fixed(splits.test))
    assert len(fixed) == 3


def test_batches_of_pairs_are_the_same_from_memory_and_from_the_file(two: Path) -> None:
    pack = two.parent / "two.simpack"
    packing.pack(two, Data(name=str(two), size=8), pack, batch=data.Unpaired)
    for batch in (data.Pairs, data.Unpaired):
        held, mapped = (
            data.LOADERS[batch](data.load(Data(name=str(pack), resident=held), batch=batch).train, 7, augment=("flip",))
            for held in ("true", "false")
        )
        assert isinstance(mapped._images, Ahead)
        for step in (0, 1, 5):
            one, other = held.batch(step), mapped.batch(step)
            assert torch.equal(one.image, other.image)
            assert torch.equal(one.other, other.other)  # type: ignore[attr-defined]


def test_domains_without_pairs_swap_and_channels(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two / "trainB" / "0.png").rename(two / "trainB" / "other.png")
    pack = two.parent / "two.simpack"
    words = ["pack", str(two), "--out", str(pack), "--domains", "--data.size", "8", "--data.channels_b", "1"]
    assert cli.main(words) == 0
    assert (
        "27 for trainA, 27 for trainB, 3 for testA, 3 for testB, of 3 x 8 x 8 and 1 x 8 x 8" in capsys.readouterr().out
    )
    splits = data.load(Data(name=str(pack), swap=True, resident="false", channels_b=3), batch=data.Unpaired)
    assert [part.shape.channels for part in splits.train.domains.values()] == [1, 3]
    with pytest.raises(ConfigError, match=r"cannot be resized"):
        data.load(Data(name=str(pack), resident="false", channels=3), batch=data.Unpaired)
    with pytest.raises(DataError, match=r"two domains without pairs"):
        data.load(Data(name=str(pack)), batch=data.Pairs)
    with pytest.raises(DataError, match=r"is a pack of two domains, which the families cyclegan and pix2pix"):
        loaded(pack)


def test_pictures_side_by_side_and_pairs_that_lack_one(tmp_path: Path) -> None:
    (tmp_path / "wide").mkdir()
    for index in range(12):
        picture = Image.new("RGB", (20, 10), (10, index, 7))
        picture.paste((20, index, 7), (10, 0, 20, 10))
        picture.save(tmp_path / "wide" / f"{index:02}.png")
    (tmp_path / "wide" / "03.png").write_bytes((tmp_path / "wide" / "03.png").read_bytes()[:60])
    values, pack = Data(name="wide", size=8, corrupt="skip"), tmp_path / "wide.simpack"
    done = packing.pack(tmp_path / "wide", values, pack, batch=data.Pairs)
    assert done.counts == {"trainA": 10, "trainB": 10, "testA": 1, "testB": 1}
    assert "03.png" in done.left_out[0]
    a, b = data.load(Data(name=str(pack)), batch=data.Pairs).train.domains.values()
    assert (a.images[:, 0].unique().tolist(), b.images[:, 0].unique().tolist()) == ([10], [20])
    assert torch.equal(a.images[:, 1], b.images[:, 1])


def test_the_counterpart_of_a_lost_picture_is_left_out_too(two: Path) -> None:
    (two / "trainB" / "5.png").write_bytes(b"no picture")
    pack = two.parent / "two.simpack"
    done = packing.pack(two, Data(name="two", size=8, corrupt="skip"), pack, batch=data.Unpaired)
    assert sum(done.counts.values()) == 58
    assert "trainA/5.png: the image that it is paired with cannot be read." in done.left_out
    assert data.load(Data(name=str(pack)), batch=data.Pairs).train.paired


def test_pictures_in_other_proportions_are_packed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "tall").mkdir()
    for index in range(12):
        Image.new("L", (16, 48), index).save(tmp_path / "tall" / f"{index}.png")
    packing.pack(tmp_path / "tall", Data(name="tall", size=24, width=8), tmp_path / "tall.simpack")
    for resident in ("true", "false"):
        assert loaded(tmp_path / "tall.simpack", resident=resident).train.images.shape == (11, 1, 24, 8)
    with pytest.raises(ConfigError, match=r"holds pictures of 1 x 24 x 8.*--data.size 24 --data.channels 1"):
        loaded(tmp_path / "tall.simpack", resident="false", size=24)


# ------------------------------------------------------------------------------ sets that do not fit into memory


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "simulacra" / "packs"


@pytest.mark.parametrize("options", [{}, {"validation": 0.2, "test": 0.3}, {"per_class": 4}])
def test_a_set_that_is_packed_first_is_the_same_set(folder: Path, cache: Path, options: dict[str, Any]) -> None:
    (folder / "cats" / "broken.png").write_bytes(b"no picture")
    values = Data(name=str(folder), size=8, corrupt="skip", **options)
    with pytest.warns(UserWarning, match=r"is packed first, which takes 0.0 GB of disk"):
        packed_first = data.load(values.model_copy(update={"resident": "false"}))
    held = data.load(values.model_copy(update={"resident": "true"}))
    assert packed_first.fingerprint() == held.fingerprint()
    assert packed_first.train.names == held.train.names
    assert len(list(cache.iterdir())) == 1
    again = data.load(values.model_copy(update={"resident": "false"}))  # says nothing: the pack is there
    assert again.fingerprint() == held.fingerprint()
    (folder / "cats" / "broken.png").unlink()
    with pytest.warns(UserWarning, match=r"is packed first"):
        data.load(values.model_copy(update={"resident": "false"}))


@pytest.mark.parametrize("batch", [data.Pairs, data.Unpaired])
def test_so_are_two_domains(two: Path, cache: Path, batch: type[data.Images]) -> None:
    values = Data(name=str(two), size=8, validation=0.1, swap=True)
    with pytest.warns(UserWarning, match=r"is packed first"):
        packed_first = data.load(values.model_copy(update={"resident": "false"}), batch=batch)
    assert packed_first.train.mapped
    held = data.load(values.model_copy(update={"resident": "true"}), batch=batch)
    assert packed_first.fingerprint() == held.fingerprint()
    assert cache.exists()


def test_a_set_beyond_the_memory_is_packed_by_itself(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs.machine, "free_memory", lambda: 20_000)
    with pytest.raises(ConfigError, match=r"would take about"):
        loaded(folder, size=8, resident="true")
    assert not cache.exists()
    monkeypatch.setattr(reading, "refuse_beyond_memory", lambda *_: None)  # which 512 pictures would be, of 20 kB
    with pytest.warns(UserWarning, match=r"; 0.0 GB of memory are free"):
        assert loaded(folder, size=8).train.mapped
