"""A studio over small untrained runs, for tests of its API and its page."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from simulacra import config, images, models
from simulacra.images import Shape
from simulacra.runs import model_file

MLP = {"kind": "mlp", "hidden": [16]}
CLASSES = [str(k) for k in range(10)]


def untrained(folder: Path, family: str, **model: Any) -> Path:
    """A run of digits whose weights are random: a config, a model, a log of two lines and a sheet."""
    networks = {} if "generator" in model else {"network": MLP}
    values = config.parse({
        "recipe": "tests", "data": {"name": "digits", "size": 8, "channels": 1},
        "model": {"family": family, **networks, **model}, "train": {"images": 128},
    })  # fmt: skip
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(config.dumps(values))
    model_file.save_model(models.build(values.model, Shape(1, 8)), values, folder / "model.safetensors")
    rows = [{"step": k, "images": 64 * k, "seconds": float(k), "model/nll": 3.0 - k} for k in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    images.save(torch.zeros(1, 16, 16), folder / "samples" / "00000002.png")
    return folder


def runs(folder: Path) -> Path:
    """A folder of runs: a plane of two latents, a VAE of four, and one with classes."""
    untrained(folder / "plane", "vae", latent=2)
    untrained(folder / "vae", "vae", latent=4)
    untrained(folder / "classes", "cvae", latent=3, classes=CLASSES)
    return folder


def png(side: int = 8, grey: int = 200, format_: str = "PNG") -> str:
    """A picture as a data: address."""
    return address(encoded(Image.new("L", (side, side), grey), format_))


def encoded(picture: Image.Image, format_: str = "PNG") -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    picture.save(buffer, format_)
    return buffer.getvalue()


def address(content: bytes, kind: str = "image/png") -> str:
    """Bytes as a data: address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def pixels(address_: str) -> Image.Image:
    """The picture of a data: address."""
    return Image.open(io.BytesIO(base64.b64decode(address_.partition(",")[2])))
