"""Training steps of CycleGAN beside those of two repositories, in pairs of images per second of processor time.

    python -m benchmarks.translation --pytorch-cyclegan CLONE --pytorch-gan CLONE

CLONE are working copies of junyanz/pytorch-CycleGAN-and-pix2pix and eriklindernoren/PyTorch-GAN; each side runs in a
process of its own, on one thread, on the same random images, data loading left out. Operations are those of a step's
products and convolutions, 2 per multiplication; the peak is the most that a convolution or a product reaches alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed import measure_peaks
from simulacra import config, models
from simulacra.data import LOADERS, Dataset, Unpaired
from simulacra.images import Shape
from simulacra.training import Trainer

Step = Callable[[], object]
IMAGES = 16  # of each domain, drawn at random
POOL = 50
PEAK_SECONDS = 8.0


def main() -> None:
    """Measure what was asked for, and print a table."""
    options = _options()
    if options.worker:
        print(json.dumps(_measured(options)))
        return
    sides = [("ours", "float32"), ("ours", "bfloat16")]
    sides += [("pytorch-cyclegan", "float32")] if options.pytorch_cyclegan else []
    sides += [("pytorch-gan", "float32")] if options.pytorch_gan else []
    results = {side: _in_a_process(*side) for side in sides}
    print(f"{options.size} x {options.size}, batch {options.batch}, {options.blocks} residual blocks, one thread\n")
    print(
        "| side | precision | pairs per processor second | ours float32 | ours bfloat16 "
        "| 10^9 operations per pair | share of the peak | peak memory, MB | weights |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for (name, precision), found in results.items():
        faster = [results["ours", p]["rate"] / found["rate"] for p in ("float32", "bfloat16")]
        print(
            f"| {name} | {precision} | {found['rate']:.3g} | {faster[0]:.2f} x | {faster[1]:.2f} x "
            f"| {found['operations'] / 1e9:.1f} | {found['rate'] * found['operations'] / found['peak']:.0%} "
            f"| {found['memory']:.0f} | {found['weights']:,} |"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pytorch-cyclegan", type=Path, metavar="CLONE")
    parser.add_argument("--pytorch-gan", type=Path, metavar="CLONE")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=6, choices=(6, 9))
    parser.add_argument("--steps", type=int, default=5, help="measured, after two that are not")
    parser.add_argument("--worker", nargs=2, metavar=("SIDE", "PRECISION"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(side: str, precision: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.translation", *sys.argv[1:], "--worker", side, precision]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side}: {done.stderr[-2000:]}")
    print(f"measured {side}, {precision}", file=sys.stderr, flush=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(options: argparse.Namespace) -> dict[str, float]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    side, precision = options.worker
    pixels = torch.randint(0, 256, (2, IMAGES, 3, options.size, options.size), dtype=torch.uint8)
    builders = {"ours": _ours, "pytorch-cyclegan": _pytorch_cyclegan, "pytorch-gan": _pytorch_gan}
    step, weights = builders[side](options, precision, pixels)
    for _ in range(2):
        step()
    start = time.process_time()
    for _ in range(options.steps):
        step()
    rate = options.steps * options.batch / (time.process_time() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with FlopCounterMode(display=False) as counted:
        step()
    peak = max(measure_peaks(PEAK_SECONDS, [precision]).values())
    return {"rate": rate, "memory": memory, "weights": weights, "peak": peak,
            "operations": counted.get_total_flops() / options.batch}  # fmt: skip


def _ours(options: argparse.Namespace, precision: str, pixels: torch.Tensor) -> tuple[Step, int]:
    """The paper's networks, with the kernels of 3 that both repositories have."""
    generator = {"kind": "resnet", "blocks": options.blocks, "kernel": 3}
    train = {"batch": options.batch, "precision": precision, "optimizer": {"rate": 2e-4, "betas": [0.5, 0.999]}}
    values = config.parse({"model": {"family": "cyclegan", "generator": generator, "pool": POOL}, "train": train})
    model: Any = models.build(values.model, Shape(3, options.size))
    model = model.to(memory_format=torch.channels_last)
    dataset = Dataset("noise", pixels[0], other=Dataset("noise", pixels[1]))
    trainer = Trainer(model, LOADERS[Unpaired](dataset, options.batch), values.train)
    return trainer.advance, _weights(model)


