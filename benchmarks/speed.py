"""Images per second of a processor core, our training loop beside Keras', and as a share of what the core can multiply.

``python -m benchmarks.speed [--keras PYTHON] [--seconds 8] [--repeats 3] [--json FILE]``. Every measurement is a
process of its own with one thread, and its processor time counts; ours and Keras' alternate, so that a slow minute of
the machine hits both. A processor without matrix units for bfloat16 is not measured in it: it would emulate the format.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from simulacra import config, machine, models
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.models.gan import GAN
from simulacra.models.vae import VAE
from simulacra.training.session import Session

WARM_UP = 20  # steps before the clock starts
BUSY = 0.5  # load average before the first measurement above which the reader is warned
SHAPE = Shape(channels=1, size=28)
ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
TUTORIALS = Path(__file__).with_name("keras_tutorials.py")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
HOW_TO_KERAS = (
    "Beside Keras: python3 -m venv keras && keras/bin/pip install tensorflow-cpu keras, "
    "then python -m benchmarks.speed --keras keras/bin/python"
)


@dataclass(frozen=True)
class Variant:
    """One way to run the tutorial in Keras: what it is called in the table, and its flags."""

    name: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One training of ours and the ways to run its tutorial in Keras."""

    recipe: str
    batch: int
    precision: str
    peak: str  # the operation that does most of the work: matmul or conv
    variants: tuple[Variant, ...]


FIT = (Variant("fit"), Variant("fit without XLA", ("--jit", "off")))
MIXED = tuple(Variant(variant.name, (*variant.flags, "--mixed")) for variant in FIT)
EAGER_OR_GRAPH = (Variant("eager tape"), Variant("tf.function", ("--graph",)))
PREDICT = (Variant("predict"), Variant("predict_on_batch", ("--graph",)))
ROWS = (
    Row("vae-2d", 16, "float32", "conv", FIT),
    Row("vae-2d", 16, "bfloat16", "conv", MIXED),
    Row("vae-2d", 128, "float32", "conv", FIT),
    Row("vae-2d", 128, "bfloat16", "conv", MIXED),
    Row("vae-mlp", 512, "float32", "matmul", EAGER_OR_GRAPH),
    Row("vae-mlp", 512, "bfloat16", "matmul", EAGER_OR_GRAPH),
    Row("gan-mlp", 32, "float32", "matmul", PREDICT),
)


@dataclass
class Measured:
    """What a row gave: a list of images per second for ours and for each variant of Keras."""

    row: Row
    flops: float  # per image, of our training step
    keras_flops: dict[str, float]
    ours: list[float] = field(default_factory=list)
    keras: dict[str, list[float]] = field(default_factory=dict)


# ---------------------------------------------------------------------------------- operations per image


@dataclass(frozen=True)
class Macs:
    """Multiplications of one forward pass through a network per image, all of them and its first layer's."""

    total: int
    first: int

    def trained(self, *, towards_input: bool) -> int:
        """Of a pass forward and the gradients of weights and of inputs; nobody needs those of data or noise."""
        return 3 * self.total - (0 if towards_input else self.first)

    def frozen(self) -> int:
        """Of a pass forward and the gradients of inputs only."""
        return 2 * self.total


@torch.no_grad()
def count(network: nn.Module, inputs: torch.Tensor) -> Macs:
    """Count the multiplications of a sequence of layers on one image; only dense and convolutional ones have any."""
    network.eval()
    counts = []
    for layer in network.children():
        outputs = layer(inputs)
        counts.append(_macs(layer, inputs, outputs))
        inputs = outputs
    return Macs(sum(counts), next(filter(None, counts)))


def _macs(layer: nn.Module, inputs: torch.Tensor, outputs: torch.Tensor) -> int:
    if isinstance(layer, nn.Linear):
        return layer.weight.numel()
    if isinstance(layer, nn.Conv2d):
        return layer.weight.numel() * math.prod(outputs.shape[2:])
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.weight.numel() * math.prod(inputs.shape[2:])
    return 0


