"""Features of a network that you bring: any `torch.nn.Module`, or a program that `torch.export.save` wrote.

The network takes float32 images ``(N, C, H, W)`` in [-1, 1] and returns features ``(N, D)``, or a pair of features
and the logits ``(N, K)`` of classes. It must treat each image alone and alike every time: export it in eval mode.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.errors import ConfigError
from simulacra.features.base import CHUNK, coloured, resized
from simulacra.images import Shape

ENDING = ".pt2"
MAX_VALUES = 2**23  # of images given to the network together
TOLERANCE = 1e-3  # between the features of an image in company and alone, as a share of their largest


class Given:
    """The features of a network: ``shape`` is what it sees, images of another size or colour are brought to it.

    ``digest`` is a SHA-256 of what defines the network, such as that of its file; features are kept in the cache
    under it, so two networks must not share one. ``together`` is how many images the network takes at a time where
    that is fixed. Raises `ConfigError` for a network that does not do what this module's docstring says.
    """

    def __init__(
        self, module: nn.Module, *, name: str, digest: str, shape: Shape, together: int | None = None
    ) -> None:  # fmt: skip
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ConfigError(f"The digest of {name} must be a SHA-256, 64 characters of 0 to 9 and a to f.")
        self.module = module
        self.name = name
        self.digest = digest
        self.shape = shape
        self.together = together
        self.dimensions = self._checked().shape[1]

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(N, dimensions)`` of images ``(N, C, H, W)`` in [-1, 1], of any size, grey or colour.

        Raises `ConfigError` where they are not finite.
        """
        found = torch.cat([output[0] for output in self._outputs(x)])
        if not bool(torch.isfinite(found).all()):
            raise ConfigError(f"{self.name} returns features that are not finite.")
        return found

    @torch.no_grad()
    def _outputs(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        """The features, and the logits where there are any, in parts."""
        count = self.together or min(CHUNK, max(1, MAX_VALUES // self.shape.pixels))
        return [self._output(part, count) for part in torch.split(x, count)]

    def _output(self, x: Tensor, count: int) -> tuple[Tensor, ...]:
        seen = resized(coloured(x.float(), self.shape.channels), self.shape.size)
        if self.together is not None:
            seen = torch.cat([seen, seen.new_zeros(count - len(x), *seen.shape[1:])])
        like = next(self.module.parameters(), seen)
        try:
            found = self.module(seen.contiguous().to(like.device))
        except Exception as error:  # a foreign network fails in ways of its own
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ConfigError(f"{self.name} fails on images {tuple(seen.shape)}: {reason}") from None
        parts = found if isinstance(found, tuple | list) else (found,)
        if not 1 <= len(parts) <= 2 or not all(_is_matrix(part, len(seen)) for part in parts):
            raise ConfigError(
                f"{self.name} must return features (N, D), or a pair of features and logits (N, K), as float tensors; "
                f"for {len(seen)} images it returns {_described(found)}."
            )
        return tuple(part[: len(x)].float().cpu() for part in parts)

    def _checked(self) -> Tensor:
        """The features of three images, which must be the same alone and in company."""
        shape = (3, self.shape.channels, *self.shape.sides)
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        together, alone = self.features(x), torch.cat([self.features(image) for image in torch.split(x, 1)])
        if float((together - alone).abs().max()) > TOLERANCE * float(together.abs().max()):
            raise ConfigError(
                f"{self.name} gives an image different features when the image is given alone. "
                "Put it into eval mode, module.eval(), before it is used or exported."
            )
        return together


class GivenClassifier(Given):
    """A network that also returns the logits of classes."""

    def probabilities(self, x: Tensor) -> Tensor:
        """Return the class probabilities ``(N, K)`` of images ``(N, C, H, W)`` in [-1, 1]."""
        return torch.cat([output[1].softmax(1) for output in self._outputs(x)])


def load(path: Path, sha256: str | None, shape: Shape) -> Given:
    """Load a program of `torch.export.save` with this SHA-256; where it fixes no size, it sees images of ``shape``.

    Loading such a program can run code that its file names, also without a pickle in it; so the file must be
    vouched for by its SHA-256, and files that hold pickled objects are refused. Raises `ConfigError`.
    """
    content = _vouched(path, sha256)
    _refuse_pickles(content, path)
    try:
        program = torch.export.load(io.BytesIO(content))
        module, (together, seen) = program.module(), _input(program, shape)
    except ConfigError:
        raise
    except Exception as error:  # torch raises errors of every kind for damaged files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(f"{path} is damaged, or was not written by torch.export.save: {reason}") from None
    kind = GivenClassifier if _outputs_of(program) == 2 else Given
    return kind(module, name=path.stem, digest=hashlib.sha256(content).hexdigest(), shape=seen, together=together)


def _vouched(path: Path, sha256: str | None) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--features {path} cannot be read: {error.strerror}.") from None
    if sha256 is None:
        raise ConfigError(
            f"Loading {path} can run code that it holds. If you trust where it is from, say which file you mean: "
            f"--features-sha256 HEX, as sha256sum {path} prints it."
        )
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise ConfigError(f"{path} has the SHA-256 {found}, not {sha256}. It was not loaded.")
    return content


def _refuse_pickles(content: bytes, path: Path) -> None:
    """Only tensors stored as plain bytes; the sample inputs, which are never used, by torch's restricted reader."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith("_config.json") and _pickled(json.loads(archive.read(name))):
                    raise ConfigError(f"{path} holds pickled objects ({name}). Export it with plain tensors only.")
                if "/data/" in name and name.endswith(".pt"):
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
    except ConfigError:
        raise
    except Exception as error:  # a damaged zip, or a pickle that the restricted reader refuses
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(f"{path} is damaged, or was not written by torch.export.save: {reason}") from None


def _pickled(listing: dict[str, Any]) -> bool:
    entries = listing["config"].values()
    return any(entry["use_pickle"] or "obj" in entry["path_name"] for entry in entries)


def _input(program: torch.export.ExportedProgram, shape: Shape) -> tuple[int | None, Shape]:
    """How many images the program takes together, if that is fixed, and the shape that it sees."""
    names = program.graph_signature.user_inputs
    found = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(names) != 1 or len(found) != 1 or found[0].dim() != 4 or found[0].dtype != torch.float32:
        raise ConfigError("its one input must be float32 images (N, C, H, W)")
    count, channels, height, width = (size if isinstance(size, int) else None for size in found[0].shape)
    if channels not in (None, 1, 3) or height != width:
        raise ConfigError(f"its images must be square, with 1 or 3 channels, not {tuple(found[0].shape)[1:]}")
    return count, Shape(channels or shape.channels, height or shape.size)


def _outputs_of(program: torch.export.ExportedProgram) -> int:
    return len(program.graph_signature.user_outputs)


def _is_matrix(value: object, rows: int) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dim() == 2 and len(value) == rows


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_described, value)) + ")"
    return type(value).__name__
