"""What stands beside the numbers: metadata of a file, and a README with an example that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from simulacra.export.boundary import Range, described, shape_of
from simulacra.export.parts import Field, Part
from simulacra.images.decode import MODES
from simulacra.models import Coded, Generative, Model
from simulacra.runs.run import Run
from simulacra.steering.capabilities import has_standard_normal_prior
from simulacra.version import __version__

__all__ = ["ENDINGS", "facts", "readme"]

ENDINGS = {"safetensors": ".safetensors", "onnx": ".onnx", "torch-export": ".pt2"}
TRUNCATION = "For samples that are more typical and less varied, redraw values beyond a threshold such as 0.7."


def facts(run: Run, part: Part, convention: Range, licence: str) -> dict[str, str]:
    """Return what a file says about itself, as texts by name; inputs and outputs are JSON."""
    return {
        "simulacra": __version__,
        "part": part.name,
        "title": part.title,
        "family": run.config.model.family,
        "recipe": str(run.config.recipe),
        "data": run.config.data.name,
        "licence": licence,
        "inputs": json.dumps([described(one, convention) for one in part.inputs]),
        "outputs": json.dumps([described(one, convention) for one in part.outputs]),
        "latents": latents(run.model, has_prior=part.name == "prior"),
    }


def latents(model: Model, *, has_prior: bool) -> str:
    """Say how latents are drawn."""
    if has_prior:
        return "Draw noise from N(0, I), and latents z from it by the part prior."
    if isinstance(model, Coded):
        return f"Draw z from N(0, I), categories evenly, and numbers evenly from -1 to 1. {TRUNCATION}"
    if isinstance(model, Generative) and has_standard_normal_prior(model):
        return f"Draw z from N(0, I). {TRUNCATION}"
    return "This model has no distribution of latents: z comes from the encoder, or from a fitted prior."


def readme(run: Run, format_: str, parts: Sequence[Part], files: Sequence[str], convention: Range, licence: str) -> str:
    """Return the text of README.md: the files, their inputs and outputs, how to draw latents, an example."""
    has_prior = any(part.name == "prior" for part in parts)
    lines = [
        f"# {run.config.recipe} ({run.config.model.family}), trained on {run.config.data.name}",
        "",
        f"Exported by simulacra {__version__}. Licence of the weights: {licence}.",
        "",
    ]
    if format_ == "safetensors":
        lines += [f"`{files[0]}` is the whole model, for simulacra: any verb takes it as RUN.", ""]
    else:
        for part, file in zip(parts, files, strict=True):
            lines += [f"## `{file}`: {part.title}", "", *_table(part, convention), ""]
        if any(part.name == "generator" for part in parts):
            lines += [latents(run.model, has_prior=has_prior), ""]
    lines += ["## Example", "", "```python", *example(format_, parts, files, convention), "```", ""]
    return "\n".join(lines)


def _table(part: Part, convention: Range) -> list[str]:
    rows = ["| | name | type | shape | values |", "|---|---|---|---|---|"]
    for kind, fields in (("input", part.inputs), ("output", part.outputs)):
        for one in fields:
            said = described(one, convention)
            shape = ", ".join(map(str, shape_of(one, convention)))
            rows.append(f"| {kind} | `{one.name}` | {said['type']} | ({shape}) | {_values(one, said)} |")
    return rows


def _values(one: Field, said: dict[str, object]) -> str:
    if one.kind == "image":
        more = f"; {said['multiple']}" if "multiple" in said else ""
        return f"{one.meaning}, {str(said['range']).partition(',')[0]}{more}"
    return one.meaning


def example(format_: str, parts: Sequence[Part], files: Sequence[str], convention: Range) -> list[str]:
    """Return ten lines of Python that use the exported files, from the folder that holds them."""
    if format_ == "safetensors":
        return _of_package(parts, files[0])
    shown = next((part for part in parts if part.name == "generator"), parts[0])
    prior = next((part for part in parts if part.name == "prior" and shown.name == "generator"), None)
    names = {part.name: file for part, file in zip(parts, files, strict=True)}
    lines = _opening(format_, {_variable(part): names[part.name] for part in (shown, prior) if part is not None})
    for one in shown.inputs:
        lines += _draw(format_, one, convention, prior)
    results = ", ".join(
        one.name if one.name not in {x.name for x in shown.inputs} else f"new_{one.name}" for one in shown.outputs
    )
    lines.append(f"{_unpacked(results)} = {_call(format_, shown, shown.inputs)}")
    last = shown.outputs[0]
    if last.kind == "image":
        return [*lines, *_shown(format_, last, convention)]
    return [*lines, f"print({results.partition(',')[0]})"]


def _of_package(parts: Sequence[Part], file: str) -> list[str]:
    opening = ["import simulacra", "", f'run = simulacra.Run.open("{file}")']
    if any(part.name == "generator" for part in parts):
        return [*opening, 'simulacra.show(run.sample(16)).save("samples.png")']
    return [*opening, "print(run)"]


def _unpacked(names: str) -> str:
    return names if "," in names else f"({names},)"


def _opening(format_: str, used: Mapping[str, str]) -> list[str]:
    if format_ == "onnx":
        head = [
            "import numpy as np",
            "import onnxruntime",
            "from PIL import Image",
            "",
            "rng = np.random.default_rng(0)",
        ]
        load = '{0} = onnxruntime.InferenceSession("{1}")'
    else:
        head = ["import torch", "from PIL import Image", ""]
        load = '{0} = torch.export.load("{1}").module()'
    return head + [load.format(variable, file) for variable, file in used.items()]


def _variable(part: Part) -> str:
    return part.name.replace("-", "_")


def _draw(format_: str, one: Field, convention: Range, prior: Part | None) -> list[str]:
    numpy = format_ == "onnx"
    if one.kind == "vector" and prior is not None:
        noise = _draw(format_, prior.inputs[0], convention, None)
        return [*noise, f"({one.name},) = {_call(format_, prior, prior.inputs)}"]
    if one.kind == "vector":
        size = one.shape[0]
        return [
            f"{one.name} = "
            + (f"rng.standard_normal((16, {size}), dtype=np.float32)" if numpy else f"torch.randn(16, {size})")
        ]
    if one.kind == "category":
        return [
            f"{one.name} = "
            + (f"np.arange(16) % {len(one.names)}" if numpy else f"torch.arange(16) % {len(one.names)}")
        ]
    if one.kind == "number":
        return [f"{one.name} = " + ("rng.uniform(-1, 1, 16).astype(np.float32)" if numpy else "2 * torch.rand(16) - 1")]
    return _picture(format_, one, convention)


def _picture(format_: str, one: Field, convention: Range) -> list[str]:
    """A white picture, in place of which a reader will open one."""
    channels, height, width = one.shape
    mode = MODES[channels]
    opened = f'picture = Image.new("{mode}", ({width}, {height}), "white")  # or Image.open(...).convert("{mode}")'
    asarray = "np.asarray(picture)" if format_ == "onnx" else "torch.asarray(bytearray(picture.tobytes()))"
    laid = f"{asarray}.reshape(1, picture.height, picture.width, {channels})"
    if convention == "uint8":
        return [opened, f"{one.name} = {laid}"]
    transposed = (
        f"{laid}.transpose(0, 3, 1, 2).astype(np.float32)" if format_ == "onnx" else f"{laid}.permute(0, 3, 1, 2)"
    )
    return [opened, f"{one.name} = {transposed} / {'255' if convention == 'unit' else '127.5 - 1'}"]


def _call(format_: str, part: Part, fields: Sequence[Field]) -> str:
    if format_ == "onnx":
        fed = ", ".join(f'"{one.name}": {one.name}' for one in fields)
        return f"{_variable(part)}.run(None, {{{fed}}})"
    return f"{_variable(part)}({', '.join(one.name for one in fields)})"


def _shown(format_: str, one: Field, convention: Range) -> list[str]:
    name, numpy = f"{one.name}[0]", format_ == "onnx"
    if convention != "uint8":
        scaled = f"({name} + 1) * 127.5" if convention == "symmetric" else f"{name} * 255"
        name = (
            f"({scaled}).round().astype(np.uint8).transpose(1, 2, 0)"
            if numpy
            else f"({scaled}).round().byte().permute(1, 2, 0)"
        )
    array = f"{name}.squeeze()" if one.shape[0] == 1 else name
    return [f'Image.fromarray({array}{"" if numpy else ".numpy()"}).save("image.png")']