def flops(model: Model) -> float:
    """Floating-point operations of one of our training steps per image of the batch, 2 per multiplication.

    A VAE trains encoder and decoder. A GAN trains the discriminator on a real and a generated image, and the
    generator, whose image is used by both players, through a discriminator that is not moved.
    """
    if isinstance(model, VAE):
        encoder = count(model.encoder, torch.zeros(1, SHAPE.channels, SHAPE.size, SHAPE.size))
        decoder = count(model.decoder, torch.zeros(1, model.latent))
        return 2.0 * (encoder.trained(towards_input=False) + decoder.trained(towards_input=True))
    assert isinstance(model, GAN)
    generator, discriminator = _gan_macs(model)
    moved = 2 * discriminator.trained(towards_input=False) + generator.trained(towards_input=False)
    return 2.0 * (moved + discriminator.frozen())


def keras_flops(model: Model) -> float:
    """The same for the tutorial: its GAN generates the discriminator's images in a pass of their own."""
    extra = _gan_macs(model)[0].total if isinstance(model, GAN) else 0
    return flops(model) + 2.0 * extra


def _gan_macs(model: GAN) -> tuple[Macs, Macs]:
    images = torch.zeros(1, SHAPE.channels, SHAPE.size, SHAPE.size)
    return count(model.generator, torch.zeros(1, model.latent)), count(model.discriminator, images)


def build(recipe: str) -> Model:
    """Build the model of a recipe."""
    return models.build(config.parse(config.recipe(recipe).values).model, SHAPE)


def parameters(model: Model) -> int:
    """Count the trainable parameters of all players."""
    return sum(p.numel() for player in model.players().values() for p in player.parameters() if p.requires_grad)


# ----------------------------------------------------------------------------------------------- workers


def formats() -> list[str]:
    """The number formats that this processor multiplies itself."""
    native = machine.multiplies_bfloat16(torch.device("cpu"))
    return [name for name in DTYPES if native or name != "bfloat16"]


@torch.inference_mode()
def measure_peaks(seconds: float, names: Collection[str] | None = None) -> dict[str, float]:
    """Return the most operations per second of a large product and a typical convolution, for each format."""
    names = formats() if names is None else names
    return {
        f"{name} {kind}": _most(operation, work, seconds / 2 / len(names))
        for name in names
        for kind, (operation, work) in {"matmul": _matmul(DTYPES[name]), "conv": _conv(DTYPES[name])}.items()
    }


def _matmul(dtype: torch.dtype) -> tuple[Callable[[], object], float]:
    a, b = torch.randn(2, 2048, 2048).to(dtype)
    return lambda: a @ b, 2.0 * 2048**3


