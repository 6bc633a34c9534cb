"""Small models of every family on every network and shape, and a trainer with random images for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from simulacra import config, models
from simulacra.config import Conv, Mlp, Optimizer, Patch, Resnet, ResnetTranslator, Subpixel, Train, Unet
from simulacra.data import LOADERS, Dataset
from simulacra.images import Shape
from simulacra.models import FAMILIES, Model, Translating
from simulacra.training import Trainer

BATCH = 8
SMALL_CONV = Conv(widths=(8, 12), norm="none")
SMALL_MLP = Mlp(hidden=(24,))
NETWORKS: dict[str, config.Network] = {
    "mlp": SMALL_MLP,
    "conv": SMALL_CONV,
    "mlp-batch-norm": SMALL_MLP.model_copy(update={"norm": "batch", "activation": "leaky_relu"}),
    "resnet": Resnet(widths=(8, 12)),
    "conv-group-norm": SMALL_CONV.model_copy(update={"norm": "group", "strides": (1, 2), "kernel": 3, "dense": 10}),
}
SHAPES = (Shape(1, 8), Shape(3, 13))
SMALL_RESNET = ResnetTranslator(width=4, downsamplings=1, blocks=1)
TRANSLATOR_NETWORKS: dict[str, config.Translator] = {
    "resnet": SMALL_RESNET,
    "resnet-kernel-3": SMALL_RESNET.model_copy(update={"downsamplings": 2, "kernel": 3, "norm": "none"}),
    "resnet-correct": SMALL_RESNET.model_copy(update={"residual": True}),
    "unet": Unet(width=4),
    "subpixel": Subpixel(width=4, blocks=1),
}
TRANSLATOR_SHAPES = (Shape(1, 8), Shape(3, 12))
SMALL = {"classes": ("even", "odd"), "latent": 4}
POOL = 12  # filled by the second batch: later ones, before and after resuming, find earlier images


def name_of(family: str | type[Model]) -> str:
    """Return the name of a family that is given by name or class."""
    return family if isinstance(family, str) else str(family.section.model_fields["family"].default)


def section_of(family: str) -> Any:
    """Return the config section of a family."""
    return config.FAMILIES[family]


def translates(family: str) -> bool:
    """Whether a family translates images."""
    return hasattr(FAMILIES[family], "translate")


def networks(family: str) -> dict[str, Any]:
    """Return the networks that a family is tested on, by name."""
    return TRANSLATOR_NETWORKS if translates(family) else NETWORKS


def shapes(family: str) -> tuple[Shape, ...]:
    """Return the shapes of images that a family is tested on."""
    return TRANSLATOR_SHAPES if translates(family) else SHAPES


def translator_config(family: str, network: config.Translator, shape: Shape) -> config.ModelConfig:
    """The config of a small translator, grey to colour and the reverse unless it corrects its input."""
    channels = shape.channels if network.residual else 4 - shape.channels
    section = section_of(family)
    pool = {"pool": POOL} if "pool" in section.model_fields else {}
    small = Patch(width=4, downsamplings=1)
    return section(generator=network, discriminator=small, channels_b=channels, **pool)  # type: ignore[no-any-return]


def configs(family: str, network: config.Network | config.Translator) -> config.ModelConfig:
    """The config of a family with this network wherever it takes one, and few latents."""
    section = section_of(family)
    if isinstance(network, config.Translator):
        return translator_config(family, network, Shape(1, 8))
    wanted = {name: network for name, field in section.model_fields.items() if is_network(field.default)}
    small = {name: value for name, value in SMALL.items() if name in section.model_fields}
    return section(**wanted, **small)  # type: ignore[no-any-return]


def is_network(value: object) -> bool:
    """Whether a default of a section is a network."""
    return isinstance(value, config.Network)


def cases() -> Iterator[tuple[str, str, Shape]]:
    """Every family on every network and shape."""
    for family in FAMILIES:
        for network in networks(family):
            for shape in shapes(family):
                yield family, network, shape


def build(family: str, network: str, shape: Shape, seed: int = 0) -> Model:
    """Build a small model of a family."""
    torch.manual_seed(seed)
    if translates(family):
        return models.build(translator_config(family, TRANSLATOR_NETWORKS[network], shape), shape)
    return models.build(configs(family, NETWORKS[network]), shape)


def trainer(model: Model, *, images: int = 4 * BATCH, ema: int = 0, rate: float = 1e-3) -> Trainer:
    """Return a trainer of a model on random images."""
    count = 3 * BATCH + 1
    if isinstance(model, Translating):
        a, b = model.domains.values()
        dataset = noise_domains(count, a.channels, b.channels, a.size)
    else:
        dataset = noise_images(count, model.shape.channels, *model.shape.sides)
    values = Train(images=images, batch=BATCH, log=BATCH, ema=ema, optimizer=Optimizer(learning_rate=rate))
    return Trainer(model, LOADERS[model.batch](dataset, BATCH, seed=5), values, seed=5)


def snapshot(model: Model) -> dict[str, torch.Tensor]:
    """Copy a model's state."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def noise_images(count: int, channels: int, size: int, width: int = 0, *, seed: int = 0) -> Dataset:
    """Random uint8 images with two classes."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, channels, size, width or size), generator=generator, dtype=torch.uint8)
    return Dataset("noise", pixels, torch.arange(count) % 2, ("even", "odd"))


def noise_domains(count: int, channels_a: int, channels_b: int, size: int, *, paired: bool = True) -> Dataset:
    """Random uint8 images of two domains, without pairs one more in B."""
    a = noise_images(count, channels_a, size)
    b = noise_images(count if paired else count + 1, channels_b, size, seed=1)
    names = tuple(map(str, range(len(b))))
    other = Dataset("noise", b.images, names=names)
    return Dataset("noise", a.images, names=names[:count], other=other)
