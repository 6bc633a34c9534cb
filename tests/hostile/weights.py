"""Files of weights, checkpoints and priors: damaged, of wrong shapes or types, not finite, or with a payload."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.hostile.case import Case, Place
from tests.hostile.mutate import mutated

Edit = Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]
USES: dict[str, Callable[[Place, str], Sequence[str]]] = {
    "sample": lambda place, file: ["sample", file, "--n", "2", "--out", place.out("x.png")],
    "reconstruct": lambda place, file: ["reconstruct", file, "--images", place.sound("data/classes/a"), "--out",
                                        place.out("x.png")],
    "encode": lambda place, file: ["encode", file, place.sound("data/classes/a"), "--out", place.out("x.npz")],
    "evaluate": lambda place, file: ["evaluate", file, "--n", "8", "--features", "pixels", "--out",
                                     place.out("x.json")],
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Weights made by hand."""
    for name, edit in MODELS.items():
        for use in ("sample", "encode"):
            yield Case(f"model/{name}/{use}", "models", _model(edit, use), refused=name not in FINE)
    for name, content in RAW.items():
        yield Case(f"model/{name}/sample", "models", _raw_model(content), refused=True)
    for name, change in CHECKPOINTS.items():
        yield Case(f"checkpoint/{name}", "training", _resumed(change), refused=name not in RECOVERED)
    for name, edit in PRIORS.items():
        yield Case(f"prior/{name}", "models", _prior(edit), refused=True)


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Damaged files."""
    uses = list(USES)
    for number in range(count):
        kind, use = number % 3, uses[number % len(uses)]
        if kind == 0:
            yield Case(f"model/damaged-{number}/{use}", "models", _model_damaged(use), seed=seed)
        elif kind == 1:
            yield Case(f"checkpoint/damaged-{number}", "training", _checkpoint_damaged, seed=seed)
        else:
            yield Case(f"prior/damaged-{number}", "models", _prior_damaged, seed=seed)


# ------------------------------------------------------------------------------------------------- builds


def opened(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the numbers of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def closed(header: dict[str, Any], body: bytes) -> bytes:
    """A safetensors file."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _model(edit: Edit, use: str) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        return USES[use](
            place, place.file("m.safetensors", closed(*edit(*opened(place.bytes("runs/vae/model.safetensors")))))
        )

    return build


def _raw_model(content: Callable[[Place], bytes]) -> Callable[[Place], Sequence[str]]:
    return lambda place: USES["sample"](place, place.file("m.safetensors", content(place)))


def _model_damaged(use: str) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        content = mutated(place.bytes("runs/vae/model.safetensors")[:2500], place.random)
        return USES[use](place, place.file("m.safetensors", content + place.bytes("runs/vae/model.safetensors")[2500:]))

    return build


def _prior(edit: Edit) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        file = place.file("p.safetensors", closed(*edit(*opened(place.bytes("runs/vae/prior.safetensors")))))
        return ["sample", place.sound("runs/vae"), "--n", "2", "--prior", file, "--out", place.out("x.png")]

    return build


def _prior_damaged(place: Place) -> Sequence[str]:
    file = place.file("p.safetensors", mutated(place.bytes("runs/vae/prior.safetensors"), place.random))
    return ["sample", place.sound("runs/vae"), "--n", "2", "--prior", file, "--out", place.out("x.png")]


def _resumed(change: Callable[[bytes, Place], bytes]) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        from tests.hostile.store import resuming

        run = place.copy("runs/vae", "out/run")
        for file in run.glob("checkpoints/*.pt"):
            file.write_bytes(change(file.read_bytes(), place))
        return resuming(run)

    return build


def _checkpoint_damaged(place: Place) -> Sequence[str]:
    return _resumed(lambda content, place: mutated(content, place.random))(place)


# ------------------------------------------------------------------------------------------------- made by hand


