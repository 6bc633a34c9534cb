"""Several processes train what one process trains: every family, in float64, and what each needs for it."""

from __future__ import annotations

import importlib
import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from simulacra import models, parallel
from simulacra.adversarial import replay
from simulacra.config import Conv, Optimizer, Penalty, Train
from simulacra.data import LOADERS
from simulacra.errors import ConfigError, LostProcess
from simulacra.images import Shape
from simulacra.models import FAMILIES, Translating, memory
from simulacra.testing import small
from simulacra.training import Trainer, setup
from simulacra.training import trainer as trainer_module
from simulacra.training.session import Session
from simulacra.training.team import ALONE, Team
from tests.processes import together

loader = importlib.import_module("simulacra.data.loader")  # the package has a function of that name
ROWS = 8  # images of a step
STEADY = Optimizer(learning_rate=1e-3, epsilon=1e-5)  # rounding of gradients that are zero counts for less than 1e-10
State = dict[str, Tensor]


def exactly() -> None:
    """Compute in float64 wherever the package says float32: sums in another order then differ by 1e-15."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[assignment,method-assign]
    for module in (loader, memory, replay):
        module.from_bytes = lambda pixels: pixels.double().div_(127.5).sub_(1.0)  # type: ignore[attr-defined]


def case_of(family: str, changes: Mapping[str, Any], network: str) -> tuple[Any, Shape]:
    shape = small.shapes(family)[0]
    if small.translates(family):
        values = small.translator_config(family, small.TRANSLATOR_NETWORKS[network], shape)
    else:
        values = small.configs(family, small.NETWORKS[network])
    return values.model_copy(update=dict(changes)), shape


def prepared(
    team: Team,
    family: str,
    changes: Mapping[str, Any],
    network: str,
    augment: tuple[str, ...],
    steps: int,
    accumulate: int = 1,
) -> Trainer:
    values, shape = case_of(family, changes, network)
    torch.manual_seed(0)
    model = models.build(values, shape).to(torch.get_default_dtype())
    if isinstance(model, Translating):
        a, b = model.domains.values()
        dataset = small.noise_domains(3 * ROWS + 1, a.channels, b.channels, a.size)
    else:
        dataset = small.noise_images(3 * ROWS + 1, shape.channels, shape.size)
    batches = LOADERS[model.batch](dataset, ROWS, seed=5, augment=augment)
    options = Train(
        images=steps * ROWS, batch=ROWS, log=steps * ROWS, verify=2, accumulate=accumulate, optimizer=STEADY
    )
    return Trainer(model, batches, options, seed=5, team=team)


def trained(team: Team, *case: Any, accumulate: int = 1) -> tuple[State, dict[str, float]]:
    trainer, terms = prepared(team, *case, accumulate=accumulate), {}
    if team.leads:
        for progress in trainer.train():
            terms = progress.terms
        team.tell({"end": 0})
    else:
        trainer.follow()
    return trainer.model.state_dict(), terms


def all_trained(
    team: Team, cases: Mapping[str, tuple[Any, ...]], steps: int
) -> dict[str, tuple[State, dict[str, float]]]:
    exactly()
    return {name: trained(team, *case, steps_of(name, steps)) for name, case in cases.items()}


def steps_of(name: str, steps: int) -> int:
    """Half of them where the shipped network takes part, which costs as much as all other families together."""
    return steps // 2 if name in ("deepsim", "dfcvae") else steps


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    for family in FAMILIES:
        yield family, (family, {}, "resnet" if small.translates(family) else "conv", ())
    batch_norm = Conv(widths=(8, 12), norm="batch")
    yield "vae batch norm", ("vae", {"network": batch_norm}, "conv", ())
    yield (
        "vaegan batch norm r1",
        ("vaegan", {"discriminator": batch_norm, "penalty": Penalty(kind="r1", weight=1.0)}, "conv", ()),
    )
    yield "gan packs", ("gan", {"packing": 2, "penalty": Penalty(kind="gradient_penalty")}, "conv", ())
    yield (
        "gan relativistic",
        (
            "gan",
            {
                "loss": "relativistic",
                "penalty": Penalty(kind="r1_r2", every=3),
                "augment": ("colour", "translation", "cutout"),
            },
            "conv",
            (),
        ),
    )
    yield "gan dragan", ("gan", {"penalty": Penalty(kind="dragan")}, "mlp-batch-norm", ())
    yield "infogan clusters", ("infogan", {"clusters": 12, "memory": 20}, "conv", ())
    yield (
        "denoising",
        (
            "autoencoder",
            {"corruption": 0.3},
            "conv",
            (
                "flip",
                "rotate degrees=-15..15",
                "noise deviation=0..0.2 probability=0.4",
                "elastic strength=1 probability=0.2",
                "salt-and-pepper",
            ),
        ),
    )
    yield "binarized", ("vae", {}, "conv", ("binarize",))
    yield "pix2pix dropout", ("pix2pix", {}, "unet", ("flip",))


CASES = dict(cases())


def difference(a: State, b: State) -> float:
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a if a[name].numel())


@pytest.fixture(scope="module")
def alone() -> dict[str, tuple[State, dict[str, float]]]:
    return together(1, all_trained, CASES, 4)[0]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def two() -> list[dict[str, tuple[State, dict[str, float]]]]:
    return together(2, all_trained, CASES, 4)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_what_one_trains(name: str, alone: Any, two: Any) -> None:
    weights, terms = alone[name]
    assert difference(weights, two[0][name][0]) < 1e-10
    assert all(torch.equal(tensor, two[1][name][0][key]) for key, tensor in two[0][name][0].items())
    assert two[0][name][1] == pytest.approx(terms, rel=1e-9, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_so_do_four_and_for_longer(count: int) -> None:
    one = together(1, all_trained, CASES, 20)[0]
    several = together(count, all_trained, CASES, 20)
    for name in CASES:
        found = difference(one[name][0], several[0][name][0])
        print(f"{name}: {found:.1e} after 20 steps on {count} processes")
        assert found < 1e-9
        for other in several[1:]:
            assert all(torch.equal(tensor, other[name][0][key]) for key, tensor in several[0][name][0].items())


ACCUMULATING = ("autoencoder", "iwae", "cvae", "gan packs", "gan relativistic", "ali", "pix2pix dropout", "denoising")


def accumulated(team: Team) -> dict[str, State]:
    exactly()
    return {name: trained(team, *CASES[name], 4, accumulate=4 // team.count)[0] for name in ACCUMULATING}


@pytest.mark.parametrize("count", [1, 2])
def test_a_batch_may_be_computed_in_parts(count: int, alone: Any) -> None:
    for name, weights in together(count, accumulated)[0].items():
        assert difference(alone[name][0], weights) < 1e-10, name


@pytest.mark.parametrize("name", ["vaegan", "gan dragan", "cyclegan", "dfcvae", "infogan clusters"])
def test_parts_are_refused_where_images_of_a_batch_are_compared(name: str) -> None:
    family, changes, network, _ = CASES[name]
    probe = prepared(ALONE, family, changes, network, (), steps=2, accumulate=2)
    with pytest.raises(ConfigError, match=r"train.accumulate divides a batch into parts"):
        setup.refuse_accumulation(probe)


def test_nothing_is_written_where_parts_are_refused(tmp_path: Path) -> None:
    changes = {"train": {"batch": 8, "accumulate": 2, "images": 16}}
    with pytest.raises(ConfigError, match=r"train.accumulate divides a batch into parts"):
        Session.start("gan-mlp", data_name="digits", out=tmp_path / "run", changes=changes)
    assert not (tmp_path / "run").exists()


# ------------------------------------------------------------------------- what each part of it is needed for


def without_reducing_the_generator() -> None:
    plain = Team.average_gradients
    turns = itertools.count()

    def some(team: Team, parameters: Any, stop: bool) -> bool:
        return stop if next(turns) % 2 else plain(team, parameters, stop)

    Team.average_gradients = some  # type: ignore[method-assign]


def with_a_seed_for_each_process() -> None:
    plain = trainer_module.derived_seed
    trainer_module.derived_seed = lambda *parts: plain(*parts, dist.get_rank())  # type: ignore[attr-defined]


def with_batch_norm_by_process() -> None:
    parallel.BatchNorm.forward = torch.nn.modules.batchnorm._BatchNorm.forward  # type: ignore[method-assign]


def with_a_pool_by_process() -> None:
    replay.parallel = types.SimpleNamespace(gather=lambda x: x, own=lambda x: x)  # type: ignore[assignment]


def with_rows_of_its_own() -> None:
    loader.parallel = types.SimpleNamespace(own=lambda x: x[: len(x) // 2])  # type: ignore[assignment]


MUTANTS: dict[str, tuple[Callable[[], None], str]] = {
    "no all-reduce for one player": (without_reducing_the_generator, "gan"),
    "seed by process": (with_a_seed_for_each_process, "gan"),
    "batch norm by process": (with_batch_norm_by_process, "vae batch norm"),
    "pool by process": (with_a_pool_by_process, "cyclegan"),
    "the same images in all processes": (with_rows_of_its_own, "autoencoder"),
}


def mutated(team: Team, name: str) -> State | str:
    exactly()
    mutate, case = MUTANTS[name]
    mutate()
    try:
        return trained(team, *CASES[case], 4)[0]
    except LostProcess as error:
        return str(error)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_found(name: str, alone: Any) -> None:
    found = together(2, mutated, name)[0]
    if isinstance(found, str):
        assert "Process 1 of 2 has another" in found
    else:
        assert difference(alone[MUTANTS[name][1]][0], found) > 1e-6
