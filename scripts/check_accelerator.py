"""Everything that should be known of a new accelerator, in at most 8 minutes, as one table and one JSON file.

``python scripts/check_accelerator.py [--device cuda] [--out accelerator.json] [--steps NAME ...] [--tiny]``. Every step
is a process of its own with a time budget of its own, so one that fails or hangs does not stop the others.
``--device cpu --tiny`` runs all of it on small models in a minute, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from simulacra import config, data, machine, models
from simulacra.config import Train
from simulacra.models import FAMILIES, Generative, Inferential, Translating
from simulacra.testing import small
from simulacra.training import Trainer, length
from simulacra.training.session import Session

Result = dict[str, Any]
CLOSE = 1e-3  # largest difference of a weight after three steps: devices round products differently
APART = 1e-2  # the same after 20 steps on two processes, whose sums are in another order
CURVES = 0.1  # of the float32 loss on the CPU, by which the loss of another precision may differ
COMPARED = ("vae", "gan", "cvae")  # recipes whose curves are compared


def families(device: torch.device, tiny: bool) -> Result:
    """Three steps of every family from one seed, here and on the CPU: equal weights; what it makes is finite."""
    found: Result = {}
    for family in list(FAMILIES)[: 3 if tiny else None]:
        name = "resnet" if small.translates(family) else "conv"
        here, there = (_three_steps(family, name, place) for place in (device, torch.device("cpu")))
        found[family] = max(float((here[key].cpu() - there[key]).abs().max()) for key in here)
    worst = max(found, key=lambda family: found[family])
    return {"ok": found[worst] < CLOSE, "largest_difference": found, "said": f"{worst} differs by {found[worst]:.1e}"}


def _three_steps(family: str, network: str, device: torch.device) -> dict[str, Tensor]:
    with machine.full_precision():
        trainer = _small_trainer(family, network, device)
        for _ in range(3):
            trainer.advance()
        model = trainer.model.eval()
        x = trainer.loader.batch(0).image
        with torch.no_grad():
            if isinstance(model, Generative):
                assert torch.isfinite(model.decode(model.prior(4, torch.Generator().manual_seed(0)))).all()
            if isinstance(model, Inferential):
                assert torch.isfinite(model.decode(model.encode(x))).all()
            if isinstance(model, Translating):
                assert torch.isfinite(model.translate(x, "B")).all()
    return {key: tensor for key, tensor in model.state_dict().items() if tensor.is_floating_point()}


def _small_trainer(family: str, network: str, device: torch.device, rate: float = 1e-4) -> Trainer:
    shape = small.shapes(family)[0]
    model = small.build(family, network, shape).to(device)
    if isinstance(model, Translating):
        a, b = model.domains.values()
        dataset = small.noise_domains(25, a.channels, b.channels, a.size)
    else:
        dataset = small.noise_images(25, shape.channels, shape.size)
    values = Train(images=1_000, batch=8, optimizer=config.Optimizer(learning_rate=rate, epsilon=1e-4))
    return Trainer(model, data.LOADERS[model.batch](dataset, 8, seed=5, device=device), values, seed=5)


def resume(device: torch.device, tiny: bool) -> Result:
    """A training that is stopped in the middle and resumed: its weights beside those of an undisturbed one."""
    images = 640 if tiny else 6_400
    changes = {"train": {"images": images, "batch": 32, "log": images // 4, "device": str(device), "score": images}}
    with tempfile.TemporaryDirectory() as home:
        whole = Session.start("gan-mlp", data_name="digits", out=f"{home}/whole", changes=changes)
        whole.run()
        halved = Session.start("gan-mlp", data_name="digits", out=f"{home}/halved", changes=changes)
        for _ in halved._train():
            halved._save()
            break
        halved.folder.unlock()
        again = Session.start("gan-mlp", data_name="digits", out=f"{home}/halved", changes=changes, resume=True)
        begun = again.trainer.step
        again.run()
        states = (whole.trainer.model.state_dict(), again.trainer.model.state_dict())
    apart = max(float((states[0][key].float() - states[1][key].float()).abs().max()) for key in states[0])
    said = f"resumed at step {begun}, differs by {apart:.1e}"
    return {"ok": begun > 0 and apart < CLOSE, "apart": apart, "said": said}


def curves(device: torch.device, tiny: bool) -> Result:
    """The last losses of short trainings in other precisions, and compiled, beside float32 on the CPU."""
    compiles = device.type == "cuda" or not tiny
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "float32": (str(device), {}), "bfloat16": (str(device), {"precision": "bfloat16"}),
        **({"compiled": (str(device), {"compile": True})} if compiles else {}),
    }  # fmt: skip
    found: Result = {}
    for recipe in COMPARED[: 1 if tiny else None]:
        known = _loss(recipe, "cpu", {}, tiny)
        for way, (place, options) in ways.items():
            found[f"{recipe} {way}"] = _loss(recipe, place, options, tiny) / known - 1
    worst = max(found, key=lambda name: abs(found[name]))
    return {"ok": abs(found[worst]) < CURVES, "of_float32_on_the_cpu": found, "said": f"{worst}: {found[worst]:+.1%}"}


def _loss(recipe: str, device: str, options: dict[str, Any], tiny: bool) -> float:
    trainer = recipe_trainer(recipe, torch.device(device), {"log": 10**9, **options}, tiny)
    for _ in range(20 if tiny else 300):
        trainer.advance()
    trainer.drain()
    for _ in range(10 if tiny else 100):
        trainer.advance()
    return sum(value for name, value in trainer.drain().items() if "accuracy" not in name)


def recipe_trainer(recipe: str, device: torch.device, options: dict[str, Any], tiny: bool = False) -> Trainer:
    """Return a trainer of a recipe, on digits of its own shape, or on two domains of noise."""
    values = config.parse(config.merge(config.recipe(recipe).values, {"train": options}))
    family = FAMILIES[values.model.family]
    size, channels = values.data.size or 32, values.data.channels or 1
    chosen = values.data.model_copy(update={"name": "digits", "size": size, "channels": channels})
    if family.batch in (data.Unpaired, data.Pairs) and not chosen.pairs:
        pictures = small.noise_domains(256, channels, values.data.channels_b or channels, size)
    else:
        pictures = data.load(chosen, None, family.batch).train
    batch = min(16, values.train.batch) if tiny else values.train.batch
    torch.manual_seed(0)
    completed = family.completed(values.model, pictures)
    model = models.build(completed, pictures.shape).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = data.loader(family.batch, pictures, chosen, batch, device=device)
    train = values.train.model_copy(update={"batch": batch, "precision": machine.precision(values.train, device)})
    return Trainer(model, batches, train)


def peak(device: torch.device, tiny: bool) -> Result:
    """The most that this device multiplies, in operations per second, in both precisions."""
    side = 512 if tiny else 8_192 if device.type == "cuda" else 2_048
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    found = {name: _multiplied(device, side, kind) for name, kind in kinds.items()}
    said = ", ".join(f"{name} {rate / 1e12:,.2f} Tflop/s" for name, rate in found.items())
    return {"ok": True, "flops_a_second": found, "said": said}


def _multiplied(device: torch.device, side: int, dtype: torch.dtype) -> float:
    a = torch.randn(side, side, device=device, dtype=dtype)
    for _ in range(3):
        b = a @ a
    _wait(device)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 1:
        for _ in range(5):
            b = a @ a
        count += 5
        _wait(device)
    del b
    return 2 * side**3 * count / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def speed(device: torch.device, tiny: bool) -> Result:
    """Images a second of every recipe, plain and compiled, and its share of what the device multiplies."""
    recipes = ["gan-mlp", "vae-mlp"] if tiny else config.recipe_names()
    rates = _multiplied(device, 512 if tiny else 4_096, torch.float32)
    found: Result = {}
    for recipe in recipes:
        plain = recipe_trainer(recipe, device, {}, tiny)
        plain.step = 1  # lazy penalties on slopes, which cannot be counted, come at step 0
        with FlopCounterMode(display=False) as counter, suppress(RuntimeError):
            plain.advance()
        images = length.speed(plain, 0.2 if tiny else 3.0)
        work = counter.get_total_flops() / plain.values.batch
        found[recipe] = {"images_a_second": images, "flops_an_image": work, "share_of_peak": work * images / rates}
        if device.type == "cuda":
            compiled = recipe_trainer(recipe, device, {"compile": True})
            found[recipe]["images_a_second_compiled"] = length.speed(compiled, 3.0)
    best = max(found, key=lambda name: found[name]["share_of_peak"])
    said = f"{best} reaches {found[best]['share_of_peak']:.1%} of the matrix peak"
    return {"ok": True, "recipes": found, "said": said}


def processes(device: torch.device, tiny: bool) -> Result:
    """Two processes beside one: the weights that both come to, by NCCL where there are two devices, else by gloo."""
    del tiny
    words = ["train", "gan-mlp", "--data", "digits", "--train.images", "640", "--train.batch", "32"]
    words += ["--train.verify", "5", "--train.device", device.type]
    several = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "simulacra",
    ]
    with tempfile.TemporaryDirectory() as home:
        for start, name in (([sys.executable, "-m", "simulacra"], "one"), (several, "two")):
            command = [*start, *words, "--out", f"{home}/{name}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return {"ok": False, "said": (done.stdout + done.stderr).strip().splitlines()[-1]}
        one, two = (_last_weights(Path(home, name)) for name in ("one", "two"))
    apart = max(float((one[key].float() - two[key].float()).abs().max()) for key in one)
    return {"ok": apart < APART, "apart": apart, "said": f"differ by {apart:.1e} (float32, sums in another order)"}


def _last_weights(run: Path) -> dict[str, Tensor]:
    path = max((run / "checkpoints").glob("*.pt"))
    return torch.load(path, weights_only=True, map_location="cpu")["model"]  # type: ignore[no-any-return]


STEPS: dict[str, tuple[Callable[[torch.device, bool], Result], int]] = {  # and the seconds that each may take
    "families": (families, 90),
    "resume": (resume, 60),
    "peak": (peak, 20),
    "speed": (speed, 180),
    "curves": (curves, 90),
    "processes": (processes, 60),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the steps, write the JSON file, print the table; return 1 where a step failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="device to check (default: the accelerator, if there is one)")
    parser.add_argument("--out", type=Path, default=Path("accelerator.json"), help="JSON file (default: %(default)s)")
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS), help="steps (default: all)")
    parser.add_argument("--tiny", action="store_true", help="small models and few steps, to see that the script works")
    parser.add_argument("--seconds", type=float, help="time budget of each step (default: its own)")
    parser.add_argument("--here", action="store_true", help="run the only step in this process, and print its result")
    options = parser.parse_args(arguments)
    device = machine.device(options.device)
    if options.here:
        print(json.dumps(STEPS[options.steps[0]][0](device, options.tiny)))
        return 0
    found = {name: _apart(name, options) for name in options.steps}
    told = {"device": _name(device), "torch": str(torch.__version__), "machine": platform.platform(), "steps": found}
    options.out.write_text(json.dumps(told, indent=2) + "\n")
    print(f"{_name(device)}, torch {torch.__version__}; details: {options.out}")
    for name, result in found.items():
        print(f"{'ok' if result['ok'] else 'FAILED':<8}{name:<12}{result['seconds']:>6.0f} s  {result['said']}")
    return 0 if all(result["ok"] for result in found.values()) else 1


def _apart(name: str, options: argparse.Namespace) -> Result:
    """Run a step in a process of its own, within its time."""
    words = [sys.executable, __file__, "--here", "--steps", name, "--device", options.device]
    words += ["--tiny"] if options.tiny else []
    seconds, start = options.seconds or STEPS[name][1], time.monotonic()
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=seconds, env=dict(os.environ))
    except subprocess.TimeoutExpired:
        return {"ok": False, "seconds": seconds, "said": f"did not end within {seconds:.0f} seconds"}
    took = time.monotonic() - start
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return {"ok": False, "seconds": took, "said": last[:200]}
    return {**json.loads(lines[-1]), "seconds": took}


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} ({machine.processor()})"


if __name__ == "__main__":
    sys.exit(main())
