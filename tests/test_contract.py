"""Run the conformance suite over every family x network x shape; and show that it can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from simulacra import config
from simulacra.adversarial.objectives import Hinge, Relative
from simulacra.data import Images
from simulacra.images import Shape
from simulacra.models import Model, Round
from tests import contract

CASES = list(contract.cases())
IDS = [f"{family}-{network}-{shape.channels}x{shape.size}" for family, network, shape in CASES]


@pytest.mark.parametrize("clause", contract.MODEL_CLAUSES, ids=lambda clause: clause.__name__)
@pytest.mark.parametrize(("family", "network", "shape"), CASES, ids=IDS)
def test_contract(clause: Callable[[Model], None], family: str, network: str, shape: Shape) -> None:
    clause(contract.build(family, network, shape))


@pytest.mark.parametrize(("family", "network", "shape"), CASES, ids=IDS)
def test_resuming_is_exact(family: str, network: str, shape: Shape) -> None:
    contract.resuming_is_exact(lambda seed: contract.build(family, network, shape, seed))


GANS = dict(contract.gans())


@pytest.mark.parametrize("name", GANS)
def test_every_objective_with_every_penalty(name: str) -> None:
    """The clauses that a loss could break.

    The discriminator's last bias is idle where only differences of logits count, and within the hinge's margins.
    """
    model = contract.build_gan(GANS[name])
    contract.terms_are_finite_scalars(model)
    biases = [name for name, _ in model.named_parameters() if name.endswith(".bias")]
    idle = frozenset(biases[-1:] if isinstance(model.loss, Relative | Hinge) else ())
    contract.a_round_moves_exactly_its_players(model, idle)
    contract.resuming_is_exact(lambda seed: contract.build_gan(GANS[name], seed))


@pytest.mark.parametrize("recipe", config.recipe_names())
def test_config_to_toml_and_back_is_the_identity(recipe: str) -> None:
    values = config.parse(config.recipe(recipe).values)
    assert config.parse(config.loads(config.dumps(values))) == values


class Broken(Model):
    """A game with every mistake that the suite is there to catch."""

    def __init__(self) -> None:
        super().__init__(Shape(1, 8))
        self.shared = nn.Linear(64, 4)
        self.forgotten = nn.Linear(4, 4)
        self.latent = 4

    def players(self) -> dict[str, nn.Module]:
        return {"one": self.shared, "two": self.shared}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        loss = self.shared(batch.image.flatten(1)).mean(1)
        yield {"one": {"loss": loss}, "two": {"loss": torch.log(-loss.abs()).mean()}}

    def prior(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.randn(n, 4)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        z = z - z.mean(0)
        return 2 * z.repeat(1, 16).view(-1, 1, 8, 8)


@pytest.mark.parametrize(
    "clause",
    [
        contract.players_partition_the_parameters,
        contract.every_parameter_moves_in_one_step,
        contract.terms_are_finite_scalars,
        contract.decoding_has_the_shape_and_range,
        contract.the_prior_follows_its_generator,
    ],
    ids=lambda clause: clause.__name__,
)
def test_the_suite_catches(clause: Callable[[Model], None]) -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        clause(Broken())
