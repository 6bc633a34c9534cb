"""Images per second of a training step beside the scripts of PyTorch-GAN: the same layers, the same batch, one run.

    git clone https://github.com/eriklindernoren/PyTorch-GAN
    OMP_NUM_THREADS=1 python -m benchmarks.peers PyTorch-GAN [gan dcgan ...] [--steps 20] [--repeats 5]

Each script of the clone is run as it is, except that its data come from memory, so that it pays for no loading, and
that it saves no pictures. Then its own layers, taken out of it, are played by our trainer: in float32, and in
bfloat16 where the processor multiplies it, the precision of our recipes. Scripts and ours alternate; the table has
medians of images per second of the processor's time, which what else runs on a machine disturbs least.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from simulacra import config, machine
from simulacra.config import Optimizer, Train
from simulacra.data import Dataset, ImageLoader
from simulacra.images import Shape
from simulacra.models import Model
from simulacra.models.cgan import CGAN
from simulacra.models.gan import GAN
from simulacra.models.infogan import InfoGAN, Recogniser, codes_of
from simulacra.networks.base import Network
from simulacra.training import Trainer

BATCH, CLASSES = 64, 10  # the scripts' defaults
WARM_UP = 3  # steps before the clock starts
RATE, BETAS = 2e-4, (0.5, 0.999)
Precision = Literal["float32", "bfloat16"]


class Enough(Exception):
    """Ends a script once it was measured."""


@dataclass
class Script:
    """A script of the clone that has been run: its names, and images per second of the processor's time."""

    names: dict[str, Any]
    speed: float

    @property
    def shape(self) -> Shape:
        """Of its images."""
        return Shape(self.names["opt"].channels, self.names["opt"].img_size)

    @property
    def latent(self) -> int:
        """How many numbers its noise has."""
        found: int = self.names["opt"].latent_dim
        return found

    def layers(self, player: str, *parts: str) -> list[nn.Module]:
        """The layers of these sequences of a player, without the sigmoid, softmax or tanh at their ends."""
        network = self.names[player]
        found = [layer for part in parts for layer in getattr(network, part)]
        return [layer for layer in found if not isinstance(layer, nn.Sigmoid | nn.Softmax | nn.Tanh)]


def run_script(path: Path, steps: int) -> Script:
    """Run a script of the clone for some steps of its training loop on images in memory."""
    source = path.read_text("utf-8")
    clock: list[float] = []

    def loader(*_: object, **options: Any) -> Batches:
        return Batches(options["batch_size"], lambda: names["opt"].img_size, steps, clock)

    names: dict[str, Any] = {"__name__": "__main__"}
    with _pretending(loader), contextlib.suppress(Enough), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, str(path), "exec"), names)
    return Script(names, BATCH * steps / (clock[-1] - clock[0]))


@dataclass
class Batches:
    """What a script iterates over: images of noise with labels, as many as are timed."""

    size: int
    side: Callable[[], int]
    steps: int
    clock: list[float]

    def __len__(self) -> int:
        return 60_000 // self.size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        images = torch.rand(self.size, 1, self.side(), self.side()) * 2 - 1
        kinds = torch.arange(self.size) % CLASSES
        for step in range(WARM_UP + self.steps + 1):
            if step >= WARM_UP:
                self.clock.append(time.process_time())
            if step < WARM_UP + self.steps:
                yield images, kinds
        raise Enough


@contextlib.contextmanager
def _pretending(loader: Callable[..., Any]) -> Iterator[None]:
    """Stand in for torchvision and for the data loader, in an empty folder and without arguments."""
    anything = types.SimpleNamespace(Compose=_nothing, Resize=_nothing, ToTensor=_nothing, Normalize=_nothing)
    stubs = {
        "torchvision": types.SimpleNamespace(datasets=types.SimpleNamespace(MNIST=_nothing), transforms=anything),
        "torchvision.transforms": anything,
        "torchvision.utils": types.SimpleNamespace(save_image=_nothing),
    }
    before, arguments, original = Path.cwd(), sys.argv, torch.utils.data.DataLoader
    absent = object()
    shadowed = {name: sys.modules.get(name, absent) for name in stubs}
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder, "a", "b")  # the scripts make ../../data
        inside.mkdir(parents=True)
        os.chdir(inside)
        sys.argv = ["script"]
        sys.modules.update(stubs)  # type: ignore[arg-type]
        torch.utils.data.DataLoader = loader  # type: ignore[assignment, misc]
        try:
            yield
        finally:
            torch.utils.data.DataLoader = original  # type: ignore[misc]
            for name, module in shadowed.items():
                sys.modules.pop(name) if module is absent else sys.modules.update({name: module})  # type: ignore[dict-item]
            sys.argv = arguments
            os.chdir(before)


def _nothing(*_: object, **__: object) -> None:
    return None


# ------------------------------------------------------------------------------------------ our game, their layers


class Reshaped(nn.Module):
    """A dense layer whose outputs are the channels of a small image, and the convolutions after it."""

    def __init__(self, dense: list[nn.Module], convolutions: list[nn.Module], side: int) -> None:
        super().__init__()
        self.dense, self.convolutions, self.side = nn.Sequential(*dense), nn.Sequential(*convolutions), side

    def forward(self, z: Tensor) -> Tensor:
        """Return images before the tanh."""
        images: Tensor = self.convolutions(self.dense(z).view(len(z), -1, self.side, self.side))
        return images.float()