def _conv(dtype: torch.dtype) -> tuple[Callable[[], object], float]:
    x = torch.randn(128, 64, 14, 14).to(dtype, memory_format=torch.channels_last)
    layer = nn.Conv2d(64, 64, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return lambda: layer(x), 2.0 * layer.weight.numel() * 14 * 14 * 128


def _most(operation: Callable[[], object], work: float, seconds: float) -> float:
    operation()
    shortest, end = math.inf, time.process_time() + seconds
    while (start := time.process_time()) < end:
        operation()
        shortest = min(shortest, time.process_time() - start)
    return work / shortest


def train(recipe: str, batch: int, precision: str, seconds: float) -> dict[str, Any]:
    """Train a recipe on the processor for some seconds and return its speed and last terms."""
    changes = {"train": {"batch": batch, "precision": precision, "device": "cpu"}}
    with tempfile.TemporaryDirectory() as folder:
        session = Session.start(recipe, out=Path(folder) / "run", changes=changes)
        environment = json.loads((session.path / "environment.json").read_text())
        session.trainer.model.train()
        _advance(session, steps=WARM_UP)
        start = time.process_time()
        steps, terms = _advance(session, until=start + seconds)
        elapsed = time.process_time() - start
    return {
        "recipe": recipe,
        "batch": batch,
        "precision": precision,
        "images_per_second": steps * batch / elapsed,
        "terms": terms,
        "parameters": parameters(session.trainer.model),
        "environment": {key: environment[key] for key in ("processor", "threads", "torch", "python", "machine")},
    }


def _advance(session: Session, *, steps: int = 0, until: float = 0.0) -> tuple[int, dict[str, float]]:
    """Train for at least so many steps and so much processor time, reading the terms as often as the real loop does."""
    trainer, done, terms = session.trainer, 0, dict[str, float]()
    while done < steps or time.process_time() < until:
        trainer.advance()
        done += 1
        if trainer.due(session.config.train.log):
            terms = trainer.drain()
    return done, terms


# ------------------------------------------------------------------------------------------ measurements


def _call(command: Sequence[str]) -> dict[str, Any]:
    """Run a worker and return the JSON of its last line."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **ONE_THREAD}
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _ours(row: Row, seconds: float) -> dict[str, Any]:
    worker = ("--worker", row.recipe, "--batch", str(row.batch), "--precision", row.precision)
    return _call([sys.executable, "-m", "benchmarks.speed", *worker, "--seconds", str(seconds)])


def _keras(python: str, row: Row, variant: Variant, seconds: float) -> dict[str, Any]:
    worker = (row.recipe, "--batch", str(row.batch), "--seconds", str(seconds))
    return _call([python, str(TUTORIALS), *worker, *variant.flags])


def _peaks(seconds: float, peaks: dict[str, float]) -> dict[str, float]:
    """Measure the peaks once more and return the larger ones."""
    again = _call([sys.executable, "-m", "benchmarks.speed", "--peaks", "--seconds", str(seconds)])
    return {name: max(value, peaks.get(name, 0.0)) for name, value in again.items()}


def prepare(row: Row, with_keras: bool) -> Measured:
    """Build the row's model to count its operations, before anything is measured."""
    model = build(row.recipe)
    used = row.variants if with_keras else ()
    return Measured(row, flops(model), {variant.name: keras_flops(model) for variant in used})


def measure(measured: Measured, python: str | None, seconds: float, repeats: int, versions: dict[str, Any]) -> None:
    """Alternate ours and the variants of Keras; note in ``versions`` what they ran on."""
    row = measured.row
    for _ in range(repeats):
        ours = _ours(row, seconds)
        measured.ours.append(ours["images_per_second"])
        versions.update(ours["environment"])
        if python is None:
            continue
        for variant in row.variants:
            theirs = _keras(python, row, variant, seconds)
            _same_size(row, ours["parameters"], theirs["parameters"])
            measured.keras.setdefault(variant.name, []).append(theirs["images_per_second"])
            versions.update({key: theirs[key] for key in ("tensorflow", "keras")})


def _same_size(row: Row, ours: int, theirs: int) -> None:
    if ours != theirs:
        raise SystemExit(f"{row.recipe} has {ours:,} parameters here and {theirs:,} in Keras: not the same model.")


# ------------------------------------------------------------------------------------------------ report


def lines(measured: Measured, peaks: dict[str, float]) -> list[str]:
    """Return the row's lines of the Markdown table, one for each variant of Keras."""
    row, ours = measured.row, statistics.median(measured.ours)
    peak = peaks[f"{row.precision} {row.peak}"]
    first = [row.recipe, str(row.batch), row.precision, f"{ours:,.0f}", _spread(measured.ours)]
    first.append(f"{measured.flops / 1e6:,.2f}")
    first.append(f"{ours * measured.flops / peak:.0%}")
    if not measured.keras:
        return [_line(first)]
    return [_line([*first, *_beside(measured, name, peak)]) for name in measured.keras]


def _beside(measured: Measured, name: str, peak: float) -> list[str]:
    theirs = statistics.median(measured.keras[name])
    ratio = statistics.median(measured.ours) / theirs
    return [name, f"{theirs:,.0f}", f"{theirs * measured.keras_flops[name] / peak:.0%}", f"{ratio:.2f}"]


def _spread(values: Sequence[float]) -> str:
    """The smallest and the largest value, in percent of the median."""
    return f"{min(values) / statistics.median(values):.0%} to {max(values) / statistics.median(values):.0%}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def header(with_keras: bool) -> list[str]:
    """Return the two lines above the table."""
    cells = ["recipe", "batch", "precision", "images/s", "spread", "MFLOP/image", "of peak"]
    if with_keras:
        cells += ["Keras", "images/s", "of peak", "ours / Keras"]
    return [_line(cells), _line(["---"] * 3 + ["---:"] * 4 + (["---", "---:", "---:", "---:"] if with_keras else []))]


def table(rows: Sequence[Measured], peaks: dict[str, float], versions: dict[str, Any], with_keras: bool) -> str:
    """Return the whole report as Markdown."""
    out = [", ".join(f"{key} {value}" for key, value in versions.items()), ""]
    out += [_line(["peak", "GFLOP/s"]), _line(["---", "---:"])]
    out += [_line([name, f"{value / 1e9:,.0f}"]) for name, value in peaks.items()]
    out += ["", *header(with_keras)]
    out += [line for measured in rows for line in lines(measured, peaks)]
    return "\n".join(out if with_keras else [*out, "", HOW_TO_KERAS])


def as_json(rows: Sequence[Measured], peaks: dict[str, float], versions: dict[str, Any]) -> dict[str, Any]:
    """Return all that was measured, every repeat by itself."""
    return {
        "versions": versions,
        "peaks": peaks,
        "rows": [
            {
                "recipe": measured.row.recipe,
                "batch": measured.row.batch,
                "precision": measured.row.precision,
                "peak": measured.row.peak,
                "flops": measured.flops,
                "ours": measured.ours,
                "keras_flops": measured.keras_flops,
                "keras": measured.keras,
            }
            for measured in rows
        ],
    }


def bench(python: str | None, seconds: float, repeats: int, file: Path | None, only: str | None) -> None:
    """Measure everything, or one recipe, print the table, and write the numbers."""
    native = formats()
    rows = [prepare(row, python is not None) for row in ROWS if only in (None, row.recipe) and row.precision in native]
    versions: dict[str, Any] = {"load": round(os.getloadavg()[0], 2)}
    if versions["load"] > BUSY:
        print(
            f"The machine is busy (load {versions['load']}): trust the ratios, not the speeds.",
            file=sys.stderr,
        )
    peaks = _peaks(seconds, {})
    for measured in rows:
        row = measured.row
        print(f"{row.recipe}, batch {row.batch}, {row.precision} ...", file=sys.stderr, flush=True)
        measure(measured, python, seconds, repeats, versions)
        peaks = _peaks(seconds, peaks)
    print(table(rows, peaks, versions, with_keras=python is not None))
    if file is not None:
        file.write_text(json.dumps(as_json(rows, peaks, versions), indent=2) + "\n")


def main() -> None:
    """Measure, or do one worker's part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--keras", metavar="PYTHON", help="a Python that has tensorflow-cpu and keras")
    parser.add_argument("--seconds", type=float, default=8.0, help="of every measurement")
    parser.add_argument("--repeats", type=int, default=3, help="of every measurement")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write all numbers")
    parser.add_argument("--only", metavar="RECIPE", help="leave the other recipes out")
    parser.add_argument("--worker", metavar="RECIPE", help="only train this recipe and print one line of JSON")
    parser.add_argument("--peaks", action="store_true", help="only measure the peaks and print one line of JSON")
    parser.add_argument("--batch", type=int, default=128, help="of the worker")
    parser.add_argument("--precision", choices=DTYPES, default="float32", help="of the worker")
    values = parser.parse_args()
    if values.worker is not None:
        print(json.dumps(train(values.worker, values.batch, values.precision, values.seconds)))
    elif values.peaks:
        print(json.dumps(measure_peaks(values.seconds)))
    else:
        bench(_command(values.keras), values.seconds, values.repeats, values.json, values.only)


def _command(python: str | None) -> str | None:
    """Make a path absolute without following links, which a virtual environment's Python is."""
    return os.path.abspath(python) if python and os.sep in python else python  # noqa: PTH100


if __name__ == "__main__":
    main()
