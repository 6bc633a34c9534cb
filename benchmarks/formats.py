"""Every family in every format of `export`: size, largest difference and images a second, as a table in Markdown.

    python -m benchmarks.formats RUN ...

Of each run the part that makes images is exported: generator, reconstruction or translator to B. ONNX and torch.export
files are run by a fresh process in which this package cannot be imported, on one thread, 64 images at a time, and the
page by headless chromium, one image at a time; `ours` is this package at the same batch. Rates are the best of several
repetitions.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import Run
from simulacra.errors import SimulacraError
from simulacra.export.boundary import Boundary
from simulacra.export.page import write_page
from simulacra.export.parts import Part, parts
from simulacra.export.write import write
from simulacra.models import Generative, Translating

BATCH, REPETITIONS = 64, 3
FORMATS = {"onnx": "onnx", "torch-export": "pt2"}
CHILD = """
import json, sys, time
sys.modules["simulacra"] = None
import torch
torch.set_num_threads(1)
def runner(path):
    if path.endswith(".onnx"):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        return lambda xs: torch.from_numpy(session.run(None, {n: x.numpy() for n, x in zip(names, xs)})[0])
    module = torch.export.load(path).module()
    return lambda xs: module(*xs)[0]
found = {}
for path, given in json.loads(sys.argv[1]):
    xs, wanted = torch.load(given)
    run, times = runner(path), []
    with torch.no_grad():
        difference = float((run(xs).double() - wanted.double()).abs().max())
        for _ in range(REPETITIONS):
            start = time.process_time()
            run(xs)
            times.append(time.process_time() - start)
    found[path] = [difference, min(times)]
print(json.dumps(found))
""".replace("REPETITIONS", str(REPETITIONS))
PAGE = """([name, shape, n]) => {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.1), times = [];
  for (let i = 0; i < n; i++) {
    const start = performance.now();
    networks[name].run(data, shape);
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}"""


def main(names: Sequence[str]) -> None:
    """Print the table of some runs."""
    print("| family | part | format | kB | largest difference | images/s | ours |\n|---|---|---|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(Run.open(name), Path(folder)):
                print(f"| {' | '.join(row)} |", flush=True)


def rows(run: Run, folder: Path) -> Iterator[tuple[str, ...]]:
    """The rows of one run."""
    part, family = shown(run), run.config.model.family
    boundary = Boundary(part, "symmetric")
    generator = torch.Generator().manual_seed(0)
    given = [one.draw(BATCH, generator) for one in part.inputs]
    with torch.no_grad():
        wanted = boundary(*given)[0]
        rate = f"{BATCH / fastest(lambda: boundary(*given)):,.0f}"
    yield from ((family, part.name, *row, rate) for row in elsewhere(run, part, given, wanted, folder))
    file = folder / "model.safetensors"
    first, *_ = write(run, "safetensors", list(parts(run.model).values()), [file], convention="symmetric")
    yield family, "whole model", "safetensors", kilobytes(file), first.said.rpartition(" ")[2], "", ""
    page = on_a_page(run, part, folder / "page.html")
    if page is not None:
        yield (family, part.name, *page, "")


def shown(run: Run) -> Part:
    """The part of a model that makes images."""
    known = parts(run.model)
    name = "generator" if isinstance(run.model, Generative) else "reconstruction"
    return known["translator-b" if isinstance(run.model, Translating) else name]


def elsewhere(
    run: Run, part: Part, given: list[Tensor], wanted: Tensor, folder: Path
) -> Iterator[tuple[str, str, str, str]]:
    """Format, size, difference and rate of the files that other programs run."""
    inputs = folder / "inputs.pt"
    torch.save((given, wanted), inputs)
    files = {format_: folder / f"part.{ending}" for format_, ending in FORMATS.items()}
    for format_, file in files.items():
        list(write(run, format_, [part], [file], convention="symmetric"))
    words = [sys.executable, "-c", CHILD, json.dumps([[str(file), str(inputs)] for file in files.values()])]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    for format_, file in files.items():
        difference, seconds = json.loads(done.stdout)[str(file)]
        yield format_, kilobytes(file), f"{difference:.1e}", f"{BATCH / seconds:,.0f}"


def on_a_page(run: Run, part: Part, file: Path) -> tuple[str, str, str, str] | None:
    """The same of the page, whose difference is that of its own check, in grey levels; None where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        write_page(run, file)
    except SimulacraError:
        return None
    if program is None:
        return "html", kilobytes(file), "", ""
    from playwright.sync_api import sync_playwright

    width = sum(int(torch.tensor(one.shape).prod()) if one.shape else max(1, len(one.names)) for one in part.inputs)
    shape = list(part.inputs[0].shape) if part.inputs[0].kind == "image" else [width]
    with sync_playwright() as playwright:
        page: Any = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"]).new_page()
        page.goto(file.as_uri())
        milliseconds = page.evaluate(PAGE, ["B" if len(shape) == 3 else "generator", shape, 20])
        levels = page.evaluate("worst")
    return "html", kilobytes(file), f"{levels} level{'' if levels == 1 else 's'}", f"{1000 / milliseconds:,.0f}"


def kilobytes(file: Path) -> str:
    """The size of a file."""
    return f"{file.stat().st_size / 1000:,.0f}"


def fastest(call: Callable[[], object]) -> float:
    """Seconds of processor time of the fastest of several calls."""
    times = []
    for _ in range(REPETITIONS + 1):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main(sys.argv[1:])
