"""Layers that stay as another run left them: the first ones of a player, which see what is common to many sets.

Source: Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs (2020), https://arxiv.org/abs/2002.10964
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from simulacra.errors import ConfigError, nearest
from simulacra.models import Model

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)  # what counts; a norm goes with the one before


def freeze(model: Model, layers: Mapping[str, int]) -> None:
    """Let the first layers of players keep their weights; ``layers`` has the number of them for each player by name.

    Raises `ConfigError` for players that the model does not have, and where nothing would be left to train.
    """
    players = model.players()
    for name, count in layers.items():
        if name not in players:
            raise ConfigError(
                f"train.freeze.{name}: this family has no such player.{nearest(name, players)} "
                f"Players: {', '.join(players)}."
            )
        _freeze(players[name], name, count)


def _freeze(player: nn.Module, name: str, count: int) -> None:
    there = sum(isinstance(module, LAYERS) for module in player.modules())
    if count >= there:
        most = f"Freeze {there - 1} at most, so that one learns."
        raise ConfigError(f"train.freeze.{name}: it has {there} layers. {most}")
    passed = 0
    for module in player.modules():
        passed += isinstance(module, LAYERS)
        if passed > count:
            return
        for parameter in module.parameters(recurse=False) if passed else ():
            parameter.requires_grad_(False)
