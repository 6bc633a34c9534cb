"""The data sets with a name: what they hold and which files they are, for lists that need no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ARCHIVES", "NAMED", "Source"]

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SIZE = "60,000 + 10,000, grey, 28 x 28"


@dataclass(frozen=True)
class Source:
    """A title, the images, and the files below a data folder (also packed, as .gz), or where the images come from."""

    title: str
    images: str
    files: tuple[str, ...] = ()
    origin: str = ""


def _idx(name: str) -> tuple[str, ...]:
    return tuple(f"{name}/{file}" for file in IDX)


NAMED = {
    "digits": Source("handwritten digits (UCI)", "1,500 + 297, grey, 8 x 8", origin="in the package"),
    "shapes": Source(
        "sprites with known factors", "12,000 + 2,000, colour, any size (32 x 32)", origin="drawn when needed"
    ),
    "mnist": Source("handwritten digits (MNIST)", SIZE, _idx("mnist")),
    "fashion-mnist": Source("clothes (Fashion-MNIST)", SIZE, _idx("fashion-mnist")),
    "stacked-mnist": Source(
        "three MNIST digits, one in each colour channel: 1,000 modes", "60,000 + 10,000, colour, 28 x 28", _idx("mnist")
    ),
}
ARCHIVES = {
    "emoji-noto2twemoji": Source(
        "emoji in two styles: Noto and Twemoji",
        "675 + 693, 128 test pairs, colour, 64 x 64",
        ("emoji-noto2twemoji.zip",),
    ),
    "facades": Source(
        "house fronts beside their label maps (CMP)", "400 + 106 pairs, colour, 256 x 256", ("facades.zip",)
    ),
}
