"""The table of oracles in the docs: it can be printed, and no row disagrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")
pytest.importorskip("torchmetrics")

from benchmarks.oracles import TABLE, Row

QUICK = [rows for rows in TABLE if rows.__name__ not in ("likelihood", "disentanglement")]
SLOW = [pytest.param(rows, marks=pytest.mark.slow) for rows in TABLE if rows not in QUICK]


@pytest.mark.parametrize("rows", [*QUICK, *SLOW], ids=lambda rows: rows.__name__)
def test_no_row_disagrees_with_its_oracle(rows: Callable[[], Iterator[Row]]) -> None:
    for row in rows():
        by_chance = {"abs": 0.02} if "by chance" in row.by else {"rel": 1e-6}
        assert row.ours == pytest.approx(row.oracle, **by_chance), row