class Told(nn.Module):
    """The generator of their conditional GAN, which embeds the label: from our latents, noise and one-hot label."""

    def __init__(self, embedding: nn.Embedding, layers: list[nn.Module], noise: int, shape: Shape) -> None:
        super().__init__()
        self.embedding, self.layers, self.noise, self.shape = embedding, nn.Sequential(*layers), noise, shape

    def forward(self, z: Tensor) -> Tensor:
        """Return images before the tanh."""
        joined = torch.cat([z[:, self.noise :] @ self.embedding.weight, z[:, : self.noise]], 1)
        images: Tensor = self.layers(joined)
        return images.float().view(-1, self.shape.channels, self.shape.size, self.shape.size)


def perceptron(script: Script, **changes: Any) -> Model:
    """`gan`, `wgan_gp`: dense layers."""
    shape = script.shape
    image = nn.Unflatten(1, (shape.channels, shape.size, shape.size))
    generator = Network(*script.layers("generator", "model"), image)
    discriminator = Network(nn.Flatten(), *script.layers("discriminator", "model"))
    return GAN(generator, discriminator, shape, config.GAN(latent=script.latent, **changes))


def convolutional(script: Script, **changes: Any) -> Model:
    """`dcgan`, `lsgan`: convolutions."""
    last = script.names["discriminator"].adv_layer
    verdict = [last] if isinstance(last, nn.Linear) else script.layers("discriminator", "adv_layer")
    discriminator = Network(*script.layers("discriminator", "model"), nn.Flatten(), *verdict)
    return GAN(_reshaped(script), discriminator, script.shape, config.GAN(latent=script.latent, **changes))


def _reshaped(script: Script) -> Reshaped:
    dense, convolutions = script.layers("generator", "l1"), script.layers("generator", "conv_blocks")
    return Reshaped(dense, convolutions, script.names["generator"].init_size)


def conditional(script: Script) -> Model:
    """`cgan`: dense layers that see a label."""
    network = script.names["generator"]
    generator = Told(network.label_emb, script.layers("generator", "model"), script.latent, script.shape)
    values = config.CGAN(latent=script.latent, classes=tuple(map(str, range(CLASSES))), loss="least_squares")
    return CGAN(generator, script.names["discriminator"], script.shape, values)


def informed(script: Script) -> Model:
    """`infogan`: their trunk; the head of our Q is one layer, as theirs, with a variance more for each number."""
    values = config.InfoGAN(latent=script.latent, categorical={"digit": CLASSES}, loss="least_squares")
    codes = codes_of(values)
    (verdict,) = script.layers("discriminator", "adv_layer")
    assert isinstance(verdict, nn.Linear)
    features = verdict.in_features
    discriminator = Recogniser(config.Mlp(hidden=(1,)), script.shape, features, codes.outputs)
    discriminator.trunk = Network(*script.layers("discriminator", "conv_blocks"), nn.Flatten())
    discriminator.real, discriminator.codes = Network(verdict), Network(nn.Linear(features, codes.outputs))
    return InfoGAN(_reshaped(script), discriminator, script.shape, values)


OURS: dict[str, Callable[[Script], Model]] = {
    "gan": perceptron,
    "cgan": conditional,
    "wgan_gp": lambda script: perceptron(
        script, loss="wasserstein", penalty=config.Penalty(kind="gradient_penalty"), discriminator_steps=5
    ),
    "dcgan": convolutional,
    "lsgan": lambda script: convolutional(script, loss="least_squares"),
    "infogan": informed,
}


def play(model: Model, precision: Precision, steps: int) -> float:
    """Return the images per second of the processor's time of our trainer."""
    pixels = torch.randint(256, (10 * BATCH, model.shape.channels, model.shape.size, model.shape.size))
    dataset = Dataset("noise", pixels.to(torch.uint8), torch.arange(10 * BATCH) % CLASSES)
    values = Train(batch=BATCH, precision=precision, optimizer=Optimizer(learning_rate=RATE, betas=BETAS))
    trainer = Trainer(model.to(memory_format=torch.channels_last), ImageLoader(dataset, BATCH), values)  # type: ignore[call-overload]
    for _ in range(WARM_UP):
        trainer.advance()
    start = time.process_time()
    for _ in range(steps):
        trainer.advance()
    return BATCH * steps / (time.process_time() - start)


def main() -> None:
    """Measure each script and ours in turn; print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path, help="where PyTorch-GAN is")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=f"of {', '.join(OURS)} (all)")
    parser.add_argument("--steps", type=int, default=20, help="timed in a measurement (20)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each, in turn (5)")
    options = parser.parse_args()
    half = machine.multiplies_bfloat16(torch.device("cpu"))
    precisions: list[Precision] = ["float32", "bfloat16"] if half else ["float32"]
    print(f"{machine.processor()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}, batch {BATCH}\n")
    print(f"| script | theirs, images/s | {' | '.join(f'ours, {p} | ratio' for p in precisions)} |")
    print(f"|---|---:|{'---:|---:|' * len(precisions)}")
    for name in options.scripts or OURS:
        theirs: list[float] = []
        ours: dict[Precision, list[float]] = {precision: [] for precision in precisions}
        for _ in range(options.repeats):
            script = run_script(options.clone / "implementations" / name / f"{name}.py", options.steps)
            theirs.append(script.speed)
            for precision in precisions:
                ours[precision].append(play(OURS[name](script), precision, options.steps))
        base = statistics.median(theirs)
        cells = [f"{statistics.median(found):,.0f} | {statistics.median(found) / base:.2f}" for found in ours.values()]
        print(f"| `{name}` | {base:,.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
