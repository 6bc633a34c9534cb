"""Masks: one reading for every verb, whatever a mask was drawn with."""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from simulacra.cli import main
from simulacra.errors import DataError
from simulacra.images import files
from simulacra.images.files import Entry
from simulacra.images.masks import Masks, read_mask

SIDE = 40
HOLE = (10, 12, 29, 31)  # left, top, right, bottom: 20 x 20 pixels


def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def shape(mode: str, ground: object, ink: object) -> Image.Image:
    picture = Image.new(mode, (SIDE, SIDE), ground)  # type: ignore[arg-type]
    ImageDraw.Draw(picture).rectangle(HOLE, fill=ink)  # type: ignore[arg-type]
    return picture


def entry(picture: Image.Image, format_: str = "PNG", name: str = "m.png") -> Entry:
    buffer = io.BytesIO()
    picture.save(buffer, format_)
    return Entry(PurePosixPath(name), lambda: buffer.getvalue())


def erased() -> Image.Image:
    picture = photo().convert("RGBA")
    picture.paste((0, 0, 0, 0), (HOLE[0], HOLE[1], HOLE[2] + 1, HOLE[3] + 1))
    return picture


WAYS = {
    "white on black": shape("L", 0, 255),
    "1 on 0": shape("L", 0, 1),
    "grey 100": shape("L", 0, 100),
    "pure red": shape("RGB", (0, 0, 0), (255, 0, 0)),
    "pure blue": shape("RGB", (0, 0, 0), (0, 0, 255)),
    "one bit": shape("1", 0, 1),
    "palette": shape("RGB", (0, 0, 0), (200, 180, 0)).quantize(4),
    "16 bits of 1": Image.fromarray(np.asarray(shape("L", 0, 1)).astype(np.uint16)),
    "white on transparent": shape("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)),
    "red on transparent": shape("RGBA", (0, 0, 0, 0), (255, 0, 0, 255)),
    "black on transparent": shape("RGBA", (255, 255, 255, 0), (0, 0, 0, 255)),
    "erased to transparent": erased(),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_marked_is_the_shape_however_it_was_drawn(way: str) -> None:
    found = read_mask(entry(WAYS[way], "TIFF" if "16" in way else "PNG"))[0, 0].numpy()
    assert found.sum() == 400
    assert found[HOLE[1] : HOLE[3] + 1, HOLE[0] : HOLE[2] + 1].all()


@pytest.mark.parametrize("way", ["jpeg", "soft"])
def test_soft_borders_are_cut_in_the_middle(way: str) -> None:
    plain = shape("L", 0, 255).resize((400, 400), Image.Resampling.NEAREST)
    drawn = plain.filter(ImageFilter.GaussianBlur(2)) if way == "soft" else plain
    found = read_mask(entry(drawn, "JPEG" if way == "jpeg" else "PNG")).float().sum()
    assert float(found) == pytest.approx(40_000, rel=0.01)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (Image.new("L", (9, 9)), "is black everywhere, so it marks nothing"),
        (Image.new("L", (9, 9), 255), "is not black anywhere, so it marks everything"),
        (photo(), "levels of brightness from .* so it is unclear what it marks"),
        (Image.linear_gradient("L"), "256 levels of brightness from 0 to 255"),
        (shape("L", 100, 200), "2 levels of brightness from 100 to 200"),
        (Image.composite(shape("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)), Image.new("RGBA", (SIDE, SIDE)),
                         Image.linear_gradient("L").resize((SIDE, SIDE)).point(lambda v: 255 * (v > 99))),
         "black, bright and transparent pixels"),
    ],
    ids=["black", "white", "photo", "gradient", "greys", "three"],
)  # fmt: skip
def test_masks_that_do_not_say_what_they_mark_are_refused(picture: Image.Image, reason: str) -> None:
    with pytest.raises(DataError, match=rf"The mask m\.png .*{reason}.*white on black\."):
        read_mask(entry(picture))


def test_masks_of_a_folder_go_by_name_and_size(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    shape("L", 0, 1).save(tmp_path / "m" / "a.png")
    shape("RGBA", (0, 0, 0, 0), (9, 9, 9, 255)).save(tmp_path / "m" / "b.png")
    masks = Masks(tmp_path / "m")
    for name in ("a.jpg", "b.png"):
        found = masks.of(name, (20, 20), "crop")
        assert found.shape == (1, 1, 20, 20)
        assert int(found.sum()) == 100
    with pytest.raises(DataError, match=r"c\.png: there is no mask of this name"):
        masks.of("c.png", (20, 20), "crop")
    speck = Image.new("L", (100, 100))
    speck.putpixel((3, 3), 255)
    speck.save(tmp_path / "one.png")
    with pytest.raises(DataError, match="marks nothing once it is resized to 8 x 8 pixels"):
        Masks(tmp_path / "one.png").of("a.png", (8, 8), "crop")


def test_the_verbs_read_masks_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2")
    photo().save(tmp_path / "p.png")
    results = []
    verbs = {"transform inpaint-telea": [], "compose blend": ["--with", tmp_path / "p.png", "--levels", 0]}
    for number, way in enumerate(["white on black", "1 on 0", "red on transparent", "erased to transparent"]):
        WAYS[way].save(tmp_path / "m.png")
        for verb, more in verbs.items():
            out = tmp_path / f"{number}-{verb.split()[1]}.png"
            words = [*verb.split(), tmp_path / "p.png", "--mask", tmp_path / "m.png", *more, "--out", out]
            assert main(list(map(str, words))) == 0
            results.append(out.read_bytes())
    assert len(set(results)) == 2
    Image.new("L", (SIDE, SIDE)).save(tmp_path / "m.png")
    again = ["transform", "inpaint-telea", str(tmp_path / "p.png"), "--mask", str(tmp_path / "m.png")]
    assert main([*again, "--out", str(tmp_path / "x.png")]) == 2
    assert "marks nothing" in capsys.readouterr().err
    shape("L", 0, 255).resize((64, 80)).save(tmp_path / "m.png")
    assert main([*again, "--out", str(tmp_path / "x.png")]) == 2
    said = capsys.readouterr().err
    assert "the mask m.png has 64 x 80 pixels and the picture p.png 40 x 40. Make their sizes equal." in said
    assert not (tmp_path / "x.png").exists()


def test_a_mask_is_read_as_any_picture(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"m\.png is not an image file"):
        read_mask(files.find(tmp_path / "m.png")[0])