def _config(old: str, new: str) -> Edit:
    """A change of the config in the metadata."""

    def edit(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        text = header["__metadata__"]["config"]
        assert old in text
        return {**header, "__metadata__": {**header["__metadata__"], "config": text.replace(old, new, 1)}}, body

    return edit


def _metadata(**values: Any) -> Edit:
    return lambda header, body: ({**header, "__metadata__": {**header["__metadata__"], **values}}, body)


def _without(key: str) -> Edit:
    def edit(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        return {**header, "__metadata__": {k: v for k, v in header["__metadata__"].items() if k != key}}, body

    return edit


def _filled(number: float) -> Edit:
    return lambda header, body: (header, struct.pack("<f", number) * (len(body) // 4))


def _facts(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Edit:
    """A change of the facts of the first tensor."""

    def edit(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        name = next(key for key in header if key != "__metadata__")
        return {**header, name: change(header[name])}, body

    return edit


def _cast(kind: str, width: int) -> Edit:
    """All tensors of another type, of zeros."""

    def edit(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        changed: dict[str, Any] = {"__metadata__": header["__metadata__"]}
        end = 0
        for name, facts in header.items():
            if name != "__metadata__":
                begin, end = end, end + (facts["data_offsets"][1] - facts["data_offsets"][0]) // 4 * width
                changed[name] = {"dtype": kind, "shape": facts["shape"], "data_offsets": [begin, end]}
        return changed, bytes(end)

    return edit


def _overlapping(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    names = [key for key in header if key != "__metadata__"]
    return {**header, names[0]: header[names[0]] | {"data_offsets": header[names[2]]["data_offsets"]}}, body


def _renamed(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    return {
        ("\x1b[31m\n" + "x" * 5000 if key == "decoder.0.bias" else key): value for key, value in header.items()
    }, body


def _one_nan(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    return header, struct.pack("<f", float("nan")) + body[4:]


MODELS: dict[str, Edit] = {
    "family-unknown": _config('family = "vae"', 'family = "hostile_trap"'),
    "family-module": _config('family = "vae"', 'family = "hostile_trap:Vae"'),
    "family-other": _config('family = "vae"', 'family = "gan"'),
    "latent-vast": _config("latent = 2", "latent = 1000000000"),
    "latent-other": _config("latent = 2", "latent = 3"),
    "hidden-vast": _config("    8,\n", "    1000000000,\n"),
    "hidden-many": _config("    8,\n", "    8,\n" * 100_000),
    "size-none": _config("size = 8\n", ""),
    "size-vast": _config("size = 8\n", "size = 1024\n"),
    "size-text": _config("size = 8\n", "size = 'x'\n"),
    "name-escapes": _config('name = "digits"', 'name = "\\u001b[31m\\n"'),
    "name-device": _config('name = "digits"', 'name = "/dev/zero"'),
    "recipe-goes-up": _config('recipe = "vae-2d"', 'recipe = "../../beside"'),
    "config-empty": _metadata(config=""),
    "config-brackets": _metadata(config="x = " + "[" * 20_000),
    "config-digits": _metadata(config="seed = " + "9" * 5000),
    "config-none": _without("config"),
    "format-none": _without("format"),
    "format-other": _metadata(format="simulacra-999"),
    "format-escapes": _metadata(format="\x1b[31m\n" * 1000),
    "no-metadata": lambda header, body: ({k: v for k, v in header.items() if k != "__metadata__"}, body),
    "no-tensors": lambda header, body: ({"__metadata__": header["__metadata__"]}, b""),
    "all-nan": _filled(float("nan")),
    "all-inf": _filled(float("inf")),
    "one-nan": _one_nan,
    "float64": _cast("F64", 8),
    "float16": _cast("F16", 2),
    "int8": _cast("I8", 1),
    "bool": _cast("BOOL", 1),
    "type-unknown": _facts(lambda facts: facts | {"dtype": "F7"}),
    "shape-vast": _facts(lambda facts: facts | {"shape": [2**62, 2**62]}),
    "shape-below-0": _facts(lambda facts: facts | {"shape": [-8]}),
    "shape-text": _facts(lambda facts: facts | {"shape": "x"}),
    "shape-transposed": _facts(lambda facts: facts | {"shape": [1, *facts["shape"]]}),
    "offsets-outside": _facts(lambda facts: facts | {"data_offsets": [0, 2**62]}),
    "offsets-back": _facts(lambda facts: facts | {"data_offsets": facts["data_offsets"][::-1]}),
    "overlapping": _overlapping,
    "renamed": _renamed,
    "one-more": lambda header, body: (
        {**header, "evil": {"dtype": "F32", "shape": [1], "data_offsets": [len(body), len(body) + 4]}},
        body + bytes(4),
    ),
}  # fmt: skip
FINE = frozenset({"float64", "float16", "size-none", "name-escapes", "name-device", "recipe-goes-up", "one-more"})


class Payload:
    """An object whose unpickling would leave a file beside."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def _pickled(place: Place) -> bytes:
    return pickle.dumps(Payload(str(place.beside / "pickled")))


def _torch_zip(place: Place) -> bytes:
    """What torch.save writes, with a payload for its pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled(place))
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
    return buffer.getvalue()


def _state(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[bytes, Place], bytes]:
    def edit(content: bytes, place: Place) -> bytes:
        import torch

        state = change(torch.load(io.BytesIO(content), weights_only=True))
        buffer = io.BytesIO()
        torch.save(state, buffer)
        return buffer.getvalue()

    return edit


def _nan_state(state: dict[str, Any]) -> dict[str, Any]:
    for tensor in state["model"].values():
        tensor.fill_(float("nan"))
    return state


RAW: dict[str, Callable[[Place], bytes]] = {
    "empty": lambda place: b"",
    "eight-bytes": lambda place: b"\xff" * 8,
    "header-vast": lambda place: (2**40).to_bytes(8, "little") + b"{}",
    "header-empty": lambda place: (0).to_bytes(8, "little"),
    "header-list": lambda place: (2).to_bytes(8, "little") + b"[]",
    "header-deep": lambda place: (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "pickle": _pickled,
    "torch": _torch_zip,
    "picture": lambda place: place.bytes("pictures/grey.png"),
    "zip": lambda place: place.bytes("data/classes.zip"),
    "prior": lambda place: place.bytes("runs/vae/prior.safetensors"),
}

CHECKPOINTS: dict[str, Callable[[bytes, Place], bytes]] = {
    "empty": lambda content, place: b"",
    "text": lambda content, place: b"not a checkpoint",
    "pickle": lambda content, place: _pickled(place),
    "torch-pickle": lambda content, place: _torch_zip(place),
    "half": lambda content, place: content[: len(content) // 2],
    "list": _state(lambda state: [1, 2]),  # type: ignore[arg-type, return-value]
    "number": _state(lambda state: 5),  # type: ignore[arg-type, return-value]
    "no-keys": _state(lambda state: {}),
    "step-below-0": _state(lambda state: state | {"step": -5}),
    "step-vast": _state(lambda state: state | {"step": 10**18}),
    "step-text": _state(lambda state: state | {"step": "x"}),
    "step-fraction": _state(lambda state: state | {"step": 1.5}),
    "step-nan": _state(lambda state: state | {"step": float("nan")}),
    "seconds-text": _state(lambda state: state | {"seconds": "x"}),
    "seconds-nan": _state(lambda state: state | {"seconds": float("nan")}),
    "retry-vast": _state(lambda state: state | {"retry": 10**9}),
    "retry-text": _state(lambda state: state | {"retry": "x"}),
    "best-text": _state(lambda state: state | {"best": "x"}),
    "best-list": _state(lambda state: state | {"best": [1]}),
    "data-number": _state(lambda state: state | {"data": 5}),
    "format-other": _state(lambda state: state | {"format": "simulacra-999"}),
    "model-list": _state(lambda state: state | {"model": []}),
    "model-none": _state(lambda state: state | {"model": None}),
    "model-text-value": _state(lambda state: state | {"model": dict.fromkeys(state["model"], "x")}),
    "model-nan": _state(_nan_state),
    "optimizers-empty": _state(lambda state: state | {"optimizers": {}}),
    "optimizers-list": _state(lambda state: state | {"optimizers": [1]}),
    "optimizer-empty": _state(lambda state: state | {"optimizers": {"model": {}}}),
    "optimizer-groups": _state(lambda state: state | {"optimizers": {"model": {"state": {}, "param_groups": 5}}}),
    "average-list": _state(lambda state: state | {"average": [1]}),
}
RECOVERED = frozenset({"seconds-nan", "retry-vast"})


def _prior_facts(text: str) -> Edit:
    return _metadata(prior=text)


def _prior_facts_with(**values: Any) -> Edit:
    def edit(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        facts = json.loads(header["__metadata__"]["prior"]) | values
        return {**header, "__metadata__": {**header["__metadata__"], "prior": json.dumps(facts)}}, body

    return edit


PRIORS: dict[str, Edit] = {
    "facts-null": _prior_facts("null"),
    "facts-list": _prior_facts("[]"),
    "facts-number": _prior_facts("5"),
    "facts-deep": _prior_facts("[" * 100_000),
    "facts-digits": _prior_facts("9" * 5000),
    "kind-unknown": _prior_facts_with(kind="hostile_trap"),
    "kind-list": _prior_facts_with(kind=[]),
    "name-number": _prior_facts_with(name=5, kind="nobody"),
    "weights-other": _prior_facts_with(weights="0" * 64),
    "weights-number": _prior_facts_with(weights=5),
    "format-other": _metadata(format="x" * 100_000),
    "no-metadata": lambda header, body: ({k: v for k, v in header.items() if k != "__metadata__"}, body),
    "no-tensors": lambda header, body: ({"__metadata__": header["__metadata__"]}, b""),
    "all-nan": lambda header, body: (header, struct.pack("<d", float("nan")) * (len(body) // 8)),
    "all-inf": lambda header, body: (header, struct.pack("<d", float("inf")) * (len(body) // 8)),
    "classes-vast": lambda header, body: (header, b"\xff\xff\xff\x7f" * 4 + body[16:]),
    "overlapping": _overlapping,
    "shape-other": _facts(lambda facts: facts | {"shape": [1, 2]}),
    "shape-vast": _facts(lambda facts: facts | {"shape": [2**62]}),
}
