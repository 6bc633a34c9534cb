"""The conformance suite, for families from inside and outside the package; it needs no test runner.

from simulacra.testing import cases, conformance

conformance(MyFamily)                                    # raises AssertionError, naming the clause that is broken

@pytest.mark.parametrize("case", cases(MyFamily), ids=str)
def test_my_family(case):
    case()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulacra.images import Shape
from simulacra.models import Model
from simulacra.testing.clauses import MODEL_CLAUSES, resuming_is_exact
from simulacra.testing.small import build, name_of, networks, shapes

__all__ = ["Case", "cases", "conformance"]


@dataclass(frozen=True)
class Case:
    """One clause held against one family on one network and shape of images; called, it raises `AssertionError`."""

    family: str
    network: str
    shape: Shape
    clause: str
    check: Callable[[Callable[[int], Model]], None]

    def __call__(self) -> None:
        """Check the clause."""
        try:
            self.check(lambda seed: build(self.family, self.network, self.shape, seed))
        except AssertionError as error:
            raise AssertionError(f"{self}: {error}") from error

    def __str__(self) -> str:
        wide = "" if self.shape.square else f"x{self.shape.width}"
        return f"{self.clause}-{self.family}-{self.network}-{self.shape.channels}x{self.shape.size}{wide}"


def cases(family: str | type[Model]) -> list[Case]:
    """Return every clause on every network and shape for a registered family, given by name or class."""
    name = name_of(family)
    clauses = [(clause.__name__, _on_a_model(clause)) for clause in MODEL_CLAUSES]
    clauses.append((resuming_is_exact.__name__, resuming_is_exact))
    return [
        Case(name, network, shape, clause, check)
        for network in networks(name)
        for shape in shapes(name)
        for clause, check in clauses
    ]


def conformance(family: str | type[Model]) -> None:
    """Hold a registered family against all `cases`; raises `AssertionError` naming the first that is broken."""
    for case in cases(family):
        case()


def _on_a_model(clause: Callable[[Model], None]) -> Callable[[Callable[[int], Model]], None]:
    return lambda make: clause(make(0))