def _pytorch_cyclegan(options: argparse.Namespace, precision: str, pixels: torch.Tensor) -> tuple[Step, int]:
    """The clone's own model and its own step; its options have had two sets of names."""
    del precision
    sys.path.insert(0, str(options.pytorch_cyclegan.resolve()))
    from models.cycle_gan_model import CycleGANModel  # type: ignore[import-not-found]

    net, norm = f"resnet_{options.blocks}blocks", "instance"
    given = SimpleNamespace(
        gpu_ids=[], isTrain=True, device=torch.device("cpu"), checkpoints_dir="/tmp", name="benchmark",
        preprocess="none", resize_or_crop="none", input_nc=3, output_nc=3, ngf=64, ndf=64, netG=net,
        which_model_netG=net, netD="basic", which_model_netD="basic", n_layers_D=3, norm=norm, no_dropout=True,
        init_type="normal", init_gain=0.02, lambda_identity=0.5, lambda_A=10.0, lambda_B=10.0, no_lsgan=False,
        gan_mode="lsgan", pool_size=POOL, lr=2e-4, beta1=0.5, direction="AtoB", which_direction="AtoB",
        continue_train=False, verbose=False, lr_policy="lambda", epoch_count=1, niter=100, niter_decay=100,
        n_epochs=100, n_epochs_decay=100,
    )  # fmt: skip
    if hasattr(CycleGANModel, "initialize"):
        model: Any = CycleGANModel()
        model.initialize(given)
    else:
        model = CycleGANModel(given)
    batches = _batches(options, pixels)

    def step() -> None:
        a, b = next(batches)
        model.set_input({"A": a, "B": b, "A_paths": [], "B_paths": []})
        model.optimize_parameters()

    return step, sum(map(_weights, (model.netG_A, model.netG_B, model.netD_A, model.netD_B)))


def _pytorch_gan(options: argparse.Namespace, precision: str, pixels: torch.Tensor) -> tuple[Step, int]:
    """The clone's networks and pool in a re-statement of its script's step, which cannot be imported."""
    del precision
    sys.path.insert(0, str(options.pytorch_gan.resolve() / "implementations" / "cyclegan"))
    for name in ("torchvision", "torchvision.utils"):  # the pool's file imports a function that it does not use here
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision.utils"].save_image = None  # type: ignore[attr-defined]
    import models as peer  # type: ignore[import-not-found]  # the clone's, first on the path here
    from utils import ReplayBuffer  # type: ignore[import-not-found]

    shape, learning_rate, betas = (3, options.size, options.size), 2e-4, (0.5, 0.999)
    to_b, to_a = (peer.GeneratorResNet(shape, options.blocks) for _ in range(2))
    critics = {name: peer.Discriminator(shape) for name in "AB"}
    pools = {name: ReplayBuffer() for name in "AB"}
    generators = torch.optim.Adam([*to_b.parameters(), *to_a.parameters()], learning_rate, betas)
    others = {name: torch.optim.Adam(critic.parameters(), learning_rate, betas) for name, critic in critics.items()}
    squared, absolute = torch.nn.MSELoss(), torch.nn.L1Loss()
    batches = _batches(options, pixels)

    def step() -> None:
        real = dict(zip("AB", next(batches), strict=True))
        generators.zero_grad()
        identity = absolute(to_a(real["A"]), real["A"]) + absolute(to_b(real["B"]), real["B"])
        fake = {"B": to_b(real["A"]), "A": to_a(real["B"])}
        verdicts = [critics[name](fake[name]) for name in "BA"]
        deceit = squared(verdicts[0], torch.ones_like(verdicts[0])) + squared(verdicts[1], torch.ones_like(verdicts[1]))
        cycle = absolute(to_a(fake["B"]), real["A"]) + absolute(to_b(fake["A"]), real["B"])
        (deceit / 2 + 10 * cycle / 2 + 5 * identity / 2).backward()
        generators.step()
        for name in "AB":
            others[name].zero_grad()
            on_real = critics[name](real[name])
            on_fake = critics[name](pools[name].push_and_pop(fake[name]).detach())
            loss = squared(on_real, torch.ones_like(on_real)) + squared(on_fake, torch.zeros_like(on_fake))
            (loss / 2).backward()
            others[name].step()

    return step, sum(map(_weights, (to_b, to_a, *critics.values())))


def _batches(options: argparse.Namespace, pixels: torch.Tensor) -> Any:
    a, b = pixels.float() / 127.5 - 1
    while True:
        chosen = torch.randint(0, IMAGES, (2, options.batch))
        yield a[chosen[0]], b[chosen[1]]


def _weights(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    main()
