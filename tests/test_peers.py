"""The benchmark beside PyTorch-GAN, on a script of the same form that is ours: what is timed, and what is played."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.peers import BATCH, OURS, play, run_script

SCRIPT = """
import argparse
import os
import torchvision.transforms as transforms
from torchvision.utils import save_image
from torch.utils.data import DataLoader
from torchvision import datasets
import torch.nn as nn

os.makedirs("images", exist_ok=True)
parser = argparse.ArgumentParser()
parser.add_argument("--img_size", type=int, default=8)
parser.add_argument("--channels", type=int, default=1)
parser.add_argument("--latent_dim", type=int, default=5)
opt = parser.parse_args()
seen = []


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(5, 64), nn.Tanh())


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(64, 1), nn.Sigmoid())


generator, discriminator = Generator(), Discriminator()
os.makedirs("../../data/mnist", exist_ok=True)
loader = DataLoader(datasets.MNIST("../../data/mnist", transform=transforms.ToTensor()), batch_size=64, shuffle=True)
for epoch in range(200):
    for i, (imgs, labels) in enumerate(loader):
        seen.append(imgs.shape)
        print(i, sum(j * j for j in range(20000)))
        save_image(imgs, "images/%d.png" % i)
"""


def test_a_script_is_timed_and_its_layers_are_played(tmp_path: Path) -> None:
    file = tmp_path / "gan.py"
    file.write_text(SCRIPT)
    before = (Path.cwd(), list(sys.argv), torch.utils.data.DataLoader)
    script = run_script(file, steps=4)
    assert (Path.cwd(), list(sys.argv), torch.utils.data.DataLoader) == before
    assert "torchvision" not in sys.modules
    assert script.names["seen"] == [(BATCH, 1, 8, 8)] * 7, "three to warm up, four timed"
    assert script.speed > 0
    assert list(tmp_path.iterdir()) == [file], "nothing was written"

    model = OURS["gan"](script)
    theirs = script.names["discriminator"].model[0].weight
    assert any(parameter is theirs for parameter in model.players()["discriminator"].parameters())
    assert not any(isinstance(module, torch.nn.Sigmoid | torch.nn.Tanh) for module in model.modules())
    weight = theirs.detach().clone()
    assert play(model, "float32", steps=1) > 0
    assert not torch.equal(theirs, weight), "our trainer moves it"


INFOGAN = SCRIPT.replace(
    """        self.model = nn.Sequential(nn.Linear(5, 64), nn.Tanh())
""",
    """        self.init_size = 2
        self.l1 = nn.Sequential(nn.Linear(5 + 10 + 2, 8 * 4))
        self.conv_blocks = nn.Sequential(nn.Upsample(scale_factor=4), nn.Conv2d(8, 1, 3, padding=1), nn.Tanh())
""",
).replace(
    """        self.model = nn.Sequential(nn.Linear(64, 1), nn.Sigmoid())
""",
    """        self.conv_blocks = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.BatchNorm2d(4, 0.8))
        self.adv_layer = nn.Sequential(nn.Linear(4 * 16, 1))
""",
)


def test_the_layers_of_an_infogan_are_played(tmp_path: Path) -> None:
    file = tmp_path / "infogan.py"
    file.write_text(INFOGAN)
    script = run_script(file, steps=1)
    model = OURS["infogan"](script)
    theirs = script.names["discriminator"]
    for weight in (theirs.conv_blocks[0].weight, theirs.adv_layer[0].weight):
        assert any(parameter is weight for parameter in model.parameters())
    assert play(model, "float32", steps=1) > 0
